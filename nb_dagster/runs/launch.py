"""Launching a workflow on a running Dagster: checked, once for one key, and on its own from then on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nb_dagster.errors import InvalidParameter, RunRefused
from nb_dagster.notebook.types import JSON
from nb_dagster.runs.graphql import Dagster, refuse_error
from nb_dagster.runs.keys import check_key, used_otherwise
from nb_dagster.runs.launchable import Launchable

KEY_TAG = "nb_dagster/idempotency_key"
"""Tag of a run that was launched with an idempotency key."""
_LAUNCH = """
mutation($parameters: ExecutionParams!) { launchRun(executionParams: $parameters) { __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on RunConfigValidationInvalid { errors { message } }
  ... on Error { message }
} }
"""
_OF_KEY = """
query($filter: RunsFilter!) { runsOrError(filter: $filter) { __typename
  ... on Error { message }
  ... on Runs { results { runId jobName runConfig assetSelection { path } } }
} }
"""
_TERMINATE = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"


def launch(
    dagster: Dagster, workflow: Launchable, op: str | None, values: Mapping[str, JSON], *, key: str | None = None
) -> str:
    """Launch a run.

    Args:
        dagster: where.
        workflow: what.
        op: the op that takes the parameters.
        values: the parameters.
        key: names this launch: where a run with it is there already, nothing is launched.

    Returns:
        The run's id.

    Raises:
        RunRefused: Dagster does not launch it, or the key was used for something else.
    """
    config = {"ops": {op: {"config": dict(values)}}} if op and values else {}
    if key is None:
        return _launch(dagster, workflow, config, {})
    check_key(key)
    first = _first_of(dagster, workflow, config, key)
    if first is not None:
        return first
    launched = _launch(dagster, workflow, config, {KEY_TAG: key})
    first = _first_of(dagster, workflow, config, key) or launched
    if first != launched:  # somebody has launched it at the same moment
        dagster.query(_TERMINATE, id=launched)
    return first


def _launch(dagster: Dagster, workflow: Launchable, config: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    answer = dagster.query(
        _LAUNCH,
        parameters={
            "selector": workflow.selector,
            "runConfigData": config,
            "executionMetadata": {"tags": [{"key": name, "value": value} for name, value in tags.items()]},
        },
    )["launchRun"]
    if answer["__typename"] == "LaunchRunSuccess":
        return str(answer["run"]["runId"])
    if answer["__typename"] == "RunConfigValidationInvalid":
        raise InvalidParameter(f"{workflow.name}: {'; '.join(_in_short(each['message']) for each in answer['errors'])}")
    words = str(answer.get("message") or answer["__typename"]).strip().splitlines()[0]
    raise RunRefused(f"{dagster.name} does not launch {workflow.name}: {words}")


def _first_of(dagster: Dagster, workflow: Launchable, config: Mapping[str, Any], key: str) -> str | None:
    """The id of the first run with a key.

    Raises:
        RunRefused: it is of another workflow, or has other parameters.
    """
    answer = dagster.query(_OF_KEY, filter={"tags": [{"key": KEY_TAG, "value": key}]})["runsOrError"]
    refuse_error(dagster.name, answer)
    if not answer["results"]:
        return None
    run = answer["results"][-1]  # they come newest first
    selected = {tuple(each["path"]) for each in run["assetSelection"] or []}
    is_same = (run["jobName"], selected) == (workflow.job, set(workflow.assets))
    if not is_same or (run["runConfig"] or {}) != config:
        what = "other parameters" if is_same else "another workflow"
        raise used_otherwise(key, run["runId"], what)
    return str(run["runId"])


def _in_short(message: str) -> str:
    """What is wrong with a config, in one line."""
    value = re.search(r"at path root:\S*?config:(\w+)", message)
    said = re.search(r"PostProcessingError: ([^\n]+)", message)
    line = said[1] if said else message.strip().splitlines()[0]
    return f"parameter {value[1]!r} {line}" if value and said else line

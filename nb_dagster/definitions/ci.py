"""What GitHub Actions says of the job that a run is started in: tags of the run, and ``nb.context.ci``."""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "nb_dagster.ci/"
"""Of the run's tags."""
_VARIABLES = {
    "repository": "GITHUB_REPOSITORY",
    "sha": "GITHUB_SHA",
    "ref": "GITHUB_REF",
    "actor": "GITHUB_ACTOR",
    "event": "GITHUB_EVENT_NAME",
    "workflow": "GITHUB_WORKFLOW",
    "run_id": "GITHUB_RUN_ID",
    "run_attempt": "GITHUB_RUN_ATTEMPT",
}


def ci_tags(environment: Mapping[str, str]) -> dict[str, str]:
    """The tags of a run that is started in this environment; none outside of GitHub Actions.

    Args:
        environment: the variables, such as ``os.environ``.

    Example:
        >>> ci_tags({"GITHUB_ACTIONS": "true", "GITHUB_SHA": "1a2b3c4"})
        {'nb_dagster.ci/sha': '1a2b3c4'}
    """
    if environment.get("GITHUB_ACTIONS") != "true":
        return {}
    found = {name: environment.get(variable, "") for name, variable in _VARIABLES.items()}
    if found["repository"] and found["run_id"]:
        server = environment.get("GITHUB_SERVER_URL", "https://github.com")
        found["url"] = f"{server}/{found['repository']}/actions/runs/{found['run_id']}"
    return {PREFIX + name: value for name, value in found.items() if value}


def ci_of(tags: Mapping[str, str]) -> dict[str, str]:
    """The same, from the tags of a run."""
    return {name.removeprefix(PREFIX): value for name, value in tags.items() if name.startswith(PREFIX)}

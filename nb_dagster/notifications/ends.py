"""How a run and the notebooks in it ended, or which attempts of them failed, read from the history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.tags import WILL_RETRY_TAG

from nb_dagster.definitions.metadata import PATH_KEY
from nb_dagster.notebook.types import JSON
from nb_dagster.notifications.outcomes import OF_STATUS, WORDS, Outcome
from nb_dagster.store.attempts import read_facts

_RUN_ENDS: dict[dg.DagsterRunStatus, Outcome] = {
    dg.DagsterRunStatus.SUCCESS: "success",
    dg.DagsterRunStatus.FAILURE: "failure",
    dg.DagsterRunStatus.CANCELED: "cancel",
}
EVENTS = {
    dg.DagsterEventType.ENGINE_EVENT,
    dg.DagsterEventType.STEP_UP_FOR_RETRY,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
}
"""What is read of a run's log."""


@dataclass(frozen=True)
class End:
    """The end of a notebook, of an ordinary step that failed, or of a run of which nothing else is to be said.

    Attributes:
        workflow: name of the workflow, step or job.
        outcome: what people can be told of.
        words: the same as a sentence says it, more precisely.
        reason: why; empty where it simply succeeded.
        attempt: number of the attempt; None where it was no notebook.
        duration_s: seconds of the attempt.
        parameters: the values that were given to it.
        page: address of its page, where there is one.
        notebook: path or URL of the executed notebook.
        step: name of its step; of the pieces of one workflow each has its own.
    """

    workflow: str
    outcome: Outcome
    words: str
    reason: str = ""
    attempt: int | None = None
    duration_s: float | None = None
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    page: str | None = None
    notebook: str | None = None
    step: str = ""


@dataclass(frozen=True)
class RunLog:
    """A run, and the part of its log that says how it went.

    Attributes:
        run: the run.
        entries: the events of :data:`EVENTS`, in order.
    """

    run: dg.DagsterRun
    entries: list[dg.EventLogEntry]

    @classmethod
    def read(cls, instance: dg.DagsterInstance, run: dg.DagsterRun) -> RunLog:
        """Read the log of a run."""
        return cls(run, list(instance.all_logs(run.run_id, of_type=EVENTS)))

    def events(self, kind: dg.DagsterEventType) -> Iterator[tuple[str, Any]]:
        """The events of a kind: names of their steps, and what they say; of a step in pieces, the name without them."""
        for entry in self.entries:
            event = entry.dagster_event
            if event is not None and event.event_type == kind:
                yield (entry.step_key or "").removesuffix("__notebook"), event

    def attempts(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Steps and metadata of the attempts of notebooks, in the order in which they ended."""
        found: list[tuple[str, Mapping[str, Any]]] = []
        for step, event in self.events(dg.DagsterEventType.ENGINE_EVENT):
            metadata = {name: value.value for name, value in event.engine_event_data.metadata.items()}
            if PATH_KEY in metadata:
                found.append((step, metadata))
        return found


def retries_of(log: RunLog) -> list[End]:
    """The attempts of a run that failed, and after which others follow."""
    attempts = {(step, metadata.get("attempt")): metadata for step, metadata in log.attempts()}
    counts: dict[str, int] = {}
    found = []
    for step, event in log.events(dg.DagsterEventType.STEP_UP_FOR_RETRY):
        counts[step] = number = counts.get(step, 0) + 1
        metadata = attempts.get((step, number))
        end = (
            _notebook_end(step, metadata, "failure")
            if metadata
            else End(step, "retry", WORDS["failure"], _why(event.event_specific_data), number)
        )
        found.append(replace(end, outcome="retry", words=f"{end.words}, and is tried again", step=step))
    return found


def ends_of(log: RunLog) -> list[End]:
    """How everything in a run that is over ended: its notebooks' last attempts, other steps that failed, or itself."""
    whole = _RUN_ENDS[log.run.status]
    last: dict[str, End] = {}
    for step, metadata in log.attempts():
        end = _notebook_end(step, metadata, whole)
        last[step or end.workflow] = end
    for step, event in log.events(dg.DagsterEventType.STEP_FAILURE):
        before = last.get(step)
        if before is None:
            last[step] = End(step, "failure", WORDS["failure"], _why(event.event_specific_data))
        elif before.outcome != "failure":  # such as a notebook that succeeded without the outputs it declares
            why = _why(event.event_specific_data)
            last[step] = replace(before, outcome="failure", words=WORDS["failure"], reason=why)
    ends = list(last.values())
    if not ends or (whole == "failure" and all(end.outcome != "failure" for end in ends)):
        ends.append(End(name_of(log.run), whole, WORDS[whole], _why_run(log) if whole == "failure" else ""))
    if log.run.tags.get(WILL_RETRY_TAG) == "true":
        return [
            replace(end, outcome="retry", words=WORDS["retry"]) if end.outcome == "failure" else end for end in ends
        ]
    return ends


def name_of(run: dg.DagsterRun) -> str:
    """A run's job; of a run of assets that was started without one, its assets."""
    if not run.job_name.startswith("__"):
        return run.job_name
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    return ", ".join(assets[:3]) + (f" and {len(assets) - 3} more" if len(assets) > 3 else "") or "assets"


def _notebook_end(step: str, metadata: Mapping[str, Any], otherwise: Outcome) -> End:
    """The end of an attempt, as its executed notebook says it, or, where that cannot be read, its event."""
    path = str(metadata[PATH_KEY])
    facts = read_facts(_path(path))
    outcome, words = OF_STATUS.get(facts.get("status", ""), (otherwise, WORDS[otherwise]))
    link = str(metadata.get("executed_notebook", ""))
    return End(
        workflow=facts.get("workflow") or step.rsplit(".", 1)[-1],
        outcome=outcome,
        words=words,
        reason=facts.get("reason") or metadata.get("reason") or "",
        attempt=metadata.get("attempt"),
        duration_s=_seconds(facts),
        parameters=facts.get("parameters") or metadata.get("parameters") or {},
        page=link if link.startswith(("http://", "https://")) else None,
        notebook=path if facts else None,
    )


def _path(path: str) -> Any:
    if "://" not in path:
        return Path(path)
    from upath import UPath

    return UPath(path)


def _seconds(facts: Mapping[str, Any]) -> float | None:
    if not facts.get("started") or not facts.get("ended"):
        return None
    return (datetime.fromisoformat(facts["ended"]) - datetime.fromisoformat(facts["started"])).total_seconds()


def _why(data: Any) -> str:
    """Why a step failed: what its code says, or else the error it began with."""
    user = getattr(data, "user_failure_data", None)
    if user is not None and user.description:
        return str(user.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else ""


def _why_run(log: RunLog) -> str:
    said = [event.message or "" for _, event in log.events(dg.DagsterEventType.RUN_FAILURE)]
    return said[-1] if said else ""

"""The history of runs, and the questions one asks it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import islice

import dagster as dg
from dagster._core.storage.dagster_run import RunRecord

from nb_dagster.definitions.instance import open_history
from nb_dagster.runs.finding import Wanted, find_run, newest_first
from nb_dagster.runs.past_run import PastRun, RunStatus
from nb_dagster.runs.reading import read_run


class History:
    """What has run, as Dagster's run storage has it: SQLite or PostgreSQL, whatever the instance is set to.

    Args:
        instance: the Dagster instance.

    Example:
        >>> with dg.DagsterInstance.get() as instance:
        ...     last = History(instance).latest("train", succeeded=True)
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    @property
    def place(self) -> str:
        """The folder that Dagster's home is, for messages."""
        return self._instance.root_directory

    def runs(
        self,
        workflow: str | None = None,
        *,
        last: int = 20,
        statuses: Collection[RunStatus] = (),
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> list[PastRun]:
        """The last runs, newest first.

        Args:
            workflow: of this workflow, or of the job of this name; of a larger run, only its own part is told.
            last: how many at most.
            statuses: only those that ended so; empty for any.
            since: only those made then or later; with a time zone.
            until: only those made by then; with a time zone.

        Raises:
            ValueError: a status is none, or a moment has no time zone.

        Example:
            >>> with nbd.history() as history:
            ...     for run in history.runs("train", last=5, statuses=["failed", "timed_out"]):
            ...         print(run.started, run.reason)
        """
        wanted = Wanted(statuses, since, until)
        found = (read_run(self._instance, each, workflow) for each in newest_first(self._instance, workflow, wanted))
        return list(islice((run for run in found if not statuses or run.status in statuses), last))

    def latest(self, workflow: str, *, succeeded: bool = False, until: datetime | None = None) -> PastRun | None:
        """The last run of a workflow; None where there is none.

        Args:
            workflow: its name.
            succeeded: the last that succeeded.
            until: as of that moment; with a time zone.
        """
        found = self.runs(workflow, last=1, statuses=["succeeded"] if succeeded else [], until=until)
        return found[0] if found else None

    def run(self, name: str) -> PastRun:
        """One run, with all of its attempts.

        Args:
            name: its id, how its id begins, or a workflow, which means its latest run.

        Raises:
            RunRefused: there is none, or more than one.
        """
        return read_run(self._instance, self._record(find_run(self._instance, name).run_id))

    def _record(self, run_id: str) -> RunRecord:
        (record,) = self._instance.get_run_records(dg.RunsFilter(run_ids=[run_id]), limit=1)
        return record


@contextlib.contextmanager
def history() -> Iterator[History]:
    """The history in ``$DAGSTER_HOME``, or in ``.nb_dagster`` under the current folder.

    Example:
        >>> with nbd.history() as history:
        ...     print(history.latest("train", succeeded=True))
    """
    with open_history() as instance:
        yield History(instance)

"""A past for the history to tell: runs of notebooks in every kind of job, with every kind of end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

import nb_dagster as nbd
from tests.notebooks import write_notebook

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Past:
    """Makes runs, one after the other.

    Attributes:
        ids: the runs by the names they are given here.
    """

    def __init__(self, folder: Path, instance: dg.DagsterInstance, store: str | None = None) -> None:
        self.ids: dict[str, str] = {}
        self._instance = instance
        self._resources = nbd.resources(store or str(folder / "notebooks"))
        self._define(folder)

    def _define(self, folder: Path) -> None:
        flexible = write_notebook(
            folder / "train.ipynb",
            "if n == 0: nb.skip('no rows')",
            "nb.output('rows', n)\nnb.metric('auc', 0.9)\nnb.artifact('model.bin', b'model')\nassert n > 0, 'too few'",
            parameters="n: int = 400",
        )
        slow = write_notebook(folder / "slow.ipynb", "import time\ntime.sleep(600)")
        self.train = nbd.notebook_asset(flexible)
        self.sets = nbd.notebook_asset(flexible, name="sets", outs=["rows", "twice"])
        self.other = nbd.notebook_asset(flexible, name="other", key_prefix="team")
        self.slow = nbd.notebook_job("slow", [nbd.notebook_op(slow, cell_timeout=0.5)])
        self.nightly = nbd.notebook_job(
            "nightly", [nbd.notebook_op(flexible, name="first"), nbd.notebook_op(flexible, name="second")]
        )
        self.again = nbd.notebook_job(
            "again", [nbd.notebook_op(flexible, name="stubborn", retry_policy=dg.RetryPolicy(max_retries=1))]
        )
        op = nbd.notebook_op(flexible, name="own")

        @dg.job
        def by_hand() -> None:
            op()

        self.by_hand = by_hand

    def materialize(self, name: str, asset: dg.AssetsDefinition, n: int) -> None:
        """A run of an asset."""
        config = {"ops": {asset.op.name: {"config": {"n": n}}}, **QUIET}
        done = dg.materialize(
            [asset], run_config=config, instance=self._instance, resources=self._resources, raise_on_error=False
        )
        self.ids[name] = done.run_id

    def execute(self, name: str, job: dg.JobDefinition, config: Mapping[str, Any] | None = None) -> None:
        """A run of a job, with parameters by op."""
        ops = {op: {"config": values} for op, values in (config or {}).items()}
        done = job.execute_in_process(
            {"ops": ops, **QUIET}, instance=self._instance, resources=self._resources, raise_on_error=False
        )
        self.ids[name] = done.run_id


def whole_past(folder: Path, instance: dg.DagsterInstance) -> Past:
    """One run of each kind."""
    past = Past(folder, instance)
    past.materialize("good", past.train, 500)
    past.materialize("skipped", past.train, 0)
    past.materialize("bad", past.train, -1)
    past.materialize("good, but outputs are missing", past.sets, 1)
    past.materialize("prefixed", past.other, 2)
    past.execute("timed out", past.slow)
    past.execute("one of two failed", past.nightly, {"first": {"n": 3}, "second": {"n": -1}})
    past.execute("tried twice", past.again, {"stubborn": {"n": -1}})
    past.execute("by hand", past.by_hand, {"own": {"n": 7}})
    run = instance.create_run_for_job(past.slow)
    past.ids["queued"] = run.run_id
    return past

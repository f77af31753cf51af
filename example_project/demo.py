"""``make demo``: launch the digits pipeline in Dagster, and say what ran, what it found and where to look."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from nb_dagster.definitions.instance import DEFAULT_HOME, open_history

LOG = Path(DEFAULT_HOME, "demo.log")


def main() -> int:
    """Launch the job, follow it, and print a summary; returns the exit code."""
    print("Running the digits pipeline: ingest -> eda, ingest -> split -> train[n] -> benchmark[n] -> summary")
    print(
        "(ingest is flaky on purpose: it fails once and hangs once, so that a retry and a timeout are seen)\n",
        flush=True,
    )
    os.environ.pop("DAGSTER_HOME", None)  # the demo has a history of its own, which make dev shows
    with open_history() as instance:
        run = _launch(instance)
        for line in _attempts_as_they_end(instance, run.run_id):
            print(f"  {line}", flush=True)
        stats = instance.get_run_stats(run.run_id)
        run = instance.get_run_by_id(run.run_id) or run
        print(
            f"\nRun {run.run_id[:8]} {run.status.value} in {(stats.end_time or 0) - (stats.start_time or 0):.0f} s.\n"
        )
        for line in _findings(instance):
            print(line)
    print(f"\nExecuted notebooks: {Path(DEFAULT_HOME, 'notebooks').absolute()}")
    print("Look at it in Dagster's UI: make dev, then http://127.0.0.1:3000/assets")
    if run.status != dg.DagsterRunStatus.SUCCESS:
        print(f"The pipeline did not succeed; its log is in {LOG.absolute()}")
        return 1
    return 0


def _launch(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """Launch the job as ``dagster job launch`` does; its code server stays until the run has ended."""
    command = [sys.executable, "-m", "dagster", "job", "launch", "-w", "workspace.yaml", "-j", "digits"]
    with open(LOG, "w", encoding="utf-8") as log:
        subprocess.run(command, stdout=log, stderr=log, check=False)
    runs = instance.get_runs(filters=dg.RunsFilter(job_name="digits"), limit=1)
    if not runs:
        sys.exit(f"Dagster did not launch the job; it says why in {LOG.absolute()}")
    return runs[0]


def _attempts_as_they_end(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    seen = 0
    finished = False
    while not finished:
        run = instance.get_run_by_id(run_id)
        finished = run is None or run.is_finished
        messages = [
            entry.dagster_event.message.removeprefix("notebook ")
            for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
            if entry.dagster_event and entry.dagster_event.message and ", attempt " in entry.dagster_event.message
        ]
        yield from messages[seen:]
        seen = len(messages)
        time.sleep(0.5)


def _findings(instance: dg.DagsterInstance) -> Iterator[str]:
    event = instance.get_latest_materialization_event(dg.AssetKey("leaderboard"))
    if event and event.asset_materialization:
        yield "Which training set size does best:"
        yield from (f"  {line}" for line in str(event.asset_materialization.metadata["leaderboard"].value).splitlines())


if __name__ == "__main__":
    sys.exit(main())

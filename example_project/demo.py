"""``make demo``: run the digits pipeline through Dagster, and say what ran, what it found and where to look."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

HOME = Path(".nb_dagster").absolute()


def main() -> int:
    """Launch the job, follow it, and print a summary; returns the exit code."""
    HOME.mkdir(exist_ok=True)
    settings = HOME / "dagster.yaml"
    if not settings.exists():
        settings.write_text("telemetry:\n  enabled: false\n")
    os.environ["DAGSTER_HOME"] = str(HOME)
    print("Running the digits pipeline: ingest -> eda, ingest -> split -> train[n] -> benchmark[n] -> summary")
    print(
        "(ingest is flaky on purpose: it fails once and hangs once, so that a retry and a timeout are seen)\n",
        flush=True,
    )
    with dg.DagsterInstance.get() as instance:
        command = [
            sys.executable,
            "-m",
            "dagster",
            "job",
            "execute",
            "-m",
            "example_project.definitions",
            "-j",
            "digits",
        ]
        with open(HOME / "demo.log", "w") as log:
            code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
        run = instance.get_runs(filters=dg.RunsFilter(job_name="digits"), limit=1)[0]
        for line in _attempts(instance, run.run_id):
            print(line)
        stats = instance.get_run_stats(run.run_id)
        print(
            f"\nRun {run.run_id[:8]} {run.status.value} in {(stats.end_time or 0) - (stats.start_time or 0):.0f} s.\n"
        )
        for line in _findings(instance):
            print(line)
    print(f"\nExecuted notebooks: {HOME / 'notebooks'}")
    print("Look at it in Dagster's UI: make dev, then http://127.0.0.1:3000/assets")
    if code != 0:
        print(f"The pipeline failed; its log is in {HOME / 'demo.log'}")
    return code


def _attempts(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        message = entry.dagster_event.message if entry.dagster_event else None
        if message and message.startswith("notebook ") and ", attempt " in message:
            yield f"  {message.removeprefix('notebook ')}"


def _findings(instance: dg.DagsterInstance) -> Iterator[str]:
    event = instance.get_latest_materialization_event(dg.AssetKey("leaderboard"))
    if event and event.asset_materialization:
        yield "Which training set size does best:"
        yield from (f"  {line}" for line in str(event.asset_materialization.metadata["leaderboard"].value).splitlines())


if __name__ == "__main__":
    sys.exit(main())

"""The sensor of files that arrive: one run for each, whatever becomes of the daemon in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.storage.tags import RUN_KEY_TAG, SENSOR_NAME_TAG

from nb_dagster.definitions.arrivals import Arrival, Seen, look


def file_sensor(
    name: str,
    job: Any,
    pattern: str,
    *,
    fills: Mapping[str, str],
    settle: int,
    at_most: int,
    enabled: bool,
) -> dg.SensorDefinition:
    """A sensor that runs a job for each file that arrives.

    A file is taken when two looks have found it the same, so that none is read while it is being written. Its run has a
    key of path, size and ETag or time of change, by which Dagster starts no second one. What was taken is only
    remembered when its run is in the history, so that a daemon that is killed in between loses none; it is remembered
    beside the sensor's ticks, because Dagster keeps a copy of a cursor with every tick.

    Args:
        name: the sensor's name.
        job: the job.
        pattern: the files, as :func:`~nb_dagster.definitions.arrivals.look` takes them.
        fills: the parameter that the path fills, by op.
        settle: seconds between two looks.
        at_most: how many runs one look starts.
        enabled: whether it is on from the start.
    """

    def tick(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            files = look(pattern)
        except Exception as error:  # a file system raises what it likes, and may be back at the next look
            return dg.SkipReason(f"cannot look at {pattern}: {type(error).__name__}: {error}")
        storage = context.instance.daemon_cursor_storage
        place = f"nb_dagster/files/{_location(context)}/{name}"
        before = storage.get_cursor_values({place}).get(place)
        seen = Seen.read(before)
        settled = list(seen.settled(files))
        first = settled[: 2 * at_most]  # those that the last look started, and as many again
        started = _started(context.instance, name, first)
        after = str(seen.after(files, started))
        if after != before:
            storage.set_cursor_values({place: after})
        due = [each for each in first if each not in started][:at_most]
        waiting = len(settled) - len(started) - len(due)
        requests = [dg.RunRequest(run_key=each.key, run_config=_config(fills, each)) for each in due]
        words = f"{len(files)} files match {pattern}: {len(due)} to run, {waiting} wait for the next look"
        return dg.SensorResult(run_requests=requests) if due else dg.SkipReason(words)

    return dg.SensorDefinition(
        name,
        evaluation_fn=tick,
        job=job,
        minimum_interval_seconds=settle,
        default_status=dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED,
        description=f"Runs it for each file that arrives as {pattern}.",
    )


def _config(fills: Mapping[str, str], file: Arrival) -> dict[str, Any]:
    return {"ops": {op: {"config": {parameter: file.path}} for op, parameter in fills.items()}}


def _started(instance: dg.DagsterInstance, sensor: str, files: Sequence[Arrival]) -> list[Arrival]:
    """Those of which there is a run."""
    if not files:
        return []
    tags = {SENSOR_NAME_TAG: sensor, RUN_KEY_TAG: [each.key for each in files]}
    keys = {run.tags[RUN_KEY_TAG] for run in instance.get_runs(dg.RunsFilter(tags=tags))}
    return [each for each in files if each.key in keys]


def _location(context: dg.SensorEvaluationContext) -> str:
    origin = context.code_location_origin
    return origin.location_name if origin is not None else ""

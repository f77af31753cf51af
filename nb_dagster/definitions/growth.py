"""Memory that grows from one attempt to the next, where one ran out of it."""

from __future__ import annotations

from dataclasses import replace

import dagster as dg

from nb_dagster.kernel.compute import Compute
from nb_dagster.kernel.memory import OUT_OF_MEMORY


def grown(compute: Compute, instance: dg.DagsterInstance, run_id: str, step_key: str) -> Compute:
    """The compute of the next attempt: twice the memory for each attempt before that ran out of it, up to its limit.

    Args:
        compute: what the workflow says.
        instance: the history.
        run_id: id of the run.
        step_key: key of the step.
    """
    memory, most = compute.memory_bytes, compute.memory_max_bytes
    if memory is None or most is None:
        return compute
    retried = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_UP_FOR_RETRY)
    times = sum(each.step_key == step_key and OUT_OF_MEMORY in _said(each) for each in retried)
    return replace(compute, memory=min(memory * 2**times, most), memory_max=None)


def _said(entry: dg.EventLogEntry) -> str:
    """What a step said of why it is to be retried, its causes too."""
    return str(getattr(entry.dagster_event, "event_specific_data", ""))

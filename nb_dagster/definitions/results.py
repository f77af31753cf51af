"""What a notebook hands to Dagster when it has succeeded: declared outputs as values, declared checks as results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from nb_dagster.definitions.metadata import output_metadata
from nb_dagster.notebook.records import FileValue
from nb_dagster.runner.limits import OutputLimits
from nb_dagster.runner.result import NotebookResult


def step_outputs(
    result: NotebookResult, declared: Mapping[str, str | None], limits: OutputLimits
) -> Iterator[dg.Output[Any]]:
    """The Dagster outputs of a run; none where the notebook skipped itself, so that what is downstream is skipped.

    Args:
        result: a run that succeeded or skipped itself.
        declared: which record each Dagster output carries; None carries the dict of all of them.
        limits: how much of it is shown.

    Raises:
        dagster.Failure: the notebook did not hand out what its definition declares.
    """
    if result.status == "skipped":
        return
    handed_out = result.records.outputs
    missing = [record for record in declared.values() if record is not None and record not in handed_out]
    if missing:
        calls = ", ".join(f'nb.output("{name}", ...)' for name in missing)
        left_out = result.records.left_out
        why = f"; of its records {left_out:,} were left out, over its output_limits" if left_out else ""
        raise dg.Failure(
            f"{result.notebook} succeeded, but never called {calls}, which its definition declares in outs{why}",
            allow_retries=False,
        )
    for output, record in declared.items():
        value = result.outputs if record is None else _load(handed_out[record])
        metadata = output_metadata(result, None if record is None else handed_out[record], limits.thumbnails)
        yield dg.Output(value, output_name=output, metadata=metadata)


def check_results(result: NotebookResult, declared: Sequence[dg.AssetCheckSpec]) -> Iterator[dg.AssetCheckResult]:
    """The outcome of each declared check; one that the notebook never made did not pass."""
    if result.status == "skipped":
        return
    for spec in declared:
        check = result.records.checks.get(spec.name)
        yield dg.AssetCheckResult(
            passed=check is not None and check.passed,
            check_name=spec.name,
            asset_key=spec.asset_key,
            severity=dg.AssetCheckSeverity.WARN if check and check.severity == "warn" else dg.AssetCheckSeverity.ERROR,
            description=check.description if check else f'the notebook never called nb.check("{spec.name}", ...)',
        )


def _load(value: Any) -> Any:
    return value.load() if isinstance(value, FileValue) else value

"""Parameters that the partition of a run fills, under names of the notebook's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.types import JSON

PartitionParams: TypeAlias = Mapping[str, Literal["key", "start", "end"]]
"""Parameters, and what of the partition each takes: its key, or the start or end of its time."""


def partition_values(
    document: NotebookDocument, params: PartitionParams, context: Mapping[str, JSON]
) -> dict[str, JSON]:
    """The values of a run's partition, as each parameter's type reads them; none without a partition.

    A parameter that is a date takes the day of a moment.

    Raises:
        InvalidParameter: one is of another type than its parameter.
    """
    texts = {name: context.get(f"partition_{part}") for name, part in params.items()}
    return {name: _read(document, name, str(text)) for name, text in texts.items() if text is not None}


def _read(document: NotebookDocument, name: str, text: str) -> JSON:
    parameter = document.parameters[name]
    try:
        return parameter.read(text, document.path)
    except InvalidParameter:
        day, _, rest = text.partition("T")
        if not rest:
            raise
        return parameter.read(day, document.path)

"""What a notebook recorded, stored with its Dagster outputs, for ``nb.upstream`` of what comes after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from nb_dagster.notebook.values import DAGSTERS_KEYS, JSON
from nb_dagster.runner.executed import write_whole
from nb_dagster.runner.result import NotebookResult

RECORDS_KEY = "nb_dagster/records"
"""The metadata's name."""
MAX_RECORDS = 200_000
"""Characters of JSON that are stored in Dagster's event log; more go to a file beside the executed notebook."""


def stored_records(result: NotebookResult) -> dg.MetadataValue[Any]:
    """The records of a run, or the place of the file that has them."""
    records = result.records.for_downstream()
    text = json.dumps(records)
    if len(text) <= MAX_RECORDS and survives_dagster(text):
        return dg.MetadataValue.json(records)
    place = f"{result.executed_notebook.removesuffix('.ipynb')}.records.json"
    if "://" in place:
        _path(place).write_text(text, encoding="utf-8")
    else:
        write_whole(Path(place), text)
    return dg.MetadataValue.json({"file": place})


def survives_dagster(text: str) -> bool:
    """Whether Dagster reads back from its event log what this JSON says, and does not make values of its own of it."""
    return not any(f'"{key}":' in text for key in DAGSTERS_KEYS)


def records_of(metadata: Mapping[str, Any]) -> Mapping[str, JSON] | None:
    """The records that an output's metadata holds; None where it is no notebook's, or the file is gone."""
    value = metadata.get(RECORDS_KEY)
    if not isinstance(value, dg.JsonMetadataValue) or not isinstance(value.data, dict):
        return None
    if "file" not in value.data:
        return value.data
    try:
        records: dict[str, JSON] = json.loads(_path(value.data["file"]).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return records


def _path(place: str) -> Any:
    if "://" not in place:
        return Path(place)
    from upath import UPath

    return UPath(place)

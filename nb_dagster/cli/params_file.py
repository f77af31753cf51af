"""Parameters in a file: a JSON or YAML mapping, of plain values only."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.plain_yaml import parse_yaml
from nb_dagster.notebook.types import JSON, describe

MAX_BYTES = 10_000_000
"""More takes YAML minutes to read."""


def read_params_file(path: Path) -> dict[str, JSON]:
    """The values of a parameters file, by name.

    Raises:
        InvalidParameter: it cannot be read, or is no mapping of names to plain values.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InvalidParameter(f"{path}: the parameters file cannot be read ({error})") from None
    if len(raw) > MAX_BYTES:
        raise InvalidParameter(f"{path}: a parameters file has at most {MAX_BYTES // 1_000_000} MB; this one has more")
    form, parse = ("JSON", _parse_json) if path.suffix == ".json" else ("YAML", _parse_yaml)
    try:
        values = parse(text)
    except RecursionError:
        raise InvalidParameter(f"{path}: the parameters file is nested too deep") from None
    except ValueError as error:
        raise InvalidParameter(f"{path}: the parameters file is no {form} ({error})") from None
    if not isinstance(values, dict):
        raise InvalidParameter(f"{path}: a parameters file is a mapping of names to values")
    for name in values:
        if not isinstance(name, str):
            raise InvalidParameter(f"{path}: a parameter's name is text, not {describe(name)}; put it in quotes")
    return values


def _parse_json(text: str) -> JSON:
    return json.loads(text, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping whose names are all different; who wrote one twice meant something else than the last."""
    values = dict(pairs)
    if len(values) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{describe(twice)} is in one mapping twice")
    return values


def _parse_yaml(text: str) -> JSON:
    return parse_yaml(text, has_aliases=False).value or {}

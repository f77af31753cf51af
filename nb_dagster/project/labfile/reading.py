"""Reads what the older systems have left: YAML or TOML."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nb_dagster.project.problems import Problem, ProjectRefused
from nb_dagster.project.source import Source

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def read_old_file(path: Path) -> Source:
    """What an old file says.

    Raises:
        ProjectRefused: it cannot be read, or is no mapping.
    """
    source = _read_toml(path) if path.suffix == ".toml" else Source.read(path)
    if not isinstance(source.value, dict):
        raise ProjectRefused([Problem("it is no mapping of keys to values", str(path))])
    return source


def _read_toml(path: Path) -> Source:
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        plain = json.dumps(said, default=str)  # TOML has days, JSON has none
        return Source(str(path), json.loads(plain, parse_constant=str))
    except (OSError, ValueError, RecursionError) as error:
        raise ProjectRefused([Problem(f"it cannot be read as TOML: {error}", str(path))]) from None

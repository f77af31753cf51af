"""Parameters from a command line and from a file."""

from __future__ import annotations

import json
from pathlib import Path

from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import unknown_parameter
from nb_dagster.notebook.types import JSON


def read_parameters(document: NotebookDocument, assignments: tuple[str, ...], file: Path | None) -> dict[str, JSON]:
    """Values by name: the file's, then those given with ``-p``, read by the parameters' declared types.

    Raises:
        InvalidParameter: a name or a value does not fit the notebook, or the file is no mapping.
    """
    declared, owner = document.parameters, document.path
    values: dict[str, JSON] = {}
    for name, value in (_read_file(file) if file else {}).items():
        if name not in declared:
            raise InvalidParameter(f"{file}: {unknown_parameter(name, declared, owner)}")
        values[name] = declared[name].check(value, owner)
    for assignment in assignments:
        name, sign, text = assignment.partition("=")
        if not sign:
            raise InvalidParameter(f"-p {assignment}: write it as NAME=VALUE")
        if name not in declared:
            raise InvalidParameter(unknown_parameter(name, declared, owner))
        values[name] = declared[name].read(text, owner)
    return values


def _read_file(path: Path) -> dict[str, JSON]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"{path}: the parameters file cannot be read ({error})") from None
    try:
        values = json.loads(text) if path.suffix == ".json" else _parse_yaml(text)
    except ValueError as error:
        form = "JSON" if path.suffix == ".json" else "YAML"
        raise InvalidParameter(f"{path}: the parameters file is no {form} ({error})") from None
    if not isinstance(values, dict):
        raise InvalidParameter(f"{path}: a parameters file is a mapping of names to values")
    return {str(name): value for name, value in values.items()}


def _parse_yaml(text: str) -> JSON:
    import yaml

    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(str(error).replace("\n", " ")) from None

"""Parameters from a command line and from a file."""

from __future__ import annotations

from pathlib import Path

from nb_dagster.cli.params_file import read_params_file
from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.parameters import Parameters, unknown_parameter
from nb_dagster.notebook.types import JSON


def read_parameters(
    declared: Parameters, owner: str, assignments: tuple[str, ...], file: Path | None
) -> dict[str, JSON]:
    """Values by name: the file's, then those given with ``-p``, read by the parameters' declared types.

    Args:
        declared: the parameters there are.
        owner: who declares them, for messages.
        assignments: ``NAME=VALUE`` each.
        file: a JSON or YAML mapping.

    Raises:
        InvalidParameter: a name or a value does not fit the notebook, or the file is no mapping.
    """
    values: dict[str, JSON] = {}
    for name, value in (read_params_file(file) if file else {}).items():
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

"""What a kernel finds of its run: a private folder with the context, the inputs, and the ``nb`` module as a spare."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nb_dagster import nb
from nb_dagster.kernel.folders import private_folder
from nb_dagster.runner.prepared import Prepared


@contextlib.contextmanager
def hand_over(prepared: Prepared, files: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Write the folder; gives the kernel's environment and the code it runs silently before the first cell.

    Args:
        prepared: the run.
        files: the folder that takes the run's artifacts.
    """
    with private_folder() as folder:
        context = {
            "context": prepared.context,
            "files": str(files),
            "inputs": {name: _write_input(folder, name, value) for name, value in prepared.file_inputs.items()},
            "upstream": prepared.run.upstream,
            "secrets": prepared.secrets,
        }
        path = folder / "context.json"
        path.write_text(json.dumps(context), encoding="utf-8")
        own = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}  # changes ipykernel
        environment = {**own, **prepared.run.environment, nb.CONTEXT_VARIABLE: str(path)}
        yield environment, _spare_nb(folder) if prepared.language == "python" else ""


def _write_input(folder: Path, name: str, value: Any) -> dict[str, str]:
    file_format = nb.file_format_of(value)
    path = folder / f"{name}.{file_format or 'pickle'}"
    if file_format is None:
        path.write_bytes(pickle.dumps(value, protocol=5))
    else:
        nb.write_value(value, file_format, path)
    return {"file": str(path), "format": file_format or "pickle"}


def _spare_nb(folder: Path) -> str:
    """Make ``from nb_dagster import nb`` work where nb_dagster is not installed; one that is installed goes first."""
    package = folder / "spare" / "nb_dagster"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""The nb module alone, lent by the runner."""\n', encoding="utf-8")
    shutil.copyfile(nb.__file__, package / "nb.py")
    find = "__import__('importlib.util').util.find_spec('nb_dagster')"
    return f"{find} or __import__('sys').path.append({str(package.parent)!r})"

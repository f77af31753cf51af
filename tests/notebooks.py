"""Notebooks for tests, written cell by cell, and read back as they were executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NB = "from nb_dagster import nb\n"


def write_notebook(path: Path, *cells: str, parameters: str | None = None, text: str | None = None) -> Path:
    """Write a notebook of code cells.

    Args:
        path: where to; returned.
        *cells: their sources; ``nb`` is imported before them.
        parameters: source of the parameters cell, which comes first.
        text: a Markdown cell before everything else.
    """
    written = [] if text is None else [_cell("markdown", text)]
    written += [] if parameters is None else [_cell("code", parameters, "parameters")]
    written += [_cell("code", source) for source in (NB + cells[0], *cells[1:])] if cells else []
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": written}
    for number, cell in enumerate(written):
        cell["id"] = f"cell-{number}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def _cell(kind: str, source: str, *tags: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": kind, "metadata": {"tags": list(tags)} if tags else {}, "source": source}
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})


def executed_notebooks(store: Path, workflow: str) -> list[Path]:
    """The executed notebooks of a workflow, oldest attempt first; the copies for Dagster's viewer left out."""
    found = (path for path in (store / workflow).glob("*/*.ipynb") if not path.name.endswith(".view.ipynb"))
    return sorted(found, key=lambda path: path.stat().st_mtime)


def read(path: Path | str) -> dict[str, Any]:
    """A notebook's JSON."""
    content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content


def run_metadata(path: Path | str) -> dict[str, Any]:
    """What an executed notebook says of its run."""
    found: dict[str, Any] = read(path)["metadata"]["nb_dagster"]
    return found


def cell_statuses(path: Path | str) -> list[str]:
    """How the code cells of an executed notebook ended."""
    return [cell["metadata"]["nb_dagster"]["status"] for cell in read(path)["cells"] if cell["cell_type"] == "code"]


def printed(path: Path | str) -> str:
    """What an executed notebook's cells wrote to standard output."""
    outputs = [output for cell in read(path)["cells"] for output in cell.get("outputs", [])]
    return "".join("".join(output["text"]) for output in outputs if output["output_type"] == "stream")


def injected(path: Path | str) -> str:
    """The cell with the parameters of the run."""
    cells = (cell for cell in read(path)["cells"] if "injected-parameters" in cell["metadata"].get("tags", []))
    return "".join(next(cells)["source"])

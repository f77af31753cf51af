"""Stores of executed notebooks, written by hand: any content, without a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat

FOLDER = "2026-01-31T020000Z-1a2b3c4d-1"


def output(**data: Any) -> dict[str, Any]:
    """A displayed output; ``text_html`` stands for ``text/html``."""
    return {"output_type": "display_data", "metadata": {}, "data": {k.replace("_", "/"): v for k, v in data.items()}}


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    """A code cell that was executed."""
    return {"cell_type": "code", "metadata": {}, "source": source, "execution_count": 1, "outputs": list(outputs)}


def markdown(source: str, **more: Any) -> dict[str, Any]:
    """A Markdown cell."""
    return {"cell_type": "markdown", "metadata": {}, "source": source, **more}


def notebook(*cells: dict[str, Any], metadata: dict[str, Any] | None = None, **run: Any) -> dict[str, Any]:
    """An executed notebook; ``run`` is what it says of its run beside what every notebook says."""
    said: dict[str, Any] = {
        "status": "succeeded",
        "reason": None,
        "workflow": "train",
        "run_id": "1a2b3c4d-0000",
        "attempt": 1,
    }
    said |= {"parameters": {"n": 400}, "started": "2026-01-31T02:00:00+00:00", "ended": "2026-01-31T02:00:07+00:00"}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {**(metadata or {}), "nb_dagster": said | run},
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)],
    }


def keep(store: Path, content: dict[str, Any], *, workflow: str = "train", folder: str = FOLDER) -> Path:
    """Put a notebook into a store, in the form in which the runner writes it; returns its path."""
    path = store / workflow / folder / f"{workflow}.ipynb"
    path.parent.mkdir(parents=True)
    written = nbformat.v4.writes_json(nbformat.from_dict(content))  # type: ignore[no-untyped-call]
    path.write_text(written + "\n", encoding="utf-8")
    return path


def raw(content: dict[str, Any]) -> bytes:
    """The notebook's bytes."""
    return json.dumps(content).encode()

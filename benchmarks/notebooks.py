"""The notebooks that are timed."""

import json
from collections.abc import Sequence
from pathlib import Path

REALISTIC = (
    "import pandas as pd, numpy as np",
    "import matplotlib.pyplot as plt",
    "n = 1000",
    "df = pd.DataFrame({'x': np.arange(n), 'y': np.random.rand(n)})",
    "df.describe()",
    "df.y.rolling(10).mean().tail()",
    "fig, ax = plt.subplots(); ax.plot(df.x, df.y); fig",
    "df.groupby(df.x % 7).y.mean()",
    "print(len(df))",
    "result = float(df.y.mean())",
)
# Waits, with pandas imported, until a file says that it has been measured.
WAITING = (
    "import pandas as pd",
    (
        "import os, pathlib, time\n"
        "pathlib.Path(os.environ['BENCH_READY'], str(os.getpid())).touch()\n"
        "while not os.path.exists(os.environ['BENCH_DONE']):\n"
        "    time.sleep(0.1)"
    ),
)
CELLS = {
    "one": ("1 + 1",),
    "two": ("x = 1", "x + 1"),
    "hundred": ("1 + 1",) * 100,
    "output": ("for _ in range(6250): print('x' * 79)",) * 40,
    "output_double": ("for _ in range(12500): print('x' * 79)",) * 40,
    "realistic": REALISTIC,
    "waiting": WAITING,
}
_KERNEL = {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}


def make(folder: Path) -> dict[str, Path]:
    """Write them; returns their paths by name."""
    return {name: _write(folder / f"{name}.ipynb", cells) for name, cells in CELLS.items()}


def make_thousand(folder: Path) -> None:
    """Write a thousand small ones, no two alike."""
    for number in range(1000):
        cells = (
            f"n: int = {number}  # how many\nname = 'notebook {number}'\nratio = 0.5",
            f"from nb_dagster import nb\nnb.output('rows', n + {number})",
            "print(name, ratio)",
        )
        _write(folder / f"notebook_{number:04}.ipynb", cells, parametrized=True)


def _write(path: Path, cells: Sequence[str], *, parametrized: bool = False) -> Path:
    """A notebook, whose first cell declares its parameters or is one like the others."""
    content: list[dict[str, object]] = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "source": source,
            "metadata": {"tags": ["parameters"]} if parametrized and number == 0 else {},
            "execution_count": None,
            "outputs": [],
        }
        for number, source in enumerate(cells)
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": _KERNEL, "cells": content}
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")
    return path

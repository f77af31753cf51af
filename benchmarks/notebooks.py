"""The notebooks that are timed."""

from pathlib import Path

from nbformat import write
from nbformat.v4 import new_code_cell, new_notebook

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
CELLS = {
    "one": ("1 + 1",),
    "two": ("x = 1", "x + 1"),
    "hundred": ("1 + 1",) * 100,
    "output": ("for _ in range(6250): print('x' * 79)",) * 40,
    "output_double": ("for _ in range(12500): print('x' * 79)",) * 40,
    "realistic": REALISTIC,
}


def make(folder: Path) -> dict[str, Path]:
    """Write them; returns their paths by name."""
    spec = {"name": "python3", "language": "python", "display_name": "Python 3"}
    paths = {}
    for name, cells in CELLS.items():
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells], metadata={"kernelspec": spec})
        paths[name] = folder / f"{name}.ipynb"
        write(notebook, paths[name])
    return paths

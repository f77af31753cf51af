"""A code location of all notebooks in a folder, one asset each."""

import os
from pathlib import Path

import dagster as dg

import nb_dagster as nbd

defs = dg.Definitions(
    assets=[nbd.notebook_asset(path) for path in sorted(Path(os.environ["BENCH_NOTEBOOKS"]).glob("*.ipynb"))],
    resources=nbd.resources(),
)

"""What Dagster loads: every notebook of this project as an asset."""

from pathlib import Path

import dagster as dg

import nb_dagster as nbd

NOTEBOOKS = Path(__file__).parent / "notebooks"

welcome = nbd.notebook_asset(NOTEBOOKS / "welcome.ipynb")

defs = dg.Definitions(
    assets=[welcome],
    jobs=[dg.define_asset_job("all_notebooks", selection=dg.AssetSelection.all())],
    resources=nbd.resources(),
)

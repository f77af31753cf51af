"""What Dagster loads: the notebooks of ``nb_dagster.yaml``, and beside them one ordinary asset and a job of all."""

from pathlib import Path
from typing import Any

import dagster as dg

import nb_dagster as nbd

project = nbd.NotebookProject.from_yaml(Path(__file__).parent / "nb_dagster.yaml")


@dg.asset(group_name="digits")
def leaderboard(summary: list[dict[str, Any]]) -> dg.MaterializeResult[str]:
    """The benchmarks as a Markdown table, best model first: an ordinary asset that takes a notebook's value."""
    best_first = sorted(summary, key=lambda row: row["auc"], reverse=True)
    lines = [f"| {row['n']} | {row['auc']:.4f} |" for row in best_first]
    table = "\n".join(["| training set size | AUC |", "|---|---|", *lines])
    return dg.MaterializeResult(value=table, metadata={"leaderboard": dg.MetadataValue.md(table)})


defs = dg.Definitions.merge(
    project.build_defs(),
    dg.Definitions(
        assets=[leaderboard],
        jobs=[dg.define_asset_job("digits", selection=dg.AssetSelection.groups("digits"))],
    ),
)

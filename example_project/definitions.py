"""The digits pipeline: six notebooks and one ordinary asset in one graph.

ingest -> eda
ingest -> split -> train[n] -> benchmark[n] -> summary -> leaderboard
"""

from pathlib import Path
from typing import Any

import dagster as dg

import nb_dagster as nbd

NOTEBOOKS = Path(__file__).parent / "notebooks"
TRAINING_SET_SIZES = (400, 500, 600)

ingest = nbd.notebook_asset(
    NOTEBOOKS / "ingest.ipynb",
    outs=["digits"],
    checks=["no_missing_pixels", "ten_digits"],
    retry_policy=dg.RetryPolicy(max_retries=3, delay=1),
    cell_timeout=12,
    group_name="digits",
)

eda = nbd.notebook_asset(NOTEBOOKS / "eda.ipynb", ins={"digits": "ingest"}, group_name="digits")

split = nbd.notebook_asset(
    NOTEBOOKS / "split.ipynb",
    ins={"digits": "ingest"},
    outs=["train_set", "test_set"],
    group_name="digits",
)

train = {
    n: nbd.notebook_asset(
        NOTEBOOKS / "train.ipynb",
        name=f"train_{n}",
        params={"n": n},
        ins={"train_set": "train_set"},
        group_name="digits",
    )
    for n in TRAINING_SET_SIZES
}

benchmark = {
    n: nbd.notebook_asset(
        NOTEBOOKS / "benchmark.ipynb",
        name=f"benchmark_{n}",
        params={"n": n},
        ins={"test_set": "test_set"},
        deps=[train[n]],
        checks=["better_than_chance"],
        group_name="digits",
    )
    for n in TRAINING_SET_SIZES
}

summary = nbd.notebook_asset(
    NOTEBOOKS / "summary.ipynb",
    outs=["table"],
    deps=[*benchmark.values()],
    group_name="digits",
)


@dg.asset(group_name="digits")
def leaderboard(summary: list[dict[str, Any]]) -> dg.MaterializeResult[str]:
    """The benchmarks as a Markdown table, best model first: an ordinary asset that takes a notebook's value."""
    best_first = sorted(summary, key=lambda row: row["auc"], reverse=True)
    lines = [f"| {row['n']} | {row['auc']:.4f} |" for row in best_first]
    table = "\n".join(["| training set size | AUC |", "|---|---|", *lines])
    return dg.MaterializeResult(value=table, metadata={"leaderboard": dg.MetadataValue.md(table)})


defs = dg.Definitions(
    assets=[ingest, eda, split, *train.values(), *benchmark.values(), summary, leaderboard],
    jobs=[
        dg.define_asset_job("digits", selection=dg.AssetSelection.groups("digits")),
        nbd.notebook_job("welcome", [NOTEBOOKS / "welcome.ipynb"]),
    ],
    resources=nbd.resources(),
    executor=nbd.notebook_executor,
)

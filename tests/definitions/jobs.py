"""Jobs that Dagster loads again by name in each step's process."""

import os
from pathlib import Path

import dagster as dg

import nb_dagster as nbd

NOTEBOOKS = Path(os.environ.get("NB_DAGSTER_TEST_NOTEBOOKS", "."))


def _job(*assets: dg.AssetsDefinition) -> dg.JobDefinition:
    defs = dg.Definitions(
        assets=assets,
        jobs=[dg.define_asset_job("job", selection=dg.AssetSelection.all())],
        resources=nbd.resources(str(NOTEBOOKS / "store")),
        executor=dg.multiprocess_executor,
    )
    return defs.resolve_job_def("job")


def chain() -> dg.JobDefinition:
    """A notebook that records, and one that looks at it, which fails until ``ready`` is there."""
    record = nbd.notebook_op(NOTEBOOKS / "record.ipynb")
    look = nbd.notebook_op(NOTEBOOKS / "look.ipynb", ins=["value"])
    return nbd.notebook_job(
        "chain",
        lambda: look(record()),
        executor_def=dg.in_process_executor,
        resource_defs=nbd.resources(str(NOTEBOOKS / "store")),
    )


def assets() -> dg.JobDefinition:
    """The same as assets, the first of which hands over a frame."""
    frame = nbd.notebook_asset(NOTEBOOKS / "frame.ipynb", outs=["frame"])
    take = nbd.notebook_asset(
        NOTEBOOKS / "take.ipynb", ins={"frame": frame}, retry_policy=dg.RetryPolicy(max_retries=1)
    )
    return _job(frame, take)


def endless() -> dg.JobDefinition:
    """A notebook that never ends, and retries that a cancel must not cause."""
    return _job(nbd.notebook_asset(NOTEBOOKS / "endless.ipynb", retry_policy=dg.RetryPolicy(max_retries=2)))

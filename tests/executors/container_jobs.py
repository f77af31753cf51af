"""Jobs whose steps run in containers or pods, for tests of executors."""

import json
import os
from pathlib import Path

import dagster as dg

import nb_dagster as nbd

FOLDER = Path(os.environ.get("NB_DAGSTER_TEST_NOTEBOOKS", "."))
COMPUTE = json.loads(os.environ.get("NB_DAGSTER_TEST_COMPUTE", "{}"))


def _job(name: str, *ops: dg.OpDefinition) -> dg.JobDefinition:
    executor = nbd.notebook_executor.configured({"max_concurrent": 4})
    return nbd.notebook_job(name, list(ops), executor_def=executor, resource_defs=nbd.resources(str(FOLDER / name)))


def mixed() -> dg.JobDefinition:
    """One step here, one in a container, one whose kernel is in a container."""
    where, isolation = FOLDER / "where.ipynb", COMPUTE["isolation"]
    return _job(
        "mixed",
        nbd.notebook_op(where, name="here", outs=["where"]),
        nbd.notebook_op(where, name="whole", outs=["where"], compute=COMPUTE),
        nbd.notebook_op(where, name="kernel", outs=["where"], compute={**COMPUTE, "isolation": f"{isolation}-kernel"}),
    )


def secrets() -> dg.JobDefinition:
    """A step in a container, with a secret."""
    return _job("secrets", nbd.notebook_op(FOLDER / "secret.ipynb", compute=COMPUTE, secrets=["PASSWORD"]))


def endless() -> dg.JobDefinition:
    """A step that goes on until it is stopped."""
    return _job("endless", nbd.notebook_op(FOLDER / "endless.ipynb", compute=COMPUTE))


def fails() -> dg.JobDefinition:
    """A step that fails."""
    return _job("fails", nbd.notebook_op(FOLDER / "fails.ipynb", compute=COMPUTE))


def retried() -> dg.JobDefinition:
    """A step that fails, and is tried again where that was no fault of its own."""
    retried = nbd.notebook_op(
        FOLDER / "endless.ipynb",
        compute=COMPUTE,
        retry_policy=dg.RetryPolicy(max_retries=1),
        retry_on=["infrastructure"],
    )
    return _job("retried", retried)


def insists() -> dg.JobDefinition:
    """A step that is tried again whatever it failed by."""
    policy = dg.RetryPolicy(max_retries=1)
    return _job("insists", nbd.notebook_op(FOLDER / "fails.ipynb", compute=COMPUTE, retry_policy=policy))


def greedy() -> dg.JobDefinition:
    """A step whose process, not only its kernel, has too much memory."""
    return _job("greedy", nbd.notebook_op(FOLDER / "greedy.ipynb", compute=COMPUTE))


def one() -> dg.JobDefinition:
    """A step that says where it is."""
    return _job("one", nbd.notebook_op(FOLDER / "where.ipynb", name="whole", outs=["where"], compute=COMPUTE))


def three() -> dg.JobDefinition:
    """Three steps at once."""
    return _job("three", *(nbd.notebook_op(FOLDER / "waits.ipynb", name=name, compute=COMPUTE) for name in "abc"))

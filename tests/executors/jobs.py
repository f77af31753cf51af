"""Jobs that Dagster can load again by name, for tests of executors."""

import os
from pathlib import Path
from typing import Any

import dagster as dg

import nb_dagster as nbd

NOTEBOOKS = Path(os.environ.get("NB_DAGSTER_TEST_NOTEBOOKS", "."))


@dg.op
def plain() -> int:
    """An ordinary op."""
    print("plain speaks")
    return os.getpid()


@dg.op
def collect(first: Any, second: Any) -> Any:
    """Takes values of notebooks."""
    return {"first": first, "second": second}


def mixed() -> dg.JobDefinition:
    """Two notebooks and two ordinary ops."""
    one = nbd.notebook_op(NOTEBOOKS / "speaks.ipynb", name="one", outs=["pid"])
    two = nbd.notebook_op(NOTEBOOKS / "speaks.ipynb", name="two", outs=["pid"])
    fails = nbd.notebook_op(NOTEBOOKS / "second_try.ipynb", name="retried", retry_policy=dg.RetryPolicy(max_retries=1))

    def wire() -> None:
        plain()
        fails()
        collect(one(), two())

    return nbd.notebook_job("mixed", wire, executor_def=nbd.notebook_executor)


def failing() -> dg.JobDefinition:
    """A notebook that fails, and what comes after it."""
    fails = nbd.notebook_op(NOTEBOOKS / "fails.ipynb", name="fails")
    after = nbd.notebook_op(NOTEBOOKS / "takes.ipynb", name="after", ins=["value"])
    return nbd.notebook_job("failing", lambda: after(fails()), executor_def=nbd.notebook_executor)


def endless() -> dg.JobDefinition:
    """Two notebooks that never end."""
    paths = [nbd.notebook_op(NOTEBOOKS / "endless.ipynb", name=name) for name in ("left", "right")]
    return nbd.notebook_job("endless", paths, executor_def=nbd.notebook_executor)

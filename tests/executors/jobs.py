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


def _endless(name: str, executor: dg.ExecutorDefinition) -> dg.JobDefinition:
    ops = [nbd.notebook_op(NOTEBOOKS / "endless.ipynb", name=f"{side}_{name}") for side in ("left", "right")]
    return nbd.notebook_job(name, ops, executor_def=executor)


def endless_in_process() -> dg.JobDefinition:
    """Two notebooks that never end, one after the other."""
    return _endless("endless_in_process", dg.in_process_executor)


def endless_threads() -> dg.JobDefinition:
    """Two notebooks that never end, in threads."""
    return _endless("endless_threads", nbd.notebook_executor)


def endless_processes() -> dg.JobDefinition:
    """Two notebooks that never end, in processes."""
    return _endless("endless_processes", dg.multiprocess_executor)


def _editing(name: str, executor: dg.ExecutorDefinition) -> dg.JobDefinition:
    edits = nbd.notebook_op(NOTEBOOKS / "edits.ipynb", name=f"edits_{name}", params={"name": name}, outs=["done"])
    edited = nbd.notebook_op(NOTEBOOKS / f"edited_{name}.ipynb", ins=["after"])
    return nbd.notebook_job(f"editing_{name}", lambda: edited(edits()), executor_def=executor)


def editing_threads() -> dg.JobDefinition:
    """A notebook, while it runs, changes the next one."""
    return _editing("threads", nbd.notebook_executor)


def editing_processes() -> dg.JobDefinition:
    """The same, in processes, each of which reads the notebooks anew."""
    return _editing("processes", dg.multiprocess_executor)

"""Memory that a retry has more of, where an attempt ran out of it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from nb_dagster.definitions.metadata import stored_notebooks
from tests import containers
from tests.notebooks import run_metadata, write_notebook


@pytest.mark.docker
@pytest.mark.parametrize(("cell", "attempts"), [("taken = bytearray(350_000_000)", 3), ("1 / 0", 4)])
def test_an_attempt_has_twice_the_memory_of_one_that_ran_out_of_it(tmp_path: Path, cell: str, attempts: int) -> None:
    containers.engine()
    write_notebook(tmp_path / "big.ipynb", cell)
    compute = containers.compute("docker-kernel", memory="150m", memory_max="600m")
    big = nbd.notebook_asset(tmp_path / "big.ipynb", compute=compute, retry_policy=dg.RetryPolicy(max_retries=3))
    with dg.DagsterInstance.ephemeral(str(tmp_path)) as instance:
        resources = nbd.resources(str(tmp_path / "kept"))
        result = dg.materialize([big], instance=instance, resources=resources, raise_on_error=False)
        executed = stored_notebooks(instance, result.run_id)
    statuses = [run_metadata(each)["status"] for each in executed]
    is_memory = cell != "1 / 0"
    assert statuses == (["killed"] * 2 + ["succeeded"] if is_memory else ["failed"] * attempts)


def test_a_limit_that_is_no_more_than_the_memory_is_refused() -> None:
    with pytest.raises(nbd.RunRefused, match="memory_max is more than memory"):
        nbd.Compute("docker-kernel", image="a", memory="2g", memory_max="1g")
    with pytest.raises(nbd.RunRefused, match="memory_max is more than memory"):
        nbd.Compute("docker-kernel", image="a", memory_max="1g")

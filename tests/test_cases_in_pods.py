"""Each notebook in ``cases/`` ends in a pod as it ends without one: its kernel alone, and the whole step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nb_dagster.kernel.compute import Compute
from tests import pods
from tests.cases_at_once import GONE, Runs, cases_of, own_kernels, short_temp, skip_without_its_kernel
from tests.conformance import RUNS, SOME, Case, assert_true, marked
from tests.executors.case_jobs import Steps, run_all
from tests.waiting import wait_until

pytestmark = [pytest.mark.k8s, pytest.mark.timeout(1800)]  # the first of them waits for all in the soak

SLOWER = 24
"""Seconds more than stated that a run may take here, where its pod has to be made first."""


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with pods.namespace() as name:
        yield name


@pytest.fixture(scope="module")
def temp() -> Iterator[Path]:
    with short_temp() as path:
        yield path


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest,
    kernels: set[str],
    namespace: str,
    temp: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Runs]:
    test = test_a_run_in_a_pod_ends_as_stated_and_leaves_its_record_alone.__name__
    cases = cases_of(request, test, kernels)
    runs = Runs(
        Compute(**pods.compute("k8s-kernel", namespace, **own_kernels())), tmp_path_factory.mktemp("c"), cases, SLOWER
    )
    yield runs
    runs.close()


@pytest.fixture(scope="module")
def steps(
    request: pytest.FixtureRequest, kernels: set[str], namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Steps]:
    folder, own = tmp_path_factory.mktemp("steps"), own_kernels()
    cases = cases_of(request, test_a_step_in_a_pod_ends_as_stated.__name__, kernels)
    own["volumes"].append(f"{folder}:{folder}")
    with run_all(folder, cases, pods.compute("k8s", namespace, **own)) as steps:
        yield steps


@pytest.mark.parametrize("case", RUNS)
def test_a_run_in_a_pod_ends_as_stated_and_leaves_its_record_alone(case: Case, kernels: set[str], runs: Runs) -> None:
    skip_without_its_kernel(case, kernels)
    runs.assert_it_ended_as_stated(case)


@pytest.mark.parametrize("case", SOME)
def test_a_step_in_a_pod_ends_as_stated(case: Case, kernels: set[str], steps: Steps) -> None:
    skip_without_its_kernel(case, kernels)
    assert_true(case, steps.of(case))


def test_only_the_records_are_left_of_all_steps(steps: Steps) -> None:
    assert steps.left() == []


def test_nothing_is_left_of_all_runs(runs: Runs, namespace: str, temp: Path) -> None:
    runs.close()
    assert list(temp.iterdir()) == []
    wait_until(lambda: marked(runs.mark) == [], GONE)
    wait_until(lambda: pods.left(namespace) == [], GONE)

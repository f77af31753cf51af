"""The runs of the cases whose kernels are in containers or pods: several at once, to be looked at one by one."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nb_dagster.kernel.compute import Compute
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.limits import Limits
from nb_dagster.runner.result import NotebookResult
from nb_dagster.runner.run import NotebookRun
from tests.conformance import IN_IMAGE, MARK, Case, assert_only_the_record_is_left, assert_true, bring

AT_ONCE = 4
_STORE = "store"
GONE = 30
"""Seconds that an engine or cluster may take to remove what was deleted."""


class Runs:
    """The runs.

    Args:
        compute: where their kernels are.
        folder: each case has a folder of its own in it.
        cases: those that are run.
        slower: seconds more than stated that a run may take.

    Attributes:
        mark: what marks their processes, which this machine sees.
    """

    def __init__(self, compute: Compute, folder: Path, cases: list[Case], slower: float) -> None:
        self.mark, self._compute, self._folder, self._slower = uuid.uuid4().hex, compute, folder, slower
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._ends: dict[str, Future[NotebookResult]] = {
            case.name: self._pool.submit(self._run, case) for case in cases
        }

    def assert_it_ended_as_stated(self, case: Case) -> None:
        """A case ended as stated, and left its record alone."""
        result, folder = self._ends[case.name].result(), self._folder / case.name
        case = _patient(case, self._slower)
        assert_true(case, result)
        assert_only_the_record_is_left(case, result, folder, folder / _STORE)

    def close(self) -> None:
        """Wait for those that run, and begin no others."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, case: Case) -> NotebookResult:
        case, folder = _patient(case, self._slower), self._folder / case.name
        folder.mkdir()
        run = BackgroundRun(
            NotebookRun(
                folder / bring(case, folder),
                case.params,
                output=folder / _STORE / "executed.ipynb",
                environment={MARK: self.mark},
                compute=self._compute,
                limits=Limits(**case.limits),
            )
        )
        result = run.result()
        run.ended.result(GONE)  # of its kernel too
        return result


@contextmanager
def short_temp() -> Iterator[Path]:
    """A folder for the temp files of all of them, whose path is short enough for sockets."""
    with (
        tempfile.TemporaryDirectory(prefix="case-", ignore_cleanup_errors=True) as path,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(tempfile, "tempdir", path)
        yield Path(path)


def own_kernels() -> dict[str, Any]:
    """What a compute needs for the kernels that the tests brought along."""
    path = {"JUPYTER_PATH": os.environ["JUPYTER_PATH"]} if "JUPYTER_PATH" in os.environ else {}
    return {"env": path, "volumes": [f"{each}:{each}:ro" for each in path.values()]}


def cases_of(request: pytest.FixtureRequest, test: str, kernels: set[str]) -> list[Case]:
    """The cases of a test that this session runs, but for those whose kernel is not there.

    Args:
        request: of a fixture that is made for the module of the test.
        test: its name.
        kernels: the kernels that are installed.
    """
    here: list[Any] = [
        item.callspec.params["case"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.module is request.module and item.originalname == test
    ]
    return [case for case in here if not _lacks(case, kernels)]


def skip_without_its_kernel(case: Case, kernels: set[str]) -> None:
    """Skip the test of a case whose kernel is not there."""
    if _lacks(case, kernels):
        pytest.skip(f"the kernel {case.needs!r} is not installed")


def _patient(case: Case, slower: float) -> Case:
    """The case with more time for the whole of its run."""
    stated = case.limits.get("timeout")
    if stated is None:
        return replace(case, within=case.within + slower)
    reason = case.reason.replace(f"{stated} s", f"{stated + slower:g} s")
    return replace(case, limits={**case.limits, "timeout": stated + slower}, reason=reason)


def _lacks(case: Case, kernels: set[str]) -> bool:
    """Whether its kernel is not in the image."""
    return bool(case.needs) and not {case.needs} <= kernels & set(IN_IMAGE)

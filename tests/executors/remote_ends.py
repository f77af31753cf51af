"""One run of every way to end, whose steps or kernels are in containers or pods, and what it must have said."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import dagster as dg
import pytest

from nb_dagster.definitions.metadata import stored_notebooks
from tests.executors import ends
from tests.executors.deployment import execute, make_home
from tests.executors.ends import End, write_all
from tests.notebooks import cell_statuses, printed, run_metadata


class MakesCompute(Protocol):
    """Makes the compute of a container or pod."""

    def __call__(self, isolation: str, **more: Any) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Ended:
    """The run.

    Attributes:
        run: as the history has it.
        instance: the history.
        is_whole_step: whether not only the kernels were in containers.
    """

    run: dg.DagsterRun
    instance: dg.DagsterInstance
    is_whole_step: bool

    def assert_it_tells_the_truth(self, end: End) -> None:
        """One way to end is told in its executed notebook, and by Dagster."""
        if end.name == "loses_its_place" and not self.is_whole_step:
            pytest.skip("a kernel in a container has no way to the place of its notebook")
        (executed,) = [
            path for path in stored_notebooks(self.instance, self.run.run_id) if path.endswith(f"/{end.name}.ipynb")
        ]
        said = run_metadata(executed)
        assert said["status"] == end.status, said["reason"]
        assert (said["reason"] or "").startswith(end.reason)
        assert tuple(cell_statuses(executed)) == end.cells
        assert printed(executed).startswith("before\n")
        kind = dg.DagsterEventType.STEP_SUCCESS if end.ok else dg.DagsterEventType.STEP_FAILURE
        (entry,) = [e for e in self.instance.all_logs(self.run.run_id, of_type=kind) if e.step_key == end.name]
        if not end.ok:
            assert entry.dagster_event is not None
            failure = entry.dagster_event.step_failure_data.user_failure_data
            assert failure is not None
            assert (failure.description or "").startswith(f"{end.status}: {end.reason}")


@contextmanager
def run_all(folder: Path, isolation: str, executor: str, compute: MakesCompute) -> Iterator[Ended]:
    """Run all of them in a folder, under an executor."""
    write_all(folder)
    make_home(folder)
    execute(folder, ends.__name__, executor, compute(isolation)).wait(500)
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        (run,) = instance.get_runs()
        yield Ended(run, instance, is_whole_step=isolation in ("docker", "k8s") and executor == "threads")

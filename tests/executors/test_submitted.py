"""What runs is the notebook as it was when the run was submitted."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from nb_dagster.definitions.workflow import CACHE_FILE
from nb_dagster.notebook.document import NotebookDocument
from tests.executors import jobs
from tests.executors.deployment import execute, make_home
from tests.notebooks import executed_notebooks, printed, run_metadata, write_notebook

pytestmark = pytest.mark.slow

EDIT = """\
import json, pathlib
path = pathlib.Path(f"edited_{name}.ipynb")
notebook = json.loads(path.read_text())
notebook["cells"][-1]["source"] = "print('after')"
path.write_text(json.dumps(notebook))
"""
FORGET = f"pathlib.Path({CACHE_FILE!r}).unlink()"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_home(tmp_path)
    for name in ("threads", "processes"):
        write_notebook(tmp_path / f"edited_{name}.ipynb", "print('before')", parameters="after = None")
    return tmp_path


@pytest.fixture
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(folder / "home")) as instance:
        yield instance


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_an_edit_while_the_run_goes_on_is_for_the_next_run(folder: Path, executor: str) -> None:
    write_notebook(folder / "edits.ipynb", EDIT, "nb.output('done', 1)", parameters="name = ''")
    submitted = NotebookDocument.read(folder / f"edited_{executor}.ipynb").sha256
    for expected in ("before", "after"):
        assert execute(folder, jobs.__name__, f"editing_{executor}").wait(120) == 0
        executed = executed_notebooks(folder / ".nb_dagster/notebooks", f"edited_{executor}")[-1]
        assert printed(executed) == f"{expected}\n"
        assert (run_metadata(executed)["source_sha256"] == submitted) == (expected == "before")


def test_where_the_submitted_version_is_lost_the_run_says_so(folder: Path, instance: dg.DagsterInstance) -> None:
    write_notebook(folder / "edits.ipynb", EDIT, FORGET, "nb.output('done', 1)", parameters="name = ''")
    execute(folder, jobs.__name__, "editing_processes").wait(120)
    (run,) = instance.get_runs()
    (failed,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    assert failed.dagster_event is not None
    failure = failed.dagster_event.step_failure_data.user_failure_data
    assert failure is not None
    assert "was changed after the run was submitted, and the version that was submitted" in (failure.description or "")

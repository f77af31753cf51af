"""Each notebook in ``cases/`` ends as ``cases/outcomes.yaml`` states, says so truthfully, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from nb_dagster.direct import run_notebook
from nb_dagster.errors import RunRefused
from nb_dagster.kernel import fork_servers
from nb_dagster.kernel.watchdog import WATCHDOG
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.runner.background import settle
from tests.conformance import (
    ALL,
    CASES,
    MARK,
    RUNS,
    Case,
    assert_only_the_record_is_left,
    assert_true,
    bring,
    marked,
)

STORE = ".nb_dagster/notebooks"
BOUND = 2.0  # seconds after which a killed process must be gone
REFUSALS = [pytest.param(case, id=case.name) for case in ALL if case.refused]

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:Passing unrecognized arguments:DeprecationWarning"),  # bash_kernel's kernel.json
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def temp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder for temp files, whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="case-", ignore_cleanup_errors=True) as path:
        monkeypatch.setattr(tempfile, "tempdir", path)
        yield Path(path)


@pytest.fixture
def mark() -> Iterator[str]:
    """What marks the processes of one case; those it left are killed after the test."""
    mark = uuid.uuid4().hex
    yield mark
    for process in marked(mark):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.fixture(scope="session", autouse=True)
def watchdog(tmp_path_factory: pytest.TempPathFactory) -> None:
    """This process's watchdog, which starts with the first kernel, and lives as long as the process."""
    with WATCHDOG.over(str(tmp_path_factory.mktemp("watched"))):
        pass


@pytest.fixture(scope="session")
def fork_server() -> Iterator[None]:
    """A fork server that is ready before any case."""
    python = sys.executable
    fork_servers.FORK_SERVERS.expect(python, ())
    deadline = time.monotonic() + 60
    while fork_servers.FORK_SERVERS.find(python, ()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield
    fork_servers.FORK_SERVERS.close()


@pytest.fixture(
    params=[
        "forked",
        pytest.param("spawned", marks=pytest.mark.soak),  # other languages are spawned in any case
    ]
)
def kernel_start(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How kernels start: in all ways a case ends the same."""
    if request.param == "spawned":
        monkeypatch.setenv(fork_servers.SWITCH, "off")
    else:
        request.getfixturevalue("fork_server")
        monkeypatch.setattr(NotebookDocument, "preload", ())  # one server for all


@pytest.mark.usefixtures("kernel_start")
@pytest.mark.parametrize("case", RUNS)
def test_a_run_ends_as_stated_and_leaves_nothing_behind(
    case: Case,
    kernels: set[str],
    folder: Path,
    temp: Path,
    mark: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if case.needs and case.needs not in kernels:
        pytest.skip(f"the kernel {case.needs!r} is not installed")
    children = psutil.Process().children(recursive=True)

    with monkeypatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST")  # ipykernel does not capture what children print where it is set
        result = run_notebook(bring(case, folder), case.params, environment={MARK: mark}, **case.limits)

    settle()

    assert_true(case, result)
    assert_only_the_record_is_left(case, result, folder, folder / STORE)
    assert list(temp.iterdir()) == []
    _assert_no_process_is_left([result.outputs[name] for name in case.gone], mark, children)


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refused_run_says_why_in_one_line_and_writes_nothing(
    case: Case, kernels: set[str], folder: Path, temp: Path
) -> None:
    notebook = bring(case, folder)
    before = sorted(folder.rglob("*"))

    with pytest.raises(RunRefused) as refusal:
        run_notebook(notebook, case.params)

    message = str(refusal.value)
    assert case.refused in message
    assert message.startswith(notebook), "the sentence names the notebook"
    assert len(message.splitlines()) == 1
    assert len(message) < 400
    assert sorted(folder.rglob("*")) == before, "nothing was written"
    assert list(temp.iterdir()) == []


def test_every_notebook_belongs_to_a_case() -> None:
    endings = (".ipynb", ".py", ".md")
    notebooks = {
        path.relative_to(CASES).as_posix()
        for path in (*CASES.iterdir(), *(CASES / "broken").iterdir())
        if path.suffix in endings
    }
    assert notebooks == {case.file for case in ALL if (CASES / case.file).exists()}


def _assert_no_process_is_left(pids: list[int], mark: str, before: list[psutil.Process]) -> None:
    new = [child for child in psutil.Process().children(recursive=True) if child not in before]
    named = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            named.append(psutil.Process(pid))
    _, alive = psutil.wait_procs({*new, *named, *marked(mark)}, timeout=BOUND)
    assert [process.cmdline() for process in alive if process.is_running()] == []

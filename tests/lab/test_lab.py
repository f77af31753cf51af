"""JupyterLab on demand: what is opened, who may see it, and what is left of it."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import containers
from tests.cli import command
from tests.lab.jupyter import Jupyter, lab
from tests.notebooks import write_notebook
from tests.waiting import wait_until

pytest.importorskip("jupyterlab")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PASSWORD = "correct-horse-battery"
PROJECT = """
notebooks: notebooks
workflows:
  ingest: {outs: [rows]}
  train: {after: {ingest: rows}, secrets: [PASSWORD]}
"""
TRAIN = """\
import os
print(n, rows, nb.upstream['ingest'].metrics['read'], nb.context.workflow)
print(os.getcwd(), len(nb.secret('PASSWORD')))"""


def write_project(folder: Path, project: str = PROJECT) -> Path:
    ingest = "import os\nnb.output('rows', [1, 2])\nnb.metric('read', float(os.environ.get('READ', '2')))"
    write_notebook(folder / "notebooks/ingest.ipynb", ingest)
    write_notebook(folder / "notebooks/train.ipynb", TRAIN, "1 / 0", parameters="n: int = 400\nrows = None")
    (folder / "nb_dagster.yaml").write_text(project)
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = write_project(tmp_path_factory.mktemp("project"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSWORD", PASSWORD)
        patch.delenv("DAGSTER_HOME", raising=False)
        assert command.nb_dagster("run", "ingest", cwd=folder).returncode == 0
        yield folder


@pytest.fixture(scope="module")
def opened(project: Path) -> Iterator[Jupyter]:
    with lab(project, "train", "-p", "n=500") as jupyter:
        yield jupyter


def test_the_copy_runs_with_the_parameters_and_the_latest_from_upstream(project: Path, opened: Jupyter) -> None:
    said = opened.run("nb.context.data")
    assert said.splitlines() == [
        "500 [1, 2] 2.0 train",
        f"{project / 'notebooks'} {len(PASSWORD)}",
        "ZeroDivisionError: division by zero",
    ]
    assert opened.folder.parent == project / ".nb_dagster/lab"


def test_nobody_gets_in_without_the_token(opened: Jupyter) -> None:
    assert opened.get("/api/contents", None) == 403
    assert opened.get("/api/contents", "guessed") == 403
    assert opened.get("/lab", None) == 302  # to the login
    assert opened.get("/api/contents", opened.token) == 200
    assert len(opened.token) >= 32


def test_it_listens_on_this_machine_only_and_its_token_is_in_no_process_list(opened: Jupyter) -> None:
    family = psutil.Process(opened.process.pid).children(recursive=True)
    listening = [each.laddr for process in family for each in process.net_connections() if each.status == "LISTEN"]
    assert listening
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert not [each for process in family for each in process.cmdline() if opened.token in each]


def test_neither_secrets_nor_token_are_written_into_its_folder(opened: Jupyter) -> None:
    written = b"".join(each.read_bytes() for each in opened.folder.rglob("*") if each.is_file())
    assert PASSWORD.encode() not in written
    assert opened.token.encode() not in written
    assert opened.folder.stat().st_mode & 0o077 == 0


def test_a_failed_run_is_opened_with_the_parameters_and_upstream_values_of_its_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", PASSWORD)
    folder = write_project(tmp_path)
    assert command.nb_dagster("run", "ingest", cwd=folder).returncode == 0
    failed = command.as_json(command.nb_dagster("run", "train", "-p", "n=7", "--json", cwd=folder))
    write_notebook(folder / "notebooks/train.ipynb", "print('edited since')", parameters="n: int = 1\nrows = None")
    monkeypatch.setenv("READ", "99")
    assert command.nb_dagster("run", "ingest", cwd=folder).returncode == 0
    with lab(folder, failed["run_id"][:8]) as jupyter:
        assert jupyter.run().startswith("7 [1, 2] 2.0 train\n")
        copy = json.loads((jupyter.folder / "train.ipynb").read_text())
    assert [cell.get("outputs", []) for cell in copy["cells"]] == [[]] * len(copy["cells"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_nothing_runs_on_when_it_is_stopped_or_killed(project: Path, number: signal.Signals) -> None:
    with lab(project, "train") as jupyter:
        jupyter.run()
        family = psutil.Process(jupyter.process.pid).children(recursive=True)
        assert len(family) >= 2
        jupyter.process.send_signal(number)
        wait_until(lambda: not [each for each in family if each.is_running() and each.status() != "zombie"], 20)
        assert jupyter.process.wait(20) == (0 if number == signal.SIGINT else -signal.SIGKILL)


def test_a_name_that_is_neither_workflow_nor_run_is_refused_in_one_line(project: Path) -> None:
    done = command.nb_dagster("lab", "nothing", cwd=project)
    assert done.returncode == 2
    assert "no workflow of nb_dagster.yaml (it has ingest, train)" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.docker
def test_a_workflow_with_an_image_is_opened_in_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = containers.engine()
    monkeypatch.setenv("PASSWORD", PASSWORD)
    write_project(tmp_path)
    assert command.nb_dagster("run", "ingest", cwd=tmp_path).returncode == 0
    said = json.dumps(containers.compute("docker-kernel"))
    write_project(tmp_path, PROJECT.replace("secrets:", f"compute: {said}, secrets:"))
    with lab(tmp_path, "train") as jupyter:
        assert jupyter.run("import socket; print(socket.gethostname())").splitlines()[-1] != os.uname().nodename
        assert jupyter.run().startswith("400 [1, 2] 2.0 train\n")
        assert jupyter.get("/api/contents", None) == 403
        (container,) = containers.left(engine, "nb_dagster.workflow=train")
        inspected = engine.api.inspect_container(container)
        assert {port[0]["HostIp"] for port in inspected["HostConfig"]["PortBindings"].values()} == {"127.0.0.1"}
        assert jupyter.token not in json.dumps(inspected)
        assert PASSWORD not in json.dumps(inspected)
    assert containers.left(engine, "nb_dagster.workflow=train") == []


@pytest.mark.docker
def test_an_image_without_jupyterlab_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    containers.engine()
    monkeypatch.setenv("PASSWORD", PASSWORD)
    write_project(tmp_path)
    assert command.nb_dagster("run", "ingest", cwd=tmp_path).returncode == 0
    compute = json.dumps({"isolation": "docker-kernel", "image": containers.IMAGE})
    write_project(tmp_path, PROJECT.replace("secrets:", f"compute: {compute}, secrets:"))
    done = command.nb_dagster("lab", "train", cwd=tmp_path)
    assert done.returncode == 2
    assert "has no JupyterLab; add jupyterlab to packages" in done.stderr

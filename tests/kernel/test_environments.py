"""A notebook's kernel runs in the existing environment that it names, as if that had been activated."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from nb_dagster import Compute, RunRefused
from nb_dagster.kernel import fork_servers
from nb_dagster.kernel.environment import find_environment
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.prepared import prepare
from nb_dagster.runner.result import NotebookResult
from nb_dagster.runner.run import NotebookRun
from tests.environments import OWN_VERSION, make_conda, make_venv
from tests.kernel.forking import fork_servers_of_its_own
from tests.notebooks import read, run_metadata, write_notebook
from tests.waiting import wait_until

WHERE = """
import os, shutil, sys, toposort
names = ('VIRTUAL_ENV', 'CONDA_PREFIX', 'CONDA_DEFAULT_ENV', 'PYTHONHOME', 'GREETING')
nb.output('where', {'prefix': sys.prefix, 'version': toposort.__version__, 'python': shutil.which('python')})
nb.output('variables', {name: os.environ[name] for name in names if name in os.environ})
nb.output('parent', os.getppid())
"""


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_venv(tmp_path_factory.mktemp("environments") / "venv-torch")


@pytest.fixture(scope="module")
def conda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of an installation of conda, with an environment called torch."""
    root = tmp_path_factory.mktemp("conda")
    make_conda(root / "envs/torch", GREETING="hello")
    (root / "conda-meta").mkdir()
    return root


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "a.ipynb", WHERE)


def run(notebook: Path, environment: str) -> NotebookResult:
    specification = NotebookRun(
        notebook, output=notebook.with_name("out.ipynb"), compute=Compute(environment=environment)
    )
    result = BackgroundRun(specification).result()
    assert result.ok, result.reason
    return result


def refusal(notebook: Path, environment: str, **options: str) -> str:
    compute = Compute(environment=environment)
    with pytest.raises(RunRefused) as refused:
        prepare(NotebookRun(notebook, output=notebook.with_name("out.ipynb"), compute=compute, **options))  # type: ignore[arg-type]
    return str(refused.value)


def test_a_kernel_has_the_packages_of_its_virtual_environment(
    notebook: Path, venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    result = run(notebook, f"venv:{venv}")
    assert result.outputs["where"] == {"prefix": str(venv), "version": OWN_VERSION, "python": str(venv / "bin/python")}
    assert result.outputs["variables"] == {"VIRTUAL_ENV": str(venv)}


def test_the_record_says_which_environment_it_was(notebook: Path, venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(venv.parent)
    result = run(notebook, "venv:venv-torch")
    said = run_metadata(result.executed_notebook)
    assert (said["kernel"], said["environment"]) == ("python3", f"venv:{venv}")
    assert read(result.executed_notebook)["metadata"]["kernelspec"]["display_name"] == f"Python 3 (venv:{venv})"


def test_a_python_notebook_of_another_kernel_runs_in_it_too(notebook: Path, venv: Path) -> None:
    content = read(notebook)
    content["metadata"]["kernelspec"] = {"name": "her-own", "display_name": "Hers", "language": "python"}
    notebook.write_text(json.dumps(content), encoding="utf-8")
    assert run(notebook, f"venv:{venv}").outputs["where"]["version"] == OWN_VERSION


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
def test_its_kernels_are_forked_from_a_server_of_its_own(notebook: Path, venv: Path) -> None:
    environment = find_environment(f"venv:{venv}", "")
    assert environment is not None
    variables = environment.activated(os.environ)
    with fork_servers_of_its_own() as servers:
        servers.expect(environment.python, (), variables)
        wait_until(lambda: servers.find(environment.python, (), variables) is not None, 60)
        server = fork_servers.FORK_SERVERS.find(environment.python, (), variables)
        result = run(notebook, f"venv:{venv}")
    assert server is not None
    assert (result.outputs["parent"], result.outputs["where"]["version"]) == (server.pid, OWN_VERSION)
    assert result.outputs["variables"] == {"VIRTUAL_ENV": str(venv)}


def test_an_environment_that_is_not_there_is_refused_with_those_beside_it(notebook: Path, venv: Path) -> None:
    assert refusal(notebook, f"venv:{venv.parent}/venv-trch") == (
        f"{notebook}: there is no environment venv:{venv.parent}/venv-trch: the folder {venv.parent}/venv-trch does not exist "
        f"(those beside it: venv-torch); make one: python -m venv {venv.parent}/venv-trch"
    )


def test_an_environment_without_ipykernel_is_refused_with_the_command_that_installs_it(
    notebook: Path, tmp_path: Path
) -> None:
    bare = make_venv(tmp_path / "bare", has_packages=False)
    assert refusal(notebook, f"venv:{bare}") == (
        f"{notebook}: the environment venv:{bare} has no ipykernel; install it: {bare}/bin/python -m pip install ipykernel"
    )


def test_a_kernel_that_the_environment_has_not_is_refused(notebook: Path, venv: Path) -> None:
    assert refusal(notebook, f"venv:{venv}", kernel="ir") == (
        f"{notebook}: there is no kernel 'ir' in the environment venv:{venv} (installed: python3)"
    )


def test_another_kernel_of_the_environment_is_started_with_its_interpreter(
    notebook: Path, venv: Path, tmp_path: Path
) -> None:
    folder = venv / "share/jupyter/kernels/mine"
    folder.mkdir(parents=True)
    command = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Mine", "language": "python", "env": {"GREETING": "from the kernel"}}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    try:
        compute = Compute(environment=f"venv:{venv}")
        result = BackgroundRun(
            NotebookRun(notebook, output=tmp_path / "o.ipynb", kernel="mine", compute=compute)
        ).result()
    finally:
        shutil.rmtree(folder)
    assert result.outputs["where"]["version"] == OWN_VERSION
    assert result.outputs["variables"]["GREETING"] == "from the kernel"


def test_a_conda_environment_is_found_without_conda_and_activated(
    notebook: Path, conda: Path, venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDA_EXE", str(conda / "bin/conda"))
    monkeypatch.setenv("VIRTUAL_ENV", str(venv))  # the worker's; it is not the kernel's
    result = run(notebook, "conda:torch")
    prefix = conda / "envs/torch"
    assert result.outputs["where"] == {
        "prefix": str(prefix),
        "version": OWN_VERSION,
        "python": str(prefix / "bin/python"),
    }
    assert result.outputs["variables"] == {
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": "torch",
        "GREETING": "hello",
    }


@pytest.mark.parametrize(
    "variables",
    [
        {"HOME": "home"},  # with .conda/environments.txt
        {"MAMBA_ROOT_PREFIX": ""},
        {"CONDA_ENVS_PATH": "envs"},
        {"CONDA_PREFIX": "envs/torch"},
    ],
)
def test_conda_environments_are_found_wherever_they_are_noted(
    conda: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    (conda / "home/.conda").mkdir(parents=True, exist_ok=True)
    (conda / "home/.conda/environments.txt").write_text(f"/gone\n{conda}/envs/torch\n", encoding="utf-8")
    monkeypatch.setenv("HOME", "/nowhere")
    for name, path in variables.items():
        monkeypatch.setenv(name, str(conda / path))
    found = find_environment("conda:torch", "")
    assert found is not None
    assert found.prefix == conda / "envs/torch"


def test_a_conda_environment_that_is_not_there_is_refused_with_those_there_are(
    notebook: Path, conda: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv("CONDA_EXE", str(conda / "bin/conda"))
    assert refusal(notebook, "conda:trch") == (
        f"{notebook}: there is no environment conda:trch on this machine (there are: base, torch)"
    )


def test_a_kernel_may_be_named_as_an_environment(notebook: Path) -> None:
    assert run(notebook, "kernel:python3").outputs["where"]["prefix"] == sys.prefix


def test_a_kernel_that_is_not_there_is_refused_as_an_environment_too(notebook: Path) -> None:
    assert "there is no kernel 'martian' on this machine" in refusal(notebook, "kernel:martian")


@pytest.mark.parametrize("said", ["torch", "venv:", "poetry:torch", "conda: "])
def test_what_names_no_environment_is_refused(said: str) -> None:
    with pytest.raises(RunRefused, match="environment is conda:NAME, venv:PATH or kernel:NAME, not"):
        Compute(environment=said)


def test_a_container_has_an_environment_of_its_own() -> None:
    with pytest.raises(RunRefused, match="environment is for kernels without a container"):
        Compute("docker-kernel", image="a", environment="venv:x")

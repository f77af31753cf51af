"""The cases: notebooks in ``cases/`` with stated outcomes, and what is asserted of a run of one."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
import yaml
from jupyter_client.kernelspec import KernelSpecManager

from nb_dagster.runner.reading import read_result
from nb_dagster.runner.result import NotebookResult

CASES = Path(__file__).parent / "cases"
MARK = "NB_DAGSTER_CASE"  # in the environment of every process that a case starts
IN_IMAGE = ("python3", "bash")
"""Kernels that the image of the tests has, with this environment mounted into it."""


@dataclass(frozen=True)
class Case:
    """One call of a notebook and its outcome; what is not stated must not occur.

    Attributes:
        name: what the case is called.
        why: what it proves.
        notebook: its file in ``cases/``; empty is ``<name>.ipynb``.
        needs: the kernel it cannot do without.
        params: the parameters it is called with.
        limits: ``timeout``, ``cell_timeout``, ``stall_timeout``.
        refused: part of the sentence it is refused with, before anything starts.
        status: how the run ends.
        cells: how its code cells end, the injected one included.
        reason: part of the run's reason.
        error: ``type``, part of the ``message``, ``cell``, ``line`` of the exception.
        outputs: all outputs; frames as columns, arrays as lists.
        metrics: all metrics.
        checks: all checks.
        figures: names of all figures.
        artifacts: all artifacts, each with its size or its text.
        gone: outputs that are ids of processes, which must be gone.
        stdout: parts of what the executed notebook holds of standard output.
        stdout_is: all of it.
        stderr: parts of standard error.
        shows: MIME types among the displays.
        holds: texts that are somewhere in the outputs.
        order: texts that are in the outputs in this order.
        never: texts that are nowhere in the outputs.
        widgets: models among the saved widget state.
        no_file: a file in the working directory that must not be there.
        within: seconds the run may take.
    """

    name: str
    why: str
    notebook: str = ""
    needs: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    refused: str = ""
    status: str = "succeeded"
    cells: list[str] = field(default_factory=list)
    reason: str = ""
    error: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    checks: dict[str, bool] = field(default_factory=dict)
    figures: list[str] = field(default_factory=list)
    artifacts: dict[str, int | str] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    stdout: list[str] = field(default_factory=list)
    stdout_is: str | None = None
    stderr: list[str] = field(default_factory=list)
    shows: list[str] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)
    widgets: list[str] = field(default_factory=list)
    no_file: str = ""
    within: float = 60

    @property
    def file(self) -> str:
        """The notebook's path in ``cases/``."""
        return self.notebook or f"{self.name}.ipynb"


def _read_cases() -> list[Case]:
    outcomes = yaml.safe_load((CASES / "outcomes.yaml").read_text(encoding="utf-8"))
    return [Case(name=name, **outcome) for name, outcome in outcomes.items()]


ALL = _read_cases()
_RUNNING = [case for case in ALL if not case.refused]
RUNS = [pytest.param(case, id=case.name) for case in _RUNNING]
_RICH = {"typed_values", "figure_and_frame", "record_artifacts", "bash_kernel"}
SOME = [pytest.param(case, id=case.name, marks=[] if case.name in _RICH else pytest.mark.soak) for case in _RUNNING]
"""The same, for tests that take long: those that have most in them; the others are left to the soak."""


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[set[str]]:
    """Names of the installed kernels; bash's is brought along where only its module is installed."""
    with pytest.MonkeyPatch.context() as patch:
        if "bash" not in KernelSpecManager().find_kernel_specs() and importlib.util.find_spec("bash_kernel"):
            prefix = tmp_path_factory.mktemp("kernels")
            subprocess.run([sys.executable, "-m", "bash_kernel.install", "--prefix", str(prefix)], check=True)
            patch.setenv("JUPYTER_PATH", str(prefix / "share/jupyter"))
        yield set(KernelSpecManager().find_kernel_specs())


def bring(case: Case, folder: Path) -> str:
    """Copy the notebook into the folder; returns its name there."""
    source = CASES / case.file
    target = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        shutil.copyfile(source, target)
    return source.name


def assert_true(case: Case, result: NotebookResult) -> None:
    """It ended and handed out as stated, and its executed notebook says the same."""
    _assert_ended_as_stated(case, result)
    _assert_handed_out_as_stated(case, result)
    _assert_executed_notebook_is_true(case, result)
    _assert_it_is_read_back_as_the_same(result)


def assert_only_the_record_is_left(case: Case, result: NotebookResult, folder: Path, store: Path) -> None:
    """The store holds the executed notebook and the files it names, no journal."""
    executed = Path(result.executed_notebook)
    kept = [path for path in store.rglob("*") if path.is_file()]
    files = executed.with_suffix(".files")
    left = [path for path in kept if path != executed and files not in path.parents]
    assert left == []
    assert [path for path in kept if path.name.startswith(".partial")] == []
    assert not case.no_file or not (folder / case.no_file).exists()


def marked(mark: str) -> list[psutil.Process]:
    """The processes of a case, whoever their parent is by now."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _assert_ended_as_stated(case: Case, result: NotebookResult) -> None:
    ended = (result.status, result.reason)
    assert result.duration_s < case.within
    assert result.status == case.status, ended
    assert [cell.status for cell in result.cells] == case.cells, ended
    if case.reason:
        assert case.reason in (result.reason or "")
    else:
        assert result.error is not None or result.reason is None
    if not case.error:
        assert result.error is None
        return
    assert result.error is not None
    stated = {key: value for key, value in case.error.items() if key != "message"}
    assert {key: getattr(result.error, key) for key in stated} == stated
    assert case.error.get("message", "") in result.error.message
    assert "\x1b" not in f"{result.reason}{result.error.message}{result.error.traceback}", "no colours in words"


def _assert_handed_out_as_stated(case: Case, result: NotebookResult) -> None:
    outputs = {name: _plain(value) for name, value in result.outputs.items() if name not in case.gone}
    assert _json(outputs) == _json(case.outputs)
    assert _json(result.metrics) == _json(case.metrics)
    assert _json(result.checks) == _json(case.checks)
    assert sorted(result.figures) == sorted(case.figures)
    assert all(png.startswith(b"\x89PNG") for png in result.figures.values())
    files = {name: Path(path).read_bytes() for name, path in result.artifacts.items()}
    assert {
        name: len(content) if isinstance(case.artifacts.get(name), int) else content.decode()
        for name, content in files.items()
    } == case.artifacts


def _assert_executed_notebook_is_true(case: Case, result: NotebookResult) -> None:
    """It is there, valid, says the same as the result, and holds the outputs."""
    notebook = json.loads(Path(result.executed_notebook).read_text(encoding="utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what nbformat would repair is not valid
        nbformat.validate(notebook)
    said = notebook["metadata"]["nb_dagster"]
    assert (said["status"], said["reason"], said["parameters"]) == (result.status, result.reason, result.parameters)
    assert [
        (index, cell["metadata"]["nb_dagster"]["status"])
        for index, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "code"
    ] == [(cell.index, cell.status) for cell in result.cells]
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", [])]
    stdout = _stream(outputs, "stdout")
    assert [text for text in case.stdout if text not in stdout] == []
    assert case.stdout_is in (None, stdout)
    assert [text for text in case.stderr if text not in _stream(outputs, "stderr")] == []
    assert set(case.shows) <= {mime_type for output in outputs for mime_type in output.get("data", {})}
    everything = "\n".join(_texts(outputs))
    assert [text for text in case.holds if text not in everything] == []
    assert sorted(case.order, key=everything.index) == case.order
    assert [text for text in case.never if text in everything] == []
    widgets = json.dumps(notebook["metadata"].get("widgets", {}))
    assert [model for model in case.widgets if model not in widgets] == []


def _assert_it_is_read_back_as_the_same(result: NotebookResult) -> None:
    """What the executed notebook says is what the run's result said."""
    once, again = result.to_json(), read_result(result.executed_notebook, result.notebook).to_json()
    for said in (once, again):
        del said["duration_s"]
        for cell in said["cells"]:
            del cell["duration_s"]
    assert again == once


def _plain(value: Any) -> Any:
    """A frame as its columns, an array as lists; anything else as it is."""
    if hasattr(value, "to_dict"):
        return value.to_dict("list")
    return value.tolist() if hasattr(value, "tolist") else value


def _json(value: Any) -> str:
    """Text in which 1, 1.0 and True differ."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1)


def _stream(outputs: list[dict[str, Any]], name: str) -> str:
    return "".join(_text(output["text"]) for output in outputs if output.get("name") == name)


def _texts(outputs: list[dict[str, Any]]) -> Iterator[str]:
    for output in outputs:
        if "text" in output:
            yield _text(output["text"])
        yield from (_text(data) for data in output.get("data", {}).values())
        yield from output.get("traceback", [])


def _text(data: Any) -> str:
    """Text of an output, which a notebook holds whole or as lines."""
    if isinstance(data, list):
        return "".join(map(str, data))
    return data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)

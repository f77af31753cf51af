"""What ran until a crash is kept: the journal of a killed process becomes its executed notebook."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil

from nb_dagster.store.notebooks import NotebookStore
from tests.notebooks import write_notebook

CELLS = (
    "print('one')",
    """from IPython.display import clear_output, display
print('old')
clear_output()
print('new')
handle = display('first', display_id=True)
handle.update('second')
1 + 1""",
    "print('partial', flush=True)\nimport time\ntime.sleep(600)",
    "print('never')",
)


def test_the_notebook_of_a_killed_process_is_recovered(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", *CELLS)
    script = f"import nb_dagster; nb_dagster.run_notebook({str(path)!r})"
    runner = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    store = NotebookStore(tmp_path / ".nb_dagster/notebooks")
    journals = tmp_path / ".nb_dagster/notebooks/.running"
    deadline = time.monotonic() + 60
    while not any('"text": "partial' in journal.read_text() for journal in journals.glob("*.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert store.recover() == [], "a run that is still going is left alone"
    kernels = psutil.Process(runner.pid).children(recursive=True)
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()

    (recovered,) = store.recover()
    notebook = nbformat.read(recovered, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    statuses = [cell.metadata.nb_dagster.status for cell in notebook.cells]
    assert statuses == ["succeeded", "succeeded", "killed", "not_run"]
    assert notebook.metadata.nb_dagster.status == "killed"
    assert notebook.metadata.nb_dagster.reason == "the process that ran the notebook was killed"
    texts = [[output.get("text") or output.data["text/plain"] for output in cell.outputs] for cell in notebook.cells]
    assert texts == [["one\n"], ["new\n", "'second'", "2"], ["partial\n"], []]
    assert list(journals.iterdir()) == []
    assert store.recover() == []
    _, alive = psutil.wait_procs(kernels, timeout=10)
    assert alive == [], "a kernel ends with the process that started it"


def test_a_finished_run_leaves_no_journal(tmp_path: Path) -> None:
    import nb_dagster as nbd

    path = write_notebook(tmp_path / "a.ipynb", "print('one')")
    result = nbd.run_notebook(path, output=tmp_path / "out" / "b.ipynb")
    assert result.ok
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["b.ipynb"]

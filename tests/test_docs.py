"""Every example in the documentation is run."""

import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from nb_dagster.direct import run_notebook as nb_run
from nb_dagster.notebook.inference import infer_python
from nb_dagster.testing import run_notebook
from tests.notebooks import write_notebook

ROOT = Path(__file__).parent.parent
NB_DAGSTER = Path(sys.executable).parent / "nb-dagster"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

PROJECT = """
notebooks: notebooks
workflows:
  ingest: {outs: [rows]}
  train: {after: {ingest: rows}}
pipelines: {nightly: [ingest, train]}
"""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{re.escape(language)}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The notebooks that the documentation speaks of."""
    notebooks = tmp_path / "notebooks"
    write_notebook(notebooks / "ingest.ipynb", "nb.output('rows', [1, 2, 3])")
    train = "nb.metric('auc', 0.93)\nnb.output('rows', 3)\nnb.artifact('model.bin', b'm')\nnb.check('no_nulls', True)"
    write_notebook(notebooks / "train.ipynb", train, parameters="n: int = 400  # training set size\nrows = None")
    write_notebook(
        notebooks / "summary.ipynb", "nb.output('best', max(up.metrics['auc'] for up in nb.upstream.values()))"
    )
    write_notebook(notebooks / "daily.ipynb", "print(partition_key)", parameters="partition_key = None")
    for name in "ab":
        write_notebook(notebooks / f"{name}.ipynb", "1")
    (tmp_path / "params.yaml").write_text("n: 500\n")
    (tmp_path / "nb_dagster.yaml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def python_examples() -> list[object]:
    return [
        pytest.param(block, id=f"{page.stem}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page, "python"))
    ]


@pytest.mark.parametrize("example", python_examples())
def test_each_python_example_runs(project: Path, example: str) -> None:
    if "nb.upstream" in example and "notebook_asset" not in example and "run_notebook" not in example:
        path = write_notebook(project / "example.ipynb", example)
        assert run_notebook(path, upstream={"train": {"metrics": {"auc": 0.5}}}).ok
        return
    calls = "".join(f"\n{name}()" for name in re.findall(r"^def (test_\w+)\(\)", example, re.MULTILINE))
    defs = "\ndefs.get_repository_def()" if "defs =" in example else ""
    script = project / "example.py"
    script.write_text(example + calls + defs, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, script], cwd=project, capture_output=True, text=True, timeout=150, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_the_example_of_a_parameters_cell_declares_what_the_page_says() -> None:
    (cell,) = blocks(ROOT / "docs/parameters.md", "python parameters")
    declared = {name: str(parameter.type) for name, parameter in infer_python(cell, "parameters.md").items()}
    assert declared == {
        "n": "int",
        "rate": "float",
        "model": 'one of "svc", "tree"',
        "share": "float > 0 and < 1",
        "day": "date",
        "sizes": "list[int]",
        "tags": "dict[str, str]",
        "folder": "Path",
        "started": "any JSON value",
    }


def test_the_examples_of_records_record(tmp_path: Path) -> None:
    (records,) = blocks(ROOT / "docs/records.md", "python cell")
    result = run_notebook(write_notebook(tmp_path / "a.ipynb", records))
    assert (set(result.outputs), set(result.metrics), set(result.figures)) == ({"rows", "frame"}, {"auc"}, {"curve"})
    assert (set(result.artifacts), result.checks) == ({"report.txt"}, {"no_nulls": True})

    (upstream,) = blocks(ROOT / "docs/records.md", "python cell upstream")
    recorded: dict[str, dict[str, object]] = {
        "train_400": {
            "metrics": {"auc": 0.9},
            "outputs": {"rows": 3},
            "artifacts": {"model.bin": "/m"},
            "checks": {"no_nulls": True},
        }
    }
    assert run_notebook(write_notebook(tmp_path / "b.ipynb", upstream), upstream=recorded).ok


def test_the_example_of_a_shared_folder_writes_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (cell,) = blocks(ROOT / "docs/records.md", "python cell data")
    assert run_notebook(write_notebook(tmp_path / "a.ipynb", cell)).ok
    assert (tmp_path / ".nb_dagster/data/rows.csv").read_text() == "1,2,3"


def test_the_example_of_a_secret_reads_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "correct horse")
    (cell,) = blocks(ROOT / "docs/secrets.md", "python cell")
    path = write_notebook(tmp_path / "a.ipynb", f"{cell}nb.output('length', len(password))")
    assert nb_run(path, output=tmp_path / "out.ipynb", secrets=["DB_PASSWORD"]).outputs == {"length": 13}


def test_a_record_printed_by_hand_counts(tmp_path: Path) -> None:
    (record,) = blocks(ROOT / "docs/records.md", "json")
    shown = f"from IPython.display import display\ndisplay({{{nb_mime()!r}: {json.loads(record)!r}}}, raw=True)"
    assert run_notebook(write_notebook(tmp_path / "a.ipynb", shown)).metrics == {"auc": 0.93}


def nb_mime() -> str:
    from nb_dagster import nb

    return nb.MIME_TYPE


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        *(
            pytest.param(each, marks=pytest.mark.slow)
            for each in ("docs/command-line.md", "docs/history.md", "docs/speed.md")
        ),
    ],
)
def test_each_command_line_example_runs(project: Path, page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="docs-") as runtime:  # the servers that it keeps warm are its own
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        run_commands(page, project)


@pytest.mark.slow
def test_the_job_of_github_actions_runs_the_pipeline_and_keeps_its_notebooks(project: Path) -> None:
    (block,) = blocks(ROOT / "docs/ci.md", "yaml")
    (job,) = yaml.safe_load(block)["jobs"].values()
    commands = [each["run"] for each in job["steps"] if each.get("run", "").startswith("nb-dagster ")]
    assert len(commands) == 2
    for command in commands:
        _, *words = shlex.split(command)
        ran = subprocess.run([NB_DAGSTER, *words], cwd=project, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
    (upload,) = (each for each in job["steps"] if "upload-artifact" in each.get("uses", ""))
    assert len(list((project / upload["with"]["path"]).glob("*/*/train.ipynb"))) == 1


RUN = "1a2b3c4d"


def run_commands(page: str, project: Path) -> None:
    for block in blocks(ROOT / page, "sh"):
        for line in block.strip().splitlines():
            words = [latest_run(project) if word == RUN else word for word in shlex.split(line, comments=True)]
            assert words[0] in ("nb-dagster", "papermill")
            command = Path(sys.executable).parent / words[0]
            ran = subprocess.run([command, *words[1:]], cwd=project, capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stderr


def latest_run(project: Path) -> str:
    """What stands for a run in the examples: the one that the line before has made."""
    import dagster as dg

    with dg.DagsterInstance.from_config(str(project / ".nb_dagster")) as instance:
        return instance.get_run_ids(limit=1)[0][:8]


def test_the_run_config_example_fits_the_asset(project: Path) -> None:
    import dagster as dg

    import nb_dagster as nbd

    (config,) = blocks(ROOT / "docs/dagster.md", "yaml")
    result = dg.materialize([nbd.notebook_asset("notebooks/train.ipynb")], run_config=yaml.safe_load(config))
    assert result.success


def test_every_link_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"

"""``nb-dagster import-labfile``: every key of the older systems' files is taken over, or told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from nb_dagster import NotebookProject
from nb_dagster.notebook.plain_yaml import Key, dump_yaml, parse_yaml
from nb_dagster.project.labfile.importing import Imported, import_labfile
from nb_dagster.project.problems import ProjectRefused, dotted
from tests.cli.command import as_json, nb_dagster
from tests.notebooks import write_notebook

LABFILES = Path(__file__).parent / "labfiles"
FORMATS = ["workflows_060.yaml", "workflows_060.toml", "workflows_070.yaml", "labfile.yaml"]


def place(folder: Path, *names: str) -> Path:
    """Old files beside their notebooks; gives the first."""
    write_notebook(
        folder / "notebooks/ingest.ipynb",
        "if ERROR: raise IndexError\nprint(SLEEP)",
        parameters="SLEEP: int = 1\nERROR: bool = False",
    )
    write_notebook(folder / "notebooks/report.ipynb", "print('fine')")
    for name in names:
        shutil.copy(LABFILES / name, folder)
    return folder / names[0]


def imported(folder: Path, *names: str) -> Imported:
    return import_labfile(place(folder, *names), folder)


def advice(found: Imported) -> dict[str, str]:
    return {dotted(line.key): line.advice for _, line in found.lines if line.advice}


def leaves(value: Any, key: Key = ()) -> Iterator[Key]:
    """The places of all plain values."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not value or not isinstance(value, (dict, list)):
        yield key
    for name, each in inner:
        yield from leaves(each, (*key, name))


def untold(found: Imported) -> set[Key]:
    """The keys of which no line says what became of them."""
    told = {source.file: {line.key for own, line in found.lines if own is source} for source, _ in found.lines}
    sources = {source.file: source for source, _ in found.lines}
    return {
        key
        for file, source in sources.items()
        for key in leaves(source.value)
        if not any(key[:length] in told[file] for length in range(1, len(key) + 1))
    }


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_made_of_each_format_is_a_project_without_problems(tmp_path: Path, name: str) -> None:
    found = imported(tmp_path, name, "runtimes.yaml")
    (tmp_path / "nb_dagster.yaml").write_text(dump_yaml(found.project))
    assert NotebookProject.from_yaml(tmp_path / "nb_dagster.yaml").plan().problems == []


@pytest.mark.parametrize("name", FORMATS)
def test_every_key_of_each_format_is_taken_over_or_told(tmp_path: Path, name: str) -> None:
    found = imported(tmp_path, name, "runtimes.yaml")
    assert untold(found) == set()
    assert not [line for _, line in found.lines if "no version of LabFunctions" in line.advice]


def test_the_list_of_06_becomes_workflows_by_name(tmp_path: Path) -> None:
    found = imported(tmp_path, "workflows_060.yaml")
    assert found.project == {
        "name": "prices",
        "notebooks": "notebooks",
        "notifications": {"targets": {"discord": "env:DISCORD_URL", "slack": "env:SLACK_URL"}},
        "defaults": {"cwd": ".", "timeout": 10800},
        "workflows": {
            "ingest_prices": {
                "notebook": "ingest.ipynb",
                "description": "Reads the prices",
                "timeout": 600,
                "notify": {"success": ["slack"], "failure": ["slack", "discord"]},
                "params": {"SLEEP": 5, "ERROR": False},
                "schedule": "30 6 * * *",
            },
            "report": {"enabled": False, "schedule": {"repeat": 3, "every": "10s"}},
        },
    }
    told = advice(found)
    assert "call it ingest_prices from now on" in told["workflows[0].alias"]
    assert "ingest.ipynb declares no parameter 'UNKNOWN', so it is left out" in told["workflows[0].params.UNKNOWN"]
    assert "set SLACK_URL, DISCORD_URL" in told["workflows[0].notifications_fail"]


def test_toml_is_read_too(tmp_path: Path) -> None:
    found = imported(tmp_path, "workflows_060.toml")
    assert found.project["workflows"] == {
        "ingest_prices": {
            "notebook": "ingest.ipynb",
            "description": "Reads the prices",
            "timeout": 600,
            "params": {"SLEEP": 5},
            "schedule": {"repeat": 1, "every": "90s", "enabled": False},
        }
    }
    told = advice(found)
    assert [*told] == ["url_service", "workflows[0].jobid", "workflows[0].schedule", "workflows[0]"]
    assert "runs could go on beside each other" in told["workflows[0].schedule"]


def test_a_cron_of_six_fields_loses_its_year_and_is_told(tmp_path: Path) -> None:
    found = imported(tmp_path, "workflows_070.yaml")
    assert found.project["workflows"]["ingest_prices"]["schedule"] == "0 * * * *"
    assert "the sixth field of the old crons was the year" in advice(found)["workflows.ingest-prices.schedule.cron"]


def test_a_sequence_becomes_a_pipeline_in_its_order(tmp_path: Path) -> None:
    found = imported(tmp_path, "workflows_070.yaml")
    assert found.project["pipelines"] == {
        "nightly": {
            "description": "Prices, then their report",
            "workflows": ["ingest_prices", "report"],
            "schedule": "0 2 * * *",
        }
    }
    assert found.project["workflows"]["report"] == {"enabled": False, "timeout": 60, "after": ["ingest_prices"]}
    told = advice(found)
    assert "pipelines.sequences[0].shared_volumes" in told
    runtime = {"image": "python-3.9", "user": {"uid": 1089, "gid": 1090}, "system": ["build-essential", "git"]}
    assert found.project["runtimes"] == {"default": runtime}
    assert "runtime: default" in told["runtime"]


def test_sequences_in_opposite_orders_make_no_circle(tmp_path: Path) -> None:
    file = place(tmp_path, "workflows_070.yaml")
    back = "\n    - {workflows: [report, ingest-prices, gone]}\n"
    file.write_text(file.read_text().rstrip() + back)
    found = import_labfile(file, tmp_path)
    assert "after" not in found.project["workflows"]["ingest_prices"]
    said = advice(found)["pipelines.sequences[1].workflows"]
    assert "no workflow of this file has the id or alias gone" in said
    assert "ingest_prices cannot come after report here and before it elsewhere" in said


def test_the_last_format_with_its_runtimes_is_taken_over_as_far_as_it_goes(tmp_path: Path) -> None:
    found = imported(tmp_path, "labfile.yaml", "runtimes.yaml")
    ingest = {"description": "Reads the prices", "timeout": 10800, "params": {"SLEEP": 5}, "schedule": "30 6 * * 1-5"}
    train = {
        "enabled": False,
        "notebook": "report.ipynb",
        "timeout": 60,
        "schedule": {"repeat": 2, "every": "5m"},
        "compute": {"isolation": "docker", "runtime": "gpu", "gpus": 1},
    }
    assert found.project["workflows"] == {"ingest": ingest, "train": train}
    assert found.project["runtimes"] == {
        "default": {
            "image": "python-3.9",
            "system": ["build-essential", "git"],
            "user": {"uid": 1089, "gid": 1090},
            "packages": "requirements.txt",
            "registry": "registry.example.com",
        },
        "gpu": {"gpu": True},
    }
    told = advice(found)
    assert "write start: with a date and time" in told["workflows.train.schedule.start_in_min"]
    assert "then nb-dagster runtime build gpu" in told["workflows.train.nbtask.runtime"]
    assert "starts from NVIDIA's" in told["runtimes.gpu.container.image"]
    assert "gpu: true has the usual CUDA, not 11.6" in told["runtimes.gpu.container.gpu.cuda"]
    assert "workflows.ingest.nbtask.machine" not in told  # cpu was what everybody had


def test_what_the_old_runner_filled_is_told_where_a_notebook_asks_for_it(tmp_path: Path) -> None:
    file = place(tmp_path, "labfile.yaml")
    write_notebook(tmp_path / "notebooks/ingest.ipynb", "print(EXECID)", parameters="SLEEP = 1\nEXECID = ''")
    told = advice(import_labfile(file, tmp_path))["workflows.ingest.nbtask.nb_name"]
    assert told == "the notebook's parameter EXECID was filled by the old runner; here run_id is"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("image: 'python:3.9\\nRUN evil'", "no name of an image"),
        ("user: {uid: 0, gid: 0}", "greater than 0"),
        ("build_packages: 'git ; evil'", "';' is no Debian package"),
        ("requirements: ../secret.txt", "no plain path"),
    ],
)
def test_what_a_runtime_may_not_have_is_told(tmp_path: Path, line: str, words: str) -> None:
    file = place(tmp_path, "labfile.yaml")
    (tmp_path / "runtimes.yaml").write_text(f"runtimes: {{default: {{container: {{maintainer: ada, {line}}}}}}}")
    found = import_labfile(file, tmp_path)
    assert found.project["runtimes"] == {"default": {}}
    assert words in str(advice(found))


def test_a_runtime_that_is_nowhere_is_told(tmp_path: Path) -> None:
    found = imported(tmp_path, "labfile.yaml")
    assert found.project["workflows"]["train"]["compute"] == {"gpus": 1}
    assert "declared nowhere" in advice(found)["workflows.train.nbtask.runtime"]


def test_an_interval_that_is_too_short_is_told(tmp_path: Path) -> None:
    file = place(tmp_path, "labfile.yaml")
    file.write_text(file.read_text().replace("interval: 5m", "interval: 4"))
    found = import_labfile(file, tmp_path)
    assert "schedule" not in found.project["workflows"]["train"]
    assert "'4s' is too short" in advice(found)["workflows.train.schedule.interval"]


def test_without_its_notebook_a_workflow_keeps_its_values_as_they_are(tmp_path: Path) -> None:
    file = place(tmp_path, "labfile.yaml")
    (tmp_path / "notebooks/ingest.ipynb").unlink()
    found = import_labfile(file, tmp_path)
    assert found.project["workflows"]["ingest"]["params"] == {"SLEEP": "5"}
    assert "ingest.ipynb is not there" in advice(found)["workflows.ingest.nbtask.nb_name"]


PLAIN = """\
project: {name: prices}
workflows:
  ingest:
    nbtask: {nb_name: ingest, params: {SLEEP: "5", ERROR: "false"}, timeout: 60, description: "12:30"}
    schedule: {cron: 30 6 * * *}
  "a.b": {nbtask: {nb_name: report}, enabled: false}
"""


def test_what_was_made_loads_and_passes_check(tmp_path: Path) -> None:
    file = place(tmp_path, "labfile.yaml")
    file.write_text(PLAIN)
    found = as_json(nb_dagster("import-labfile", "labfile.yaml", "--json", cwd=tmp_path))
    assert (found["output"], found["workflows"]) == ("nb_dagster.yaml", ["ingest", "a_b"])
    defs = NotebookProject.from_yaml(tmp_path / "nb_dagster.yaml").build_defs()
    assert {each.name for each in defs.resolve_all_job_defs()} >= {"ingest", "a_b"}
    assert as_json(nb_dagster("check", "--json", cwd=tmp_path))["ok"]


def test_the_file_may_be_written_elsewhere(tmp_path: Path) -> None:
    file = place(tmp_path / "old", "labfile.yaml")
    file.write_text(PLAIN)
    done = nb_dagster("import-labfile", "old/labfile.yaml", "--output", "new.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    NotebookProject.from_yaml(tmp_path / "new.yaml").build_defs()


def test_people_see_a_line_for_what_is_to_be_looked_at(tmp_path: Path) -> None:
    place(tmp_path, "labfile.yaml")
    done = nb_dagster("import-labfile", "labfile.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "labfile.yaml:32:7: workflows.train.nbtask.machine: the text 'gpu': half of the name of a" in done.stdout
    assert "(and 1 more such keys)" in done.stdout  # wfid
    assert "2 workflows (ingest, train)" in done.stdout


def test_a_project_file_that_is_there_is_written_over_only_when_asked(tmp_path: Path) -> None:
    place(tmp_path, "labfile.yaml")
    (tmp_path / "nb_dagster.yaml").write_text("name: mine")
    done = nb_dagster("import-labfile", "labfile.yaml", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nb-dagster: nb_dagster.yaml exists already, and is written over only with --force\n"
    assert (tmp_path / "nb_dagster.yaml").read_text() == "name: mine"
    assert nb_dagster("import-labfile", "labfile.yaml", "--force", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("labfile.yaml", "version: 0.3", "it has no workflows; expected a labfile.yaml of LabFunctions"),
        ("labfile.yaml", "[1]", "it is no mapping of keys to values"),
        ("labfile.yaml", "a: {", "it cannot be read as YAML"),
        ("workflows.toml", "a = ", "it cannot be read as TOML"),
        ("workflows.toml", "workflows = []", "it has no workflows"),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_sentence(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ProjectRefused, match=words) as refused:
        import_labfile(tmp_path / name, tmp_path)
    assert "\n" not in str(refused.value)


def names_in(value: Any) -> Iterator[str]:
    """The keys of all its mappings."""
    for name, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if isinstance(name, str):
            yield name
        yield from names_in(each)


WORDS = sorted(
    {
        each
        for path in LABFILES.glob("*.yaml")
        for each in names_in(parse_yaml(path.read_text(), has_aliases=False).value)
    }
)
OLD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=2), inner, max_size=6)
    ),
    max_leaves=25,
)
WORKFLOW = st.dictionaries(st.sampled_from(WORDS), OLD | st.dictionaries(st.sampled_from(WORDS), OLD), min_size=1)
WORKFLOWS = st.lists(WORKFLOW, min_size=1, max_size=3) | st.dictionaries(
    st.text(max_size=3), WORKFLOW, min_size=1, max_size=3
)


@settings(max_examples=100)
@given(rest=st.dictionaries(st.sampled_from(WORDS), OLD, max_size=4), workflows=WORKFLOWS)
def test_no_key_is_ever_silently_dropped(
    tmp_path_factory: pytest.TempPathFactory, rest: dict[str, Any], workflows: Any
) -> None:
    file = tmp_path_factory.mktemp("labfile") / "labfile.yaml"
    file.write_text(dump_yaml({**rest, "workflows": workflows}), encoding="utf-8")
    found = import_labfile(file, file.parent)
    assert untold(found) == set()
    written = parse_yaml(dump_yaml(found.project), has_aliases=False)
    assert written.value == found.project
    assert len(found.project["workflows"]) == sum(
        map(bool, workflows if isinstance(workflows, list) else workflows.values())
    )

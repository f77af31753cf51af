"""``trigger: {files: …}``: each file that arrives is run once, when it is whole."""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
import pytest

from nb_dagster import NotebookProject
from nb_dagster.project.check import problems_of, workflow_rows
from tests.notebooks import write_notebook
from tests.project.projects import definitions, write_project
from tests.project.ticks import Ticks

TEXT = 'workflows: {load: {trigger: {files: "incoming/*.csv", fills: path}, outs: [found]}}'


def project(folder: Path, text: str = TEXT) -> Path:
    path = write_project(folder, text)
    write_notebook(
        folder / "notebooks/load.ipynb",
        "nb.output('found', [path.name, path.read_text()])",
        parameters="from pathlib import Path\npath: Path",
    )
    return path


def arrive(folder: Path, name: str, content: str = "1,2\n") -> Path:
    path = folder / "incoming" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return path


def _unreachable(*_: object, **__: object) -> None:
    raise OSError("no route to host")


def keys(ticks: Ticks) -> list[str]:
    return [Path(each.run_key.partition(" (")[0]).name for each in ticks.tick().run_requests or ()]


def test_a_file_is_run_with_its_path_and_once(tmp_path: Path, history: dg.DagsterInstance) -> None:
    ticks = Ticks(project(tmp_path), "load_files", history)
    arrive(tmp_path, "a.csv")
    arrive(tmp_path, "b.txt")
    looks = [ticks.run() for _ in range(4)]
    assert [len(each) for each in looks] == [0, 1, 0, 0]
    assert looks[1][0].output_for_node("load__notebook", "found") == ["a.csv", "1,2\n"]


def test_a_file_that_is_still_written_is_not_taken(tmp_path: Path, history: dg.DagsterInstance) -> None:
    ticks = Ticks(project(tmp_path), "load_files", history)
    for size in (1, 2, 3):
        arrive(tmp_path, "a.csv", "x" * size)
        assert keys(ticks) == []
    assert keys(ticks) == ["a.csv"]


def test_a_file_with_other_content_is_run_again(tmp_path: Path, history: dg.DagsterInstance) -> None:
    ticks = Ticks(project(tmp_path), "load_files", history)
    arrive(tmp_path, "a.csv")
    assert [len(ticks.run()) for _ in range(3)] == [0, 1, 0]
    os.utime(arrive(tmp_path, "a.csv"), (1, 1))
    assert [len(ticks.run()) for _ in range(3)] == [0, 1, 0]


def test_what_was_asked_for_and_never_run_is_asked_for_again(tmp_path: Path, history: dg.DagsterInstance) -> None:
    ticks = Ticks(project(tmp_path), "load_files", history)
    arrive(tmp_path, "a.csv")
    assert [keys(ticks) for _ in range(3)] == [[], ["a.csv"], ["a.csv"]]


def test_another_daemon_goes_on_where_the_first_one_was(tmp_path: Path, history: dg.DagsterInstance) -> None:
    path = project(tmp_path)
    first = Ticks(path, "load_files", history)
    arrive(tmp_path, "a.csv")
    assert [len(first.run()) for _ in range(2)] == [0, 1]
    second = Ticks(path, "load_files", history)
    assert [len(second.run()) for _ in range(3)] == [0, 0, 0]


def test_files_that_were_run_are_not_run_again_where_nothing_is_remembered(
    tmp_path: Path, history: dg.DagsterInstance
) -> None:
    ticks = Ticks(project(tmp_path), "load_files", history)
    arrive(tmp_path, "a.csv")
    assert [len(ticks.run()) for _ in range(2)] == [0, 1]
    history.daemon_cursor_storage.set_cursor_values({"nb_dagster/files//load_files": ""})
    assert [keys(ticks) for _ in range(3)] == [[], [], []]


def test_one_look_starts_so_many_and_the_oldest_first(tmp_path: Path, history: dg.DagsterInstance) -> None:
    text = TEXT.replace("fills: path", "fills: path, at_most: 2")
    ticks = Ticks(project(tmp_path, text), "load_files", history)
    for age, name in enumerate(["e.csv", "d.csv", "c.csv", "b.csv", "a.csv"]):
        os.utime(arrive(tmp_path, name), (1000 + age, 1000 + age))
    looks = [[each.output_for_node("load__notebook", "found")[0] for each in ticks.run()] for _ in range(5)]
    assert looks == [[], ["e.csv", "d.csv"], ["c.csv", "b.csv"], ["a.csv"], []]


def test_what_is_remembered_is_of_the_files_that_are_there_alone(tmp_path: Path, history: dg.DagsterInstance) -> None:
    ticks = Ticks(project(tmp_path), "load_files", history)
    remembered = []
    for number in range(4):
        path = arrive(tmp_path, f"{number}.csv")
        assert [len(ticks.run()) for _ in range(3)] == [0, 1, 0]
        path.unlink()
        values = history.daemon_cursor_storage.get_cursor_values({"nb_dagster/files//load_files"})
        remembered.append(len(values["nb_dagster/files//load_files"]))
    assert len({*remembered}) == 1
    assert remembered[0] < 60


def test_a_place_that_cannot_be_reached_is_told_and_looked_at_again(
    tmp_path: Path, history: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upath import UPath

    place = type(UPath("memory://unreachable").fs)
    ticks = Ticks(project(tmp_path, TEXT.replace("incoming", "memory://unreachable")), "load_files", history)
    with monkeypatch.context() as broken:
        broken.setattr(place, "glob", _unreachable)
        said = ticks.tick().skip_message
    assert said == "cannot look at memory://unreachable/*.csv: OSError: no route to host"
    assert "0 files match" in ticks.tick().skip_message


def test_files_of_other_places_arrive_with_their_url(tmp_path: Path, history: dg.DagsterInstance) -> None:
    from upath import UPath

    ticks = Ticks(project(tmp_path, TEXT.replace("incoming", "memory://arriving")), "load_files", history)
    UPath("memory://arriving/a.csv").write_text("1")
    assert not ticks.tick().run_requests
    (request,) = ticks.tick().run_requests
    path = request.run_config["ops"]["load__notebook"]["config"]["path"]
    assert UPath(path).read_text() == "1"


def test_a_folder_with_the_letters_of_a_pattern_is_a_folder(tmp_path: Path, history: dg.DagsterInstance) -> None:
    folder = tmp_path / "[shop]*"
    ticks = Ticks(project(folder), "load_files", history)
    arrive(folder, "a.csv")
    assert [keys(ticks) for _ in range(2)] == [[], ["a.csv"]]


def test_hidden_files_and_folders_are_none(tmp_path: Path, history: dg.DagsterInstance) -> None:
    ticks = Ticks(project(tmp_path, TEXT.replace("*.csv", "*")), "load_files", history)
    arrive(tmp_path, ".a.csv.part")
    (tmp_path / "incoming/folder").mkdir()
    assert [keys(ticks) for _ in range(2)] == [[], []]


def test_an_op_and_a_sweep_are_run_for_a_file_too(tmp_path: Path, history: dg.DagsterInstance) -> None:
    text = """
workflows:
  load: {kind: op, trigger: {files: "incoming/*", fills: path}}
  train: {for_each: {n: [1, 2]}, outs: [seen], trigger: {files: "incoming/*", fills: rows}}
"""
    arrive(tmp_path, "a.csv")
    path = project(tmp_path, text)
    for sensor, nodes in (("load_files", ["load"]), ("train_files", ["train_1__notebook", "train_2__notebook"])):
        ticks = Ticks(path, sensor, history)
        assert not ticks.run()
        (result,) = ticks.run()
        assert result.success
        assert sorted(each.node_name for each in result.get_step_success_events()) == nodes


def test_it_is_on_unless_it_or_its_workflow_is_not_enabled(tmp_path: Path) -> None:
    text = """
workflows:
  load: {trigger: {files: "a/*", settle: 5}}
  train: {trigger: {files: "a/*", enabled: false}}
  report: {enabled: false, trigger: {files: "a/*"}}
"""
    sensors = definitions(project(tmp_path, text)).get_repository_def().sensor_defs
    assert {each.name: (each.default_status.value, each.minimum_interval_seconds) for each in sensors} == {
        "load_files": ("RUNNING", 5),
        "train_files": ("STOPPED", 30),
        "report_files": ("STOPPED", 30),
    }


def test_a_parameter_that_a_file_fills_is_not_missing_but_for_a_schedule(tmp_path: Path) -> None:
    plan = NotebookProject.from_yaml(project(tmp_path)).plan()
    assert problems_of(plan) == []
    assert workflow_rows(plan)[0]["trigger"] == {"files": "incoming/*.csv", "fills": "path"}
    text = TEXT.replace("load: {", 'load: {schedule: "0 6 * * *", ')
    (problem,) = problems_of(NotebookProject.from_yaml(project(tmp_path, text)).plan())
    assert "it has no value for the required parameter 'path' (Path)" in str(problem)

"""A whole old file, and what becomes of its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nb_dagster.definitions.names import dagster_name, free_name
from nb_dagster.notebook.plain_yaml import Key
from nb_dagster.project.labfile.entry import Entry, numbered
from nb_dagster.project.labfile.lines import Became, Line, Row, dropped, lines_of
from nb_dagster.project.labfile.runtime import MadeRuntime, convert_runtime, convert_runtimes
from nb_dagster.project.labfile.sequence import PIPELINES, MadeSequence, convert_sequence
from nb_dagster.project.labfile.workflow import MadeWorkflow, convert_workflow


@dataclass(frozen=True)
class MadeProject:
    """A project that is being made.

    Attributes:
        workflows: what its workflows are made of.
        runtimes: what its runtimes are made of, by their old names.
        said: what the project file says.
    """

    workflows: Mapping[Key, tuple[Entry, MadeWorkflow]]
    runtimes: Mapping[str, MadeRuntime]
    said: dict[str, Any]


def convert_file(said: Mapping[Any, Any], made: MadeProject) -> Iterator[Line]:
    """A line for each key of a file."""
    said = {**said, "workflows": numbered(said["workflows"])}
    pipelines = {"pipelines": said.pop("pipelines")} if "pipelines" in said else {}
    parts = {
        "project": lambda each, key, made: lines_of(each, key, made, _OF_PROJECT),
        "workflows": lambda each, key, made: lines_of(each, key, made, {}, dict.fromkeys(each, _convert_workflow)),
        "runtime": lambda each, key, made: convert_runtime(each, key, made.runtimes),
        "runtimes": lambda each, key, made: convert_runtimes(each, key, made.runtimes),
    }
    yield from lines_of(said, (), made, _ROWS, parts)
    yield from lines_of(pipelines, (), made, {}, {"pipelines": _convert_pipelines})  # they order the workflows


def _convert_workflow(said: Mapping[Any, Any], key: Key, project: MadeProject) -> Iterator[Line]:
    entry, made = project.workflows[key]
    yield from convert_workflow(said, key, made)
    if not entry.notebook:
        yield Line(key, None, advice=f"it names no notebook (nb_name), so {made.notebook} is taken; write notebook:")
    if not entry.has_alias and entry.alias not in ("", made.name):
        yield Line(key, entry.alias, made.place, f"it is called {made.name} here, as Dagster takes names")


def _convert_pipelines(said: Mapping[Any, Any], key: Key, project: MadeProject) -> Iterator[Line]:
    said = {**said, "sequences": numbered(said["sequences"])} if "sequences" in said else said
    parts = {"sequences": lambda each, key, made: lines_of(each, key, made, {}, dict.fromkeys(each, _convert_sequence))}
    yield from lines_of(said, key, project, {}, parts)


def _convert_sequence(said: Mapping[Any, Any], key: Key, project: MadeProject) -> Iterator[Line]:
    known = {name: made for entry, made in project.workflows.values() for name in entry.ids}
    pipelines = project.said.setdefault(PIPELINES, {})
    taken = {*pipelines, *(made.name for _, made in project.workflows.values())}
    made = MadeSequence(free_name(str(said.get("alias") or "pipeline"), taken), known)
    pipelines[made.name] = made.said
    yield from convert_sequence(said, key, made)


def _name(value: Any, project: MadeProject) -> Became:
    name = project.said["name"] = dagster_name(str(value))
    return Became("name", "" if name == str(value) else f"it is called {name} here, as Dagster takes names")


_PEOPLE = "there are no users here; who may do what is for whoever serves Dagster's UI, nothing to do"
_ROWS: dict[str, Row] = {
    "version": lambda _value, _project: Became(),  # of the old file's format
    "url_service": dropped("runs need no server; nb-dagster launch is told by --url where a running Dagster is"),
}
_OF_PROJECT: dict[str, Row] = {
    "name": _name,
    "projectid": dropped("the old server's own number of it; nothing to do"),
    "owner": dropped(_PEOPLE),
    "username": dropped(_PEOPLE),
    "users": dropped(_PEOPLE),
    "agent": dropped(_PEOPLE),
    "description": dropped("write it as a comment at the top, or in the README"),
    "repository": dropped("the project is the repository that the file is in; nothing to do"),
}

"""A file of NB Workflows 0.6 and 0.7, or of LabFunctions 0.8 to 0.10, as a project file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nb_dagster.definitions.names import free_name
from nb_dagster.errors import UnreadableNotebook
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.plain_yaml import Key
from nb_dagster.project.labfile.entry import Entry, entries_of
from nb_dagster.project.labfile.lines import Line
from nb_dagster.project.labfile.project import MadeProject, convert_file
from nb_dagster.project.labfile.reading import read_old_file
from nb_dagster.project.labfile.runtime import RUNTIMES, convert_runtimes_file, started_runtimes
from nb_dagster.project.labfile.workflow import MadeWorkflow, variable_of
from nb_dagster.project.problems import Problem, ProjectRefused
from nb_dagster.project.source import Source

RUNTIMES_FILE = "runtimes.yaml"
"""Where LabFunctions had its runtimes, beside the labfile."""
TIMEOUT = 10_800
"""Seconds that a workflow had where it did not say how many."""


@dataclass(frozen=True)
class Imported:
    """A project file that was made of an old file.

    Attributes:
        project: what it says.
        lines: what became of each key, with the file that it is in.
    """

    project: dict[str, Any]
    lines: list[tuple[Source, Line]]


def import_labfile(file: Path, folder: Path) -> Imported:
    """A project of an old file, and of the runtimes beside it.

    Args:
        file: ``labfile.yaml``, ``workflows.yaml`` or ``workflows.toml``.
        folder: where the project file is to be; its paths are seen from there.

    Raises:
        ProjectRefused: it cannot be read, or has no workflows.
    """
    source = read_old_file(file)
    entries = list(entries_of(source.value.get("workflows")))
    if not entries:
        expected = "expected a labfile.yaml of LabFunctions, or a workflows.yaml or .toml of NB Workflows"
        raise ProjectRefused([Problem(f"it has no workflows; {expected}", str(file))])
    notebooks = file.parent / "notebooks"
    beside = file.with_name(RUNTIMES_FILE)
    old_runtimes = read_old_file(beside) if beside.exists() else None
    both = [source.value, *([old_runtimes.value] if old_runtimes else [])]
    runtimes = started_runtimes(*both, folder=_seen_from(folder, file.parent))
    workflows = _started(entries, notebooks, {old: made.name for old, made in runtimes.items()})
    defaults = {
        "cwd": _seen_from(folder, file.parent)
    }  # the old runner's was the project, ours is the notebook's folder
    said: dict[str, Any] = {"notebooks": _seen_from(folder, notebooks), "defaults": defaults}
    lines = [(source, line) for line in convert_file(source.value, MadeProject(workflows, runtimes, said))]
    made = [each for _, each in workflows.values()]
    if any("timeout" not in each.said for each in made):
        said["defaults"]["timeout"] = TIMEOUT
    if targets := sorted({target for each in made for target in each.targets}):
        said["notifications"] = {"targets": {each: f"env:{variable_of(each)}" for each in targets}}
    said["workflows"] = {each.name: each.said or None for each in made}
    if old_runtimes is not None:
        lines += [(old_runtimes, line) for line in convert_runtimes_file(old_runtimes.value, runtimes)]
    if runtimes:
        said[RUNTIMES] = {each.name: each.said for each in runtimes.values()}
    order = ("name", "notebooks", "notifications", "defaults", "workflows", "pipelines", RUNTIMES)
    return Imported({name: said[name] for name in order if name in said}, lines)


def _started(
    entries: Iterable[Entry], notebooks: Path, runtimes: Mapping[str, str]
) -> dict[Key, tuple[Entry, MadeWorkflow]]:
    """The workflows with their names and notebooks."""
    started: dict[Key, tuple[Entry, MadeWorkflow]] = {}
    for entry in entries:
        taken = {made.name for _, made in started.values()}
        name = free_name(entry.alias or entry.notebook or "workflow", taken)
        file = (entry.notebook or name).removesuffix(".ipynb") + ".ipynb"
        started[entry.key] = entry, MadeWorkflow(name, file, _read(notebooks / file), runtimes)
    return started


def _read(path: Path) -> NotebookDocument | None:
    try:
        document = NotebookDocument.read(path)
        document.parameters  # noqa: B018 - raises where the cell is no Python
    except UnreadableNotebook:
        return None
    return document


def _seen_from(folder: Path, path: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()

"""A project file for notebooks that are there already."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nb_dagster.definitions.names import dagster_name, free_name
from nb_dagster.errors import UnreadableNotebook
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import CONTEXT_PARAMETERS, NO_DEFAULT, Parameter
from nb_dagster.notebook.plain_yaml import dump_yaml
from nb_dagster.project.code import recorded_names
from nb_dagster.project.notebooks import SUFFIXES, notebook_files

_HEAD = """\
# Made by nb-dagster init. What follows a # is a hint: take the # away, and it holds.
# A workflow that is to run by itself has a schedule: {cron: "0 6 * * *", timezone: Europe/Berlin}
"""


@dataclass(frozen=True)
class Found:
    """A notebook that is to be a workflow.

    Attributes:
        name: the workflow's name.
        document: the notebook.
        outs: the outputs that its code names.
        checks: the checks that its code names.
    """

    name: str
    document: NotebookDocument
    outs: list[str]
    checks: list[str]


@dataclass(frozen=True)
class Scaffold:
    """What a folder of notebooks becomes.

    Attributes:
        folder: the folder.
        found: its workflows.
        left_out: why the other notebooks are none.
    """

    folder: Path
    found: list[Found]
    left_out: list[str]

    @classmethod
    def of(cls, folder: Path) -> Scaffold:
        """Look at all notebooks under a folder: every ``.ipynb``, and other files that have a parameters cell."""
        found: dict[str, Found] = {}
        left_out: list[str] = []
        for path in notebook_files(str(folder)):
            try:
                document = NotebookDocument.read(os.path.normpath(path))
                if not (path.endswith(".ipynb") or document.parameters_cell):
                    continue
                reason = _why_not(document)
            except UnreadableNotebook as unreadable:
                reason = str(unreadable)
                if not path.endswith(".ipynb"):  # a module, a page
                    continue
            if reason:
                left_out.append(reason)
                continue
            name = free_name(document.name, found)
            found[name] = Found(name, document, recorded_names(document, "output"), recorded_names(document, "check"))
        return cls(folder, list(found.values()), left_out)

    @property
    def text(self) -> str:
        """The project file: a workflow for each notebook, with what it declares and hands out as hints."""
        notebooks = os.path.commonpath([os.path.dirname(each.document.path) for each in self.found]) or "."
        project = {"name": dagster_name(self.folder.absolute().name), "notebooks": _relative(notebooks, self.folder)}
        return "\n".join([_HEAD + dump_yaml(project), "workflows:", *self._lines(notebooks)]) + "\n"

    def _lines(self, notebooks: str) -> Iterator[str]:
        for each in self.found:
            file = _relative(each.document.path, notebooks)
            yield "  " + dump_yaml({each.name: None}).removesuffix(" null\n")
            if file != each.name + SUFFIXES[0]:
                yield textwrap.indent(dump_yaml({"notebook": file}).rstrip("\n"), "    ")
            yield from (f"    # {hint}" for hint in _hints(each))


def _why_not(document: NotebookDocument) -> str:
    """Why a notebook is no workflow; empty where it is one."""
    document.parameters  # noqa: B018 - raises where the cell is no Python
    papermill = document.content["metadata"].get("papermill")
    if document.settings is None or (isinstance(papermill, dict) and papermill.get("end_time")):
        return f"{document.path} is what a run has left"
    return ""


def _hints(found: Found) -> Iterator[str]:
    own = [each for name, each in found.document.parameters.items() if name not in CONTEXT_PARAMETERS]
    if own:
        yield "params:"
    yield from (f"  {_hint(each)}" for each in own)
    for name, values in (("outs", found.outs), ("checks", found.checks)):
        if values:
            yield _one_line(f"{name}: {json.dumps(values, ensure_ascii=False)}")


def _hint(parameter: Parameter) -> str:
    value = (
        "" if parameter.default is NO_DEFAULT else f" {json.dumps(parameter.default, ensure_ascii=False, default=str)}"
    )
    said = [str(parameter.type), "required" if parameter.required else "", parameter.description]
    if parameter.expression is not None:
        said.insert(1, f"by default {parameter.expression}")
    return _one_line(f"{parameter.name}:{value}  # {', '.join(filter(None, said))}")


def _one_line(text: str) -> str:
    """A text that cannot end a comment."""
    return "".join(each if each.isprintable() else " " for each in text)


def _relative(path: str, folder: str | Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()

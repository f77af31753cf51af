"""``NotebookProject``: a project file, a folder of notebooks, or a Dagster component of the same shape."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import BaseModel

from nb_dagster.project.component import source_of
from nb_dagster.project.plan import Plan
from nb_dagster.project.schema import Project
from nb_dagster.project.source import Source
from nb_dagster.project.translation import definitions_of

FILE = "nb_dagster.yaml"
"""The project file's name."""


class NotebookProject(dg.Component):
    """Notebooks on Dagster: each workflow is a notebook with its parameters, upstreams, schedule, retries and limits.

    Its attributes are the keys of ``nb_dagster.yaml``. Without any, every notebook in the folder with a parameters cell
    is an asset with a job of its name.

    Example:
        >>> defs = NotebookProject.from_yaml("nb_dagster.yaml").build_defs()
    """

    def __init__(self, project: Project, source: Source, folder: Path) -> None:
        """Take what was read.

        Args:
            project: the settings.
            source: where they are written.
            folder: the folder that their paths are seen from.
        """
        self.project, self.source, self.folder = project, source, folder

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str]) -> NotebookProject:
        """The project of a file, or of a folder: of the ``nb_dagster.yaml`` in it, or of its notebooks without one.

        Args:
            path: the file or folder.

        Raises:
            RunRefused: it cannot be read, or says what a project file may not say; each problem is a line of the
                message, with file, line, column and key.

        Example:
            >>> NotebookProject.from_yaml("nb_dagster.yaml").build_defs()
        """
        file = Path(path)
        if file.is_dir():
            if not (file / FILE).exists():
                return cls(Project(), Source(str(file), {}), file)
            file /= FILE
        source = Source.read(file)
        return cls(source.validate(Project), source, file.parent)

    def plan(self) -> Plan:
        """What it becomes, with all that is wrong with it."""
        return Plan(self.project, self.source, self.folder)

    def build_defs(self, context: dg.ComponentLoadContext | None = None) -> dg.Definitions:  # noqa: ARG002 - Dagster's
        """The definitions of its assets, ops, jobs, schedules and resources.

        Args:
            context: where Dagster loads it as a component.

        Raises:
            RunRefused: a notebook is missing, a parameter does not fit, or the like; each problem is a line.
        """
        return definitions_of(self.plan())

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        return Project

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        return dg.ComponentTypeSpec(
            description="Jupyter notebooks as assets and jobs, with schedules, triggers, retries, limits and sweeps.",
            tags=["jupyter", "notebooks"],
            produces=["asset", "asset_check", "job", "schedule", "sensor", "resource"],
        )

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> NotebookProject:
        said = attributes if isinstance(attributes, Project) else Project()
        return cls(_rendered(said, context.resolution_context.resolve_value), source_of(context), context.path)


def _rendered(said: Any, render: Callable[[str], Any]) -> Any:
    """Settings with Dagster's templates, such as ``{{ env.NAME }}``, filled in."""
    if isinstance(said, BaseModel):
        return said.model_copy(update={name: _rendered(getattr(said, name), render) for name in said.model_fields_set})
    if isinstance(said, dict):
        return {name: _rendered(value, render) for name, value in said.items()}
    if isinstance(said, list):
        return [_rendered(value, render) for value in said]
    return render(said) if isinstance(said, str) else said

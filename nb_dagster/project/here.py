"""The definitions of the project in the current folder, for a ``workspace.yaml`` or ``dagster dev -m``."""

from __future__ import annotations

from nb_dagster.project.project import NotebookProject

defs = NotebookProject.from_yaml(".").build_defs()

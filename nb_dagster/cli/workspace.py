"""Workflows by name: the notebook assets, and the jobs of one notebook, of this folder.

They are those that its ``workspace.yaml`` loads, or those of its ``nb_dagster.yaml`` where there is none.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nb_dagster.cli.target import Target
from nb_dagster.errors import RunRefused
from nb_dagster.garbage import leave_out_what_is_here
from nb_dagster.notebook.document import NotebookDocument

if TYPE_CHECKING:
    import dagster as dg

WORKSPACE = Path("workspace.yaml")
PROJECT = Path("nb_dagster.yaml")


def find_workflow(name: str, options: Mapping[str, Any]) -> Target:
    """The workflow of that name.

    Raises:
        RunRefused: there is no workspace or project here, it cannot be loaded, or it has no such workflow.
    """
    file = _file()
    if file is None:
        raise RunRefused(
            f"{name!r} is no notebook file, and no workflow either: there is no {WORKSPACE} and no {PROJECT} in this folder"
        )
    known: dict[str, None] = {}
    for defs in _load(file):
        for workflow, target in _workflows(defs, options):
            if workflow == name:
                return target
            known[workflow] = None
    raise RunRefused(f"{name!r} is no notebook file, and no workflow of {file} (it has {', '.join(known) or 'none'})")


def find_job(name: str) -> dg.JobDefinition:
    """The job of that name.

    Raises:
        RunRefused: there is no workspace or project here, it cannot be loaded, or it has no such job.
    """
    file = _file()
    if file is None:
        raise RunRefused(f"there is no pipeline {name!r}: there is no {WORKSPACE} and no {PROJECT} in this folder")
    known: list[str] = []
    for defs in _load(file):
        repository = defs.get_repository_def()
        known += [each.name for each in repository.get_all_jobs() if not each.name.startswith("__")]
        if name in known:
            return repository.get_job(name)
    raise RunRefused(f"there is no pipeline {name!r} in {file} (its jobs are {', '.join(known) or 'none'})")


def _file() -> Path | None:
    return next((each for each in (WORKSPACE, PROJECT) if each.exists()), None)


def _load(file: Path) -> Iterator[dg.Definitions]:
    return _load_workspace() if file == WORKSPACE else _load_project()


def _load_project() -> Iterator[dg.Definitions]:
    from nb_dagster.project.project import NotebookProject

    leave_out_what_is_here()
    yield NotebookProject.from_yaml(PROJECT).build_defs()


def _load_workspace() -> Iterator[dg.Definitions]:
    import dagster as dg
    import yaml

    leave_out_what_is_here()
    settings = yaml.safe_load(WORKSPACE.read_text(encoding="utf-8")) or {}
    for entry in settings.get("load_from", []):
        try:
            module = _load_module(entry)
        except Exception as error:  # the user's own code may raise anything
            raise RunRefused(f"{WORKSPACE}: {entry} cannot be loaded ({type(error).__name__}: {error})") from None
        yield from (each for each in vars(module).values() if isinstance(each, dg.Definitions))


def _load_module(entry: Mapping[str, Any]) -> Any:
    """The module of a ``python_module`` or ``python_file`` entry, which may be a text or a mapping."""
    (kind, settings), *_ = entry.items()
    name_key = {"python_module": "module_name", "python_file": "relative_path"}[kind]
    name = settings if isinstance(settings, str) else settings[name_key]
    folder = os.getcwd() if isinstance(settings, str) else os.path.abspath(settings.get("working_directory", "."))
    sys.path.insert(0, folder)
    if kind == "python_module":
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(Path(name).stem, name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _workflows(defs: dg.Definitions, options: Mapping[str, Any]) -> Iterator[tuple[str, Target]]:
    from nb_dagster.definitions.workflow import NOTEBOOK_TAG

    repository = defs.get_repository_def()
    for assets in repository.assets_defs_by_key.values():
        if assets.is_executable and NOTEBOOK_TAG in assets.op.tags:
            yield assets.op.name.removesuffix("__notebook"), _asset_target(repository, assets, options)
    for job in repository.get_all_jobs():
        nodes = job.graph.nodes
        if len(nodes) == 1 and NOTEBOOK_TAG in nodes[0].definition.tags and not job.asset_layer.executable_asset_keys:
            yield job.name, _target(nodes[0].definition, options, partial(_job_of_one, job))


def _job_of_one(job: dg.JobDefinition) -> tuple[dg.JobDefinition, str]:
    return job, job.graph.nodes[0].name


def _asset_target(repository: Any, assets: dg.AssetsDefinition, options: Mapping[str, Any]) -> Target:
    def make_job() -> tuple[dg.JobDefinition, str]:
        job = repository.get_implicit_job_def_for_assets(list(assets.keys))
        return job.get_subset(asset_selection=set(assets.keys)), assets.op.name

    return _target(assets.op, options, make_job)


def _target(op: Any, options: Mapping[str, Any], make_job: Any) -> Target:
    from nb_dagster.definitions.workflow import NOTEBOOK_TAG

    document = NotebookDocument.read(op.tags[NOTEBOOK_TAG])
    fields = getattr(op.config_schema.config_type, "fields", {})
    given = frozenset(name for name in document.parameters if name not in fields or not fields[name].is_required)
    return Target(document, options, given, make_job, op.tags)

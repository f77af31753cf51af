"""A pipeline of this folder's project or workspace: its job, the values of its run, and what can be refused beforehand."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.storage.tags import PARTITION_NAME_TAG

from nb_dagster.cli.params_file import read_params_file
from nb_dagster.cli.workspace import find_job
from nb_dagster.definitions.workflow import NOTEBOOK_TAG, kernel_of
from nb_dagster.errors import InvalidParameter, RunRefused
from nb_dagster.executors.executor import notebook_executor
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import Parameters
from nb_dagster.notebook.types import JSON
from nb_dagster.project.words import nearest
from nb_dagster.runs.reading import step_name


@functools.lru_cache(maxsize=1)
def load_job(name: str) -> dg.JobDefinition:
    """The job of that name in this folder, its notebooks run as threads of one process.

    Raises:
        RunRefused: there is none, or it has no notebooks.
    """
    job = find_job(name)
    if not any(NOTEBOOK_TAG in node.definition.tags for node in job.graph.nodes):
        raise RunRefused(f"the job {name} has no notebooks; nb-dagster runs pipelines of notebooks")
    return job if job.executor_def.name == notebook_executor.name else job.with_executor_def(notebook_executor)


class Pipeline:
    """A job of several notebooks.

    Args:
        job: the job.

    Attributes:
        takes: the parameters that its workflows take in a run, by workflow.
    """

    def __init__(self, job: dg.JobDefinition) -> None:
        self.job = job
        self.takes: dict[str, Parameters] = {}
        self._ops: dict[str, str] = {}
        for node in job.graph.nodes:
            if NOTEBOOK_TAG in node.definition.tags:
                workflow = step_name(node.name)
                self._ops[workflow] = node.name
                document = NotebookDocument.read(node.definition.tags[NOTEBOOK_TAG])
                fields = self._fields(node.name)
                self.takes[workflow] = {name: each for name, each in document.parameters.items() if name in fields}

    def config(
        self, assignments: tuple[str, ...], file: Path | None, base: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The run config: the pipeline's own values, then a file's, then those of ``-p``.

        Args:
            assignments: ``NAME=VALUE``, for each workflow that takes it, or ``WORKFLOW.NAME=VALUE``.
            file: a mapping of the same names.
            base: the config of the run that this one goes on with, instead of the pipeline's own.

        Raises:
            InvalidParameter: a name or a value fits no workflow, or a required one is missing.
        """
        config: dict[str, Any] = copy.deepcopy(dict((self.job.run_config if base is None else base) or {}))
        config.pop("execution", None)  # of the executor that the job has elsewhere
        ops = config.setdefault("ops", {})
        for name, given in (read_params_file(file) if file else {}).items():
            for workflow, parameter in self._takers(name):
                self._put(ops, workflow, parameter, self.takes[workflow][parameter].check(given, workflow))
        for assignment in assignments:
            name, sign, text = assignment.partition("=")
            if not sign:
                raise InvalidParameter(f"-p {assignment}: write it as NAME=VALUE, or WORKFLOW.NAME=VALUE")
            for workflow, parameter in self._takers(name):
                self._put(ops, workflow, parameter, self.takes[workflow][parameter].read(text, workflow))
        self._check_required(ops)
        return config

    def check(self) -> None:
        """See that each kernel is installed.

        Raises:
            RunRefused: one is not.
        """
        for node in self.job.graph.nodes:
            if NOTEBOOK_TAG in node.definition.tags:
                kernel_of(node.definition.tags)

    def partition_tags(self, key: str | None, instance: dg.DagsterInstance) -> Mapping[str, str]:
        """The tags of a run of a partition.

        Raises:
            RunRefused: there is no such partition, or a run has to have one.
        """
        name, assets = self.job.name, self.job.asset_layer
        divided = [self.job.partitions_def, *(assets.get(each).partitions_def for each in assets.selected_asset_keys)]
        if not any(each is not None for each in divided):
            if key is not None:
                raise RunRefused(f"{name} has no partitions, and --partition {key} is for one that has")
            return {}
        with partition_loading_context(dynamic_partitions_store=instance):
            keys = self.job.get_partition_keys(None)
            if key is None:
                raise RunRefused(f"{name} has partitions; say which one with --partition{_such_as(keys)}")
            if key not in keys:
                raise RunRefused(f"{name} has no partition {key!r}; {nearest(key, keys)}".rstrip("; "))
            return self.job.get_tags_for_partition_key(key, None)

    def _fields(self, op: str) -> Mapping[str, Any]:
        definition: Any = self.job.graph.node_named(op).definition
        fields: Mapping[str, Any] = getattr(definition.config_schema.config_type, "fields", {})
        return fields

    def _takers(self, name: str) -> list[tuple[str, str]]:
        """The workflows that a value of that name is for, each with the parameter."""
        workflow, dot, parameter = name.rpartition(".")
        if dot:
            if workflow not in self.takes:
                hint = nearest(workflow, self.takes) or f"it has {', '.join(self.takes)}"
                raise InvalidParameter(f"{self.job.name}: there is no workflow {workflow!r}; {hint}".strip())
            found = [workflow] if parameter in self.takes[workflow] else []
        else:
            found = [each for each, taken in self.takes.items() if parameter in taken]
        if not found:
            hint = nearest(parameter, {each for taken in self.takes.values() for each in taken})
            whose = workflow if dot else f"the pipeline {self.job.name}"
            raise InvalidParameter(f"{whose} takes no parameter {parameter!r}; {hint}".rstrip("; "))
        return [(each, parameter) for each in found]

    def _put(self, ops: dict[str, Any], workflow: str, parameter: str, value: JSON) -> None:
        op = ops[self._ops[workflow]] = {**ops.get(self._ops[workflow], {})}
        op["config"] = {**(op.get("config") or {}), parameter: value}

    def _check_required(self, ops: Mapping[str, Any]) -> None:
        for workflow, op in self._ops.items():
            given = (ops.get(op) or {}).get("config") or {}
            missing = [name for name, field in self._fields(op).items() if field.is_required and name not in given]
            if missing:
                wanted = ", ".join(f"{name!r} ({self.takes[workflow][name].type})" for name in missing)
                raise InvalidParameter(
                    f"{workflow}: no value for the required parameter {wanted}; give it with -p {workflow}.{missing[0]}=…"
                )


def partition_tags(run: dg.DagsterRun) -> dict[str, str]:
    """The tags of a run that say its partition."""
    return {name: value for name, value in run.tags.items() if name.startswith(PARTITION_NAME_TAG)}


def _such_as(keys: Sequence[str]) -> str:
    return f", such as {keys[-1]}" if keys else ""

"""A notebook as an op of a job's graph."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from nb_dagster.definitions.names import list_of_names
from nb_dagster.definitions.results import step_outputs
from nb_dagster.definitions.retries import ALL_CLASSES, FailureClass
from nb_dagster.definitions.step import run_step
from nb_dagster.definitions.workflow import Workflow
from nb_dagster.runner.run import MAX_CELL_OUTPUT, MAX_OUTPUT, Limits
from nb_dagster.runner.secrets import Secrets


def notebook_op(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    params: Mapping[str, object] | None = None,
    ins: Sequence[str] | Mapping[str, dg.In] | None = None,
    outs: Sequence[str] | None = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    kernel: str | None = None,
    preload: Sequence[str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    secrets: Secrets = (),
    timeout: float | None = None,
    cell_timeout: float | None = None,
    stall_timeout: float | None = None,
    max_cell_output: int | None = MAX_CELL_OUTPUT,
    max_output: int | None = MAX_OUTPUT,
    retry_policy: dg.RetryPolicy | None = None,
    retry_on: Collection[FailureClass] = ALL_CLASSES,
    pool: str | None = None,
) -> dg.OpDefinition:
    """Make an op from a notebook, to be wired with other ops in a graph.

    Its Dagster outputs are those in ``outs``; where none is declared, one output ``result``, the dict of all values
    the notebook handed out.

    Args:
        path: the notebook file.
        name: the op's name; None takes the file's.
        params: values of parameters; they are the defaults of the launchpad.
        ins: inputs, as names of parameters that upstream values fill, or as names with an ``In``; an ``In(Nothing)``
            only orders, and needs no parameter.
        outs: names of the declared outputs.
        description: None takes the notebook's first Markdown cell.
        tags: tags of the op.
        kernel: an installed kernel's name; None takes the notebook's own.
        preload: modules imported before its kernel is forked; None takes those of numpy, pandas and matplotlib that it
            imports.
        cwd: working directory; None takes the notebook's folder.
        environment: variables for the kernel.
        secrets: what ``nb.secret`` gives the notebook: names of environment variables, or names and where they are
            (``env:NAME``, ``file:PATH``, ``dg.EnvVar("NAME")``).
        timeout: seconds for a whole attempt.
        cell_timeout: seconds for each cell.
        stall_timeout: seconds without any output or finished cell.
        max_cell_output: characters that a cell may show; the rest is left out, with a mark. None for any number.
        max_output: characters that all cells may show together.
        retry_policy: retries of a failed attempt.
        retry_on: the failures that are retried: ``exception``, ``timeout``, ``killed``, ``infrastructure``.
        pool: Dagster pool whose slot an attempt takes.

    Raises:
        RunRefused: the file cannot be read, or ``params`` or ``ins`` do not fit its parameters.

    Example:
        >>> load = notebook_op("load.ipynb", outs=["rows"])
        >>> report = notebook_op("report.ipynb", ins=["rows"])
        >>> @dg.job
        ... def nightly():
        ...     report(load())
    """
    inputs = dict(ins) if isinstance(ins, Mapping) else {each: dg.In(dg.Any) for each in list_of_names("ins", ins)}
    workflow = Workflow.define(
        path,
        name=name,
        params=params,
        inputs=tuple(
            each for each, definition in inputs.items() if not getattr(definition.dagster_type, "is_nothing", False)
        ),
        kernel=kernel,
        preload=preload,
        cwd=cwd,
        environment=environment,
        secrets=secrets,
        limits=Limits(timeout, cell_timeout, stall_timeout, max_cell_output, max_output),
        retry_on=retry_on,
    )
    declared = list_of_names("outs", outs)
    records: dict[str, str | None] = {each: each for each in declared} if declared else {"result": None}

    def notebook(context: dg.OpExecutionContext, values: Mapping[str, Any]) -> Iterator[Any]:
        yield from step_outputs(run_step(context, workflow, values), records)

    return dg.OpDefinition(
        notebook,
        workflow.name,
        description=description or workflow.document.description,
        ins=inputs,
        outs={output: dg.Out(dg.Any, is_required=False) for output in records},
        config_schema=workflow.config,
        tags={"dagster/compute_kind": "jupyter", **workflow.op_tags, **(tags or {})},
        code_version=workflow.document.code_version,
        retry_policy=retry_policy,
        pool=pool,
    )

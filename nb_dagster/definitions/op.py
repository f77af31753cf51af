"""A notebook as an op of a job's graph."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from nb_dagster.definitions.names import list_of_names
from nb_dagster.definitions.partition_params import PartitionParams
from nb_dagster.definitions.results import step_outputs
from nb_dagster.definitions.retries import ALL_CLASSES, FailureClass
from nb_dagster.definitions.single_flight import OnBusy
from nb_dagster.definitions.step import run_step
from nb_dagster.definitions.workflow import Workflow
from nb_dagster.kernel.compute import Compute
from nb_dagster.runner.limits import DEFAULT_OUTPUT, Limits, OutputLimits
from nb_dagster.runner.secrets import Secrets


def notebook_op(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    params: Mapping[str, object] | None = None,
    ins: Sequence[str] | Mapping[str, dg.In] | None = None,
    outs: Sequence[str] | None = None,
    partition_params: PartitionParams | None = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    kernel: str | None = None,
    preload: Sequence[str] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    environment: Mapping[str, str] | None = None,
    secrets: Secrets = (),
    compute: Compute | Mapping[str, Any] | None = None,
    timeout: float | None = None,
    cell_timeout: float | None = None,
    stall_timeout: float | None = None,
    output_limits: OutputLimits = DEFAULT_OUTPUT,
    retry_policy: dg.RetryPolicy | None = None,
    retry_on: Collection[FailureClass] = ALL_CLASSES,
    single_flight: OnBusy | None = None,
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
        partition_params: parameters that the run's partition fills, with its ``key``, its ``start`` or its ``end``.
        description: None takes the notebook's first Markdown cell.
        tags: tags of the op.
        kernel: an installed kernel's name; None takes the notebook's own.
        preload: modules imported before its kernel is forked; None takes those of numpy, pandas and matplotlib that it
            imports.
        cwd: working directory; None takes the notebook's folder.
        environment: variables for the kernel.
        secrets: what ``nb.secret`` gives the notebook: names of environment variables, or names and where they are
            (``env:NAME``, ``file:PATH``, ``dg.EnvVar("NAME")``).
        compute: where it runs, and with what: a ``Compute``, or its settings by name; None runs it in a process here.
        timeout: seconds for a whole attempt.
        cell_timeout: seconds for each cell.
        stall_timeout: seconds without any output or finished cell.
        output_limits: how much of what it shows and hands out is kept; the rest is left out, with a mark.
        retry_policy: retries of a failed attempt.
        retry_on: the failures that are retried: ``exception``, ``timeout``, ``killed``, ``infrastructure``.
        single_flight: what becomes of a run that starts while another one runs it: ``refuse`` fails it at once, ``queue``
            has it wait; None runs both.
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
        partition_params=partition_params,
        kernel=kernel,
        preload=preload,
        cwd=cwd,
        environment=environment,
        secrets=secrets,
        compute=compute,
        limits=Limits(timeout, cell_timeout, stall_timeout, output_limits),
        retry_on=retry_on,
        single_flight=single_flight,
    )
    declared = list_of_names("outs", outs)
    records: dict[str, str | None] = {each: each for each in declared} if declared else {"result": None}

    def notebook(context: dg.OpExecutionContext, values: Mapping[str, Any]) -> Iterator[Any]:
        yield from step_outputs(run_step(context, workflow, values), records, output_limits)

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

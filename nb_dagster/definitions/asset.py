"""A notebook as one asset, or as several."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from nb_dagster.definitions.names import dagster_name, list_of_names
from nb_dagster.definitions.partition_params import PartitionParams
from nb_dagster.definitions.results import check_results, step_outputs
from nb_dagster.definitions.retries import ALL_CLASSES, FailureClass
from nb_dagster.definitions.single_flight import OnBusy
from nb_dagster.definitions.step import run_step
from nb_dagster.definitions.upstream import Upstream, inputs_of, op_inputs, with_inputs
from nb_dagster.definitions.workflow import Workflow
from nb_dagster.kernel.compute import Compute
from nb_dagster.runner.limits import DEFAULT_OUTPUT, Limits, OutputLimits
from nb_dagster.runner.secrets import Secrets


def notebook_asset(
    path: str | os.PathLike[str],
    *,
    name: str | None = None,
    key_prefix: str | Sequence[str] | None = None,
    params: Mapping[str, object] | None = None,
    ins: Mapping[str, Upstream] | None = None,
    deps: Iterable[Any] | None = None,
    outs: Sequence[str] | Mapping[str, dg.AssetOut] | None = None,
    checks: Sequence[str | dg.AssetCheckSpec] | None = None,
    partitions_def: dg.PartitionsDefinition[Any] | None = None,
    partition_params: PartitionParams | None = None,
    backfill_policy: dg.BackfillPolicy | None = None,
    group_name: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    owners: Sequence[str] | None = None,
    automation_condition: dg.AutomationCondition[Any] | None = None,
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
    io_manager_key: str | None = None,
) -> dg.AssetsDefinition:
    """Make an asset from a notebook; its launchpad is typed by the notebook's parameters.

    What it hands downstream is its one declared output; or each declared output, as an asset of its own; or, where
    none is declared, the dict of all its outputs.

    Args:
        path: the notebook file.
        name: the asset's name; None takes the file's.
        key_prefix: put before the name in the asset's key.
        params: values of parameters; they are the defaults of the launchpad.
        ins: upstream assets whose values fill parameters, by parameter name.
        deps: upstream assets that come first; what their notebooks recorded is in ``nb.upstream``.
        outs: the declared outputs, as names, or as names with an ``AssetOut``.
        checks: names of the checks it makes with ``nb.check``.
        partitions_def: its partitions; ``partition_key`` and the window are parameters where the notebook declares them.
        partition_params: other parameters that the partition fills, with its ``key``, its ``start`` or its ``end``.
        backfill_policy: how backfills launch runs.
        group_name: the asset's group.
        description: None takes the notebook's first Markdown cell.
        metadata: more metadata of the asset.
        tags: tags of the asset.
        owners: owners of the asset.
        automation_condition: when Dagster materializes it by itself.
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
        io_manager_key: the IO manager that stores its values.

    Raises:
        RunRefused: the file cannot be read, or ``params`` or ``ins`` do not fit its parameters.

    Example:
        >>> ingest = notebook_asset("notebooks/ingest.ipynb", outs=["digits"], timeout=60)
        >>> train = notebook_asset("notebooks/train.ipynb", ins={"digits": ingest}, params={"n": 400})
    """
    if ins is not None and not isinstance(ins, Mapping):
        raise TypeError(f"ins is a dict of parameter names to upstream assets, not {type(ins).__name__}")
    workflow = Workflow.define(
        path,
        name=name,
        params=params,
        inputs=tuple(ins or ()),
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
    prefix = [key_prefix] if isinstance(key_prefix, str) else list(key_prefix or ())
    inputs = inputs_of(ins or {})
    own = with_inputs(
        dg.AssetSpec(
            dg.AssetKey([*prefix, workflow.name]),
            deps=list_of_names("deps", deps),
            description=description or workflow.document.description,
            group_name=group_name,
            code_version=workflow.document.code_version,
            metadata={**workflow.source_metadata, **(metadata or {})},
            tags=tags,
            owners=owners,
            kinds={"jupyter", workflow.document.language},
            automation_condition=automation_condition,
            partitions_def=partitions_def,
        ),
        inputs,
    )
    declared = _declared_outputs(outs)
    given = declared or {"result": None}
    specs = {
        output: _spec(out, own.key if len(given) == 1 else dg.AssetKey([*prefix, output]), own)
        for output, out in given.items()
    }
    check_specs = _check_specs(list_of_names("checks", checks), specs)
    records = {output: output if declared else None for output in given}

    def notebook(context: dg.AssetExecutionContext, values: Mapping[str, Any]) -> Iterator[Any]:
        result = run_step(context.op_execution_context, workflow, values)
        yield from step_outputs(result, records, output_limits)
        yield from check_results(result, list(check_specs.values()))

    op_ins, input_keys = op_inputs(own, inputs)
    op = dg.OpDefinition(  # not by its decorator, which takes most of its time to look at a signature
        notebook,
        "__".join(dagster_name(part) for part in (*prefix, workflow.name, "notebook")),
        ins=op_ins,
        outs={
            **{output: _out(out, io_manager_key) for output, out in given.items()},
            **{output: dg.Out(dg.Any, is_required=False) for output in check_specs},
        },
        config_schema=workflow.config,
        tags=workflow.op_tags,
        retry_policy=retry_policy,
        pool=pool,
    )
    return dg.AssetsDefinition(
        node_def=op,
        keys_by_input_name=input_keys,
        keys_by_output_name={output: spec.key for output, spec in specs.items()},
        specs=list(specs.values()),
        check_specs_by_output_name=check_specs,
        backfill_policy=backfill_policy,
    )


def _declared_outputs(outs: Sequence[str] | Mapping[str, dg.AssetOut] | None) -> dict[str, dg.AssetOut | None]:
    return dict(outs) if isinstance(outs, Mapping) else dict.fromkeys(list_of_names("outs", outs))


def _spec(given: dg.AssetOut | None, key: dg.AssetKey, own: dg.AssetSpec) -> dg.AssetSpec:
    """An output's asset as the definition gives it, and where that says nothing, as the notebook has it."""
    if given is None:
        return own if key == own.key else own.replace_attributes(key=key)
    key = dg.AssetKey([*given.key_prefix, key.path[-1]]) if given.key_prefix else given.key or key
    said = given.to_spec(key, deps=[])
    both = own.merge_attributes(metadata=said.metadata, owners=said.owners, tags=said.tags, kinds=said.kinds)
    return both.replace_attributes(
        key=key,
        description=said.description or own.description,
        group_name=said.group_name or own.group_name,
        code_version=said.code_version or own.code_version,
        automation_condition=said.automation_condition or own.automation_condition,
        freshness_policy=said.freshness_policy,
    )


def _out(given: dg.AssetOut | None, io_manager_key: str | None) -> dg.Out:
    """An output of the op; a notebook that skips itself hands out nothing."""
    if given is None:
        return dg.Out(dg.Any, is_required=False, io_manager_key=io_manager_key)
    return dg.Out(given.dagster_type, is_required=False, io_manager_key=given.io_manager_key or io_manager_key)


def _check_specs(
    checks: Sequence[str | dg.AssetCheckSpec], assets: Mapping[str, dg.AssetSpec]
) -> dict[str, dg.AssetCheckSpec]:
    """The checks by the name of their output; those given as names are of the first asset."""
    keys = [asset.key for asset in assets.values()]
    specs = [each if isinstance(each, dg.AssetCheckSpec) else dg.AssetCheckSpec(each, asset=keys[0]) for each in checks]
    for spec in specs:
        if spec.asset_key not in keys:
            made = ", ".join(key.to_user_string() for key in keys)
            raise ValueError(
                f"checks: {spec.name!r} is of {spec.asset_key.to_user_string()}, but the notebook makes {made}"
            )
        if spec.get_python_identifier() in assets:
            raise ValueError(f"checks: {spec.name!r} has the name of the output {spec.get_python_identifier()!r}")
    return {spec.get_python_identifier(): spec for spec in specs}

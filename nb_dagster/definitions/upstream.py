"""What comes before an asset: the assets whose values it takes, and those it only waits for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import dagster as dg

from nb_dagster.errors import InvalidParameter

Upstream: TypeAlias = dg.AssetIn | dg.AssetKey | dg.AssetsDefinition | dg.AssetSpec | str | Sequence[str]
"""How a definition names an asset whose value it takes."""


def inputs_of(ins: Mapping[str, Upstream]) -> dict[dg.AssetKey, tuple[str, dg.AssetIn]]:
    """The inputs of an asset: by the asset each comes from, the parameter that it fills.

    Raises:
        InvalidParameter: two parameters are to be filled from one asset, for which Dagster has no form.
    """
    inputs: dict[dg.AssetKey, tuple[str, dg.AssetIn]] = {}
    for parameter, upstream in ins.items():
        given = upstream if isinstance(upstream, dg.AssetIn) else dg.AssetIn(_key(upstream))
        key = given.resolve_key(parameter)
        if key in inputs:
            raise InvalidParameter(
                f"ins: {inputs[key][0]!r} and {parameter!r} are both filled from {key.to_user_string()}; "
                "an asset fills one parameter"
            )
        inputs[key] = parameter, given
    return inputs


def with_inputs(spec: dg.AssetSpec, inputs: Mapping[dg.AssetKey, tuple[str, dg.AssetIn]]) -> dg.AssetSpec:
    """The asset with its inputs among what it depends on."""
    if not inputs:
        return spec
    known = {dep.asset_key for dep in spec.deps}
    return spec.merge_attributes(
        deps=[
            dg.AssetDep(key, partition_mapping=given.partition_mapping)
            for key, (_, given) in inputs.items()
            if key not in known or given.partition_mapping is not None
        ]
    )


def op_inputs(
    spec: dg.AssetSpec, inputs: Mapping[dg.AssetKey, tuple[str, dg.AssetIn]]
) -> tuple[dict[str, dg.In], dict[str, dg.AssetKey]]:
    """Inputs of the op behind an asset, and the assets they come from, by name; what it waits for brings no value."""
    op_ins = {
        parameter: dg.In(given.dagster_type, metadata=given.metadata, input_manager_key=given.input_manager_key)
        for parameter, given in inputs.values()
    }
    keys = {parameter: key for key, (parameter, _) in inputs.items()}
    for dep in spec.deps:
        if dep.asset_key not in inputs:
            name = re.sub(r"\W", "_", "_".join(dep.asset_key.path), flags=re.ASCII)
            while name in keys:
                name += "_"
            op_ins[name], keys[name] = dg.In(dg.Nothing), dep.asset_key
    return op_ins, keys


def _key(upstream: dg.AssetKey | dg.AssetsDefinition | dg.AssetSpec | str | Sequence[str]) -> dg.AssetKey:
    if isinstance(upstream, (dg.AssetsDefinition, dg.AssetSpec)):
        return upstream.key
    return dg.AssetKey.from_user_string(upstream) if isinstance(upstream, str) else dg.AssetKey.from_coercible(upstream)

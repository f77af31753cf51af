"""The workflows that a running Dagster can launch, and their parameters as its launchpad has them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nb_dagster.errors import InvalidParameter, RunRefused
from nb_dagster.notebook.annotations import parse_type, union
from nb_dagster.notebook.compound_types import ChoiceType, DictType, ListType
from nb_dagster.notebook.parameters import NO_DEFAULT, Parameter, Parameters
from nb_dagster.notebook.types import BoolType, FloatType, IntType, NoneType, ParameterType, StrType
from nb_dagster.runs.graphql import Dagster, refuse_error

_WORKSPACE = """
{ workspaceOrError { __typename
  ... on PythonError { message }
  ... on Workspace { locationEntries { name loadStatus locationOrLoadError { __typename
    ... on PythonError { message }
    ... on RepositoryLocation { repositories { name
      pipelines { name }
      assetNodes { assetKey { path } opNames isExecutable }
    } }
  } } }
} }
"""
_PARAMETERS = """
query($selector: PipelineSelector!) { runConfigSchemaOrError(selector: $selector) { __typename
  ... on PythonError { message } ... on PipelineNotFoundError { message } ... on InvalidSubsetError { message }
  ... on RunConfigSchema { rootConfigType { key } allConfigTypes { __typename key
    ... on RegularConfigType { givenName }
    ... on EnumConfigType { values { value } }
    ... on WrappingConfigType { ofType { key } }
    ... on MapConfigType { valueType { key } }
    ... on CompositeConfigType { fields { name isRequired configTypeKey } }
  } }
} }
"""
_PLAIN: dict[str, ParameterType] = {"Int": IntType(), "Float": FloatType(), "Bool": BoolType(), "String": StrType()}


@dataclass(frozen=True)
class Launchable:
    """A job, or the assets of one notebook, in a code location.

    Attributes:
        name: the workflow's name.
        location: the code location.
        repository: the repository in it.
        job: the job.
        assets: paths of the keys of the assets; empty of a job as a whole.
    """

    name: str
    location: str
    repository: str
    job: str
    assets: tuple[tuple[str, ...], ...] = ()

    @property
    def selector(self) -> dict[str, Any]:
        """The same in GraphQL."""
        selected = {"assetSelection": [{"path": list(path)} for path in self.assets]} if self.assets else {}
        where = {"repositoryLocationName": self.location, "repositoryName": self.repository}
        return {**where, "pipelineName": self.job, **selected}


def find_launchable(dagster: Dagster, name: str) -> Launchable:
    """The workflow of that name: a job, or else a notebook asset.

    Raises:
        RunRefused: there is none, or there are several.
    """
    answer = dagster.query(_WORKSPACE)["workspaceOrError"]
    refuse_error(dagster.name, answer)
    entries = answer["locationEntries"]
    every = [each for entry in entries for each in _launchables(entry)]
    found = [each for each in every if each.name == name]
    jobs = [each for each in found if not each.assets]
    chosen = jobs or found
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        places = ", ".join(each.location for each in chosen)
        raise RunRefused(f"{dagster.name} has several workflows {name!r}, in the code locations {places}")
    near = difflib.get_close_matches(name, [each.name for each in every], n=1)
    hint = f"; did you mean {near[0]!r}?" if near else f" (it has {', '.join(each.name for each in every) or 'none'})"
    raise RunRefused(f"{dagster.name} has no workflow {name!r}{hint}{_unloaded(entries)}")


def find_parameters(dagster: Dagster, workflow: Launchable) -> tuple[str | None, Parameters]:
    """The op that takes the parameters, and what it takes; None and nothing where no op takes any.

    Raises:
        RunRefused: more than one op takes some.
    """
    schema = dagster.query(_PARAMETERS, selector=workflow.selector)["runConfigSchemaOrError"]
    refuse_error(dagster.name, schema)
    types = {each["key"]: each for each in schema["allConfigTypes"]}
    ops = _fields(types, schema["rootConfigType"]["key"]).get("ops")
    takers = {
        op: _fields(types, config["configTypeKey"])
        for op, field in (_fields(types, ops["configTypeKey"]) if ops else {}).items()
        if (config := _fields(types, field["configTypeKey"]).get("config"))
    }
    if len(takers) > 1:
        raise InvalidParameter(
            f"{workflow.name} has {len(takers)} steps that take parameters ({', '.join(takers)}); -p is for workflows of one "
            "notebook, give those of a larger job with dagster job launch --config"
        )
    for op, fields in takers.items():
        return op, {name: _parameter(types, name, field) for name, field in fields.items()}
    return None, {}


def _launchables(entry: Mapping[str, Any]) -> Iterator[Launchable]:
    loaded = entry["locationOrLoadError"] or {}
    for repository in loaded.get("repositories", []):
        where = (entry["name"], repository["name"])
        for job in repository["pipelines"]:
            if not job["name"].startswith("__"):
                yield Launchable(job["name"], *where, job["name"])
        notebooks: dict[str, list[tuple[str, ...]]] = {}
        for asset in repository["assetNodes"]:
            for op in asset["opNames"] if asset["isExecutable"] else []:
                if op.endswith("__notebook"):
                    notebooks.setdefault(op.removesuffix("__notebook"), []).append(tuple(asset["assetKey"]["path"]))
        for name, paths in notebooks.items():
            yield Launchable(name, *where, "__ASSET_JOB", tuple(paths))


def _unloaded(entries: list[dict[str, Any]]) -> str:
    """What to say of code locations that have not been loaded."""
    named = [entry["name"] for entry in entries if (entry["locationOrLoadError"] or {}).get("repositories") is None]
    return f"; {', '.join(named)} could not be loaded" if named else ""


def _fields(types: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {field["name"]: field for field in types[key].get("fields", [])}


def _parameter(types: Mapping[str, Any], name: str, field: Mapping[str, Any]) -> Parameter:
    default = NO_DEFAULT if field["isRequired"] else None
    return Parameter(name, _type(types, field["configTypeKey"]), default)


def _type(types: Mapping[str, Any], key: str) -> ParameterType:
    """The type of a parameter, from the config type that was made from it."""
    config = types[key]
    kind = config["__typename"]
    if kind == "EnumConfigType":
        return ChoiceType(tuple(each["value"] for each in config["values"]))
    if kind == "ArrayConfigType":
        return ListType(_type(types, config["ofType"]["key"]))
    if kind == "NullableConfigType":
        return union(_type(types, config["ofType"]["key"]), NoneType())
    if kind == "MapConfigType":
        return DictType(_type(types, config["valueType"]["key"]))
    name = config.get("givenName", "Any")
    return _PLAIN.get(name) or parse_type(name)

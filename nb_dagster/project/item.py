"""One workflow of a project as it will be defined; of a sweep, one of its items."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from nb_dagster.definitions.names import dagster_name
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.plain_yaml import Key
from nb_dagster.project.problems import Level, Problem
from nb_dagster.project.schema import Settings, Workflow
from nb_dagster.project.source import Source

_MERGED = ("params", "environment", "tags", "secrets")


@dataclass(frozen=True)
class Item:
    """A workflow with a notebook and values of its own.

    Attributes:
        name: its name in Dagster.
        workflow: the workflow's name in the project file; several items of a sweep share it.
        said: what is said of it, in the file, in its notebook and under ``defaults``.
        document: its notebook.
        point: the sweep's values of it; empty where there is no sweep.
        source: where it is written.
        key: where it is in the source.
    """

    name: str
    workflow: str
    said: Workflow
    document: NotebookDocument
    point: Mapping[str, Any]
    source: Source = field(repr=False)
    key: Key

    @cached_property
    def assets(self) -> dict[str, str]:
        """The assets it makes, by the output that each is; the asset of all outputs is by the name of none."""
        outs = self.said.outs
        if len(outs) < 2:
            return {(outs[0] if outs else ""): self.name}
        return {out: f"{self.name}__{out}" if self.point else out for out in outs}

    @property
    def filled(self) -> set[str]:
        """The parameters that a run fills."""
        upstream = {each for up in self.said.after.values() for each in (up.value, *up.outputs.values()) if each}
        trigger = self.said.trigger
        arriving = {trigger.fills} if trigger and trigger.fills else set()
        return upstream | set(self.said.partitions.fills if self.said.partitions else ()) | arriving

    def problem(self, key: Key, message: str, level: Level = "error") -> Problem:
        """A problem of it."""
        return self.source.problem(self.key + key, message, level)


def merged(*layers: Settings | Workflow) -> Workflow:
    """What several places say of one workflow: the last goes first, and mappings of names are joined."""
    said: dict[str, Any] = {}
    for layer in layers:
        for name in layer.model_fields_set:
            value = getattr(layer, name)
            said[name] = said[name] | value if name in _MERGED and name in said else value
    return Workflow.model_construct(**said)


def items_of(workflow: str, said: Workflow, document: NotebookDocument, source: Source, key: Key) -> Iterator[Item]:
    """The items of a workflow: those of its sweep, or itself.

    Each is named after its values; a value that makes no name, such as a list, is counted.
    """
    if said.for_each is None:
        yield Item(workflow, workflow, said, document, {}, source, key)
        return
    for number, point in enumerate(said.for_each, 1):
        words = [_word(value, number) for value in point.values()]
        yield Item("_".join([workflow, *words]), workflow, said, document, point, source, key)


def _word(value: Any, number: int) -> str:
    if isinstance(value, (str, int, float, bool)) and 0 < len(str(value)) <= 40:
        return re.sub(r"\W", "_", str(value).lower() if isinstance(value, bool) else dagster_name(str(value)))
    return str(number)

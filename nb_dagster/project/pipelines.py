"""The pipelines of a project: which workflows each runs, and the values that it gives them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.plain_yaml import Key
from nb_dagster.project.item import Item
from nb_dagster.project.parts import Partitions
from nb_dagster.project.problems import Problem, ProjectRefused
from nb_dagster.project.schema import Pipeline
from nb_dagster.project.source import Source
from nb_dagster.project.words import nearest


@dataclass(frozen=True)
class PlannedPipeline:
    """A pipeline as it will be defined.

    Attributes:
        name: the job's name.
        said: what the file says of it.
        items: what it runs.
        values: the values that it gives, by item and parameter; what an item says itself goes before them.
    """

    name: str
    said: Pipeline
    items: Sequence[Item]
    values: Mapping[str, Mapping[str, Any]]

    @property
    def partitions(self) -> Partitions | None:
        """What its runs are divided into."""
        return next((each.said.partitions for each in self.items if each.said.partitions), None)


def plan_pipelines(
    said: Mapping[str, Pipeline], items: Sequence[Item], source: Source, broken: Collection[str]
) -> list[PlannedPipeline]:
    """The pipelines of a project.

    Args:
        said: what the file says of them, by name.
        items: the project's workflows.
        source: where it is written.
        broken: workflows that have no items, because something else is wrong with them.

    Raises:
        ProjectRefused: a name means no workflow, or a value fits no parameter; all that is wrong is named.
    """
    found: list[PlannedPipeline] = []
    problems: list[Problem] = []
    for name, pipeline in said.items():
        reader = _Reader(name, pipeline, items, broken)
        found.append(PlannedPipeline(name, pipeline, reader.items, reader.values))
        problems += [source.problem(("pipelines", name, *key), message) for key, message in reader.wrong]
    if problems:
        raise ProjectRefused(problems)
    return found


class _Reader:
    """Finds the items of one pipeline, and what is wrong with it."""

    def __init__(self, name: str, said: Pipeline, items: Sequence[Item], broken: Collection[str]) -> None:
        self.wrong: list[tuple[Key, str]] = []
        self._said, self._all, self._broken = said, items, broken
        if name in broken or any(name in (each.workflow, each.name) for each in items):
            self.wrong.append(((), f"a workflow is called {name} too; give one another name"))
        self.items = list({each.name: each for each in self._items()}.values())
        self.values = self._values()
        self._check_partitions()

    def _items(self) -> Iterator[Item]:
        for number, name in enumerate(self._said.workflows):
            named = [each for each in self._all if name in (each.workflow, each.name)]
            if not named and name not in self._broken:
                known = [known for each in self._all for known in (each.workflow, each.name)]
                hint = nearest(name, known) or f"it has {', '.join(dict.fromkeys(known)) or 'none'}"
                self.wrong.append((("workflows", number), f"there is no workflow {name!r}; {hint}".strip()))
            elif any(each.said.kind == "op" for each in named):
                message = f"{name} is an op, a job of its own, and a pipeline is made of assets; take its kind: op away"
                self.wrong.append((("workflows", number), message))
            else:
                yield from named

    def _values(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for name, value in self._said.params.items():
            takers = [each for each in self.items if name in each.document.parameters]
            if not takers and not self.wrong:
                hint = nearest(name, (known for each in self.items for known in each.document.parameters))
                self.wrong.append((("params", name), f"none of its workflows declares it; {hint}".rstrip("; ")))
            for item in takers:
                try:
                    item.document.parameters[name].check(value, item.document.path)
                except InvalidParameter as refused:
                    self.wrong.append((("params", name), str(refused)))
                if name not in (*item.said.params, *item.point, *item.filled):
                    found.setdefault(item.name, {})[name] = value
        return found

    def _check_partitions(self) -> None:
        divided = {each.workflow: each.said.partitions for each in self.items if each.said.partitions}
        for other, partitions in divided.items():
            first = next(iter(divided))
            if partitions.model_copy(update={"fills": {}}) != divided[first].model_copy(update={"fills": {}}):
                message = f"{first} and {other} have different partitions, and a run of a pipeline is of one"
                self.wrong.append((("workflows",), message))
                return

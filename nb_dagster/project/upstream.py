"""What comes before the workflows of a project: by name, by sweep, and in which order."""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nb_dagster.project.item import Item
from nb_dagster.project.parts import Upstream
from nb_dagster.project.problems import Problem
from nb_dagster.project.words import nearest


@dataclass
class Inputs:
    """What an item takes of others, by asset.

    Attributes:
        waits: assets that only come first.
        values: assets whose values fill parameters, by parameter.
        named: all of them, by the name in ``after``.
    """

    waits: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    named: dict[str, list[str]] = field(default_factory=dict)


class Upstreams:
    """The edges between items.

    Args:
        items: all items of the project.
        external: keys of assets made elsewhere.
        broken: workflows that have no items, because something else is wrong with them.
    """

    def __init__(self, items: Sequence[Item], external: Sequence[str], broken: Collection[str]) -> None:
        self.inputs: dict[str, Inputs] = {}
        self.problems: list[Problem] = []
        self._items, self._external = items, external
        for item in items:
            self.inputs[item.name] = Inputs()
            for name, taken in item.said.after.items():
                if name not in broken:
                    self._connect(item, name, taken)
        self._check_order()

    def _connect(self, item: Item, name: str, taken: Upstream) -> None:
        try:
            for assets in self._assets_of(item, name):
                _take(self.inputs[item.name], assets, name, taken)
        except ValueError as error:
            self.problems.append(item.problem(("after", name), str(error)))

    def _assets_of(self, item: Item, name: str) -> Iterator[Mapping[str, str]]:
        """The assets by output of each item that a name in ``after`` means.

        Raises:
            ValueError: it means none.
        """
        if item.said.kind == "op":
            raise ValueError("an op is a job of its own, and comes after nothing; make both assets")
        if name in self._external:
            yield {"": name}
            return
        named = [each for each in self._items if name in (each.workflow, each.name)]
        found = [each for each in named if name == each.name or _agree(item.point, each.point)]
        if not named:
            known = [*(known for each in self._items for known in (each.workflow, each.name)), *self._external]
            hint = nearest(name, known) or "an asset made elsewhere is named in external_assets"
            raise ValueError(f"there is no workflow {name!r}; {hint}".strip())
        if not found:
            raise ValueError(f"no item of {name} has the values of {item.name}: {dict(item.point)}")
        if any(each.said.kind == "op" for each in found):
            raise ValueError(f"{name} is an op, a job of its own; nothing comes after it")
        yield from (each.assets for each in found)

    def _check_order(self) -> None:
        makers = {asset: each for each in self._items for asset in each.assets.values()}
        before = {
            name: {makers[asset].name for asset in (*found.waits, *found.values.values()) if asset in makers}
            for name, found in self.inputs.items()
        }
        try:
            graphlib.TopologicalSorter(before).prepare()
        except graphlib.CycleError as error:
            circle = list(reversed(error.args[1]))
            item = next(each for each in self._items if each.name == circle[0])
            self.problems.append(item.problem(("after",), f"goes round in a circle: {' after '.join(circle)}"))


def _agree(one: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether two items have the same values of the parameters that both sweep over."""
    return all(one[name] == value for name, value in other.items() if name in one)


def _take(inputs: Inputs, assets: Mapping[str, str], name: str, taken: Upstream) -> None:
    """Add what an item takes of one other.

    Raises:
        ValueError: the other has no such output, or more than one to choose from.
    """
    wanted = {}
    if taken.value is not None:
        if len(assets) > 1:
            first = next(iter(assets))
            raise ValueError(f"{name} has the outputs {', '.join(assets)}; say which: {{{first}: {taken.value}}}")
        wanted = {taken.value: next(iter(assets.values()))}
    for output, parameter in taken.outputs.items():
        if output not in assets:
            known = ", ".join(filter(None, assets)) or "none"
            raise ValueError(f"{name} declares no output {output!r} (its outs: {known})")
        wanted[parameter] = assets[output]
    for parameter, asset in wanted.items():
        if parameter in inputs.values:
            raise ValueError(f"{parameter!r} is filled twice, from {inputs.values[parameter]} and from {asset}")
    if len(set(wanted.values())) < len(wanted):
        raise ValueError("one output fills one parameter")
    inputs.values.update(wanted)
    if not wanted:
        inputs.waits.extend(assets.values())
    inputs.named.setdefault(name, []).extend(wanted.values() or assets.values())

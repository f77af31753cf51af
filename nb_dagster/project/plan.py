"""A project as it will be defined: its items, what comes before each, and all that is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from nb_dagster.definitions.names import dagster_name
from nb_dagster.definitions.workflow import notebook_cache
from nb_dagster.errors import InvalidParameter, RunRefused
from nb_dagster.notebook.parameters import unknown_parameter
from nb_dagster.notebook.plain_yaml import Key
from nb_dagster.project.item import Item, items_of, merged
from nb_dagster.project.notebooks import find_notebook, notebooks_in
from nb_dagster.project.pipelines import PlannedPipeline, plan_pipelines
from nb_dagster.project.problems import Problem, ProjectRefused
from nb_dagster.project.refusals import notify_problems, trigger_problems
from nb_dagster.project.schema import Project, Workflow
from nb_dagster.project.source import Source
from nb_dagster.project.upstream import Upstreams
from nb_dagster.project.words import nearest

_OF_ASSETS = ("owners", "group", "checks")


class Plan:
    """What becomes of a project file.

    Args:
        project: the file's settings.
        source: where they are written.
        folder: the file's folder.

    Attributes:
        items: the workflows, each item of a sweep by itself.
        inputs: what each takes of others, by its name.
        pipelines: the jobs of several.
        problems: what is wrong.
    """

    def __init__(self, project: Project, source: Source, folder: Path) -> None:
        self.project, self.source, self.folder = project, source, folder
        self.problems: list[Problem] = []
        self.items: list[Item] = []
        self._notebooks = project.notebooks if "://" in project.notebooks else str(folder / project.notebooks)
        for name, said, key in self._workflows():
            self._add(name, said, key)
        broken = {*(project.workflows or ())} - {item.workflow for item in self.items}
        upstreams = Upstreams(self.items, project.external_assets, broken)
        self.inputs = upstreams.inputs
        self.problems += upstreams.problems
        self._check_names()
        for item in self.items:
            self._check_parameters(item)
            self.problems += trigger_problems(item)
            self._check_runtime(item)
        self.problems += notify_problems(project, source, self.items)
        self._check_of_all()
        self.pipelines: list[PlannedPipeline] = []
        self._plan_pipelines(broken)
        self.problems = list(dict.fromkeys(self.problems))  # items of one sweep have them in common

    def values(self, item: Item) -> dict[str, Any]:
        """The values that an item's parameters have before a run: of the project, of the workflow, of the sweep."""
        of_all = {name: value for name, value in self.project.parameters.items() if name in item.document.parameters}
        return {
            **{name: value for name, value in of_all.items() if name not in item.filled},
            **item.said.params,
            **item.point,
        }

    def _workflows(self) -> Iterator[tuple[str, Workflow, Key]]:
        if self.project.workflows is not None:
            for name, said in self.project.workflows.items():
                yield name, said, ("workflows", name)
            return
        try:
            for document in notebooks_in(self._notebooks):
                yield dagster_name(document.name), Workflow(notebook=document.path), ()
        except (RunRefused, OSError) as error:
            self.problems.append(self.source.problem(("notebooks",), str(error)))

    def _add(self, name: str, said: Workflow, key: Key) -> None:
        try:
            path = said.notebook if not key else find_notebook(self._notebooks, said.notebook, name)
            document = notebook_cache().read(str(path))
            document.parameters  # noqa: B018 - raises where the cell is no Python
            own = Source(document.path, document.settings or {}, prefix=("metadata", "nb_dagster"))
            given = merged(own.validate(Workflow), said)
            said = merged(self.project.defaults, given)
        except ProjectRefused as refused:
            self.problems += refused.problems
        except RunRefused as refused:
            place = (*key, "notebook") if said.notebook and key else key
            self.problems.append(self.source.problem(place, str(refused)))
        else:
            source = self.source if key else own
            self.items += items_of(name, said, document, source, key)
            if said.kind == "op":
                no_op_has = (each for each in _OF_ASSETS if each in given.model_fields_set)
                self.problems += [
                    source.problem((*key, each), f"an op has no {each}; an asset has") for each in no_op_has
                ]

    def _check_names(self) -> None:
        sweeps = {item.workflow for item in self.items if item.point}
        names = Counter([*(item.name for item in self.items), *sweeps])
        assets = Counter(asset for item in self.items if item.said.kind == "asset" for asset in item.assets.values())
        for item in self.items:
            if names[item.name] > 1:
                message = f"another workflow is called {item.name} too, as {item.document.path}; give one another name"
                self.problems.append(item.problem((), message))
                continue
            for asset in item.assets.values():
                if assets[asset] > 1:
                    self.problems.append(item.problem(("outs",), f"another workflow makes the asset {asset} too"))

    def _check_runtime(self, item: Item) -> None:
        name, known = item.said.compute.runtime, self.project.runtimes
        if name is not None and name not in known:
            hint = nearest(name, known) or f"it has {', '.join(known) or 'none'}"
            self.problems.append(item.problem(("compute", "runtime"), f"the project has no runtime {name!r}; {hint}"))

    def _check_of_all(self) -> None:
        """The parameters of every workflow are those of at least one notebook."""
        declared = {name for item in self.items for name in item.document.parameters}
        for name in self.project.parameters:
            if name not in declared and not self.problems:
                hint = nearest(name, declared)
                self.problems.append(
                    self.source.problem(("parameters", name), f"no notebook declares it; {hint}".rstrip("; "))
                )

    def _plan_pipelines(self, broken: Collection[str]) -> None:
        try:
            self.pipelines = plan_pipelines(self.project.pipelines, self.items, self.source, broken)
        except ProjectRefused as refused:
            self.problems += refused.problems

    def _check_parameters(self, item: Item) -> None:
        declared, path = item.document.parameters, item.document.path
        for key, names in _filled(item):
            for name in names:
                if name not in declared:
                    self.problems.append(item.problem(key, unknown_parameter(name, declared, path)))
                elif name in item.said.params or name in item.point:
                    self.problems.append(item.problem(key, f"{name!r} is filled here, and has a value in params too"))
        for name, value in self.values(item).items():
            try:
                if name not in declared:
                    raise InvalidParameter(unknown_parameter(name, declared, path))
                declared[name].check(value, path)
            except InvalidParameter as refused:
                self.problems.append(self._of_value(item, name, str(refused)))

    def _of_value(self, item: Item, name: str, message: str) -> Problem:
        if name in item.point:
            return item.problem(("for_each", name), message)
        if name in item.said.params:
            return item.problem(("params", name), message)
        return self.source.problem(("parameters", name), message)


def _filled(item: Item) -> Iterator[tuple[Key, list[str]]]:
    for name, taken in item.said.after.items():
        yield ("after", name), [each for each in (taken.value, *taken.outputs.values()) if each]
    if item.said.partitions is not None:
        yield ("partitions", "fills"), list(item.said.partitions.fills)
    if item.said.trigger is not None and item.said.trigger.fills:
        yield ("trigger", "fills"), [item.said.trigger.fills]

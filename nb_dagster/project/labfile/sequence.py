"""SeqPipes: workflows one after another, as LabFunctions had them for some days in 2022."""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nb_dagster.notebook.plain_yaml import Key
from nb_dagster.project.labfile.lines import Became, Line, Row, dropped, lines_of
from nb_dagster.project.labfile.schedule import convert_schedule
from nb_dagster.project.labfile.workflow import MadeWorkflow

PIPELINES = "pipelines"
"""The project file's word."""


@dataclass
class MadeSequence:
    """A pipeline that is being made.

    Attributes:
        name: its name.
        workflows: those there are, by all that they are meant by.
        said: what the project file says of it.
    """

    name: str
    workflows: Mapping[str, MadeWorkflow]
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where the project file has it."""
        return f"{PIPELINES}.{self.name}"


def convert_sequence(said: Mapping[Any, Any], key: Key, made: MadeSequence) -> Iterator[Line]:
    """What is said of a SeqPipe."""
    yield from lines_of(said, key, made, _ROWS, {"schedule": convert_schedule})


def _alias(value: Any, made: MadeSequence) -> Became:
    renamed = f"Dagster has only letters, digits and _ in names, and each once; call it {made.name} from now on"
    return Became(made.place, "" if str(value) == made.name else renamed)


def _workflows(value: Any, made: MadeSequence) -> Became:
    wanted = [str(each) for each in value] if isinstance(value, list) else [str(value)]
    known = [made.workflows[each] for each in wanted if each in made.workflows]
    missing = ", ".join(each for each in wanted if each not in made.workflows)
    made.said["workflows"] = list(dict.fromkeys(each.name for each in known))
    advice = [f"no workflow of this file has the id or alias {missing}; add it by hand"] if missing else []
    for before, after in itertools.pairwise(known):
        if _goes_round(before, after, made.workflows):
            advice.append(
                f"{after.name} cannot come after {before.name} here and before it elsewhere; see to the order"
            )
        else:
            after.said["after"] = list(dict.fromkeys([*after.said.get("after", []), before.name]))
    return Became(f"{made.place}.workflows", "; ".join(advice))


def _goes_round(before: MadeWorkflow, after: MadeWorkflow, workflows: Mapping[str, MadeWorkflow]) -> bool:
    order = {each.name: {*each.said.get("after", [])} for each in workflows.values()}
    order[after.name].add(before.name)
    try:
        graphlib.TopologicalSorter(order).prepare()
    except graphlib.CycleError:
        return True
    return False


def _description(value: Any, made: MadeSequence) -> Became:
    made.said["description"] = str(value)
    return Became(f"{made.place}.description")


_ID = "the old server's own number of it; here it goes by its name, nothing to do"
_ROWS: dict[str, Row] = {
    "alias": _alias,
    "workflows": _workflows,
    "description": _description,
    "pipeid": dropped(_ID),
    "projectid": dropped(_ID),
    "shared_volumes": dropped("workflows hand values on by after: and files by nb.artifact; write those"),
    "timeout": dropped("each workflow has a timeout of its own; write timeout: there"),
    "notifications_ok": dropped("each workflow tells of itself; write notify: there"),
    "notifications_fail": dropped("each workflow tells of itself; write notify: there"),
}

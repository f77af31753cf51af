"""A workflow of the old files, and what becomes of its keys."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import Parameter, Parameters
from nb_dagster.notebook.plain_yaml import Key
from nb_dagster.project.labfile.lines import Became, Line, Row, dropped, lines_of
from nb_dagster.project.labfile.schedule import convert_schedule

_ID = "the old server's own number of it; here it goes by its name, nothing to do"
_FILLED = {"WFID": "workflow", "JOBID": "workflow", "EXECID": "run_id", "EXECUTIONID": "run_id", "NOW": "now"}
"""What the old runner filled in every notebook, and the parameter that says it here."""


@dataclass
class MadeWorkflow:
    """A workflow that is being made.

    Attributes:
        name: its name.
        notebook: the file of its notebook in the notebook folder.
        document: that notebook; None where it is not there, or cannot be read.
        runtimes: the names of the runtimes there are, by their old ones.
        said: what the project file says of it.
        targets: who is told of its runs.
    """

    name: str
    notebook: str
    document: NotebookDocument | None = None
    runtimes: Mapping[str, str] = field(default_factory=dict)
    said: dict[str, Any] = field(default_factory=dict)
    targets: set[str] = field(default_factory=set)

    @property
    def place(self) -> str:
        """Where the project file has it."""
        return f"workflows.{self.name}"

    @property
    def declared(self) -> Parameters | None:
        """The parameters of its notebook; None where they are not known."""
        return None if self.document is None else self.document.parameters


def convert_workflow(said: Mapping[Any, Any], key: Key, made: MadeWorkflow) -> Iterator[Line]:
    """What is said of a workflow, in 0.6 flat, later with the notebook's part under ``nbtask``."""
    parts = {"nbtask": convert_workflow, "params": _convert_params, "schedule": convert_schedule}
    yield from lines_of(said, key, made, _ROWS, parts)


def _convert_params(said: Mapping[Any, Any], key: Key, made: MadeWorkflow) -> Iterator[Line]:
    for name, value in said.items():
        yield Line((*key, name), value, *_param(str(name), value, made))


def _param(name: str, value: Any, made: MadeWorkflow) -> Became:
    declared, advice = made.declared, ""
    if declared is not None and name not in declared:
        there = f"; {_FILLED[name]} says the same here" if name in _FILLED else ""
        return Became(
            advice=f"{made.notebook} declares no parameter {name!r}, so it is left out; "
            f"to have it, declare it in the parameters cell and write it under params{there}"
        )
    if declared is not None:
        value, advice = _fitting(declared[name], value, made.notebook)
    made.said.setdefault("params", {})[name] = value
    return Became(f"{made.place}.params.{name}", advice)


def _fitting(parameter: Parameter, value: Any, notebook: str) -> tuple[Any, str]:
    """A value as its parameter takes it, and what is wrong with it; the old command line made a text of every value."""
    try:
        parameter.check(value, notebook)
    except InvalidParameter as refused:
        with contextlib.suppress(InvalidParameter):
            if isinstance(value, str):
                return parameter.read(value, notebook), ""
        return value, f"{refused}; correct it"
    return value, ""


def _alias(value: Any, made: MadeWorkflow) -> Became:
    renamed = f"Dagster has only letters, digits and _ in names; call it {made.name} from now on"
    return Became(made.place, "" if str(value) == made.name else renamed)


def _notebook(_value: Any, made: MadeWorkflow) -> Became:
    if made.notebook != f"{made.name}.ipynb":
        made.said["notebook"] = made.notebook
    advice = []
    if made.document is None:
        advice = [f"{made.notebook} is not there, or is no notebook; its parameters are not checked"]
    for old in _FILLED.keys() & (made.declared or {}).keys():
        advice.append(f"the notebook's parameter {old} was filled by the old runner; here {_FILLED[old]} is")
    return Became(f"{made.place}.notebook", "; ".join(sorted(advice)))


def _enabled(value: Any, made: MadeWorkflow) -> Became:
    if value is False:
        made.said["enabled"] = False
        return Became(f"{made.place}.enabled")
    return Became()


def _description(value: Any, made: MadeWorkflow) -> Became:
    made.said["description"] = str(value)
    return Became(f"{made.place}.description")


def _timeout(value: Any, made: MadeWorkflow) -> Became:
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = 0.0
    if isinstance(value, bool) or not 0 < seconds < float("inf"):
        return Became(advice="a timeout is a number of seconds above 0; write timeout:")
    made.said["timeout"] = int(seconds) if seconds.is_integer() else seconds
    return Became(f"{made.place}.timeout")


def variable_of(target: str) -> str:
    """The variable that says where a target is."""
    return re.sub(r"\W", "_", target, flags=re.ASCII).upper() + "_URL"


def _told(outcome: str) -> Row:
    def row(value: Any, made: MadeWorkflow) -> Became:
        targets = [str(each) for each in value] if isinstance(value, list) else [str(value)]
        made.targets.update(targets)
        made.said.setdefault("notify", {})[outcome] = targets
        variables = ", ".join(map(variable_of, targets))
        return Became(
            f"{made.place}.notify.{outcome}",
            f"set {variables} to the address where messages go; nb-dagster notify-test env:NAME tries it",
        )

    return row


def _runtime(value: Any, made: MadeWorkflow) -> Became:
    name = made.runtimes.get(str(value))
    if name is None:
        return Became(
            advice="it is declared nowhere; declare it under runtimes:, and write compute: {isolation: docker, runtime: NAME}"
        )
    made.said.setdefault("compute", {}).update(isolation="docker", runtime=name)
    return Became(
        f"{made.place}.compute.runtime", f"its packages need nb_dagster; then nb-dagster runtime build {name}"
    )


def _gpu_support(value: Any, made: MadeWorkflow) -> Became:
    if value is False:
        return Became()
    if value is not True:
        return Became(advice="write compute: {gpus: 1}")
    made.said.setdefault("compute", {})["gpus"] = 1
    return Became(f"{made.place}.compute.gpus")


_VERSION = (
    "the newest is taken; for another one, nb-dagster runtime build NAME --ref REF, and compute: {version: VERSION}"
)
_QUEUE = "half of the name of a queue, and there are none; what a run needs is said by compute:, how many go at once by pool:"
_ROWS: dict[str, Row] = {
    "alias": _alias,
    "nb_name": _notebook,
    "enabled": _enabled,
    "description": _description,
    "timeout": _timeout,
    "notifications_ok": _told("success"),
    "notifications_fail": _told("failure"),
    "notificate": dropped("a message without an addressee; write notify:", unless=False),
    "wfid": dropped(_ID),
    "jobid": dropped(_ID),
    "runtime": _runtime,
    "version": dropped(_VERSION),
    "docker_version": dropped(_VERSION, unless="latest"),
    "machine": lambda value, _: Became() if value in ("default", "cpu") else Became(advice=_QUEUE),
    "cluster": dropped(_QUEUE, unless="default"),
    "qname": dropped(_QUEUE, unless="default"),
    "gpu_support": _gpu_support,
    "remote_input": dropped("nothing ever read it; what a notebook needs from elsewhere is a parameter of it"),
    "remote_output": dropped("nothing ever read it; nb.artifact keeps a file, and store: says where"),
}  # fmt: skip

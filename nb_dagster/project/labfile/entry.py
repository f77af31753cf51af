"""A workflow as an old file has it, whichever version wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nb_dagster.notebook.plain_yaml import Key


@dataclass(frozen=True)
class Entry:
    """What is said of a workflow, in 0.6 flat, later with the notebook's part under ``nbtask``.

    Attributes:
        key: where it is.
        said: what it says.
        is_listed: whether it has a number there, and no name.
    """

    key: Key
    said: Mapping[Any, Any]
    is_listed: bool

    @property
    def notebook(self) -> str:
        """Its notebook, mostly without an ending; empty where it names none."""
        return self._text("nb_name")

    @property
    def alias(self) -> str:
        """What people call it: said in it, by its key, or, in the first versions, in its schedule."""
        schedule = self.said.get("schedule")
        of_schedule = schedule.get("alias") if isinstance(schedule, dict) else None
        return self._text("alias") or str((of_schedule or "") if self.is_listed else self.key[-1])

    @property
    def has_alias(self) -> bool:
        """Whether it says so itself."""
        return bool(self._text("alias"))

    @property
    def ids(self) -> list[str]:
        """By what others mean it."""
        return [each for each in (self._text("wfid"), self._text("jobid"), self.alias) if each]

    def _text(self, name: str) -> str:
        task = self.said.get("nbtask")
        return str(self.said.get(name) or (task.get(name) if isinstance(task, dict) else "") or "")


def entries_of(workflows: Any) -> Iterator[Entry]:
    """The workflows of a file: in 0.6 a list, later by alias."""
    for name, said in numbered(workflows).items() if isinstance(workflows, (list, dict)) else ():
        if isinstance(said, dict) and said:
            yield Entry(("workflows", name), said, isinstance(workflows, list))


def numbered(found: Any) -> Any:
    """A list as a mapping by number; what is none stays."""
    return dict(enumerate(found)) if isinstance(found, list) else found

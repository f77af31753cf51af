"""How much a notebook hands out: a cell that records forever fills neither disk nor memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from nb_dagster.kernel.memory import in_words
from nb_dagster.notebook.records import record_key
from nb_dagster.runner.limits import OutputLimits
from nb_dagster.runner.output_meter import growth, size_of

_DECISIVE = ("check", "skip")  # they say how the run went

Shown = Callable[[str], Sequence[dict[str, Any]]]


class RecordMeter:
    """Counts the records of a run, by number and by characters.

    Over a limit, the value of a name that is known goes on in one place of the notebook, where it fits; anything else is
    left out, and then its name has no value any more: an old one would be a lie.

    Args:
        limits: what all cells may hand out.
    """

    def __init__(self, limits: OutputLimits) -> None:
        self._limits = limits
        self._sizes: dict[tuple[str, str], int] = {}  # of each name's last value, which the result holds
        self._held = 0
        self._shown: Counter[int] = Counter()  # what the notebook shows, by cell
        self._count = self._figures = 0
        self._marks: set[str] = set()

    def keep(self, message: dict[str, Any], cell: int, shown: Shown) -> tuple[dict[str, Any] | None, str | None]:
        """What is kept of a message with a record.

        Args:
            message: from the kernel.
            cell: the cell's index.
            shown: gives the outputs that show a display, by its id.

        Returns:
            The message, or one that puts the record in its name's place, or None; and a mark, where a limit was reached.
        """
        data = message["content"]["data"]
        key, size = record_key(data) or ("", ""), size_of(data)
        is_known, is_update = key in self._sizes, message["msg_type"] == "update_display_data"
        is_new = not (is_known and is_update)
        added = growth(message, shown(_display_of(message)))
        limit = self._limit(key, size, added, is_new=is_new)
        if limit is None:
            self._count += is_new
            self._figures += is_new and key[0] == "figure"
            self._take(key, size, added, cell)
            return message, None
        if is_known and not is_update:
            display = "nb_dagster:{}:{}".format(*key)
            replaced = shown(display)
            message = _in_place(message, display, is_shown=bool(replaced))
            added = growth(message, replaced)
        if key[0] not in _DECISIVE and (not is_known or self._limit(key, size, added, is_new=False)):
            self._held -= self._sizes.pop(key, 0)
            return None, self._mark(limit)
        self._take(key, size, added, cell)
        return message, self._mark(limit)

    def cleared(self, cell: int) -> None:
        """What a cell had shown is gone."""
        del self._shown[cell]

    def _limit(self, key: tuple[str, str], size: int, added: int, *, is_new: bool) -> str | None:
        """The limit that a record is over, if it is."""
        limits = self._limits
        if is_new and _is_over(self._count + 1, limits.records):
            return "records"
        if is_new and key[0] == "figure" and _is_over(self._figures + 1, limits.figures):
            return "figures"
        held = self._held + size - self._sizes.get(key, 0)
        if _is_over(max(held, self._shown.total() + added), limits.record_size):
            return "record_size"
        return None

    def _take(self, key: tuple[str, str], size: int, added: int, cell: int) -> None:
        self._held += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        self._shown[cell] += added

    def _mark(self, limit: str) -> str | None:
        """What to say where a limit is reached, the first time."""
        if limit in self._marks:
            return None
        self._marks.add(limit)
        number = getattr(self._limits, limit)
        reached = f"{in_words(number)} of records" if limit == "record_size" else f"{number:,} {limit}"
        return (
            f"more than {reached}: from here on a name that is known keeps its last value only, and further ones are "
            f"left out; OutputLimits.{limit} says how much is kept"
        )


def _is_over(number: int, limit: int | None) -> bool:
    return limit is not None and number > limit


def _display_of(message: dict[str, Any]) -> str:
    return str((message["content"].get("transient") or {}).get("display_id") or "")


def _in_place(message: dict[str, Any], display: str, *, is_shown: bool) -> dict[str, Any]:
    """The message as one that shows a display, or updates it where it is shown."""
    kind = "update_display_data" if is_shown else "display_data"
    content = {**message["content"], "transient": {"display_id": display}}
    return {**message, "msg_type": kind, "header": {**message["header"], "msg_type": kind}, "content": content}

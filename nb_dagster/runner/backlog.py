"""Events that wait for who reads them: each as it is, until there are too many; then as much as the notebook keeps."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import TypeAlias

from nb_dagster.runner import events
from nb_dagster.runner.streams import StreamText

Item: TypeAlias = events.Event | None
_MANY = 100
_LARGE = 10_000_000  # characters


@dataclass(eq=False)
class _Waiting:
    """One event that waits, or several joined."""

    item: Item
    key: Hashable
    size: int
    text: StreamText | None = None

    def join(self, later: Item) -> None:
        """Take in a later event of the same key: text goes on, anything else takes the place of what was before."""
        if not isinstance(later, events.Stream):
            self.item = later
            return
        if self.text is None:
            assert isinstance(self.item, events.Stream)  # noqa: S101 - the key says so
            self.text = StreamText({})
            self.text.add(self.item.text)
        self.text.add(later.text)

    def whole(self) -> Item:
        """The event."""
        if self.text is None or not isinstance(self.item, events.Stream):
            return self.item
        self.text.settle()
        return replace(self.item, text=self.text.output["text"])


class Backlog:
    """Events between a run and its reader, in their order; the run never waits for the reader.

    When many wait, what the notebook does not keep one by one is joined, so that the backlog of a cell that prints or
    redraws for hours is no larger than its notebook: text of a stream goes on where it waits, an update takes the place
    of the one before, and what was shown goes when the cell clears it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # and not a condition: a signal may interrupt the reader anywhere
        self._waiting: deque[_Waiting] = deque()
        self._latest: dict[Hashable, _Waiting] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: Item) -> None:
        """One more event; None is the end of them."""
        key, size = _key(item), _size(item)
        with self._lock:
            if len(self._waiting) >= _MANY or self._size >= _LARGE:
                if isinstance(item, events.Cleared):
                    self._forget(item.cell)
                latest = self._latest.get(key)
                if latest is not None:
                    latest.join(item)
                    return
            if isinstance(item, events.Cleared):
                self._latest.clear()  # nothing that comes is joined to what was cleared
            waiting = _Waiting(item, key, size)
            self._waiting.append(waiting)
            self._size += size
            if key is not None:
                self._latest[key] = waiting

    def take(self) -> Item:
        """The first event.

        Raises:
            IndexError: none waits.
        """
        with self._lock:
            first = self._waiting.popleft()
            self._size -= first.size
            if self._latest.get(first.key) is first:
                del self._latest[first.key]
        return first.whole()

    def _forget(self, cell: int) -> None:
        """Drop what a cell has shown."""
        kept = [each for each in self._waiting if not _is_shown(each.item, cell)]
        self._waiting = deque(kept)
        self._size = sum(each.size for each in kept)
        self._latest = {each.key: each for each in kept if each.key is not None}


class EventQueue(asyncio.Queue[Item]):
    """A backlog that a coroutine waits at."""

    def _init(self, maxsize: int) -> None:  # noqa: ARG002 - of asyncio's; it has no end
        self._queue = Backlog()

    def _put(self, item: Item) -> None:
        self._queue.add(item)

    def _get(self) -> Item:
        return self._queue.take()


def _key(item: Item) -> Hashable:
    """What an event may be joined by; None where it stands alone."""
    match item:
        case events.Stream():
            return ("stream", item.cell, item.name)
        case events.Display(updates=display) | events.Recorded(updates=display) if display:
            return ("update", display)
        case events.Cleared():
            return ("cleared", item.cell)
        case events.Warned():
            return ("warned", item.cell, item.message)
        case events.Usage():
            return "usage"
    return None


def _size(item: Item) -> int:
    if isinstance(item, events.Stream):
        return len(item.text)
    if isinstance(item, events.Display):
        return sum(len(value) for value in item.data.values() if isinstance(value, str))
    return 0


def _is_shown(item: Item, cell: int) -> bool:
    return isinstance(item, (events.Stream, events.Display)) and item.cell == cell

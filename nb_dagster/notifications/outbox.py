"""Messages on their way: each target by itself, so that one that is slow or down holds none of the others up."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from nb_dagster.notifications.marks import Mark
from nb_dagster.notifications.message import Message
from nb_dagster.notifications.targets import Target

BUDGET = 15.0
"""Seconds after which no further message is begun: Dagster gives a sensor's tick a minute, sending included."""


@dataclass(frozen=True)
class Delivery:
    """A message to a target.

    Attributes:
        key: names the message and the target; nobody is told twice under one key.
        mark: what became of it so far.
        target: the target.
        write: makes the message; it may take a while.
        keep: writes down what became of it, by its mark after that and the answer of the target.
        run_id: the run that it is about; None where it is about none.
    """

    key: str
    mark: Mark
    target: Target
    write: Callable[[], Message]
    keep: Callable[[Mark, str | Exception], None]
    run_id: str | None = None

    def settle(self, answer: str | Exception) -> bool:
        """Write down what became of a try; whether nothing more is to be done.

        Args:
            answer: a note, or why it was not taken.
        """
        mark = self.mark.after(answer)
        self.keep(mark, answer)
        return mark.is_over


def send(deliveries: Iterable[Delivery]) -> Iterator[tuple[Delivery, str | Exception]]:
    """Send messages.

    Yields:
        Each that was tried, as soon as it was: with what is to be known of it, or why it was not taken. A target that
        has not taken one is given no other; those are left for the next time.
    """
    by_target: dict[Target, list[Delivery]] = {}
    for each in deliveries:
        by_target.setdefault(each.target, []).append(each)
    told: queue.SimpleQueue[tuple[Delivery, str | Exception] | None] = queue.SimpleQueue()
    until = time.monotonic() + BUDGET
    for messages in by_target.values():
        threading.Thread(target=_send_to_one, args=(messages, until, told.put), daemon=True).start()
    left = len(by_target)
    while left:
        answer = told.get()
        if answer is None:
            left -= 1
        else:
            yield answer


def _send_to_one(
    deliveries: list[Delivery], until: float, tell: Callable[[tuple[Delivery, str | Exception] | None], None]
) -> None:
    try:
        for each in deliveries:
            if time.monotonic() > until:
                return
            try:
                tell((each, each.target.send(each.write())))
            except Exception as error:  # whatever it is, the others are sent
                tell((each, error))
                return
    finally:
        tell(None)

"""The log of a run, of its steps' events and of what they printed, as far as it is written and as it goes on."""

from __future__ import annotations

import codecs
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

CHUNK = 1_000_000
"""Bytes of a stream that are read at once."""
PAGE = 500
"""Entries that are asked for at once."""
_LOOK_EVERY = 0.3  # seconds between two looks at a run that goes on
UNSAID = {"ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED", "LOADED_INPUT", "HANDLED_OUTPUT"}
UNSAID |= {"STEP_INPUT", "STEP_OUTPUT", "LOGS_CAPTURED", "RESOURCE_INIT_STARTED", "RESOURCE_INIT_SUCCESS"}
UNSAID |= {"STEP_WORKER_STARTING", "STEP_WORKER_STARTED"}
"""Types of entries that say nothing to a person."""


@dataclass(frozen=True)
class LogPiece:
    """Something that a run says.

    Attributes:
        at: seconds since the epoch; of a stream, when it was read.
        step: key of the step; None of the run as a whole.
        kind: ``event``, ``stdout`` or ``stderr``.
        text: a message, or a piece of a stream.
    """

    at: float
    step: str | None
    kind: str
    text: str


@dataclass
class Stream:
    """What a step prints, read piece by piece.

    Attributes:
        key: Dagster's key of it.
        step: key of the step; None of several.
        cursor: how far it was read.
        decoders: of standard output and error.
    """

    key: list[str]
    step: str | None
    cursor: str | None = None
    decoders: dict[str, Any] = field(
        default_factory=lambda: {
            name: codecs.getincrementaldecoder("utf-8")("backslashreplace") for name in ("stdout", "stderr")
        }
    )


class RunLog(ABC):
    """Reads the log of one run."""

    def __init__(self) -> None:
        self._streams: list[Stream] = []

    def read(self) -> Iterator[LogPiece]:
        """What is there and was not read before."""
        entries = []
        for each in self._entries():
            if isinstance(each, Stream):
                self._streams.append(each)
            else:
                entries.append(each)
        for stream in self._streams:  # what a cell printed goes before the entry that it has ended
            yield from self._printed(stream)
        yield from entries

    def follow(self) -> Iterator[LogPiece]:
        """What is there, and what comes until the run has ended."""
        while True:
            is_over = self._is_over()
            yield from self.read()  # after the look at its status: nothing is missed of a run that has just ended
            if is_over:
                return
            time.sleep(_LOOK_EVERY)

    def _printed(self, stream: Stream) -> Iterator[LogPiece]:
        more = True
        while more:
            stdout, stderr, stream.cursor = self._stream_data(stream)
            more = False
            for name, content in (("stdout", stdout), ("stderr", stderr)):
                text = stream.decoders[name].decode(content or b"")
                more |= len(content or b"") >= CHUNK
                if text:
                    yield LogPiece(time.time(), stream.step, name, text)

    @abstractmethod
    def _is_over(self) -> bool:
        """Whether the run has ended."""

    @abstractmethod
    def _entries(self) -> Iterator[LogPiece | Stream]:
        """Entries that were not read before, and streams that they tell of."""

    @abstractmethod
    def _stream_data(self, stream: Stream) -> tuple[bytes | None, bytes | None, str | None]:
        """Standard output and error from a stream's cursor on, and the next cursor."""

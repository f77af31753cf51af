"""What a run may take, and how much of what it shows and hands out is kept."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

_UNITS = {"cell": "characters", "notebook": "characters", "record_size": "characters", "events": "log entries"}


@dataclass(frozen=True)
class OutputLimits:
    """How much of a run is kept; what is more is left out, with a mark where that was. None is no limit.

    Errors, checks and a skip are never left out: they say how the run went.

    Attributes:
        cell: characters that one cell may show.
        notebook: characters that all cells together may show, and that the compute log takes.
        records: number of records that a run may hand out. Of more, a name that is known keeps its last value.
        record_size: characters of the records' values together, figures included; values that are files do not count.
        figures: number of figures among the records.
        thumbnails: figures that Dagster shows with a materialization.
        events: entries of one attempt in Dagster's log; the last one says that there were more.

    Raises:
        ValueError: a limit is no whole number.

    Example:
        >>> notebook_asset("train.ipynb", output_limits=OutputLimits(cell=1_000_000, figures=20))
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # where it is read from a file

    cell: int | None = 20_000_000
    notebook: int | None = 100_000_000
    records: int | None = 10_000
    record_size: int | None = 100_000_000
    figures: int | None = 1_000
    thumbnails: int | None = 12
    events: int | None = 400

    def __post_init__(self) -> None:
        for name in (each.name for each in fields(self)):
            value, least = getattr(self, name), 1 if name == "events" else 0
            if value is not None and (type(value) is not int or value < least):
                unit = _UNITS.get(name, name)
                raise ValueError(
                    f"output_limits: {name} is a number of {unit}, at least {least}, or None for no limit, not {value!r}"
                )


DEFAULT_OUTPUT = OutputLimits()
UNLIMITED = OutputLimits(**dict.fromkeys((each.name for each in fields(OutputLimits)), None))
"""Everything is kept; for a journal that is read back."""


@dataclass(frozen=True)
class Limits:
    """What a run may take; None is no limit.

    Attributes:
        timeout: seconds for the whole run, after which it is stopped.
        cell_timeout: seconds for each cell.
        stall_timeout: seconds without any output or finished cell.
        output: how much of it is kept.
    """

    timeout: float | None = None
    cell_timeout: float | None = None
    stall_timeout: float | None = None
    output: OutputLimits = DEFAULT_OUTPUT

    def __post_init__(self) -> None:
        for name in ("timeout", "cell_timeout", "stall_timeout"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, (int, float)) and value > 0):
                raise ValueError(f"{name} is a number of seconds above 0, not {value!r}")
        if not isinstance(self.output, OutputLimits):
            raise ValueError(f"output_limits is an OutputLimits(...), not {self.output!r}")


DEFAULT_LIMITS = Limits()

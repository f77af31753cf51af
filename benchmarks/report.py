"""What was measured, as ``benchmarks/RESULTS.md``."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"
_LIBRARIES = ("dagster", "papermill", "nbclient", "ploomber-engine", "ipykernel", "jupyter-client")

why_missed: dict[str, str] = {
    "B2": (
        "Of 126 ms, as measured before, 50 are the fork, ipykernel's own start and the handshake, 12 the cell, 12 Dagster's entry of the "
        "attempt in its event log, 18 the imports of a process's first notebook by six; the rest is checking, journal, "
        "view and file. dagstermill's share swings between 2.8 and 4.5 s with the load of the machine (24x to 35x)."
    ),
    "B3": (
        "8 steps are 90 entries of Dagster's event log, at 5 to 15 ms each on SQLite, most of which two threads write one "
        "after the other; kernels and cells are 0.1 s a notebook. Kernels kept warm change nothing (14.8x, measured apart). "
        "The floor is the same job of plain ops in threads."
    ),
    "B4": (
        "A cell costs ipykernel 2.0 ms of this machine's time with its needless flushes left out (4.4 ms with them, as a "
        "spawned kernel has it, measured with raw sockets), and the runner 0.9 ms: five signed messages to read, two "
        "entries of the journal, five events. The rest is the start of the kernel by 100 cells. The floor is the kernel's."
    ),
    "B6": (
        "The cells of this notebook are 260 to 290 ms of work in any kernel that is warm, 205 of them for drawing one "
        "figure twice (as result, and by the inline backend); the kernel's start is 60 to 100 ms beside another one. Two "
        "CPUs can do 7.5 such notebooks a second at best, 6 to 7 times papermill's."
    ),
    "B10": (
        "Memory grows with the plan of a run, not with its notebooks: runs of 50 level off at +10 MB, a plan of 500 steps "
        "and its event log take some 20 MB more, which Python's allocator keeps."
    ),
}
"""By row: why a target is not reached, from a profile, and what the physical limit is; written by hand."""


@dataclass(frozen=True)
class Target:
    """One thing to reach.

    Attributes:
        words: what.
        value: what was measured.
        reached: whether that is enough.
    """

    words: str
    value: str
    reached: bool

    def __str__(self) -> str:
        return f"{'yes' if self.reached else '**no**'}: {self.value}"


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: B1 to B11.
        work: what was done.
        ours: our figure.
        peers: theirs, with ratios to ours.
        targets: what was to be reached.
        notes: how it was measured, and what else is worth knowing.
    """

    name: str
    work: str
    ours: str
    peers: str
    targets: Sequence[Target]
    notes: Sequence[str] = ()

    @property
    def line(self) -> str:
        """As a line of the table."""
        words, reached = (" <br> ".join(map(str, each)) for each in ([t.words for t in self.targets], self.targets))
        return f"| {self.name} | {self.work} | {self.ours} | {self.peers} | {words} | {reached} |"


def at_least(factor: float, measured: float, words: str) -> Target:
    """A ratio that is to be reached."""
    return Target(f"≥ {factor:g}x {words}", f"{measured:.1f}x", measured >= factor)


def at_most(limit: float, measured: float, words: str, unit: str = "") -> Target:
    """A figure that is not to be exceeded."""
    digits = 0 if measured >= 100 else 1 if measured >= 10 else 2
    return Target(f"≤ {limit:g}{unit} {words}", f"{measured:.{digits}f}{unit}", measured <= limit)


def beside(values: Mapping[str, float], ours: float, unit: str, digits: int = 0) -> str:
    """The figures of peers, each with how many times ours it is."""
    return ", ".join(f"{name} {value:.{digits}f} {unit} ({value / ours:.1f}x)" for name, value in values.items())


def report(rows: Sequence[Row], versions: Mapping[str, str], minutes: float) -> str:
    """The page."""
    installed = {**{name: version(name) for name in _LIBRARIES}, **versions}
    lines = [
        "# Results of `make bench`",
        "",
        (
            f"{platform.system()} {platform.machine()}, {_processor()}, {os.cpu_count()} CPUs, "
            f"Python {platform.python_version()}; "
            f"{', '.join(f'{name} {number}' for name, number in installed.items())}. One run of {minutes:.0f} minutes; "
            "contenders take turns; medians. Ratios count, times are context: (2.0x) takes twice as long as nb_dagster."
        ),
        "",
        "| row | work | nb_dagster | peers | to reach | reached |",
        "|---|---|---|---|---|---|",
        *(row.line for row in rows),
        "",
        "## How it was measured",
        "",
        *(f"- **{row.name}** {note}" for row in rows for note in row.notes),
        *_misses(rows),
        "",
    ]
    return "\n".join(lines)


def _misses(rows: Sequence[Row]) -> list[str]:
    missed = dict.fromkeys(row.name for row in rows if not all(target.reached for target in row.targets))
    reasons = [f"- **{name}** {why_missed[name]}" for name in missed if name in why_missed]
    return ["", "## Not reached", "", *reasons] if reasons else []


def _processor() -> str:
    """The processor's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()

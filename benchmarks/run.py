"""``make bench``: nb_dagster and its peers, side by side, in one run on one machine; writes ``benchmarks/RESULTS.md``.

Machines are noisy, so what counts are ratios of medians, with the contenders taking turns.
"""

import contextlib
import io
import os
import platform
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbclient
import nbformat
import papermill
from notebooks import make

import nb_dagster as nbd
from nb_dagster.kernel import fork_client

RESULTS = Path(__file__).parent / "RESULTS.md"
Contender = Callable[[Path, Path], None]


def ours(notebook: Path, folder: Path) -> None:
    """Our runner, in this process."""
    nbd.run_notebook(notebook, output=folder / f"{uuid.uuid4()}.ipynb").raise_for_status()


def with_papermill(notebook: Path, folder: Path) -> None:
    """papermill's API, saving at the end only, which is its fastest setting."""
    papermill.execute_notebook(
        str(notebook), str(folder / f"{uuid.uuid4()}.ipynb"), progress_bar=False, request_save_on_cell_execute=False
    )


def papermill_default(notebook: Path, folder: Path) -> None:
    """papermill's API as it comes."""
    papermill.execute_notebook(str(notebook), str(folder / f"{uuid.uuid4()}.ipynb"), progress_bar=False)


def with_nbclient(notebook: Path, folder: Path) -> None:
    """nbclient, and a write of the notebook."""
    node = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(node, resources={"metadata": {"path": str(folder)}}).execute()
    nbformat.write(node, folder / f"{uuid.uuid4()}.ipynb")


CONTENDERS: dict[str, Contender] = {
    "nb_dagster": ours,
    "papermill": papermill_default,
    "papermill, saving once": with_papermill,
    "nbclient": with_nbclient,
}


def take_turns(notebook: Path, folder: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender, one run each a round."""
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, contender in CONTENDERS.items():
            times[name].append(timed(lambda run=contender: run(notebook, folder)))
    return times


def timed(work: Callable[[], None]) -> float:
    """Seconds that some work takes, without what it prints."""
    with contextlib.redirect_stderr(io.StringIO()):
        start = time.perf_counter()
        work()
        return time.perf_counter() - start


def warm_up() -> None:
    """Have the fork servers ready, as they are in any process that has run a few notebooks."""
    for preload in ((), ("numpy", "pandas", "matplotlib.pyplot")):
        fork_client.FORK_SERVERS.warm(sys.executable, preload)
        while fork_client.FORK_SERVERS.find(sys.executable, preload) is None:
            time.sleep(0.05)


def row(name: str, work: str, times: dict[str, list[float]], scale: float = 1.0) -> str:
    """One line of the table: medians in milliseconds, and how many times longer each peer takes."""
    medians = {each: statistics.median(seconds) * 1e3 / scale for each, seconds in times.items()}
    base = medians["nb_dagster"]
    cells = [
        f"{ms:.1f} ms ({ms / base:.1f}x)" if each != "nb_dagster" else f"{ms:.1f} ms" for each, ms in medians.items()
    ]
    return f"| {name} | {work} | {' | '.join(cells)} |"


def throughput(notebook: Path, folder: Path, count: int, contender: Contender) -> float:
    """Seconds for a number of runs, two at a time."""

    def all_of_them() -> None:
        with ThreadPoolExecutor(2) as pool:
            for run in [pool.submit(contender, notebook, folder) for _ in range(count)]:
                run.result()

    return timed(all_of_them)


def main() -> None:
    """Time everything, and write the results."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = make(folder)
        warm_up()
        lines = [
            row("B1", "one trivial cell, end to end", take_turns(paths["one"], folder, 9)),
            row("B4", "100 trivial cells, a cell", take_turns(paths["hundred"], folder, 3), scale=100),
            row("B5", "40 cells of 500 kB output", take_turns(paths["output"], folder, 3)),
            row("B5", "the same with 1 MB", take_turns(paths["output_double"], folder, 3)),
        ]
        pairs = {"nb_dagster": ours, "papermill": papermill_default}
        rates = {each: 8 / throughput(paths["realistic"], folder, 8, contender) for each, contender in pairs.items()}
        many = sorted(timed(lambda: ours(paths["one"], folder)) for _ in range(200))
        report = [
            "# Results of `make bench`",
            "",
            (
                f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}; "
                f"papermill {papermill.__version__}, nbclient {nbclient.__version__}. Medians; ratios count, times are context."
            ),
            "",
            f"| row | work | {' | '.join(CONTENDERS)} |",
            f"|---|---|{'---|' * len(CONTENDERS)}",
            *lines,
            "",
            (
                f"B6, realistic notebooks (10 cells, pandas, one figure), two at a time: nb_dagster "
                f"{rates['nb_dagster']:.2f} a second, papermill {rates['papermill']:.2f} "
                f"({rates['nb_dagster'] / rates['papermill']:.1f}x)."
            ),
            "",
            f"B7, 200 runs of B1: p50 {many[100] * 1e3:.0f} ms, p99 {many[197] * 1e3:.0f} ms ({many[197] / many[100]:.1f}x).",
            "",
            (
                "Rows B2, B3, B8, B9 and B10 (Dagster steps beside dagstermill, memory, a thousand definitions, runs of 500) are "
                "not measured here yet."
            ),
            "",
        ]
        RESULTS.write_text("\n".join(report), encoding="utf-8")
        print("\n".join(report))


if __name__ == "__main__":
    main()

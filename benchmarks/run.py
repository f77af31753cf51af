"""``make bench``: nb_dagster and its peers, side by side, in one run on one machine; writes ``benchmarks/RESULTS.md``.

Some rows only, printed and not written: ``python -m benchmarks.run B1 B4``.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers import dagstermill_version
from benchmarks.place import Place
from benchmarks.report import RESULTS, Row, report
from benchmarks.rows import cells, containers, history, loading, long_runs, memory, steps, throughput

ROWS: dict[str, Callable[[Place], list[Row]]] = {
    "B1": cells.one_cell,
    "B2": steps.one_step,
    "B3": steps.eight_notebooks,
    "B4": cells.hundred_cells,
    "B5": cells.outputs,
    "B6": throughput.realistic,
    "B7": cells.many_runs,
    "B8": memory.sixteen_kernels,
    "B9": loading.thousand_notebooks,
    "B10": long_runs.five_hundred_notebooks,
    "B11": history.questions,
    "B12": containers.one_notebook,
}


def main() -> None:
    """Measure the rows that are named, or all, and write the results."""
    wanted = sys.argv[1:] or list(ROWS)
    unknown = [name for name in wanted if name not in ROWS]
    if unknown:
        sys.exit(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}")
    versions, start = {"dagstermill": dagstermill_version()}, time.monotonic()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name))
        for each in wanted:
            began = time.monotonic()
            lines = ROWS[each](place)
            print(*(line.line for line in lines), f"({time.monotonic() - began:.0f} s)", sep="\n", flush=True)
            rows += lines
    page = report(rows, versions, (time.monotonic() - start) / 60)
    if len(wanted) == len(ROWS):
        RESULTS.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()

"""What is done before a fork, once, so that no kernel has to do it: imports, and first uses of what was imported."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

_FORK_SAFE_THREADS = ("jemalloc_bg_thd",)  # of pyarrow's allocator, which pandas brings; jemalloc minds forks itself


class Refused(Exception):
    """A module that cannot be imported before a fork.

    Attributes:
        module: its name.
        why: the reason, in words.
    """

    def __init__(self, module: str, why: str) -> None:
        super().__init__(f"{module}: {why}")
        self.module, self.why = module, why


def import_all(preloads: Sequence[str]) -> list[str]:
    """Import what kernels need, and what is declared; returns the files of the latter.

    Raises:
        Refused: a module cannot be imported, or leaves threads or a GPU behind, neither of which survives a fork.
    """
    import ipykernel.debugger  # debugpy, which every kernel imports
    import ipykernel.kernelapp
    import ipykernel.zmqshell  # noqa: F401

    files = []
    for name in preloads:
        try:
            module = importlib.import_module(name)
            _FIRST_USES.get(name, lambda: None)()
        except Exception as error:
            raise Refused(name, f"{type(error).__name__}: {error}") from None
        threads = _threads()
        if threads:
            raise Refused(name, f"it starts threads ({', '.join(threads)})")
        if any("/dev/nvidia" in _link(fd) for fd in os.listdir("/proc/self/fd")):
            raise Refused(name, "it opens a GPU")
        files.append(getattr(module, "__file__", None) or "")
    return files


def _use_pandas() -> None:
    """A frame's first table and summary import half of pandas."""
    frame = sys.modules["pandas"].DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    frame.describe()._repr_html_()
    frame.groupby("b").a.mean()


def _use_pyplot() -> None:
    """The first figure finds the fonts, and loads what draws them."""
    import matplotlib_inline.backend_inline  # noqa: F401
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure()
    figure.add_subplot().set_title("text")
    FigureCanvasAgg(figure).print_figure(io.BytesIO(), format="png", bbox_inches="tight")


_FIRST_USES = {"pandas": _use_pandas, "matplotlib.pyplot": _use_pyplot}


def _threads() -> list[str]:
    """Names of threads beside the main one, but for those whose library has handlers for a fork."""
    names = []
    for task in os.listdir("/proc/self/task"):
        if int(task) != os.getpid():
            with open(f"/proc/self/task/{task}/comm", encoding="utf-8") as comm:
                names.append(comm.read().strip())
    return [name for name in names if name not in _FORK_SAFE_THREADS]


def _link(descriptor: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""

"""What is done before a fork, once, so that no kernel has to do it: imports, and first uses of what was imported."""

from __future__ import annotations

import importlib
import io
import os
import site
import sys
import sysconfig
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


def import_all(preloads: Sequence[str]) -> None:
    """Import what kernels need, and what is declared.

    Raises:
        Refused: a module cannot be imported, or leaves threads or a GPU behind, neither of which survives a fork.
    """
    import ipykernel.debugger  # debugpy, which every kernel imports
    import ipykernel.kernelapp
    import ipykernel.zmqshell  # noqa: F401

    for name in preloads:
        try:
            importlib.import_module(name)
            _FIRST_USES.get(name, lambda: None)()
        except (Exception, SystemExit) as error:
            raise Refused(name, f"{type(error).__name__}: {error}") from None
        threads = _threads()
        if threads:
            raise Refused(name, f"it starts threads ({', '.join(threads)})")
        if any("/dev/nvidia" in _link(fd) for fd in os.listdir("/proc/self/fd")):
            raise Refused(name, "it opens a GPU")


def sources(preloads: Sequence[str]) -> list[str]:
    """Files and folders whose last change decides whether what was imported is still what is installed.

    An install changes a folder of packages. Into any other folder, a project's for example, somebody may write at any
    time; of those the imported files count.
    """
    installed = {os.path.realpath(each) for each in (*sysconfig.get_paths().values(), *site.getsitepackages())}
    folders = [
        each
        for each in sys.path
        if os.path.basename(each) in ("site-packages", "dist-packages") or os.path.realpath(each) in installed
    ]
    known = tuple(each + os.sep for each in (*folders, *installed))
    files = {name: getattr(module, "__file__", None) or "" for name, module in list(sys.modules.items())}
    own = [file for name, file in files.items() if file and (name in preloads or not file.startswith(known))]
    return [*folders, *own]


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
    del sys.modules["matplotlib_inline.backend_inline"]  # which sets itself up for its kernel when it is imported


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

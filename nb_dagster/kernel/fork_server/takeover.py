"""A forked process becomes the run's own, and ends as a Python process does."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import locale
import os
import random
import resource
import sys
import tempfile
import threading
import time
from typing import Any

_MARK_VARIABLE = "NB_DAGSTER_KERNEL"
_libc = ctypes.CDLL(None)
_libc.getenv.restype = ctypes.c_void_p
_mark_place = _libc.getenv(_MARK_VARIABLE.encode())
_mark_room = len(os.environ.get(_MARK_VARIABLE, ""))


def take_on(request: dict[str, Any]) -> None:
    """Make this process the run's own: all that a child process would have of its parent, and randomness."""
    os.environ.clear()
    os.environ.update(request["env"])
    _show_mark(os.environ.get(_MARK_VARIABLE, "").encode())
    os.umask(request["umask"])
    for name, limits in request["limits"].items():
        with contextlib.suppress(ValueError, OSError):  # what only root may raise stays as the server has it
            resource.setrlimit(getattr(resource, name), tuple(limits))
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, request["cpus"])
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, request["nice"])
    os.chdir(request["cwd"])
    time.tzset()
    tempfile.tempdir = None
    with contextlib.suppress(locale.Error):
        locale.setlocale(locale.LC_CTYPE, "")
    random.seed()
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()
    matplotlib: Any = sys.modules.get("matplotlib")
    if matplotlib is not None and os.environ.get("MPLBACKEND"):
        matplotlib.rcParams["backend"] = os.environ["MPLBACKEND"]
    _set_blas_threads()


def exit_as_python_does(code: int) -> None:
    """End with what the notebook left for its end: threads to wait for, exit handlers, buffered text."""
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - what the interpreter itself does
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


def _show_mark(mark: bytes) -> None:
    """Put the kernel's mark where the system shows it, which is the environment that the server started with.

    Its forks, wherever they go, have it there too: they are found by it when the run is over.
    """
    if _mark_place and len(mark) <= _mark_room:
        ctypes.memmove(_mark_place, mark.ljust(_mark_room, b"\0"), _mark_room)


def _set_blas_threads() -> None:
    """OpenBLAS was loaded with one thread, so that the server has none; give it what the run's environment says."""
    wanted = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or ""
    threads = int(wanted) if wanted.isdigit() else len(os.sched_getaffinity(0))
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        libraries = {line.split(maxsplit=5)[-1].strip() for line in maps if "openblas" in line}
    for path in libraries:
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(path)
            for prefix in ("scipy_", ""):
                for suffix in ("64_", ""):
                    setter = getattr(library, f"{prefix}openblas_set_num_threads{suffix}", None)
                    if setter is not None:
                        setter(threads)

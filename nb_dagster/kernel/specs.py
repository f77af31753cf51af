"""Kernels by name: which are installed, and which one a notebook gets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nb_dagster.errors import RunRefused, UnknownKernel

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec

LAUNCHER = "ipykernel_launcher"
"""The module that every ipykernel's command runs."""


def find_kernel(name: str, owner: str) -> KernelSpec:
    """The installed kernel of that name.

    Args:
        name: as in the notebook's ``kernelspec``, or as given for the run.
        owner: the notebook, for messages.

    Raises:
        UnknownKernel: there is none; the message names those there are.
    """
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager()
    try:
        return manager.get_kernel_spec(name)
    except (NoSuchKernel, ValueError, OSError):
        installed = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        raise UnknownKernel(
            f"{owner}: there is no kernel {name!r} on this machine (installed: {installed}); "
            "install it, or name another one with --kernel or kernel="
        ) from None


def forkable_python(spec: KernelSpec) -> str | None:
    """The interpreter of a kernel that can be forked, which is any ipykernel; None for others."""
    if LAUNCHER not in spec.argv:
        return None
    python = spec.argv[0]
    version = sys.version_info
    return sys.executable if python in ("python", f"python{version[0]}", f"python{version[0]}.{version[1]}") else python


def check_preload(modules: Sequence[str], owner: str) -> tuple[str, ...]:
    """Modules to import before a fork, as they are given.

    Raises:
        RunRefused: one of them is no module's name.
    """
    if isinstance(modules, str):
        raise RunRefused(f"{owner}: preload is a list of modules, not the text {modules!r}")
    for each in modules:
        if not isinstance(each, str) or not all(part.isidentifier() for part in each.split(".")):
            raise RunRefused(f"{owner}: preload: {each!r} is no module's name, such as 'pandas' or 'matplotlib.pyplot'")
    return tuple(modules)

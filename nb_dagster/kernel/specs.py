"""Kernels by name: which are installed, and which one a notebook gets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nb_dagster.errors import UnknownKernel

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec


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

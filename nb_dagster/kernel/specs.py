"""Kernels by name: which are installed, and which one a notebook gets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nb_dagster.errors import RunRefused, UnknownKernel
from nb_dagster.kernel.compute import Compute
from nb_dagster.kernel.environment import Environment

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec

    from nb_dagster.notebook.document import NotebookDocument

LAUNCHER = "ipykernel_launcher"
"""The module that every ipykernel's command runs."""
_IPYKERNEL = "python3"
"""What an environment's own ipykernel is called."""


def kernel_name(document: NotebookDocument, said: str | None, compute: Compute) -> str:
    """The name of a notebook's kernel.

    Args:
        document: the notebook. In an environment that is named, one in Python does not ask for the kernel of another.
        said: a kernel's name that goes first.
        compute: where it runs.
    """
    if said := said or compute.kernel:
        return said
    return _IPYKERNEL if compute.environment and document.language == "python" else document.kernel


def find_kernel(name: str, owner: str, environment: Environment | None = None) -> KernelSpec:
    """The installed kernel of that name.

    Args:
        name: as in the notebook's ``kernelspec``, or as given for the run.
        owner: the notebook, for messages.
        environment: the environment that it is in; None looks where Jupyter does.

    Raises:
        UnknownKernel: there is none; the message names those there are.
        UnknownEnvironment: the environment has no ipykernel.
    """
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    if environment is not None:
        return _kernel_in(environment, name, owner)
    manager = KernelSpecManager()
    try:
        return manager.get_kernel_spec(name)
    except (NoSuchKernel, ValueError, OSError):
        installed = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        raise UnknownKernel(
            f"{owner}: there is no kernel {name!r} on this machine (installed: {installed}); "
            "install it, or name another one with --kernel or kernel="
        ) from None


def _kernel_in(environment: Environment, name: str, owner: str) -> KernelSpec:
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

    if name == _IPYKERNEL:
        environment.check_ipykernel(owner)
        command = [environment.python, "-m", LAUNCHER, "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name=f"Python 3 ({environment.said})", language="python")
    manager = KernelSpecManager(kernel_dirs=[environment.kernels], ensure_native_kernel=False)
    try:
        spec = manager.get_kernel_spec(name)
    except (NoSuchKernel, ValueError, OSError):
        installed = ", ".join(sorted({_IPYKERNEL, *manager.find_kernel_specs()}))
        raise UnknownKernel(
            f"{owner}: there is no kernel {name!r} in the environment {environment.said} (installed: {installed})"
        ) from None
    if spec.argv[0] in _python_names():  # which Jupyter takes for its own interpreter
        spec.argv[0] = environment.python
    return spec


def forkable_python(spec: KernelSpec) -> str | None:
    """The interpreter of a kernel that can be forked, which is any ipykernel; None for others."""
    if LAUNCHER not in spec.argv:
        return None
    return sys.executable if spec.argv[0] in _python_names() else spec.argv[0]


def _python_names() -> tuple[str, ...]:
    version = sys.version_info
    return ("python", f"python{version[0]}", f"python{version[0]}.{version[1]}")


def preload_of(document: NotebookDocument, given: Sequence[str] | None) -> tuple[str, ...]:
    """The modules that a notebook's kernel is worth being forked with: those given, or those that it imports.

    Raises:
        RunRefused: one of those given is no module's name.
    """
    return document.preload if given is None else check_preload(given, document.path)


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

"""What each kernel needs in an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nb_dagster.runtimes.runtime import KernelName


@dataclass(frozen=True)
class KernelSetup:
    """How a kernel comes into an image.

    Attributes:
        packages: the Python packages it needs.
        system: the Debian packages it needs.
        command: what makes it known to Jupyter, where its package does not.
    """

    packages: tuple[str, ...]
    system: tuple[str, ...] = ()
    command: str | None = None


SETUPS: Mapping[KernelName, KernelSetup] = {
    "python": KernelSetup(("ipykernel",)),
    "bash": KernelSetup(("bash_kernel",), command="python -m bash_kernel.install --sys-prefix"),
    "r": KernelSetup(("jupyter-client",), ("r-cran-irkernel",)),  # Debian's makes itself known to Jupyter
}

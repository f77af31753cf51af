"""Environments for tests, made without a download: they find the packages of this one behind their own."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

OWN_VERSION = "0.0.1"
"""What ``toposort.__version__`` is there, and nowhere else."""


def make_venv(folder: Path, *, has_packages: bool = True) -> Path:
    """A virtual environment with a ``toposort`` of its own."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "toposort.py").write_text(f"__version__ = {OWN_VERSION!r}\n", encoding="utf-8")
    if has_packages:
        (packages / "more.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder


def make_conda(folder: Path, **variables: str) -> Path:
    """A folder of the shape that conda environments have."""
    make_venv(folder)
    (folder / "conda-meta").mkdir()
    (folder / "conda-meta/history").touch()
    said = ", ".join(f'"{name}": "{value}"' for name, value in variables.items())
    (folder / "conda-meta/state").write_text(f'{{"env_vars": {{{said}}}}}', encoding="utf-8")
    return folder

"""The conda environments of this machine, whichever of conda, mamba and micromamba made them, and without asking it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_LIST = "~/.conda/environments.txt"
"""Where all three note each environment that they make, a folder a line."""
_ROOTS = (
    "~/miniforge3",
    "~/mambaforge",
    "~/miniconda3",
    "~/anaconda3",
    "~/micromamba",
    "~/.local/share/mamba",
    "/opt/conda",
)
"""Where they are installed by default."""


def conda_environments() -> dict[str, Path]:
    """The environments by name; ``base`` is the one that conda itself is in. Of two of one name, the nearest counts."""
    roots = list(_roots())
    found: dict[str, Path] = {}
    for folder in _folders(roots):
        if (folder / "conda-meta").is_dir():
            found.setdefault("base" if folder in roots else folder.name, folder)
    return found


def _folders(roots: list[Path]) -> Iterator[Path]:
    """Folders that may be environments."""
    said = os.environ.get("CONDA_ENVS_PATH") or os.environ.get("CONDA_ENVS_DIRS") or ""
    parents = [Path(each) for each in said.split(os.pathsep) if each]
    for parent in (*parents, *(root / "envs" for root in roots), Path("~/.conda/envs").expanduser()):
        yield from sorted(parent.glob("*/"))
    if "CONDA_PREFIX" in os.environ:
        yield Path(os.environ["CONDA_PREFIX"])
    try:
        listed = Path(_LIST).expanduser().read_text(encoding="utf-8").splitlines()
    except OSError:
        listed = []
    yield from (Path(line.strip()) for line in listed if line.strip())
    yield from roots


def _roots() -> Iterator[Path]:
    """Where conda and its like are installed, those that the environment names first."""
    for variable in ("CONDA_EXE", "MAMBA_EXE"):
        if variable in os.environ:
            yield Path(os.environ[variable]).parent.parent
    if "MAMBA_ROOT_PREFIX" in os.environ:
        yield Path(os.environ["MAMBA_ROOT_PREFIX"])
    yield from (Path(each).expanduser() for each in _ROOTS)

"""Existing environments that kernels run in: how they are named, where they are, and what activating one sets."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nb_dagster.errors import RunRefused, UnknownEnvironment
from nb_dagster.kernel.conda import conda_environments

_SAID = re.compile(r"(conda|venv|kernel):(\S(?:.*\S)?)")
_LAUNCHER = "ipykernel_launcher"
_ASK = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({_LAUNCHER!r}) is None)"
_ASK_SECONDS = 30


@dataclass(frozen=True)
class Environment:
    """An existing environment.

    Attributes:
        said: how it is named: ``venv:PATH`` or ``conda:NAME``.
        prefix: its folder.
    """

    said: str
    prefix: Path

    @property
    def python(self) -> str:
        """Its interpreter; not what a link there leads to, which is another one's."""
        return str(self._programs / ("python.exe" if os.name == "nt" else "python"))

    @property
    def kernels(self) -> str:
        """The folder of the kernels that are installed in it."""
        return str(self.prefix / "share" / "jupyter" / "kernels")

    @property
    def _is_conda(self) -> bool:
        return self.said.startswith("conda:")

    @property
    def _programs(self) -> Path:
        if os.name == "nt":
            return self.prefix if self._is_conda else self.prefix / "Scripts"
        return self.prefix / "bin"

    def activated(self, variables: Mapping[str, str]) -> dict[str, str]:
        """These variables as they are when it is activated.

        Args:
            variables: all variables of a process.
        """
        # Of another environment: IPython would add that one's packages.
        others = ("PYTHONHOME", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT")
        found = {name: value for name, value in variables.items() if name not in others}
        found["PATH"] = os.pathsep.join(filter(None, [str(self._programs), found.get("PATH")]))
        if not self._is_conda:
            return {**found, "VIRTUAL_ENV": str(self.prefix)}
        own = {"CONDA_PREFIX": str(self.prefix), "CONDA_DEFAULT_ENV": self.said.partition(":")[2]}
        return {**found, **own, **_conda_variables(self.prefix)}

    def check_ipykernel(self, owner: str) -> None:
        """See that it can run Python notebooks.

        Args:
            owner: the notebook, for messages.

        Raises:
            UnknownEnvironment: it has no ipykernel.
        """
        if any(self.prefix.glob(f"lib/python*/site-packages/{_LAUNCHER}.py")) or self._finds_ipykernel():
            return
        name = self.said.partition(":")[2]
        install = (
            f"conda install --name {name} ipykernel" if self._is_conda else f"{self.python} -m pip install ipykernel"
        )
        raise UnknownEnvironment(f"{owner}: the environment {self.said} has no ipykernel; install it: {install}")

    def _finds_ipykernel(self) -> bool:
        """Whether its interpreter finds it elsewhere than in its own folder, which only that knows."""
        variables = self.activated(os.environ)
        try:
            asked = subprocess.run(
                [self.python, "-c", _ASK], env=variables, capture_output=True, timeout=_ASK_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return asked.returncode == 0


def check_environment(said: object) -> tuple[str, str]:
    """The kind of an environment, and its name.

    Raises:
        RunRefused: it is none.
    """
    match = _SAID.fullmatch(said) if isinstance(said, str) else None
    if match is None or "\0" in match[2]:
        raise RunRefused(f"compute: environment is conda:NAME, venv:PATH or kernel:NAME, not {said!r}")
    return match[1], match[2]


def find_environment(said: str | None, owner: str) -> Environment | None:
    """The environment of that name; None where none is said, or a kernel that knows its own.

    Args:
        said: its name; a path is seen from the current folder.
        owner: the notebook, for messages.

    Raises:
        UnknownEnvironment: there is none; the message names those there are.
    """
    if said is None:
        return None
    kind, name = check_environment(said)
    if kind == "kernel":
        return None
    found = _venv(name, owner) if kind == "venv" else _conda(name, owner)
    environment = Environment(f"venv:{found}" if kind == "venv" else said, found)
    if not os.access(environment.python, os.X_OK):
        raise UnknownEnvironment(f"{owner}: the environment {said} has no interpreter ({environment.python})")
    return environment


def _venv(path: str, owner: str) -> Path:
    folder = Path(os.path.abspath(os.path.expanduser(path)))
    if (folder / "pyvenv.cfg").is_file():
        return folder
    fault = "is no virtual environment" if folder.is_dir() else "does not exist"
    there = sorted(each.parent.name for each in folder.parent.glob("*/pyvenv.cfg"))
    raise UnknownEnvironment(
        f"{owner}: there is no environment venv:{path}: the folder {folder} {fault} "
        f"(those beside it: {', '.join(there) or 'none'}); make one: python -m venv {path}"
    )


def _conda(name: str, owner: str) -> Path:
    there = conda_environments()
    if name not in there:
        known = ", ".join(sorted(there)) or "none"
        raise UnknownEnvironment(f"{owner}: there is no environment conda:{name} on this machine (there are: {known})")
    return there[name]


def _conda_variables(prefix: Path) -> dict[str, str]:
    """What ``conda env config vars`` has set in it."""
    try:
        said = json.loads((prefix / "conda-meta" / "state").read_text(encoding="utf-8"))["env_vars"]
        return {str(name): str(value) for name, value in said.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # none has been set
        return {}

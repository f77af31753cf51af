"""Texts that end up in a Dockerfile. Each has a form, so that none can be an instruction of its own."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any, TypeAlias

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import AfterValidator, BeforeValidator

_HOST = r"[a-zA-Z0-9]+([.-][a-zA-Z0-9]+)*(:[0-9]+)?"
_PATH = r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
_IMAGE = re.compile(rf"({_HOST}/)?{_PATH}(:[\w][\w.-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?", re.ASCII)
_REGISTRY = re.compile(rf"{_HOST}(/{_PATH})?", re.ASCII)
_PYTHON = re.compile(r"3\.[0-9]{1,2}(\.[0-9]{1,2})?", re.ASCII)
_CUDA = re.compile(r"[0-9]{2}\.[0-9]{1,2}\.[0-9]{1,2}", re.ASCII)
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?(=[A-Za-z0-9.+~:-]+)?", re.ASCII)
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_FILE = re.compile(r"[\w.+@-]+(/[\w.+@-]+)*")
_SECRET = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY)$", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]*@")
LOCKS = ("uv.lock", "pylock.toml", "pyproject.toml")
"""Files of packages that are no requirements file."""


def has_password(text: str) -> bool:
    """Whether a text has an address with a password in it."""
    return _PASSWORD.search(text) is not None


def _form(pattern: re.Pattern[str], kind: str, example: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"{text!r} is no {kind}, such as {example!r}")
        return text

    return AfterValidator(check)


def _is_text(version: Any) -> Any:
    if isinstance(version, (int, float)) and not isinstance(version, bool):
        raise ValueError(f"{version} is a number, and 3.10 would be 3.1; write it in quotes, such as '3.12'")
    return version


def _check_package(text: str) -> str:
    try:
        if not text.isprintable():
            raise InvalidRequirement("it has a control character")
        package = str(Requirement(text))
    except InvalidRequirement as error:
        reason = str(error).split("\n", 1)[0]
        raise ValueError(f"{text!r} is no Python package, such as 'pandas>=2.1' ({reason})") from None
    if has_password(package):
        raise ValueError("it has a password, which everybody who has the image could read")
    return package


def check_file(text: str) -> str:
    """A file of the project, as a plain path seen from the project file.

    Raises:
        ValueError: it is another one, or a Dockerfile would read more into it than a name.
    """
    path = PurePosixPath(text)
    if not _FILE.fullmatch(text) or ".." in path.parts or text.startswith("-") or not text.isprintable():
        raise ValueError(f"{text!r} is no plain path of a file beside the project file, such as 'requirements.txt'")
    return str(path)


def _check_packages_file(text: str) -> str:
    path = PurePosixPath(check_file(text))
    if path.name not in LOCKS and path.suffix not in (".txt", ".in"):
        raise ValueError(f"{text!r} is no list, and no file of packages: requirements.txt, {', '.join(LOCKS)}")
    return str(path)


def _check_environment(given: dict[str, str]) -> dict[str, str]:
    for name, value in given.items():
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a variable: letters, digits and _ make one")
        if not value.isprintable():
            raise ValueError(f"the value of {name} is more than one line of printable text")
        if _SECRET.search(name) or has_password(value):
            raise ValueError(
                f"{name} looks like a secret, which everybody who has the image could read; "
                "name it under secrets: of the workflow"
            )
    return given


ImageName: TypeAlias = Annotated[str, _form(_IMAGE, "name of an image", "python:3.12-slim")]
Registry: TypeAlias = Annotated[str, _form(_REGISTRY, "registry", "registry.example.com/team")]
PythonVersion: TypeAlias = Annotated[str, BeforeValidator(_is_text), _form(_PYTHON, "version of Python", "3.12")]
CudaVersion: TypeAlias = Annotated[str, _form(_CUDA, "version of CUDA as the tags of nvidia/cuda have it", "12.6.3")]
SystemPackage: TypeAlias = Annotated[str, _form(_SYSTEM, "Debian package", "libgomp1")]
UserName: TypeAlias = Annotated[str, _form(_USER, "name of a user", "nb")]
Package: TypeAlias = Annotated[str, AfterValidator(_check_package)]
PackagesFile: TypeAlias = Annotated[str, AfterValidator(_check_packages_file)]
ProjectFile: TypeAlias = Annotated[str, AfterValidator(check_file)]
Environment: TypeAlias = Annotated[dict[str, str], AfterValidator(_check_environment)]

"""The runtimes of the old files, and what becomes of their keys."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from nb_dagster.definitions.names import free_name
from nb_dagster.notebook.plain_yaml import Key
from nb_dagster.project.labfile.lines import Became, Line, Row, dropped, lines_of
from nb_dagster.runtimes.runtime import Runtime

RUNTIMES, OF_ALL = "runtimes", "default"
"""The project file's word; and what the one runtime of a whole project of 0.7 is called."""


@dataclass
class MadeRuntime:
    """A runtime that is being made.

    Attributes:
        name: its name.
        folder: the old file's, seen from the project file.
        has_gpu: whether CUDA was put into its image.
        said: what the project file says of it.
    """

    name: str
    folder: str
    has_gpu: bool
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where the project file has it."""
        return f"{RUNTIMES}.{self.name}"

    def take(self, key: str, value: Any, advice: str = "") -> Became:
        """Say a key of it, where it may have that value."""
        try:
            Runtime(**{**self.said, key: value})
        except ValidationError as error:
            return Became(advice=f"{error.errors()[0]['msg'].removeprefix('Value error, ')}; see to it in {self.place}")
        self.said[key] = value
        return Became(f"{self.place}.{key}", advice)


def started_runtimes(*files: Mapping[Any, Any], folder: str) -> dict[str, MadeRuntime]:
    """The runtimes that old files have, by their names there.

    Args:
        *files: what the files say.
        folder: theirs, seen from the project file.
    """
    started: dict[str, MadeRuntime] = {}
    for file in files:
        several = file.get("runtimes")
        found = {**several} if isinstance(several, dict) else {}
        if isinstance(file.get("runtime"), dict):
            found.setdefault(OF_ALL, file["runtime"])
        for name, said in found.items():
            if isinstance(said, dict) and said:
                free = free_name(str(name) or "runtime", {each.name for each in started.values()})
                started[str(name)] = MadeRuntime(free, folder, said.get("gpu_support") is True)
    return started


def convert_runtimes_file(said: Mapping[Any, Any], made: Mapping[str, MadeRuntime]) -> Iterator[Line]:
    """A file of runtimes."""
    yield from lines_of(said, (), made, {}, {"runtimes": convert_runtimes, "runtime": convert_runtime})


def convert_runtimes(said: Mapping[Any, Any], key: Key, made: Mapping[str, MadeRuntime]) -> Iterator[Line]:
    """``runtimes:`` by name."""
    yield from lines_of(said, key, made, {}, dict.fromkeys(said, _convert_named))


def convert_runtime(said: Mapping[Any, Any], key: Key, made: Mapping[str, MadeRuntime]) -> Iterator[Line]:
    """``runtime:`` of 0.7, in which all workflows ran."""
    yield from _convert(said, key, made[OF_ALL])
    words = f"all ran in it; write defaults: {{compute: {{isolation: docker, runtime: {made[OF_ALL].name}}}}}"
    yield Line(key, None, made[OF_ALL].place, words)


def _convert_named(said: Mapping[Any, Any], key: Key, made: Mapping[str, MadeRuntime]) -> Iterator[Line]:
    runtime = made[str(key[-1])]
    yield from _convert(said, key, runtime)
    if key[-1] != runtime.name:
        yield Line(key, key[-1], runtime.place, f"it is called {runtime.name} here, as Dagster takes names")


def _convert(said: Mapping[Any, Any], key: Key, made: MadeRuntime) -> Iterator[Line]:
    yield from lines_of(said, key, made, _ROWS, {"container": _convert, "gpu": _convert, "user": _user})


def _user(said: Mapping[Any, Any], key: Key, made: MadeRuntime) -> Iterator[Line]:
    user = {name: value for name, value in said.items() if name in ("uid", "gid") and value is not None}
    taken = made.take("user", user) if user else Became()
    yield from lines_of(said, key, made, dict.fromkeys(user, lambda _value, _made: taken))


def _image(value: Any, made: MadeRuntime) -> Became:
    if made.has_gpu:
        return Became(
            advice=f"with gpu: the image starts from NVIDIA's; where {value} has CUDA itself, write image: beside gpu: true"
        )
    advice = "it has LabFunctions in it; leave it out, and the image starts from Python's own"
    return made.take("image", str(value), advice if "labfunctions" in str(value) else "")


def _packages(value: Any, made: MadeRuntime) -> Became:
    words = [str(each) for each in value] if isinstance(value, list) else str(value).split()
    return made.take("system", list(dict.fromkeys([*made.said.get("system", []), *words])))


def _requirements(value: Any, made: MadeRuntime) -> Became:
    return made.take("packages", posixpath.normpath(posixpath.join(made.folder, str(value))))


def _gpu_support(value: Any, made: MadeRuntime) -> Became:
    if value is False:
        return Became()
    return made.take("gpu", True) if value is True else Became(advice=_GPU)


def _cuda(value: Any, made: MadeRuntime) -> Became:
    if not made.has_gpu:
        return Became(advice="without gpu_support it was not put in; nothing to do")
    return Became(advice=f"gpu: true has the usual CUDA, not {value}; {_GPU}")


_GENERATED = "the Dockerfile is generated without it; nothing to do"
_GPU = "another one is gpu: with its version as the tags of nvidia/cuda have it, such as 12.6.3"
_ROWS: dict[str, Row] = {
    "image": _image,
    "build_packages": _packages,
    "runtime_packages": _packages,
    "final_packages": _packages,
    "requirements": _requirements,
    "base_template": dropped(
        "a template of your own is template: in the runtime, and other names are in it", unless="Dockerfile.default"
    ),
    "gpu_support": _gpu_support,
    "cuda": _cuda,
    "cudnn": dropped("it comes with NVIDIA's image, or with packages such as torch; nothing to do"),
    "cudnn_major_version": dropped("it comes with NVIDIA's image, or with packages such as torch; nothing to do"),
    "nvidia_gpg_key": dropped(_GENERATED),
    "nvidia_gpg_version": dropped(_GENERATED),
    "maintainer": dropped(_GENERATED),
    "maintener": dropped(_GENERATED),
    "description": dropped("write it as a comment beside the runtime"),
    "version": dropped("the image is built from the commit: nb-dagster runtime build NAME --ref REF"),
    "registry": lambda value, made: made.take("registry", str(value)),
    "machine": dropped("nothing read it; nothing to do"),
    "extra": dropped("values of a template of your own: write them into that template"),
}

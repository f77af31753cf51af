"""Where and with what a notebook runs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias, get_args

from nb_dagster.errors import RunRefused
from nb_dagster.kernel.environment import check_environment
from nb_dagster.kernel.pods.settings import PodSettings, refusal

Isolation: TypeAlias = Literal["process", "docker", "docker-kernel", "k8s", "k8s-kernel"]
ISOLATIONS: tuple[Isolation, ...] = get_args(Isolation)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_USER = re.compile(r"\d+(:\d+)?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
_OF_CONTAINERS = (
    "runtime",
    "version",
    "image",
    "cpus",
    "memory",
    "memory_max",
    "volumes",
    "network",
    "user",
    "shm_size",
)
LEAST_MEMORY = 6 << 20
"""Bytes that an engine asks for, at least."""


@dataclass(frozen=True)
class Compute(PodSettings):
    """Where one workflow runs, and with what; for pods also all that :class:`PodSettings` has.

    Attributes:
        isolation: ``process`` runs the kernel beside its worker; ``docker`` the whole step in a container of its own,
            whose image has Dagster and the project; ``docker-kernel`` only the kernel, whose image needs ipykernel and
            nothing else; ``k8s`` and ``k8s-kernel`` are the same in a pod of Kubernetes.
        runtime: name of a runtime, whose newest image is taken; in Python with its project, as ``shop/train``.
        version: the version of it, where it is not to be the newest.
        image: an image by its own name, in place of a runtime.
        cpus: CPUs it may use, such as 1.5.
        memory: memory it may have, in bytes or as ``512m``, ``2g``; more ends it as out of memory.
        memory_max: memory that retries may have: each has twice that of the attempt before, where that ran out of it.
        environment: the existing environment that its kernel runs in, without a container: ``venv:PATH``,
            ``conda:NAME``, or ``kernel:NAME``, an installed kernel.
        gpus: number of GPUs it gets; without a container, those that no other kernel has on this host.
        volumes: what is mounted: ``/data:/data``, ``./models:/models:ro``, or a named volume, ``cache:/cache``; for a
            pod a folder is one of its node, and a name that of a claim.
        network: network of a container in Docker: ``none``, ``host``, or the name of one.
        env: environment variables of the container.
        user: numbers of the user and group in the container, such as ``1000:1000``; by default the worker's own, to
            whom its files then belong.
        shm_size: shared memory, as ``memory``; torch's data loaders need more than Docker's 64 MB.
        keep_failed: whether the container or pod of a failed step stays, to be looked into; others are removed.

    Raises:
        RunRefused: one of them is none, or needs another isolation.

    Example:
        >>> notebook_asset("train.ipynb", compute=Compute("docker-kernel", image="train:1.4", memory="4g", gpus=1))
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # where it is read from a file

    isolation: Isolation = "process"
    runtime: str | None = None
    version: str | None = None
    image: str | None = None
    environment: str | None = None
    cpus: float | None = None
    memory: str | int | None = None
    gpus: int | None = None
    volumes: list[str] = field(default_factory=list)
    network: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    shm_size: str | int | None = None
    keep_failed: bool = False
    memory_max: str | int | None = None

    def __post_init__(self) -> None:
        if self.isolation not in ISOLATIONS:
            raise refusal("isolation", f"one of {', '.join(ISOLATIONS)}", self.isolation)
        if self.environment is not None:
            self._check_environment()
        if not self.is_container:
            self._check_process()
        elif (self.image is None) == (self.runtime is None) and not self._has_image_of_code:
            raise RunRefused(
                f"compute: isolation {self.isolation} needs an image or a runtime, "
                f"{'and not both' if self.image else 'such as image: python-jupyter:1.0'}"
            )
        self._check_container()
        self._check_pod()

    @property
    def is_container(self) -> bool:
        """Whether a container is made for it, in Docker or in a pod."""
        return self.isolation != "process"

    @property
    def is_pod(self) -> bool:
        """Whether a pod of Kubernetes is made for it."""
        return self.isolation in ("k8s", "k8s-kernel")

    @property
    def is_whole_step(self) -> bool:
        """Whether not only its kernel, but its step is in the container or pod."""
        return self.isolation in ("docker", "k8s")

    @property
    def _has_image_of_code(self) -> bool:
        """Whether it may do without an image of its own, and take that of the code location."""
        return self.isolation == "k8s" and self.image is None

    @property
    def kernel(self) -> str | None:
        """The kernel that it names; None where it names none."""
        kind, name = check_environment(self.environment) if self.environment else ("", None)
        return name if kind == "kernel" else None

    @property
    def memory_bytes(self) -> int | None:
        """Memory it may have, in bytes."""
        return None if self.memory is None else size("memory", self.memory)

    @property
    def memory_max_bytes(self) -> int | None:
        """Memory that retries may have, in bytes."""
        return None if self.memory_max is None else size("memory_max", self.memory_max)

    @property
    def shm_bytes(self) -> int | None:
        """Shared memory, in bytes."""
        return None if self.shm_size is None else size("shm_size", self.shm_size)

    def _check_environment(self) -> None:
        check_environment(self.environment)
        if self.is_container:
            raise RunRefused(
                f"compute: environment is for kernels without a container; with isolation {self.isolation} the image has one"
            )

    def _check_process(self) -> None:
        for name in _OF_CONTAINERS:
            if getattr(self, name):
                raise RunRefused(
                    f"compute: {name} needs a container; say isolation: docker, docker-kernel, k8s or k8s-kernel too"
                )

    def _check_container(self) -> None:
        if self.keep_failed and not self.is_whole_step:
            raise RunRefused(
                "compute: keep_failed is for isolation docker and k8s, where a whole step is in the container"
            )
        if self.version is not None and self.runtime is None:
            raise RunRefused("compute: version is that of a runtime; say runtime: too")
        if self.image is not None and not _IMAGE.fullmatch(self.image):
            raise refusal("image", "an image's name, such as registry/team/train:1.4", self.image)
        self._check_resources()
        for each in self.volumes:
            check_volume(each)
        if self.user is not None and not _USER.fullmatch(self.user):
            raise refusal("user", "numbers of a user and a group, such as 1000:1000", self.user)
        for name, value in self.env.items():
            if not _VARIABLE.fullmatch(name) or not isinstance(value, str) or "\0" in value:
                raise refusal("env", "variables by name, with text for values", name)

    def _check_pod(self) -> None:
        if not self.is_pod:
            if said := self.said_of_pods():
                raise RunRefused(f"compute: {said[0]} is for pods; say isolation: k8s or isolation: k8s-kernel too")
            return
        if self.network is not None:
            raise RunRefused(
                "compute: network is Docker's; a pod's is the cluster's, and its network policies say what it may"
            )
        if self.gpu_type is not None and self.gpus is None:
            raise RunRefused("compute: gpu_type is that of its GPUs; say gpus: 1 too")
        self.check_pod()

    def _check_resources(self) -> None:
        if self.cpus is not None and not (_is_number(self.cpus) and self.cpus >= 0.01):
            raise refusal("cpus", "a number of CPUs, such as 1.5", self.cpus)
        if self.gpus is not None and (type(self.gpus) is not int or self.gpus < 1):
            raise refusal("gpus", "a whole number from 1", self.gpus)
        if (self.memory_bytes or LEAST_MEMORY) < LEAST_MEMORY:
            raise refusal("memory", f"at least {LEAST_MEMORY >> 20}m", self.memory)
        memory, most = self.memory_bytes, self.memory_max_bytes
        if most is not None and (not memory or most <= memory):
            raise refusal("memory_max", "more than memory, which it needs beside it", self.memory_max)
        if self.shm_bytes == 0:
            raise refusal("shm_size", "more than nothing", self.shm_size)


def size(name: str, given: str | int) -> int:
    """Bytes of a size such as ``2g``.

    Raises:
        RunRefused: it is none.
    """
    match = _SIZE.fullmatch(str(given).strip())
    if match is None or isinstance(given, bool):
        raise refusal(name, "bytes, or a size such as 512m or 2g", given)
    return int(float(match[1]) * _UNITS[match[2].lower()])


def check_volume(given: str) -> tuple[str, str, str]:
    """Source, target and mode of a volume.

    Raises:
        RunRefused: it is none.
    """
    parts = given.split(":") if isinstance(given, str) else []
    source, target, mode = [*parts, "rw"][:3] if 2 <= len(parts) <= 3 else ("", "", "")
    is_place = source.startswith(("/", "./", "../")) or re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", source)
    if not is_place or not os.path.isabs(target) or mode not in ("ro", "rw") or "\0" in given:
        raise refusal(
            "volumes", "SOURCE:TARGET or SOURCE:TARGET:ro, where SOURCE is a path (/… or ./…) or a volume's name", given
        )
    return source, target, mode


def _is_number(given: object) -> bool:
    return isinstance(given, (int, float)) and not isinstance(given, bool)


IN_PROCESS = Compute()

"""Where Dagster itself runs, for the containers that it starts beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dagster._core.executor.step_delegating import StepHandlerContext


@dataclass(frozen=True)
class Deployment:
    """What a step's container takes over from the deployment.

    Attributes:
        is_in_container: whether the code location is in a container itself, whose image has the code.
        code: folders of the code, where it is on this machine.
        history: Dagster's own folder, where it has one.
        environment: variables that the code location, or Dagster's launcher of runs, gives to containers.
        network: the network that these give.
        volumes: the volumes that these give, but for the engine's socket, which no step needs.
    """

    is_in_container: bool
    code: tuple[str, ...]
    history: str | None
    environment: Mapping[str, str]
    network: str | None
    volumes: tuple[str, ...]

    @classmethod
    def of(cls, context: StepHandlerContext) -> Deployment:
        """The deployment that a step is in."""
        origin = context.execute_step_args.job_origin.repository_origin
        launcher: Any = context.instance.run_launcher
        is_docker = type(launcher).__name__ == "DockerRunLauncher"  # of dagster-docker, which need not be there
        said = {**(origin.container_context or {})}
        docker = {**said, **said.get("docker", {})}
        names = [
            *(launcher.env_vars or [] if is_docker else []),
            *said.get("env_vars", []),
            *docker.get("env_vars", []),
        ]
        networks = [docker.get("network"), *docker.get("networks", []), *(launcher.networks if is_docker else [])]
        return cls(
            is_in_container=origin.container_image is not None,
            code=tuple(_folders(origin.code_pointer)),
            history=_history(context),
            environment=dict(_variables(names)),
            volumes=tuple(_volumes(launcher if is_docker else None, docker)),
            network=next((each for each in networks if each), None),
        )


def _folders(pointer: Any) -> Iterator[str]:
    """The folders that a code pointer leads to."""
    inner = getattr(pointer, "reconstructor_pointer", None)
    if inner is not None:
        yield from _folders(inner)
    if getattr(pointer, "working_directory", None):
        yield os.path.abspath(pointer.working_directory)
    if getattr(pointer, "python_file", None):
        yield os.path.dirname(os.path.abspath(pointer.python_file))


def _volumes(launcher: Any, said: Mapping[str, Any]) -> Iterator[str]:
    """``SOURCE:TARGET`` or ``SOURCE:TARGET:ro``, as Docker's own forms of it say them."""
    for options in (
        (launcher.container_kwargs or {}) if launcher is not None else {},
        said.get("container_kwargs", {}),
    ):
        given = options.get("volumes") or []
        if isinstance(given, Mapping):
            given = [f"{source}:{each['bind']}:{each.get('mode', 'rw')}" for source, each in given.items()]
        yield from (each for each in given if not each.split(":", 1)[0].endswith("docker.sock"))


def _history(context: StepHandlerContext) -> str | None:
    try:
        return str(context.instance.root_directory)
    except Exception:  # one that has no folder says so by raising
        return None


def _variables(given: list[str]) -> Iterator[tuple[str, str]]:
    """``NAME=value``, or ``NAME`` for this process's own."""
    for each in given:
        name, has_value, value = each.partition("=")
        if has_value or name in os.environ:
            yield name, value if has_value else os.environ[name]

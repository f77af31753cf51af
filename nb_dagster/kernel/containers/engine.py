"""The Docker engine: how it is reached, and what it is asked for so that a container can be made."""

from __future__ import annotations

import functools
import importlib.util
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nb_dagster.errors import RunRefused
from nb_dagster.kernel.compute import Compute, check_volume
from nb_dagster.kernel.folders import is_abandoned
from nb_dagster.kernel.machine import machine
from nb_dagster.kernel.remote import EngineFailed

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container as DockerContainer

FOLDER_LABEL = "nb_dagster.folder"
"""Label of a container: the private folder whose owner it ends with."""
MACHINE_LABEL = "nb_dagster.machine"
"""Label of a container: the machine that folder is on."""
KEPT_LABEL = "nb_dagster.kept"
"""Label of a container that may stay when its owner is gone, to be looked into."""
_PAUSES = (0.1, 0.5, 2)  # seconds between attempts
_CONNECTIONS = 100  # each container that runs is waited for on one
PROGRAM = Path(__file__).with_name("in_container.py")


def check_sdk(compute: Compute) -> None:
    """See that the Docker SDK is there, where a container is asked for.

    Raises:
        RunRefused: it is not installed.
    """
    if compute.is_container and not compute.is_pod and importlib.util.find_spec("docker") is None:
        raise RunRefused(
            f"compute: isolation {compute.isolation} needs the Docker SDK: pip install 'nb_dagster[docker]'"
        )


@functools.cache
def engine() -> DockerClient:
    """The engine that the environment names (``DOCKER_HOST``), as Docker's own command finds it.

    Raises:
        EngineFailed: none answers.
    """
    import docker

    try:
        client = docker.from_env(max_pool_size=_CONNECTIONS)
        client.ping()
    except Exception as error:
        raise EngineFailed(f"no Docker engine answers ({first_line(error)})") from None
    _sweep(client)
    return client


def create(image: str, command: list[str], compute: Compute, **more: Any) -> DockerContainer:
    """A container that waits for its start; its image is pulled where the engine has none of that name.

    Args:
        image: the image's name.
        command: what is run in it, with all its arguments.
        compute: what it may use.
        **more: what the SDK's ``containers.create`` takes too.

    Raises:
        EngineFailed: there is no such image, or the engine refuses it.
    """
    from docker.errors import DockerException, ImageNotFound

    client = engine()
    more["labels"] = {MACHINE_LABEL: machine(), **more.get("labels", {})}
    arguments = {**settings(compute), **more, "entrypoint": command[:1], "command": command[1:]}
    try:
        try:
            return client.containers.create(image, **arguments)
        except ImageNotFound:
            client.images.pull(image)
            return client.containers.create(image, **arguments)
    except ImageNotFound as error:
        raise EngineFailed(f"there is no image {image!r}, here or to be pulled ({first_line(error)})") from None
    except DockerException as error:
        raise EngineFailed(f"the engine makes no container of {image!r} ({first_line(error)})") from None


def settings(compute: Compute) -> dict[str, Any]:
    """What the engine is told of a container's resources."""
    from docker.types import DeviceRequest

    gpus = [DeviceRequest(count=compute.gpus, capabilities=[["gpu"]])] if compute.gpus else None
    memory = compute.memory_bytes
    return {
        "init": True,  # forwards signals, and reaps what the kernel leaves
        "nano_cpus": None if compute.cpus is None else round(compute.cpus * 1e9),
        "mem_limit": memory,
        "memswap_limit": memory,  # no swap: what is too much ends at once
        "shm_size": compute.shm_bytes,
        "network": compute.network,
        "device_requests": gpus,
        "user": compute.user or (f"{os.getuid()}:{os.getgid()}" if hasattr(os, "getuid") else None),
    }


def mounts(compute: Compute, *own: str | os.PathLike[str]) -> list[Any]:
    """The volumes, and folders of this machine that are where they are in the container too, but where a volume is."""
    from docker.types import Mount

    said = list(map(check_volume, compute.volumes))
    taken = {os.path.normpath(target) for _, target, _ in said}
    bound = [Mount(path, path, "bind") for path in dict.fromkeys(map(os.path.abspath, own)) if path not in taken]
    for source, target, mode in said:
        is_path = source.startswith((".", "/"))
        where = os.path.abspath(source) if is_path else source
        bound.append(Mount(target, where, "bind" if is_path else "volume", read_only=mode == "ro"))
    return bound


def remove(client: DockerClient, container: str) -> None:
    """Remove a container, and end it where it still runs; one that cannot be removed is left to who sweeps next."""
    from docker.errors import APIError, NotFound

    for pause in _PAUSES:
        try:
            client.api.remove_container(container, force=True, v=True)
        except NotFound:
            return
        except (APIError, OSError):  # it is being removed, or the engine is busy, or away
            time.sleep(pause)
        else:
            return


def first_line(error: BaseException) -> str:
    """What an error of the SDK says, without its addresses and codes."""
    said = str(getattr(error, "explanation", None) or error).strip().splitlines()
    return said[0][:300] if said else type(error).__name__


def _sweep(client: DockerClient) -> None:
    """Remove the containers of processes of this machine that are gone."""
    # The low-level list: the other one asks for each, and fails where one has gone meanwhile.
    for container in client.api.containers(all=True, filters={"label": f"{MACHINE_LABEL}={machine()}"}):
        labels = container["Labels"]
        if is_abandoned(Path(labels.get(FOLDER_LABEL, ""))) and KEPT_LABEL not in labels:
            remove(client, container["Id"])


if hasattr(os, "register_at_fork"):  # connections are their process's own
    os.register_at_fork(after_in_child=engine.cache_clear)

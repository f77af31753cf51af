"""The Docker engine that this machine's settings name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from nb_dagster.errors import RunRefused
from nb_dagster.kernel.remote import EngineFailed


@contextlib.contextmanager
def docker_engine() -> Iterator[Any]:
    """A client of the engine (``docker.DockerClient``), which is asked as ``docker`` asks it.

    Raises:
        RunRefused: the Docker SDK is not installed.
        EngineFailed: the engine cannot be reached, or what is done in the block fails there.
    """
    try:
        import docker
        from docker.errors import APIError, DockerException
    except ImportError:
        raise RunRefused("images need the Docker SDK: pip install 'nb_dagster[docker]'") from None
    try:
        client = docker.from_env()
    except DockerException as error:
        raise EngineFailed(
            f"the Docker engine cannot be reached; is it running, as DOCKER_HOST says? ({error})"
        ) from None
    try:
        client.ping()
        yield client
    except APIError as error:
        raise EngineFailed(f"the Docker engine refuses it: {error.explanation or error}") from None
    except DockerException as error:
        raise EngineFailed(f"the Docker engine fails: {error}") from None
    finally:
        client.close()

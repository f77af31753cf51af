"""Images sent to a registry."""

from __future__ import annotations

from collections.abc import Callable

from nb_dagster.kernel.remote import EngineFailed
from nb_dagster.runtimes.engine import docker_engine


def push(tag: str, listen: Callable[[str], None] = lambda _: None) -> None:
    """Push an image, with the credentials that ``docker login`` has kept.

    Args:
        tag: its name and tag.
        listen: takes each line that the engine says.

    Raises:
        EngineFailed: the engine or the registry does not take it.
    """
    repository, version = tag.rsplit(":", 1)
    with docker_engine() as client:
        for event in client.api.push(repository, tag=version, stream=True, decode=True):
            if "error" in event:
                raise EngineFailed(f"{tag} was not pushed: {event['error'].strip()}")
            if "status" in event and "progress" not in event:
                listen(" ".join(filter(None, (event.get("id"), event["status"]))))

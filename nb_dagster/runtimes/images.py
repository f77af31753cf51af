"""The images of runtimes that the engine has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nb_dagster.errors import RunRefused
from nb_dagster.runtimes.engine import docker_engine
from nb_dagster.runtimes.image import PROJECT, RUNTIME, RuntimeImage, from_engine


@dataclass(frozen=True)
class Pruned:
    """What became of images that are old.

    Attributes:
        removed: those that are gone.
        kept: those that a container still has.
    """

    removed: list[RuntimeImage]
    kept: list[RuntimeImage]


def all_images(project: str, runtime: str | None = None) -> list[RuntimeImage]:
    """The images of a project, or of one of its runtimes, the one built last first.

    Raises:
        EngineFailed: the engine does not answer.
    """
    with docker_engine() as client:
        return images_of(client, project, runtime)


def image_of(project: str, runtime: str, version: str | None = None) -> str:
    """The name and tag of a runtime's image: of the one built last, or of the last of a version.

    Args:
        project: the project's name.
        runtime: the runtime's name.
        version: a version of the code, as ``nb-dagster runtime list`` shows it, or a whole tag.

    Raises:
        RunRefused: there is none.
        EngineFailed: the engine does not answer.
    """
    found = all_images(project, runtime)
    wanted = [each for each in found if version in (None, each.version, each.tag, each.tag.rsplit(":", 1)[-1])]
    if wanted:
        return wanted[0].tag
    what = f"the runtime {runtime!r} of {project!r} has no image"
    if not found:
        raise RunRefused(f"{what}; build it with: nb-dagster runtime build {runtime}")
    known = ", ".join(dict.fromkeys(each.version for each in found))
    raise RunRefused(
        f"{what} of version {version!r} (it has {known}); build it with: "
        f"nb-dagster runtime build {runtime} --ref {version}"
    )


def prune(project: str, runtime: str, keep: int) -> Pruned:
    """Remove all images of a runtime but the last ones; those that a container has stay.

    Args:
        project: the project's name.
        runtime: the runtime's name.
        keep: how many stay.

    Raises:
        EngineFailed: the engine does not answer.
    """
    from docker.errors import APIError, ImageNotFound

    pruned = Pruned([], [])
    with docker_engine() as client:
        for each in images_of(client, project, runtime)[keep:]:
            try:
                client.images.remove(each.tag)
            except ImageNotFound:
                continue  # somebody else was quicker
            except APIError as error:
                if error.status_code != 409:
                    raise
                pruned.kept.append(each)
            else:
                pruned.removed.append(each)
    return pruned


def images_of(client: Any, project: str, runtime: str | None = None) -> list[RuntimeImage]:
    """The same as ``all_images``, of an engine that is open."""
    from docker.errors import ImageNotFound

    labels = [f"{PROJECT}={project}", *([f"{RUNTIME}={runtime}"] if runtime else [])]
    found = []
    for each in client.api.images(filters={"label": labels}):
        try:
            image = from_engine(client.api.inspect_image(each["Id"]))
        except ImageNotFound:
            continue  # removed meanwhile
        if image is not None:
            found.append(image)
    return sorted(found, key=lambda each: (each.created, each.tag), reverse=True)

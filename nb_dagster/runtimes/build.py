"""From code and runtime to an image."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nb_dagster.kernel.remote import EngineFailed
from nb_dagster.runtimes import image as labels
from nb_dagster.runtimes.checkout import Checkout
from nb_dagster.runtimes.context import BuildContext, pack
from nb_dagster.runtimes.dockerfile import dockerfile
from nb_dagster.runtimes.engine import docker_engine
from nb_dagster.runtimes.image import RuntimeImage, from_engine, repository_of, tag_of
from nb_dagster.runtimes.package_files import package_files
from nb_dagster.runtimes.runtime import Runtime

_STEP = re.compile(r"Step (\d+/\d+) : (.*)")
_LAST_LINES = 20


@dataclass(frozen=True)
class Built:
    """What became of a build.

    Attributes:
        image: the image.
        is_new: whether it was built; else it was there already.
        left_out: files of the code that are not in it, because they are named like secrets.
    """

    image: RuntimeImage
    is_new: bool
    left_out: list[str]


class BuildFailed(EngineFailed):
    """A step of a Dockerfile that failed; there is no image of it.

    Attributes:
        step: the step.
        lines: the last of what it said.
    """

    def __init__(self, step: str, error: str, lines: Iterable[str]) -> None:
        self.step, self.lines = step, list(lines)
        super().__init__("\n".join([f"{step} failed: {error}", *(f"  {each}" for each in self.lines)]))


def build(
    project: str, name: str, runtime: Runtime, checkout: Checkout, listen: Callable[[str], None] = lambda _: None
) -> Built:
    """Build the image of a runtime; where the engine has it already, nothing is done.

    Args:
        project: the project's name.
        name: the runtime's name.
        runtime: what it declares.
        checkout: the code.
        listen: takes each line that the engine says.

    Raises:
        RuntimeRefused: a file that the runtime names is missing or wrong.
        BuildFailed: a step fails.
        EngineFailed: the engine does not answer.
    """
    text = dockerfile(name, runtime, checkout.folder)
    file = f"Dockerfile.{name}"
    needed = package_files(checkout.folder, runtime.packages) if isinstance(runtime.packages, str) else ()
    with docker_engine() as client, pack(checkout, file, text, needed) as context:
        tag = f"{repository_of(project, name, runtime.registry)}:{tag_of(checkout.version, context.key)}"
        about = {
            labels.PROJECT: project,
            labels.RUNTIME: name,
            labels.VERSION: checkout.version,
            labels.CONTENT: context.key,
            labels.DOCKERFILE: hashlib.sha256(text.encode()).hexdigest(),
            labels.DIRTY: "true" if checkout.is_dirty else "false",
            **({labels.REVISION: checkout.revision} if checkout.revision else {}),
            "org.opencontainers.image.title": f"{project} {name}",
            "org.opencontainers.image.version": checkout.version,
        }
        found = _find(client, tag)
        if found is not None and (found.content, found.project, found.runtime) == (context.key, project, name):
            return Built(found, is_new=False, left_out=context.left_out)
        _send(client, context, tag, about, listen)
        made = _find(client, tag)
        if made is None:
            raise EngineFailed(f"{tag} was built and is gone; was it removed meanwhile?")
        return Built(made, is_new=True, left_out=context.left_out)


def _find(client: Any, tag: str) -> RuntimeImage | None:
    from docker.errors import ImageNotFound

    try:
        return from_engine(client.api.inspect_image(tag))
    except ImageNotFound:
        return None


def _send(
    client: Any, context: BuildContext, tag: str, about: Mapping[str, str], listen: Callable[[str], None]
) -> None:
    said = client.api.build(
        fileobj=context.file,
        custom_context=True,
        dockerfile=context.dockerfile,
        tag=tag,
        labels=dict(about),
        rm=True,
        forcerm=True,  # a failed step leaves no container
        decode=True,
    )
    step, lines = "the build", deque[str](maxlen=_LAST_LINES)
    try:
        for line in _lines(said):
            listen(line)
            if match := _STEP.match(line):
                step = f"step {match[1]} ({re.sub(r'[ ]{2,}', ' ', match[2])})"
                lines.clear()
            else:
                lines.append(line)
    except _Failed as failed:
        raise BuildFailed(step, str(failed), lines) from None


class _Failed(Exception):
    """What the engine says last of a build that fails."""


def _lines(said: Iterable[Any]) -> Iterator[str]:
    """The lines that the engine says, which come in pieces."""
    rest = ""
    for event in said:
        *whole, rest = (rest + str(event.get("stream", ""))).split("\n")
        if "error" in event:
            whole, rest = [*whole, rest], ""
        yield from (line.rstrip() for line in whole if line.strip())
        if "error" in event:
            raise _Failed(event["error"].strip())
    if rest.strip():
        yield rest.rstrip()

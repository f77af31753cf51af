"""An image of a runtime: what it is called, and what its labels say of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

PROJECT = "nb_dagster.project"
RUNTIME = "nb_dagster.runtime"
VERSION = "nb_dagster.version"
CONTENT = "nb_dagster.content"
DOCKERFILE = "nb_dagster.dockerfile"
DIRTY = "nb_dagster.dirty"
REVISION = "org.opencontainers.image.revision"
_KEY_LENGTH = 12


@dataclass(frozen=True)
class RuntimeImage:
    """An image of a runtime.

    Attributes:
        tag: its name and tag, such as ``shop-train:v1.2-0f3a9c2b41de``.
        id: the engine's name for it.
        project: the project.
        runtime: the runtime.
        version: the version of the code.
        revision: the commit of the code; None outside of git.
        is_dirty: whether the code is not all in that commit.
        content: the SHA-256 of code and Dockerfile.
        created: when it was built, ISO 8601.
        size: in bytes.
    """

    tag: str
    id: str
    project: str
    runtime: str
    version: str
    revision: str | None
    is_dirty: bool
    content: str
    created: str
    size: int

    def to_json(self) -> dict[str, Any]:
        """It as JSON has it."""
        plain = asdict(self)
        dirty = plain.pop("is_dirty")
        return {**plain, "dirty": dirty}


def from_engine(attributes: Mapping[str, Any]) -> RuntimeImage | None:
    """An image of what the engine tells of it; None where it has lost its name, or is none of ours."""
    labels = attributes["Config"].get("Labels") or {}
    if not {PROJECT, RUNTIME, VERSION, CONTENT} <= {*labels}:
        return None
    ending = f":{tag_of(labels[VERSION], labels[CONTENT])}"
    tags = sorted(each for each in attributes.get("RepoTags") or () if each.endswith(ending))
    if not tags:
        return None
    return RuntimeImage(
        tags[0],
        attributes["Id"],
        labels[PROJECT],
        labels[RUNTIME],
        labels[VERSION],
        labels.get(REVISION) or None,
        labels.get(DIRTY) == "true",
        labels[CONTENT],
        attributes["Created"],
        attributes["Size"],
    )


def repository_of(project: str, runtime: str, registry: str | None = None) -> str:
    """The name of a runtime's images, of the characters that Docker takes."""
    plain = re.sub(r"[^a-z0-9]+", "-", f"{project}-{runtime}".lower()).strip("-")
    return f"{registry}/{plain}" if registry else plain


def tag_of(version: str, content: str) -> str:
    """The tag of a version with a content, of the characters that Docker takes."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", version).lstrip(".-")[: 127 - _KEY_LENGTH]
    return f"{plain}-{content[:_KEY_LENGTH]}"

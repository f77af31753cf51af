"""What a workflow says in the API's own words, held against the API's models before anything starts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from nb_dagster.errors import RunRefused
from nb_dagster.kernel.compute import Compute
from nb_dagster.kernel.pods.cluster import check_client
from nb_dagster.kernel.pods.manifest import CONTAINER

Key: TypeAlias = tuple[str | int, ...]
_MODELS = {
    "affinity": "V1Affinity",
    "tolerations": "list[V1Toleration]",
    "pod_spec": "V1PodSpec",
    "container": "V1Container",
}
_OURS: dict[Key, str] = {
    ("container", "name"): f"it is {CONTAINER}, as Dagster calls its own",
    ("container", "command"): "it is what starts the kernel or step",
    ("container", "args"): "they belong to what starts the kernel or step",
    ("pod_spec", "restartPolicy"): "it is Never: retries are Dagster's, each an attempt of its own",
}
_PLAIN: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text (in quotes, where YAML sees something else)"),
    "int": ((int,), "a whole number"),
    "float": ((int, float), "a number"),
    "bool": ((bool,), "true or false"),
}
_OF = re.compile(r"(list|dict)\[(?:str, )?(.+)\]")
_NOTHING = re.compile(r"Invalid value for `(\w+)`, must not be `None`")


def check_own_words(compute: Compute) -> None:
    """See that ``affinity``, ``tolerations``, ``pod_spec`` and ``container`` are what the API takes.

    Raises:
        RunRefused: one is not, and the message names its key; or the client, which knows that, is not installed.
    """
    for key, words in wrong_words(compute):
        raise RunRefused(f"compute: {_place(key)}: {words}")


def wrong_words(compute: Compute) -> Iterator[tuple[Key, str]]:
    """Each key of them that the API does not take, and why.

    Raises:
        RunRefused: the client is not installed.
    """
    said = {name: given for name in _MODELS if (given := getattr(compute, name))}
    if not said:  # the client takes long to be imported
        return
    check_client(compute)
    for key, words in _OURS.items():
        if key[1] in said.get(str(key[0]), ()):
            yield key, f"{words}; leave it out"
    for number, each in enumerate(compute.pod_spec.get("containers") or ()):
        if isinstance(each, Mapping) and each.get("name") == CONTAINER:
            yield ("pod_spec", "containers", number, "name"), "so the notebook's own is called; say another one"
    for name, given in said.items():
        yield from _wrong((name,), given, _MODELS[name])


def _wrong(key: Key, given: object, kind: str) -> Iterator[tuple[Key, str]]:
    """What is wrong with a value of a kind, as the client's models write kinds."""
    if given is None or kind == "object":
        return
    if kind in _PLAIN:
        types, expected = _PLAIN[kind]
        if not isinstance(given, types) or (isinstance(given, bool) and kind != "bool"):
            yield key, f"expected {expected}, found {given!r}"
    elif found := _OF.fullmatch(kind):
        yield from _wrong_in(key, given, found[1], found[2])
    elif not isinstance(given, Mapping):
        yield key, f"expected a mapping, found {given!r}"
    else:
        yield from _wrong_of_model(key, given, kind)


def _wrong_in(key: Key, given: object, whole: str, kind: str) -> Iterator[tuple[Key, str]]:
    if not isinstance(given, list if whole == "list" else Mapping):
        yield key, f"expected a {'list' if whole == 'list' else 'mapping'}, found {given!r}"
        return
    for part, value in enumerate(given) if isinstance(given, list) else given.items():
        yield from _wrong((*key, part), value, kind)


def _wrong_of_model(key: Key, given: Mapping[str, object], kind: str) -> Iterator[tuple[Key, str]]:
    from kubernetes.client import models

    model: Any = getattr(models, kind, None)
    if model is None:  # a moment, which is text here
        return
    attributes = {written: attribute for attribute, written in model.attribute_map.items()}
    for name in given:
        if name not in attributes:
            near = difflib.get_close_matches(str(name), attributes, n=1)
            yield (*key, name), f"there is no such key{f' (did you mean {near[0]}?)' if near else ''}"
    known = {attributes[name]: value for name, value in given.items() if name in attributes}
    for attribute, value in known.items():
        yield from _wrong((*key, model.attribute_map[attribute]), value, model.openapi_types[attribute])
    if len(key) > 1 or key[0] == "affinity":  # of pod and container we bring what they need
        yield from _lacks(key, model, known)


def _lacks(key: Key, model: Any, known: Mapping[str, object]) -> Iterator[tuple[Key, str]]:
    try:
        model(**known)
    except ValueError as error:
        missing = _NOTHING.match(str(error))
        name = model.attribute_map[missing[1]] if missing else ""
        yield key, f"there is no {name} in it, which it needs" if missing else str(error)


def _place(key: Key) -> str:
    """A key as it is written: ``pod_spec.containers[0].image``."""
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in key).removeprefix(".")

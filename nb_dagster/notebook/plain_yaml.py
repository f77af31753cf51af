"""YAML as plain values, with the place of each: what JSON knows, and text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nb_dagster.notebook.types import JSON, describe

if TYPE_CHECKING:
    import yaml

Key: TypeAlias = tuple[str | int, ...]
"""Where a value is: names of mappings and numbers of lists, from the outside in."""

MAX_VALUES = 100_000
"""How many values a file with aliases may mean; a few lines of them can mean a billion."""
_NO_TEXT = {
    "int": r"[+-]?(0|[1-9][0-9]*)\Z",
    "float": r"[+-]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][+-]?[0-9]+)?\Z",
    "bool": r"(true|True|TRUE|false|False|FALSE)\Z",
    "null": r"(~|null|Null|NULL|)\Z",
}
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")


@dataclass(frozen=True)
class PlainYaml:
    """What a YAML text says.

    Attributes:
        value: its value; None of an empty text.
        places: line and column, from 1, of each value: where its name begins, or its item in a list.
    """

    value: JSON
    places: Mapping[Key, tuple[int, int]]


def parse_yaml(text: str, *, has_aliases: bool) -> PlainYaml:
    """Read YAML whose plain words are what JSON knows, or text: ``010``, ``12:30``, ``yes`` and ``2026-01-31`` too.

    YAML 1.1 has them as 8, 750, true and a date; here, what takes the value says what a text means.

    Args:
        text: the YAML.
        has_aliases: whether it may say a value once and mean it again.

    Raises:
        ValueError: it is no YAML, has a name twice in one mapping, or more in it than data.
        RecursionError: it is nested too deep.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent) and not has_aliases:
                line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
                raise ValueError(f"line {line} has an alias; write the value out")
            return super().compose_node(parent, index)

    Loader.yaml_implicit_resolvers = {}
    for kind, pattern in _NO_TEXT.items():
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(pattern), None)
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        if node is None:
            return PlainYaml(None, {})
        builder = _Builder(loader, has_aliases=has_aliases)
        return PlainYaml(builder.build(node, ()), builder.places)
    except yaml.MarkedYAMLError as error:
        raise ValueError(_in_words(error)) from None
    except (yaml.YAMLError, TypeError) as error:  # a list for a name, too
        raise ValueError(str(error).replace("\n", " ")) from None


def dump_yaml(value: JSON) -> str:
    r"""A value as YAML that :func:`parse_yaml` reads back as it was, and so does YAML 1.1.

    Example:
        >>> dump_yaml({"day": "2026-01-31", "n": 3})
        "day: '2026-01-31'\nn: 3\n"
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - every value is written out
            return True

        def represent_str(self, data: str) -> Any:
            style = '"' if _LINE_ENDS.search(data) else None  # in other quotes they would be read as \n
            return self.represent_scalar("tag:yaml.org,2002:str", data, style)

    Dumper.add_representer(str, Dumper.represent_str)
    for kind, pattern in _NO_TEXT.items():  # a text that is one of these for us is put in quotes
        Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(pattern), None)
    return str(yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120))


class _Builder:
    """Makes values of nodes, and remembers where they were.

    Args:
        loader: makes what is neither mapping nor list.
        has_aliases: whether a node may be met more than once.
    """

    def __init__(self, loader: yaml.SafeLoader, *, has_aliases: bool) -> None:
        self.places: dict[Key, tuple[int, int]] = {}
        self._loader, self._has_aliases = loader, has_aliases

    def build(self, node: Any, key: Key) -> Any:
        if self._has_aliases and len(self.places) > MAX_VALUES:
            raise ValueError(f"it has aliases that mean more than {MAX_VALUES:,} values")
        if node.tag == "tag:yaml.org,2002:map":
            return self._build_mapping(node, key)
        if node.tag == "tag:yaml.org,2002:seq":
            return [self._build_at(each, each, (*key, number)) for number, each in enumerate(node.value)]
        return self._loader.construct_object(node, deep=True)

    def _build_mapping(self, node: Any, key: Key) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        for name_node, value_node in node.value:
            name = self._loader.construct_object(name_node, deep=True)
            if name in values:
                line = name_node.start_mark.line + 1
                raise ValueError(f"{describe(name)} is in one mapping twice (line {line})")
            values[name] = self._build_at(name_node, value_node, (*key, name))
        return values

    def _build_at(self, place: Any, node: Any, key: Key) -> Any:
        self.places[key] = (place.start_mark.line + 1, place.start_mark.column + 1)
        return self.build(node, key)


def _in_words(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return " ".join(filter(None, (error.context, error.problem))) + place

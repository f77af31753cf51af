"""Where settings were written, and how what is wrong with them is told."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from nb_dagster.notebook.plain_yaml import Key, parse_yaml
from nb_dagster.notebook.types import JSON, describe
from nb_dagster.project.problems import Level, Problem, ProjectRefused
from nb_dagster.project.words import nearest

Model = TypeVar("Model", bound=BaseModel)
MAX_BYTES = 10_000_000
"""More takes YAML minutes to read."""


@dataclass(frozen=True)
class Source:
    """A mapping of settings as its author wrote it.

    Attributes:
        file: the file it is in, as messages name it.
        value: what it says.
        places: line and column of each value in it.
        prefix: where in the file it is.
    """

    file: str
    value: JSON
    places: Mapping[Key, tuple[int, int]] = field(default_factory=dict)
    prefix: Key = ()

    @classmethod
    def read(cls, path: Path) -> Source:
        """Read a YAML file.

        Raises:
            ProjectRefused: it cannot be read, or is no YAML of plain data.
        """
        try:
            raw = path.read_bytes()
            if len(raw) > MAX_BYTES:
                raise ValueError(f"it has more than {MAX_BYTES // 1_000_000} MB")
            read = parse_yaml(raw.decode("utf-8-sig"), has_aliases=True)
        except RecursionError:
            raise ProjectRefused([Problem("it is nested too deep", str(path))]) from None
        except (OSError, ValueError) as error:
            raise ProjectRefused([Problem(f"it cannot be read as YAML: {error}", str(path))]) from None
        return cls(str(path), read.value, read.places)

    def problem(self, key: Key, message: str, level: Level = "error") -> Problem:
        """A problem at a key, or at the nearest one around it that is written here."""
        places = (self.places[key[:length]] for length in range(len(key), 0, -1) if key[:length] in self.places)
        line, column = next(places, (None, None))
        return Problem(message, self.file, self.prefix + key, line, column, level)

    def validate(self, model: type[Model]) -> Model:
        """The settings as a model has them.

        Raises:
            ProjectRefused: they do not fit it; all that does not is named.
        """
        try:
            return model.model_validate({} if self.value is None else self.value)
        except ValidationError as error:
            found = [self._in_words(model, each) for each in error.errors(include_url=False, include_context=False)]
            raise ProjectRefused(sorted(found, key=lambda each: each.line or 0)) from None

    def _in_words(self, model: type[BaseModel], error: Any) -> Problem:
        kind, found = error["type"], error["input"]
        key = tuple(self._written(error["loc"]))
        if kind in ("extra_forbidden", "unexpected_keyword_argument"):
            known = _known_keys(model, error["loc"][:-1])
            hint = nearest(str(error["loc"][-1]), known) or f"it is one of {', '.join(known)}"
            return self.problem(key, f"there is no such key; {hint}".strip())
        if kind == "missing":
            return self.problem(key, f"there is no {error['loc'][-1]}: in it, which it needs")
        if kind in ("value_error", "assertion_error"):
            name = str(key[-1]) if key else ""
            return self.problem(
                key,
                error["msg"].removeprefix("Value error, ").removeprefix(f"{name}: {name}: ").removeprefix("compute: "),
            )
        expected = (
            error["msg"]
            .removeprefix("Input should be ")
            .replace("a valid integer", "a whole number")
            .replace("a valid ", "a ")
            .split(", unable to")[0]
        )
        expected = (
            "a mapping of keys to values" if kind in _MAPPINGS else expected.replace("greater", "a number greater")
        )
        return self.problem(key, f"expected {expected}, found {describe(found)}")

    def _written(self, location: tuple[str | int, ...]) -> Iterator[str | int]:
        """The part of a model's location that is in the file too: a short form has fewer keys than what it means."""
        value = self.value
        for part in location:
            is_in_list = isinstance(value, list) and isinstance(part, int) and part < len(value)
            if is_in_list or (isinstance(value, dict) and part in value):
                value = value[part]
                yield part


_MAPPINGS = ("model_type", "dict_type", "dataclass_type", "model_attributes_type")


def _known_keys(model: Any, location: Collection[str | int]) -> list[str]:
    """The keys that a model takes at a place."""
    found: Any = model
    for part in location:
        fields = _fields(found)
        found = _inner(fields[str(part)] if fields else typing.get_args(found)[-1])
    return list(_fields(found))


def _fields(model: Any) -> dict[str, Any]:
    if isinstance(model, type) and issubclass(model, BaseModel):
        return {name: each.annotation for name, each in model.model_fields.items()}
    return {each.name: each.type for each in dataclasses.fields(model)} if dataclasses.is_dataclass(model) else {}


def _inner(annotation: Any) -> Any:
    """A type without what says more of it, and without None."""
    while (origin := typing.get_origin(annotation)) in (typing.Annotated, typing.Union, types.UnionType):
        choices = [each for each in typing.get_args(annotation) if each is not type(None)]
        annotation = choices[0] if origin is not None else annotation
    return annotation

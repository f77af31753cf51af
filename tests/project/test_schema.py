"""The schema that editors read is the one that the file is read by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nb_dagster.notebook.plain_yaml import parse_yaml
from nb_dagster.project.json_schema import SHIPPED, json_schema

SAY_IT_TOGETHER = ("OutputLimits", "Compute")
"""Parts whose description has all their keys."""
EXAMPLE = Path(__file__).parents[2] / "example_project/nb_dagster.yaml"


def test_the_shipped_schema_is_current() -> None:
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    assert shipped == json_schema(), f"python -m nb_dagster.project.json_schema > {SHIPPED}"


def test_it_takes_the_example_project() -> None:
    read = parse_yaml(EXAMPLE.read_text(encoding="utf-8"), has_aliases=True)  # as editors do: a day is text
    jsonschema.validate(read.value, json_schema())


@pytest.mark.parametrize("wrong", [{"workfows": {}}, {"workflows": {"a": {"retires": 1}}}, {"executor": {"max": 1}}])
def test_it_refuses_what_the_file_may_not_say(wrong: Any) -> None:
    with pytest.raises(jsonschema.ValidationError, match="Additional properties are not allowed"):
        jsonschema.validate(wrong, json_schema())


def test_every_key_says_what_it_means() -> None:
    assert not list(_silent(json_schema()))


def _silent(schema: dict[str, Any]) -> Iterator[str]:
    parts = {"": schema, **{name: each for name, each in schema["$defs"].items() if name not in SAY_IT_TOGETHER}}
    for name, part in parts.items():
        yield from (
            f"{name}.{key}" for key, each in part["properties"].items() if not {"description", "$ref"} & {*each}
        )

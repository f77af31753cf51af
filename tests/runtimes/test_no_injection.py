"""Whatever a value of a runtime says, the Dockerfile has the same instructions, or the value is refused."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from nb_dagster.runtimes.dockerfile import dockerfile
from nb_dagster.runtimes.runtime import Runtime
from nb_dagster.runtimes.words import check_file

CORPUS = [
    "a\nRUN touch /pwned",
    "a\r\nRUN touch /pwned",
    "a\\\nRUN x",
    "$(touch /pwned)",
    "`touch /pwned`",
    "${PATH}",
    "$HOME",
    '"; touch /pwned; "',
    "'; touch /pwned; '",
    "a && touch /pwned",
    "a\\",
    "--index-url=https://evil.example.com",
    "-r/etc/passwd",
    "#syntax=evil",
    "{{ runtime }}",
    "{% include 'x' %}",
    "<<EOF",
    "3<<EOF",
    "a\u2028RUN x",
    "a\x85RUN x",
    "a\x00b",
    "../../etc/passwd",
    "/etc/passwd",
    "a*",
    "a b",
    "--from=evil/image",
    "évil",
    "",
]
text = st.one_of(
    st.sampled_from(CORPUS),
    st.text(alphabet=st.sampled_from(list("aZ0 \n\r\t\\\"'`$(){}<>;&|#=@:/.-_%*[]!\u2028\u00e9\x00")), max_size=12),
    st.text(max_size=12),
)


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """A Dockerfile as the engine reads it: lines joined where one ends in a backslash, comments left out."""
    lines = [line for line in dockerfile.split("\n") if not re.match(r"\s*#", line)]
    joined = re.sub(r"\\[ \t]*\n", "", "\n".join(lines))
    parts = (line.partition(" ") for line in joined.split("\n") if line.strip())
    return [(word, rest) for word, _, rest in parts]


def unquoted(value: str) -> str:
    """A value of ENV as the engine reads it; one in which something is looked up is none."""
    assert value.startswith('"')
    assert value.endswith('"')
    inner = value[1:-1]
    assert re.fullmatch(r'([^"$\\]|\\["$\\])*', inner, re.DOTALL)
    return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)


def made(**said: Any) -> list[tuple[str, str]] | None:
    try:
        return instructions(dockerfile("a", Runtime.model_validate(said), Path("/nowhere")))
    except ValidationError:
        return None


@given(text)
def test_a_package_is_one_word_of_one_command(value: str) -> None:
    found, usual = made(packages=[value]), made(packages=["pandas"])
    if found is not None and usual is not None:
        assert [word for word, _ in found] == [word for word, _ in usual]
        (ours,) = (rest for word, rest in found if word == "RUN" and "uv pip install" in rest)
        assert len(shlex.split(ours)) == len(shlex.split("uv pip install --system --no-cache --compile-bytecode a b"))
        assert not shlex.split(ours)[-1].startswith("-")


@given(text)
def test_a_system_package_is_one_word_of_one_command(value: str) -> None:
    found, usual = made(system=[value]), made(system=["git"])
    if found is not None and usual is not None:
        assert [(word, rest.replace(value, "git")) for word, rest in found] == usual
        assert re.fullmatch(r"[a-z0-9][A-Za-z0-9+.:=~-]*", value, re.ASCII)


@given(text)
def test_the_value_of_a_variable_comes_out_as_it_went_in(value: str) -> None:
    found, usual = made(environment={"A": value}), made(environment={"A": "b"})
    if found is not None and usual is not None:
        assert [word for word, _ in found] == [word for word, _ in usual]
        (ours,) = (rest for word, rest in found if word == "ENV" and rest.startswith("A="))
        assert unquoted(ours.removeprefix("A=")) == value


@given(text)
def test_a_name_of_a_variable_is_a_name(value: str) -> None:
    if made(environment={value: "b"}) is not None:
        assert re.fullmatch(r"[A-Za-z0-9_]+", value, re.ASCII)


@given(text, st.sampled_from(["image", "python", "gpu", "registry"]))
def test_an_image_or_a_version_has_nothing_in_it_that_ends_a_word(value: str, key: str) -> None:
    if made(**{key: value}) is not None:
        assert re.fullmatch(r"[A-Za-z0-9._/:@-]+", value, re.ASCII)
        assert not value.startswith("-")


@given(text)
def test_a_user_is_a_plain_name(value: str) -> None:
    if made(user={"name": value}) is not None:
        assert re.fullmatch(r"[a-z0-9_-]+", value, re.ASCII)


@given(text)
def test_a_file_is_a_plain_path_beside_the_project_file(value: str) -> None:
    try:
        path = check_file(value)
    except ValueError:
        return
    assert not re.search(r"[\s$\\\"'*?\[\]#<>{}]", path)
    assert not path.startswith(("/", "-"))
    assert ".." not in path.split("/")


@pytest.mark.parametrize("value", [0, -1, 2**31, "0", True, "1000; x"])
def test_nobody_is_root_or_no_number(value: Any) -> None:
    assert made(user={"uid": value}) is None

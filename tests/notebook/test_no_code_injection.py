"""Parameters are data: nothing a caller sends becomes code, whatever it is, in any kernel's language."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from nb_dagster.errors import InvalidParameter, RunRefused
from nb_dagster.notebook.compound_types import DictType, ListType, UnionType
from nb_dagster.notebook.inference import infer_python
from nb_dagster.notebook.injection import parameters_source
from nb_dagster.notebook.parameters import Parameter, check_parameters
from nb_dagster.notebook.types import AnyType, DatetimeType, DateType, ParameterType, PathType, StrType
from tests.hostile import NUMBERS, TEXTS, VALUES, is_whole
from tests.notebook.grammars import Julia, PowerShell
from tests.notebook.r_process import RProcess

SOURCE = re.compile(r"[ -~]*")
"""What no terminal and no code page changes."""


def source_for(value: Any, language: str = "python", declared: ParameterType | None = None, name: str = "p") -> str:
    parameter = Parameter(name, declared or AnyType())
    checked = check_parameters({name: parameter}, {name: value}, "a.ipynb")
    return parameters_source({name: parameter}, checked, loaded=(), language=language, kernel=language, owner="a.ipynb")


def literal_for(value: Any, language: str, assignment: str) -> str:
    """The literal in the one line that sets ``p``."""
    title, line = source_for(value, language).split("\n")
    assert title == "# Parameters of this run"
    assert SOURCE.fullmatch(line)
    assert line.startswith(assignment)
    return line.removeprefix(assignment)


def source_or_refusal(value: Any, language: str) -> tuple[str, str]:
    """The source, or why there is none."""
    try:
        return source_for(value, language), ""
    except InvalidParameter as refused:
        return "", str(refused)


def texts_in(value: Any) -> list[str]:
    """All texts in a JSON value, keys too."""
    if isinstance(value, dict):
        return [text for each in (*value, *value.values()) for text in texts_in(each)]
    return (
        [text for each in value for text in texts_in(each)]
        if isinstance(value, list)
        else [value] * isinstance(value, str)
    )


class TestPython:
    """Literals, read as Python reads them, and four fixed constructors."""

    def run(self, source: str) -> Any:
        """Run the injected cell, after proving that it is one assignment of such."""
        (statement,) = ast.parse(source).body
        assert isinstance(statement, ast.Assign)
        for node in ast.walk(statement.value):
            assert isinstance(node, (ast.expr, ast.expr_context, ast.unaryop, ast.keyword))
            if isinstance(node, ast.Call):
                constructor = ast.unparse(node.func)
                assert constructor in {
                    "__import__",
                    "__import__('datetime').date.fromisoformat",
                    "__import__('datetime').datetime.fromisoformat",
                    "__import__('pathlib').Path",
                }
            if isinstance(node, ast.Name):
                assert node.id in ("p", "__import__")
        names: dict[str, Any] = {}
        exec(compile(source, "cell", "exec"), names)
        return names["p"]

    @given(VALUES)
    def test_every_json_value_arrives_as_it_was(self, value: Any) -> None:
        arrived = self.run(source_for(value))
        assert (arrived, repr(arrived)) == (value, repr(value)), "the sign of a zero too"

    @given(TEXTS)
    def test_every_text_arrives_as_it_was(self, text: str) -> None:
        assert self.run(source_for(text, declared=StrType())) == text
        assert self.run(source_for([text], declared=ListType(StrType(), is_tuple=True))) == (text,)
        assert self.run(source_for({text: text}, declared=DictType())) == {text: text}

    @given(TEXTS, st.sampled_from([DateType(), DatetimeType(), PathType(), UnionType((DateType(), StrType()))]))
    def test_a_text_of_a_special_type_is_refused_or_stays_data(self, text: str, declared: ParameterType) -> None:
        try:
            source = source_for(text, declared=declared)
        except InvalidParameter:
            return
        self.run(source)

    @given(VALUES)
    def test_ipython_changes_nothing_in_it(self, value: Any) -> None:
        from IPython.core.inputtransformer2 import TransformerManager

        source = source_for(value)
        transformer = TransformerManager()  # type: ignore[no-untyped-call]
        assert transformer.transform_cell(source) == f"{source}\n"

    def test_a_text_that_shows_itself_as_code_arrives_as_its_text(self) -> None:
        class Sly(str):
            __slots__ = ()

            def __repr__(self) -> str:
                return "__import__('os').system('touch pwned')"

            __str__ = __repr__

        for value in (Sly("plain"), [Sly("plain")], {Sly("plain"): Sly("plain")}):
            assert "plain" in source_for(value)
            assert "pwned" not in source_for(value)
        for declared in (StrType(), PathType()):
            assert "plain" in source_for(Sly("plain"), declared=declared)

    @given(st.dictionaries(TEXTS, VALUES, max_size=3))
    def test_a_name_the_notebook_does_not_declare_is_never_written(self, values: dict[str, Any]) -> None:
        declared = infer_python("n = 3", "a.ipynb")
        try:
            checked = check_parameters(declared, values, "a.ipynb")
        except RunRefused:
            assert set(values) != {"n"} or not isinstance(values["n"], int) or isinstance(values["n"], bool)
            return
        assert set(checked) <= {"n"}


class TestR:
    """R itself, without any locale, says what arrived."""

    @pytest.fixture(scope="class")
    @classmethod
    def r(cls) -> Iterator[RProcess]:
        if shutil.which("Rscript") is None:
            pytest.skip("R is not installed here")
        with RProcess() as process:
            yield process

    @given(value=VALUES)
    def test_every_json_value_arrives_or_is_refused(self, r: RProcess, value: Any) -> None:
        source, why = source_or_refusal(value, "r")
        if why:
            has_text = all(is_whole(text) and "\0" not in text for text in texts_in(value))
            assert not has_text or "exact up to 2^53" in why
            return
        assert SOURCE.fullmatch(source.replace("\n", ""))
        assert r.value(source) == value

    @given(value=NUMBERS)
    def test_every_number_arrives_exactly_or_is_refused(self, r: RProcess, value: float) -> None:
        try:
            source = source_for(value, "r")
        except InvalidParameter:
            assert isinstance(value, int)
            assert abs(value) > 2**53
            return
        assert repr(r.value(source)) == repr(float(value))

    def test_a_text_longer_than_r_reads_at_once_arrives(self, r: RProcess) -> None:
        text = "é🎉\n" * 20_000
        assert r.value(source_for(text, "r")) == text


class TestBash:
    """Bash itself says what arrived."""

    @given(TEXTS)
    def test_every_text_arrives_or_is_refused(self, text: str) -> None:
        try:
            literal = literal_for(text, "bash", "p=")
        except InvalidParameter:
            assert "\0" in text or not is_whole(text)
            return
        script = f"p={literal}\nprintf '%s' \"$p\""
        shown = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=20, env={}).stdout
        assert shown.decode() == text

    @given(st.none() | st.booleans() | NUMBERS)
    def test_what_is_no_text_is_a_plain_word(self, value: Any) -> None:
        words = {None: "''", True: "true", False: "false"}
        assert literal_for(value, "bash", "p=") == (
            words[value] if value is None or isinstance(value, bool) else repr(value)
        )

    @pytest.mark.parametrize("value", [[], ["a"], {"a": 1}])
    def test_lists_and_dicts_are_refused(self, value: Any) -> None:
        with pytest.raises(InvalidParameter, match=r"bash cannot carry .*: it takes text and numbers"):
            source_for(value, "bash")

    def test_a_name_that_bash_gives_a_meaning_takes_no_value(self) -> None:
        listed = subprocess.run(
            ["bash", "--norc", "-ic", "compgen -v"], capture_output=True, text=True, env={}, check=True
        )
        for name in {*listed.stdout.split(), "BASH_ENV", "ENV", "PROMPT_COMMAND", "PS0", "MAILPATH", "LD_PRELOAD"}:
            with pytest.raises(InvalidParameter, match="bash gives this name a meaning of its own"):
                source_for("a[$(touch pwned)]", "bash", name=name)

    def test_no_other_name_runs_its_value(self, tmp_path: Path) -> None:
        names = ["n", "name", "path", "day", "N_ROWS", "PS", "random", "x1", "_x"]
        lines = [source_for("a[$(touch pwned)]", "bash", name=name) for name in names]
        subprocess.run(["bash", "-ic", "\n".join(lines)], cwd=tmp_path, check=True, capture_output=True, timeout=20)
        assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("language", "assignment", "grammar"), [("julia", "p = ", Julia), ("powershell", "$p = ", PowerShell)]
)
class TestJuliaAndPowerShell:
    """What is written is read by the grammar of the literals there are."""

    @given(value=VALUES)
    def test_every_json_value_arrives_or_is_refused(
        self, language: str, assignment: str, grammar: Any, value: Any
    ) -> None:
        _, why = source_or_refusal(value, language)
        if why:
            assert not all(map(is_whole, texts_in(value))) or re.search("upper and lower case|64 bits", why)
            return
        literal = literal_for(value, language, assignment)
        assert grammar.read(literal) == value

    @given(text=TEXTS)
    def test_every_text_arrives_or_is_refused(self, language: str, assignment: str, grammar: Any, text: str) -> None:
        try:
            literal = literal_for(text, language, assignment)
        except InvalidParameter:
            assert not is_whole(text)
            return
        assert grammar.read(literal) == text


@pytest.mark.parametrize(
    ("language", "name"),
    [
        *[("python", name) for name in ("__builtins__", "__import__", "__name__")],
        *[("r", name) for name in ("if", "TRUE", "..1", "...", "NULL")],
        *[("julia", name) for name in ("end", "begin", "true")],
        *[("powershell", name) for name in ("_", "args", "HOME", "true", "PSDefaultParameterValues", "OutputEncoding")],
    ],
)
def test_a_name_with_a_meaning_of_its_own_takes_no_value(language: str, name: str) -> None:
    with pytest.raises(InvalidParameter, match=f"parameter {name!r}: {language} gives this name a meaning of its own"):
        source_for(1, language, name=name)


@pytest.mark.parametrize("language", ["scala", "matlab", ".net-csharp", ".net-fsharp"])
class TestLanguagesThatPapermillKnows:
    """They are written by its translators, as far as these are right."""

    @given(text=TEXTS)
    def test_text_with_special_characters_is_refused(self, language: str, text: str) -> None:
        source, why = source_or_refusal(text, language)
        if why:
            assert "cannot carry safely" in why
            assert not re.fullmatch(r"[A-Za-z0-9_]*", text)
            return
        assert f'"{text}"' in source

    @pytest.mark.parametrize("value", [{"a\n": 1}, ["\u00e9"], "a\n", "$(whoami)", {"k": ["${x}"]}, 2**53 + 1])
    def test_so_is_it_wherever_it_stands_and_what_numbers_cannot_hold(self, language: str, value: Any) -> None:
        with pytest.raises(InvalidParameter, match="cannot carry"):
            source_for(value, language)

    def test_plain_text_arrives(self, language: str) -> None:
        assert 'p = "2026-01-31 data/x.csv"' in source_for("2026-01-31 data/x.csv", language)


def test_a_value_that_a_translator_has_no_form_for_is_refused() -> None:
    with pytest.raises(InvalidParameter, match=r"parameters cannot be given to the kernel '\.net-csharp'"):
        source_for(None, ".net-csharp")


def test_a_language_that_nobody_knows_takes_no_value() -> None:
    with pytest.raises(InvalidParameter, match="parameters cannot be given to the kernel 'cobol'"):
        source_for(1, "cobol")

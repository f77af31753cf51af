"""What a parameters cell declares is read without running it."""

from typing import Any

import pytest

from nb_dagster.errors import UnreadableNotebook
from nb_dagster.notebook.inference import infer_python
from nb_dagster.notebook.languages import infer_by_line
from nb_dagster.notebook.parameters import NO_DEFAULT, Parameter


def one(source: str) -> Parameter:
    (parameter,) = infer_python(source, "a.ipynb").values()
    return parameter


@pytest.mark.parametrize(
    ("source", "name", "declared", "default"),
    [
        ("n = 3", "n", "int", 3),
        ("n = -3", "n", "int", -3),
        ("n = 1_000", "n", "int", 1000),
        ("x = 0.5", "x", "float", 0.5),
        ("s = 'a'", "s", "str", "a"),
        ("s = 'a' 'b'", "s", "str", "ab"),
        ("b = True", "b", "bool", True),
        ("o = None", "o", "any JSON value", None),
        ("l = [1, 2]", "l", "list", [1, 2]),
        ("t = (1, 2)", "t", "tuple", [1, 2]),
        ("d = {'a': 1}", "d", "dict", {"a": 1}),
        ("n: int = 3", "n", "int", 3),
        ("n: 'int' = 3", "n", "int", 3),
        ("n: int = None", "n", "int | None", None),
        ("n: Optional[int] = None", "n", "int | None", None),
        ("n: typing.Optional[int] = 3", "n", "int | None", 3),
        ("n: int | str = 3", "n", "int | str", 3),
        ("n: Union[int, str, None] = 3", "n", "int | str | None", 3),
        ("l: list[int] = [1]", "l", "list[int]", [1]),
        ("l: List[List[str]] = []", "l", "list[list[str]]", []),
        ("d: dict[str, float] = {}", "d", "dict[str, float]", {}),
        ("c: Literal['a', 'b'] = 'a'", "c", 'one of "a", "b"', "a"),
        ("c: Literal[1, 2] = 1", "c", "one of 1, 2", 1),
        ("d: date = '2026-01-31'", "d", "date", "2026-01-31"),
        ("d: datetime.datetime = '2026-01-31T06:00'", "d", "datetime", "2026-01-31T06:00"),
        ("p: pathlib.Path = 'a/b'", "p", "Path", "a/b"),
        ("n: Annotated[int, Field(ge=1, le=10)] = 5", "n", "int >= 1 and <= 10", 5),
        ("n: Annotated[float, Gt(0)] = 5.0", "n", "float > 0", 5.0),
        ("df: pd.DataFrame = None", "df", "pd.DataFrame", None),
        ("n = 3  # type: float", "n", "float", 3),
        ("n = 3  # type: list[int] | None  the sizes", "n", "list[int] | None", 3),
    ],
)
def test_type_and_default_are_those_the_cell_says(source: str, name: str, declared: str, default: Any) -> None:
    parameter = one(source)
    assert (parameter.name, str(parameter.type), parameter.default) == (name, declared, default)
    assert not parameter.required


@pytest.mark.parametrize(
    ("source", "description"),
    [
        ("n = 3  # how many", "how many"),
        ("n = 3", ""),
        ("s = 'a # b'  # text", "text"),
        ("n = 3  # type: int  how many", "how many"),
        ("l = [\n    1,  # one\n    2,\n]  # the sizes", "the sizes"),
        ("l = [  # the sizes\n    1,\n    2,\n]", "the sizes"),
        ('s = """\n# no comment\n"""  # a text', "a text"),
    ],
)
def test_the_trailing_comment_describes(source: str, description: str) -> None:
    assert one(source).description == description


@pytest.mark.parametrize("expression", ["datetime.now()", "Path('x')", "2 ** 10", "f'{a}'", "[x for x in y]", "{1, 2}"])
def test_a_default_that_is_an_expression_stays_the_notebooks_own(expression: str) -> None:
    parameter = one(f"e = {expression}")
    assert parameter.expression == expression
    assert parameter.default is NO_DEFAULT
    assert str(parameter.type) == "any JSON value"
    assert not parameter.required


def test_an_annotation_without_a_value_is_a_required_parameter() -> None:
    assert one("n: int").required


def test_several_names_of_one_statement_are_several_parameters() -> None:
    declared = infer_python("a = b = 1\nc, d = 2, 'x'", "a.ipynb")
    assert {name: parameter.default for name, parameter in declared.items()} == {"a": 1, "b": 1, "c": 2, "d": "x"}


def test_magics_imports_and_calls_are_passed_over() -> None:
    source = "%matplotlib inline\nimport os\nprint('x')\nos.environ['A'] = 'b'\nn = 3\n!ls"
    assert list(infer_python(source, "a.ipynb")) == ["n"]


def test_the_last_assignment_of_a_name_counts() -> None:
    assert one("n = 1\nn = 2").default == 2


def test_a_parameters_cell_that_is_no_python_is_refused_with_its_line() -> None:
    with pytest.raises(UnreadableNotebook, match=r"a\.ipynb: line 2 of its parameters cell is no Python"):
        infer_python("n = 3\nm = = 4", "a.ipynb")


def test_inference_never_runs_the_cell(tmp_path: Any) -> None:
    trap = tmp_path / "trap"
    infer_python(f"n = open({str(trap)!r}, 'w').write('x')\nm: open({str(trap)!r}, 'w') = 1", "a.ipynb")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("language", "line", "name", "declared"),
    [
        ("r", "data.path <- 'x'  # where", "data.path", "str"),
        ("r", ".n = 3", ".n", "float"),
        ("bash", "export n=3", "n", "int"),
        ("julia", "größe = 3", "größe", "int"),
        ("powershell", "$n = 3  # how many", "n", "int"),
        ("powershell", "[int]$n = 3", "n", "int"),
        ("powershell", "[string[]] $Names = 'a'", "Names", "str"),
        ("powershell", "$Flag = $true", "Flag", "bool"),
        ("scala", "val n = 3", "n", "int"),
        ("f#", "let n = 3", "n", "int"),
    ],
)
def test_a_parameter_of_another_language(language: str, line: str, name: str, declared: str) -> None:
    ((found, parameter),) = infer_by_line(line, language).items()
    assert (found, str(parameter.type)) == (name, declared)


@pytest.mark.parametrize(
    ("language", "line"),
    [
        *[("bash", "größe=3"), ("bash", "a-b=3"), ("bash", "a.b=3"), ("bash", "n == 3")],
        *[("powershell", "n = 3"), ("powershell", "$env:PATH = 'x'"), ("powershell", "${a b} = 3")],
        *[("powershell", "$größe = 3"), ("r", "_x <- 3"), ("r", "a-b <- 3"), ("julia", "a.b = 3"), ("julia", "$a = 3")],
    ],
)
def test_what_is_no_plain_name_declares_nothing(language: str, line: str) -> None:
    assert infer_by_line(line, language) == {}

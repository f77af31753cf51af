"""Importing costs little: heavy libraries come in when they are used, and other libraries are left as they were."""

import subprocess
import sys

import pytest

HEAVY = {
    *(
        "nbclient",
        "nbconvert",
        "pandas",
        "numpy",
        "docker",
        "kubernetes",
        "fastapi",
        "jupyter_server",
        "jupyterlab",
        "papermill",
    ),
    *("apprise", "slack_sdk", "pyflakes"),
}


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return {name.split(".")[0] for name in shown.stdout.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import nb_dagster",
        "import nb_dagster as nbd; nbd.notebook_asset; nbd.notebook_op; nbd.notebook_job; nbd.resources()",
        "import nb_dagster as nbd; nbd.notification_sensor(nbd.Notify(['env:SLACK_URL']))",
        "import example_project.definitions",
        "import nb_dagster as nbd; nbd.NotebookProject.from_yaml('example_project').build_defs()",
        "import nb_dagster.cli.main",
    ],
)
def test_definitions_load_without_heavy_libraries(code: str) -> None:
    assert modules_after(code).isdisjoint(HEAVY)


def test_nb_needs_nothing_but_the_standard_library() -> None:
    added = modules_after("from nb_dagster import nb") - modules_after("")
    assert added - set(sys.stdlib_module_names) == {"nb_dagster"}


def test_the_command_line_starts_without_dagster() -> None:
    assert "dagster" not in modules_after("import nb_dagster.cli.main")


def test_papermill_still_works_beside_us() -> None:
    code = (
        "import nb_dagster as nbd; nbd.notebook_asset\n"
        "from papermill.translators import papermill_translators\n"
        "assert papermill_translators.find_translator('python3', 'python').codify({'n': 3}) == '# Parameters\\nn = 3\\n'"
    )
    modules_after(code)


def test_what_runs_notebooks_builds_no_grammar_that_no_notebook_needs() -> None:
    added = modules_after("import nb_dagster.runner.client, nb_dagster.pages.convert")
    assert {"nbformat", "jsonschema"} <= added
    assert "lark" not in added


def test_jsonschema_checks_addresses_beside_us_as_ever() -> None:
    pytest.importorskip("rfc3987_syntax")
    code = (
        "import nb_dagster.runner.client\n"
        "from jsonschema import FormatChecker\n"
        "assert FormatChecker().conforms('http://größe.example/x', 'iri')\n"
        "assert not FormatChecker().conforms('http://a b', 'iri')\n"
        "from rfc3987_syntax import parse\n"
        "from rfc3987_syntax.utils import load_grammar\n"
        "assert parse('iri', 'http://a.example/').children"
    )
    assert "lark" in modules_after(code)


def test_who_imports_the_grammar_first_has_it() -> None:
    pytest.importorskip("rfc3987_syntax")
    first = "from rfc3987_syntax import utils, load_grammar, is_valid_syntax"
    assert "lark" in modules_after(f"import nb_dagster.runner\n{first}\nassert is_valid_syntax('iri', 'a:b')")
    assert "lark" in modules_after(f"{first}\nimport nb_dagster.runner\nassert is_valid_syntax('iri', 'a:b')")

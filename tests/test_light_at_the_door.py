"""Importing costs little: heavy libraries come in when they are used, and other libraries are left as they were."""

import subprocess
import sys

import pytest

HEAVY = ("nbclient", "nbconvert", "pandas", "numpy", "docker", "kubernetes", "fastapi", "jupyter_server", "papermill")


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return {name.split(".")[0] for name in shown.stdout.split()}


@pytest.mark.parametrize(
    "code",
    [
        "import nb_dagster",
        "import nb_dagster as nbd; nbd.notebook_asset; nbd.notebook_op; nbd.notebook_job; nbd.resources()",
        "import example_project.definitions",
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

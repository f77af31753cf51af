"""The Dockerfile of a runtime is what a person would write, and the same each time.

``python -m tests.runtimes.test_dockerfiles`` writes the expected ones anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nb_dagster.runtimes.dockerfile import MARK, dockerfile
from nb_dagster.runtimes.refused import RuntimeRefused
from nb_dagster.runtimes.runtime import Runtime

EXPECTED = Path(__file__).parent / "dockerfiles"
FILES = {
    "requirements/train.txt": "-r common.txt\n-c ../constraints.txt\nscikit-learn\n",
    "requirements/common.txt": "pandas  # -r is not meant here\n",
    "constraints.txt": "pandas<3\n",
    "pyproject.toml": "[project]\nname = 'shop'\nversion = '1'\n",
    "uv.lock": "version = 1\n",
    "docker/own.j2": (
        '{% extends "nb_dagster/Dockerfile.j2" %}\n{% block environment %}\n\nRUN python -c "import numpy"\n{% endblock %}\n'
    ),
}


def made(name: str, folder: Path) -> str:
    for path, text in FILES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    declared = yaml.safe_load((EXPECTED / f"{name}.yaml").read_text(encoding="utf-8"))
    return dockerfile(name, Runtime.model_validate(declared), folder)


@pytest.mark.parametrize("name", sorted(path.stem for path in EXPECTED.glob("*.yaml")))
def test_it_is_the_expected_one(name: str, tmp_path: Path) -> None:
    assert made(name, tmp_path) == (EXPECTED / f"{name}.Dockerfile").read_text(encoding="utf-8")


def test_packages_come_before_the_code_so_that_an_edit_installs_nothing(tmp_path: Path) -> None:
    text = made("all", tmp_path)
    assert text.index("pip install") < text.index("COPY --chown") < text.index("USER 1500:100")


def test_variables_of_the_installer_are_there_when_it_runs(tmp_path: Path) -> None:
    text = made("all", tmp_path)
    assert text.index("PIP_INDEX_URL") < text.index("pip install") < text.index("OMP_NUM_THREADS")


def test_a_template_without_our_blocks_is_marked_too(tmp_path: Path) -> None:
    (tmp_path / "mine.j2").write_text("FROM {{ runtime.base }}\nENV A={{ 'x\"$' | value }}\n")
    text = dockerfile("a", Runtime(template="mine.j2"), tmp_path)
    assert text == f'FROM python:3.12-slim\nENV A="x\\"\\$"\n# {MARK} from mine.j2.\n'


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% if %}", "mine.j2, line 1"),
        ("{{ nothing }}", "'nothing' is undefined"),
        ('{% extends "none.j2" %}', "no template none.j2"),
    ],
)
def test_a_template_that_cannot_be_filled_in_is_refused(tmp_path: Path, template: str, said: str) -> None:
    (tmp_path / "mine.j2").write_text(template)
    with pytest.raises(RuntimeRefused, match=said):
        dockerfile("a", Runtime(template="mine.j2"), tmp_path)


if __name__ == "__main__":
    import tempfile

    for each in EXPECTED.glob("*.yaml"):
        with tempfile.TemporaryDirectory() as temporary:
            each.with_suffix(".Dockerfile").write_text(made(each.stem, Path(temporary)), encoding="utf-8")

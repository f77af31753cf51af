"""``nb-dagster notify-test`` sends one message, and says whether it was taken."""

from pathlib import Path

import pytest

from tests.cli.command import as_json, nb_dagster
from tests.notebooks import write_notebook
from tests.notifications.servers import service

pytestmark = pytest.mark.slow


def test_a_message_that_is_taken(tmp_path: Path) -> None:
    with service() as hook:
        done = nb_dagster("notify-test", hook.url, cwd=tmp_path)
        assert hook.titles() == ["Test message"]
    assert (done.returncode, done.stdout, done.stderr) == (0, "json took it\n", "")


def test_a_page_goes_with_it(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "train.ipynb", "print('hello')")
    with service() as hook:
        done = nb_dagster("notify-test", hook.url, "--attach-page", notebook, "--json", cwd=tmp_path)
        assert hook.bodies()[0]["attachments"][0]["filename"] == "train.html"
    assert as_json(done) == {"target": "json", "sent": True, "reason": None}


def test_a_target_that_does_not_take_it(tmp_path: Path) -> None:
    with service(500) as hook:
        done = nb_dagster("notify-test", hook.url, "--json", cwd=tmp_path)
    assert done.returncode == 5
    assert "error=500" in as_json(done)["reason"]
    assert str(hook.port) not in done.stdout + done.stderr


def test_a_target_that_is_none(tmp_path: Path) -> None:
    done = nb_dagster("notify-test", "ops://", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("nb-dagster: notifications: a target is no address that apprise knows")
    assert done.stderr.count("\n") == 1


def test_a_target_that_the_project_names(tmp_path: Path) -> None:
    with service() as hook:
        (tmp_path / "nb_dagster.yaml").write_text(f"notifications: {{targets: {{team: '{hook.url}'}}}}\n")
        done = nb_dagster("notify-test", "team", cwd=tmp_path)
        assert hook.titles() == ["Test message"]
    assert (done.returncode, done.stdout) == (0, "json took it\n")
    done = nb_dagster("notify-test", "taem", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("nb-dagster: nb_dagster.yaml names no target 'taem'; did you mean 'team'?")


def test_a_reference_to_nothing(tmp_path: Path) -> None:
    done = nb_dagster("notify-test", "env:NB_NOWHERE", cwd=tmp_path)
    assert done.returncode == 2
    assert "it should be in the environment variable NB_NOWHERE" in done.stderr


def test_a_page_that_cannot_be_made(tmp_path: Path) -> None:
    with service() as hook:
        done = nb_dagster("notify-test", hook.url, "--attach-page", "nowhere.ipynb", cwd=tmp_path)
        assert hook.asked == 0
    assert done.returncode == 2
    assert "nowhere.ipynb cannot be read" in done.stderr

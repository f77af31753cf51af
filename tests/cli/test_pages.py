"""``nb-dagster export`` and ``nb-dagster serve``: what they write, say and refuse, and how they end."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import PROGRAM, as_json, environment, nb_dagster
from tests.notebooks import write_notebook
from tests.pages.stores import FOLDER, code, keep, notebook, output

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def started(*arguments: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server, and its address."""
    with subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", "--json", *arguments],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield server, json.loads(server.stdout.readline())["url"]
        server.kill()


def fetch(url: str | urllib.request.Request) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        text: str = answer.read().decode()
        return text


class TestExport:
    def test_it_writes_the_page_here(self, tmp_path: Path) -> None:
        keep(tmp_path / "store", notebook(code("total = 1", output(text_html="<script>evil()</script><b>7</b>"))))
        done = nb_dagster("export", f"store/train/{FOLDER}/train.ipynb", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "train.html\n")
        page = (tmp_path / "train.html").read_text()
        assert "<b>7</b>" in page
        assert "evil" not in page

    def test_code_can_be_hidden_and_the_file_be_named(self, tmp_path: Path) -> None:
        write_notebook(tmp_path / "a.ipynb", "sauce = 1", text="# Hello")
        done = nb_dagster("export", "a.ipynb", "--hide-code", "--output", "b.html", "--json", cwd=tmp_path)
        assert as_json(done) == {"page": "b.html"}
        page = (tmp_path / "b.html").read_text()
        assert "Hello" in page
        assert "sauce" not in page

    def test_it_never_writes_over_a_file(self, tmp_path: Path) -> None:
        write_notebook(tmp_path / "a.ipynb", "1")
        (tmp_path / "a.html").write_text("mine")
        done = nb_dagster("export", "a.ipynb", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "nb-dagster: a.html exists already, and is not written over; name another --output\n"
        assert (tmp_path / "a.html").read_text() == "mine"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["none.ipynb"], "none.ipynb does not exist"),
            (["a.ipynb", "--output", "none/a.html"], "there is no folder"),
        ],
    )
    def test_wrong_use_is_refused_in_a_sentence(self, tmp_path: Path, arguments: list[str], words: str) -> None:
        write_notebook(tmp_path / "a.ipynb", "1")
        done = nb_dagster("export", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1
        assert not list(tmp_path.glob("*.html"))


class TestServe:
    def test_it_serves_the_store_of_this_folder_until_it_is_told_to_end(self, tmp_path: Path) -> None:
        keep(tmp_path / ".nb_dagster" / "notebooks", notebook(code("x", output(text_plain="hello"))))
        with started(cwd=tmp_path) as (server, url):
            assert url.startswith("http://127.0.0.1:")
            assert "hello" in fetch(f"{url}train/latest")
            server.send_signal(signal.SIGINT)
            assert server.wait(10) == 0

    def test_beyond_this_machine_a_token_is_made(self, tmp_path: Path) -> None:
        with started("--host", "0.0.0.0", cwd=tmp_path) as (_, url):
            address, _, token = url.partition("?token=")
            assert len(token) >= 32
            with pytest.raises(urllib.error.HTTPError, match="401") as refused:
                fetch(address)
            refused.value.close()
            request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
            assert "Notebook runs" in fetch(request)

    def test_it_ends_with_the_process_that_it_was_started_beside(self, tmp_path: Path) -> None:
        with started("--with-stdin", cwd=tmp_path) as (server, url):
            assert "Notebook runs" in fetch(url)
            assert server.stdin is not None
            server.stdin.close()
            assert server.wait(10) == 0

    def test_a_port_that_is_taken_is_told(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = nb_dagster("serve", "--port", str(port), cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr == (
            f"nb-dagster: 127.0.0.1:{port} cannot be listened on (Address already in use); name another port\n"
        )

    @pytest.mark.parametrize("token", ["", "short", "with a space in it", "with;a=semicolon;in=it"])
    def test_a_token_that_cannot_guard_is_refused(self, tmp_path: Path, token: str) -> None:
        done = nb_dagster("serve", "--token", token, cwd=tmp_path)
        assert done.returncode == 2
        assert "--token has to be 16 or more letters" in done.stderr


class TestDev:
    def test_a_folder_without_a_workspace_is_told(self, tmp_path: Path) -> None:
        done = nb_dagster("dev", cwd=tmp_path)
        assert done.returncode == 2
        assert "there is no workspace.yaml" in done.stderr

    def test_a_port_that_is_taken_is_told_before_anything_starts(self, tmp_path: Path) -> None:
        (tmp_path / "workspace.yaml").write_text("load_from: []\n")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = nb_dagster("dev", "--pages-port", str(port), cwd=tmp_path)
        assert done.returncode == 2
        assert f"127.0.0.1:{port} cannot be listened on" in done.stderr
        assert not (tmp_path / ".nb_dagster").exists()

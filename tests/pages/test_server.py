"""The server of pages: its addresses, what it refuses, and what every answer says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from nb_dagster.pages import app as pages_app
from nb_dagster.pages.app import make_app
from nb_dagster.pages.guard import COOKIE, Guard
from tests.pages.served import Served, served
from tests.pages.stores import FOLDER, code, keep, notebook, output

TOKEN = "a-token-that-nobody-guesses"
PAGE = f"/train/{FOLDER}/"
FAILED = "2026-02-01T020000Z-5e6f7a8b-1"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two attempts, with files; a secret lies beside it, and a link leads there."""
    folder = tmp_path_factory.mktemp("pages")
    store = folder / "store"
    path = keep(store, notebook(code("x = 1", output(text_html="<script>draw()</script>"))))
    keep(store, notebook(code("y"), status="failed", reason="it broke"), folder=FAILED)
    files = path.with_suffix(".files")
    files.mkdir()
    (files / "model.html").write_text("<script>evil()</script>")
    (files / "deep").mkdir()
    (files / "deep" / "größe & co.txt").write_text("deep")
    (folder / "secret.txt").write_text("secret")
    (folder / "store-2").mkdir()
    (folder / "store-2" / "secret.txt").write_text("secret")
    (files / "link.txt").symlink_to(folder / "secret.txt")
    (files / "up").symlink_to(folder)
    (store / "linked").symlink_to(folder / "store-2")
    outside = keep(folder / "outside", notebook(code("secret")), workflow="outside")
    (store / "escaped").symlink_to(outside.parent.parent)
    (store / ".running").mkdir()
    (store / ".running" / "train-2026-02-02T020000Z-99999999-1.jsonl").write_text("secret")
    (store / "train" / "2026-02-02T020000Z-99999999-1").mkdir()
    return store


@pytest.fixture(scope="module")
def pages(store: Path) -> Iterator[Served]:
    with served(store) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(store: Path) -> Iterator[Served]:
    with served(store, host="0.0.0.0", token=TOKEN) as running:
        yield running


def test_lists_lead_from_the_store_to_each_page(pages: Served) -> None:
    assert 'href="train/"' in pages.get("/").text
    listed = pages.get("/train/").text
    assert f'href="{FOLDER}/"' in listed
    assert "it broke" in listed


def test_a_page_is_live_and_has_no_origin(pages: Served) -> None:
    page = pages.get(PAGE)
    assert page.status == 200
    policy = page.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts allow-downloads; default-src 'none'; ")
    assert "allow-same-origin" not in policy
    assert "frame-src 'none'" in policy
    assert "draw()" in page.text


def test_scripts_and_code_are_left_out_on_request(pages: Served) -> None:
    page = pages.get(f"{PAGE}?scripts=off&code=hide")
    assert "allow-scripts" not in page.headers["content-security-policy"]
    assert "draw()" not in page.text
    assert "hide code" not in page.text


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        ("latest", f"{FAILED}/"),
        ("latest-successful", f"{FOLDER}/"),
        ("as-of/2026-01-31", f"../{FOLDER}/"),
        ("as-of/2026-02-01", f"../{FAILED}/"),
        ("as-of/2026-01-31T02:00", f"../{FOLDER}/"),
        ("as-of/2026-02-01T03:30:00+01:30", f"../{FAILED}/"),
        ("latest-successful/as-of/2026-12-31", f"../../{FOLDER}/"),
        ("latest?code=hide", f"{FAILED}/?code=hide"),
    ],
)
def test_a_stable_address_leads_to_a_page(pages: Served, address: str, leads_to: str) -> None:
    answer = pages.get(f"/train/{address}")
    assert (answer.status, answer.headers["location"]) == (302, leads_to)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/none/", "there is no workflow &#39;none&#39; in this store."),
        ("/train/none/", "there is no attempt &#39;none&#39;"),
        ("/train/as-of/2026-01-30", "no attempt of train has a notebook, as of 2026-01-30."),
        ("/train/as-of/yesterday", "is no ISO date or time, such as 2026-01-31"),
        ("/train/2026-02-02T020000Z-99999999-1/", "it is still running, its page comes when it has ended."),
        (f"{PAGE}files/none.bin", "it has no file &#39;none.bin&#39;."),
        (f"{PAGE}none", "there is no page of that address."),
    ],
)
def test_what_is_not_there_is_told_in_a_sentence(pages: Served, path: str, words: str) -> None:
    answer = pages.get(path)
    assert answer.status == 404
    assert words in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%5csecret.txt/",
        "//etc/passwd",
        "/%2fetc%2fpasswd/",
        "/train/..%2f..%2fsecret.txt/",
        "/train/%00/",
        "/train%00/",
        "/.running/",
        "/.running/train-2026-02-02T020000Z-99999999-1.jsonl",
        "/store-2/",
        "/../store-2/secret.txt",
        "/linked/",
        "/escaped/",
        f"/escaped/{FOLDER}/",
        f"/escaped/{FOLDER}/notebook.ipynb",
        f"/{'x' * 5000}/",
        f"/train/{'x' * 300}/",
        f"{PAGE}files/../train.ipynb",
        f"{PAGE}files/%2e%2e/train.ipynb",
        f"{PAGE}files/..%2f..%2f..%2f..%2fsecret.txt",
        f"{PAGE}files//etc/passwd",
        f"{PAGE}files/%2fetc/passwd",
        f"{PAGE}files/model.html%00",
        f"{PAGE}files/link.txt",
        f"{PAGE}files/up/secret.txt",
        f"{PAGE}files/deep",
        f"{PAGE}files/",
        f"{PAGE}files/{'x' * 300}",
        f"{PAGE}files/%ff",
    ],
)
def test_no_path_leads_out_of_the_store(pages: Served, path: str) -> None:
    answer = pages.get(path)
    if answer.status == 307:  # to the same with a slash behind it
        answer = pages.get(answer.headers["location"].removeprefix(pages.url))
    assert answer.status == 404
    assert "secret" not in answer.text.replace("secret.txt", "")
    assert "root:" not in answer.text
    assert answer.text.count("</p>") == 1  # the sentence


@pytest.mark.parametrize(
    ("path", "kind", "name", "content"),
    [
        ("notebook.ipynb", "application/x-ipynb+json", 'filename="train.ipynb"', "draw()"),
        ("files/model.html", "application/octet-stream", 'filename="model.html"', "evil()"),
        (
            "files/deep/gr%C3%B6%C3%9Fe%20%26%20co.txt",
            "application/octet-stream",
            "gr%C3%B6%C3%9Fe%20%26%20co.txt",
            "deep",
        ),
    ],
)
def test_notebook_and_files_are_only_downloaded(pages: Served, path: str, kind: str, name: str, content: str) -> None:
    answer = pages.get(PAGE + path)
    assert answer.status == 200
    assert answer.headers["content-type"] == kind
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert name in answer.headers["content-disposition"]
    assert content in answer.text


def test_the_page_links_the_files(pages: Served) -> None:
    assert 'href="files/deep/gr%C3%B6%C3%9Fe%20%26%20co.txt"' in pages.get(PAGE).text


def addresses() -> list[str]:
    """One address of each route."""
    guard = make_app("nowhere")
    assert isinstance(guard, Guard)
    assert isinstance(guard.app, Starlette)
    values = {"{workflow}": "train", "{attempt}": FOLDER, "{when}": "2026-01-31", "{file:path}": "model.html"}
    paths = [getattr(route, "path") for route in guard.app.routes]  # noqa: B009 - of any kind of route
    for name, value in values.items():
        paths = [path.replace(name, value) for path in paths]
    assert len(paths) == 9
    return paths


@pytest.mark.parametrize("path", [*addresses(), "/none/", "/a/b/c/d"])
def test_every_answer_has_the_headers_of_a_page(pages: Served, path: str) -> None:
    headers = pages.get(path).headers
    assert headers["content-security-policy"].startswith("sandbox ")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "set-cookie" not in headers


@pytest.mark.parametrize("path", [*addresses(), "/none/", "/a/b/c/d"])
def test_nothing_is_shown_without_the_token(guarded: Served, path: str) -> None:
    wrong: list[dict[str, str]] = [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Cookie": f"{COOKIE}=wrong"},
        {"Cookie": f"{COOKIE}="},
    ]
    assert [guarded.get(path, **headers).status for headers in wrong] == [401] * len(wrong)
    assert guarded.get(f"{path}?token=wrong").status == 401
    assert guarded.get(f"{path}?token=").status == 401


def test_the_token_lets_in_as_a_header_and_as_a_cookie(guarded: Served) -> None:
    assert guarded.get(PAGE, Authorization=f"Bearer {TOKEN}").status == 200
    assert guarded.get(PAGE, Cookie=f"{COOKIE}={TOKEN}").status == 200


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        (f"/?token={TOKEN}", "./"),
        (f"{PAGE}?token={TOKEN}&code=hide", "?code=hide"),
        (f"/train/latest?token={TOKEN}", "latest"),
        (f"//evil.example/?token={TOKEN}", "./"),
    ],
)
def test_the_token_in_an_address_becomes_a_cookie_and_leaves_the_address(
    guarded: Served, path: str, leads_to: str
) -> None:
    answer = guarded.get(path)
    assert (answer.status, answer.headers["location"]) == (303, leads_to)
    assert answer.headers["set-cookie"] == f"{COOKIE}={TOKEN}; HttpOnly; Path=/; SameSite=lax"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:3030", "127.0.0.1.evil.example", "", "[::2]:3030"])
def test_a_request_by_another_name_is_refused(pages: Served, host: str) -> None:
    assert pages.get("/", Host=host).status == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:3030", "[::1]:3030"])
def test_this_machine_has_its_names(pages: Served, host: str) -> None:
    assert pages.get("/", Host=host).status == 200


def test_a_server_of_all_addresses_has_any_name_and_is_guarded_by_the_token(guarded: Served) -> None:
    assert guarded.get("/", Host="reports.example", Authorization=f"Bearer {TOKEN}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_pages_are_only_read(pages: Served, method: str) -> None:
    assert pages.get(PAGE, method=method).status == 405


def test_the_head_of_a_page_can_be_asked_for(pages: Served) -> None:
    answer = pages.get(PAGE, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_a_notebook_that_is_too_big_says_so_and_can_be_downloaded(
    pages: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_app, "MAX_NOTEBOOK", 10)
    page = pages.get(PAGE)
    assert page.status == 200
    assert "Download it instead." in page.text
    assert 'href="notebook.ipynb"' in page.text
    assert "succeeded" in page.text


def test_a_broken_notebook_says_so(store: Path, tmp_path: Path) -> None:
    keep(tmp_path, notebook()).write_text("{")
    with served(tmp_path) as pages:
        answer = pages.get(PAGE)
    assert answer.status == 422
    assert "train.ipynb is no notebook: not JSON" in answer.text


def test_a_store_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    with served(tmp_path / "none") as pages:
        assert pages.get("/").status == 200


def test_a_store_behind_a_link_is_shown(store: Path, tmp_path: Path) -> None:
    os.symlink(store, tmp_path / "link")
    with served(tmp_path / "link") as pages:
        assert pages.get(PAGE).status == 200


def test_a_remote_store_has_pages_and_downloads(store: Path) -> None:
    from upath import UPath

    folder = UPath("memory://pages/store") / "train" / FOLDER
    (folder / "train.files").mkdir(parents=True)
    (folder / "train.ipynb").write_bytes((store / "train" / FOLDER / "train.ipynb").read_bytes())
    (folder / "train.files" / "model.bin").write_bytes(b"model")
    with served("memory://pages/store") as pages:
        assert 'href="train/"' in pages.get("/").text
        assert 'href="files/model.bin"' in pages.get(PAGE).text
        assert pages.get(f"{PAGE}files/model.bin").body == b"model"
        assert pages.get(f"{PAGE}files/../train.ipynb").status == 404
        assert "draw()" in pages.get(f"{PAGE}notebook.ipynb").text

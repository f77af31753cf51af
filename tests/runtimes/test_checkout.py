"""The code of an image is that of a commit, with the changes since, or the folder as it is; and it says which."""

from __future__ import annotations

from pathlib import Path

import pytest

from nb_dagster.errors import RunRefused
from nb_dagster.runtimes.checkout import commit, stash, working_tree
from tests.runtimes.repositories import commit_all, git, write_repository


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a folder of a repository, with a tag, and a commit after it."""
    write_repository(tmp_path, "name: outer\n")
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "a.py").write_text("1", encoding="utf-8")
    commit_all(tmp_path)
    git(tmp_path, "tag", "release/1.0")
    (folder / "a.py").write_text("2", encoding="utf-8")
    commit_all(tmp_path)
    return folder


def test_a_commit_is_the_project_as_it_was_then(project: Path) -> None:
    with commit(project, "release/1.0") as code:
        assert [path.name for path in code.folder.iterdir()] == ["a.py"]
        assert (code.folder / "a.py").read_text(encoding="utf-8") == "1"
        assert (code.version, code.is_dirty) == ("release/1.0", False)
        assert code.revision == git(project, "rev-parse", "release/1.0")
    assert not code.folder.exists()


def test_without_a_ref_it_is_head_and_not_what_has_changed_since(project: Path) -> None:
    (project / "a.py").write_text("3", encoding="utf-8")
    with commit(project) as code:
        assert (code.folder / "a.py").read_text(encoding="utf-8") == "2"
        assert code.version.startswith("release/1.0-1-g")


def test_a_stash_is_head_with_the_changes_and_leaves_both_as_they_were(project: Path) -> None:
    (project / "a.py").write_text("3", encoding="utf-8")
    (project / "new.py").write_text("", encoding="utf-8")
    before = git(project, "status", "--porcelain")
    with stash(project) as code:
        assert [path.name for path in code.folder.iterdir()] == ["a.py"]
        assert (code.folder / "a.py").read_text(encoding="utf-8") == "3"
        assert code.version.endswith("-stash")
        assert (code.is_dirty, code.revision) == (True, git(project, "rev-parse", "HEAD"))
    assert (git(project, "status", "--porcelain"), git(project, "stash", "list")) == (before, "")


def test_a_stash_of_nothing_is_refused(project: Path) -> None:
    with (
        pytest.raises(RunRefused, match="no file that git knows has changed since HEAD; leave --stash out"),
        stash(project),
    ):
        pass


def test_the_folder_as_it_is_is_dirty(project: Path) -> None:
    (project / "new.py").write_text("", encoding="utf-8")
    with working_tree(project) as code:
        assert (code.folder, code.files, code.is_dirty) == (project, frozenset({"a.py", "new.py"}), True)
        assert code.version.endswith("-dirty")


def test_the_folder_as_it_is_needs_no_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / ".gitignore").write_text("data\n", encoding="utf-8")
    (tmp_path / "data").write_text("", encoding="utf-8")
    with working_tree(tmp_path) as code:
        assert (code.version, code.revision, code.files) == ("dirty", None, frozenset({".gitignore"}))


def test_the_folder_as_it_is_needs_no_repository(tmp_path: Path) -> None:
    with working_tree(tmp_path) as code:
        assert (code.version, code.revision, code.files) == ("dirty", None, None)


@pytest.mark.parametrize("ref", ["nowhere", "--output=/tmp/x", ""])
def test_an_unknown_ref_is_refused(project: Path, ref: str) -> None:
    with pytest.raises(RunRefused, match="no commit"), commit(project, ref):
        pass


def test_a_commit_of_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunRefused, match="is in no git repository; --working-tree builds the folder"), commit(tmp_path):
        pass

"""Real images of runtimes, on a real Docker engine."""

from __future__ import annotations

import gzip
import io
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nb_dagster.errors import RunRefused
from nb_dagster.runtimes.image import PROJECT
from nb_dagster.runtimes.images import all_images, image_of
from tests.cli.command import as_json, nb_dagster
from tests.runtimes.repositories import commit_all, git, write_repository

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
VALUES = ["say \"$HOME\" 'twice'", "\\", "a\\\\b ${PATH} $(id) `id`", "# no comment", "größe 数据 🎉", " ", "<<EOF"]
SECRET = "correct horse battery staple"


@pytest.fixture(scope="module")
def project(engine: Any) -> Iterator[str]:
    """The name of a project of this test's own, whose images go when it ends."""
    name = f"t{uuid.uuid4().hex[:10]}"
    yield name
    for image in engine.images.list(filters={"label": f"{PROJECT}={name}"}):
        engine.images.remove(image.id, force=True)


@pytest.fixture(scope="module")
def folder(project: str, base_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of it with two runtimes, and a secret that somebody has committed."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / ".env").write_text(f"DB_PASSWORD={SECRET}", encoding="utf-8")
    text = (
        f"name: {project}\nnotebooks: notebooks\nruntimes:\n"
        f"  old: {{image: '{base_image}', packages: [six==1.16.0]}}\n"
        f"  new:\n    image: '{base_image}'\n    packages: [six==1.17.0]\n    environment: {{V0: plain}}\n"
    )
    write_repository(folder, text)
    git(folder, "tag", "v1")
    return folder


@pytest.fixture(scope="module")
def built(folder: Path) -> dict[str, dict[str, Any]]:
    """Both runtimes, built of the first commit."""
    return {name: build(folder, name) for name in ("old", "new")}


def build(folder: Path, *arguments: str) -> dict[str, Any]:
    done = nb_dagster("runtime", "build", *arguments, "--json", cwd=folder, timeout=500)
    assert done.returncode == 0, done.stderr
    return as_json(done)


@pytest.fixture
def run(engine: Any) -> Callable[..., str]:
    """Runs a command in a container, and gives what it prints."""

    def run(image: str, *command: str) -> str:
        container = engine.containers.run(image, list(command), detach=True, init=True)
        try:
            assert container.wait()["StatusCode"] == 0
            return str(container.logs(stderr=False).decode())  # an engine that follows the log may miss its end
        finally:
            container.remove()

    return run


def test_two_runtimes_have_two_versions_of_one_package(built: dict[str, Any], run: Callable[..., str]) -> None:
    shown = {
        name: run(each["tag"], "python", "-c", "import six; print(six.__version__)") for name, each in built.items()
    }
    assert shown == {"old": "1.16.0\n", "new": "1.17.0\n"}


def test_it_has_the_code_where_its_user_may_write_and_a_kernel(built: dict[str, Any], run: Callable[..., str]) -> None:
    shown = run(built["new"]["tag"], "sh", "-c", "id -u; id -un; pwd; find . -type f; touch notebooks/x && echo $HOME")
    assert shown.split() == ["1000", "nb", "/app", "./nb_dagster.yaml", "./notebooks/train.ipynb", "/home/nb"]
    assert "python3" in run(built["new"]["tag"], "jupyter", "kernelspec", "list")


def test_its_name_and_labels_say_what_it_is_of(built: dict[str, Any], engine: Any, folder: Path, project: str) -> None:
    image = engine.images.get(built["old"]["tag"])
    assert built["old"]["tag"] == f"{project}-old:v1-{built['old']['content'][:12]}"
    assert image.labels["org.opencontainers.image.revision"] == git(folder, "rev-parse", "HEAD")
    assert {key: image.labels[f"nb_dagster.{key}"] for key in ("project", "runtime", "version", "dirty")} == {
        "project": project,
        "runtime": "old",
        "version": "v1",
        "dirty": "false",
    }


def test_a_secret_in_the_code_is_in_no_layer_and_is_told(built: dict[str, Any], engine: Any) -> None:
    assert built["new"]["left_out"] == [".env"]
    files = dict(layer_files(engine, built["new"]["tag"]))
    assert any(name.endswith("notebooks/train.ipynb") for name in files)
    assert [name for name, content in files.items() if SECRET.encode() in content or name.endswith(".env")] == []


def layer_files(engine: Any, tag: str) -> Iterator[tuple[str, bytes]]:
    """Every file of every layer of an image, and what describes it."""
    saved = io.BytesIO(b"".join(engine.images.get(tag).save()))
    for name, raw in tar_files(saved):
        content = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw  # newer engines compress them
        yield name, b"" if content[257:262] == b"ustar" else content
        if content[257:262] == b"ustar":
            yield from tar_files(io.BytesIO(content))


def tar_files(file: io.BytesIO) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=file) as tar:
        for member in tar:
            if member.isfile() and (content := tar.extractfile(member)) is not None:
                yield member.name, content.read()


def test_the_same_is_not_built_twice(built: dict[str, Any], folder: Path) -> None:
    again = build(folder, "old", "--ref", "v1")
    assert (again["built"], again["id"]) == (False, built["old"]["id"])


def test_the_commit_says_the_runtime_too(built: dict[str, Any], folder: Path, run: Callable[..., str]) -> None:
    path = folder / "nb_dagster.yaml"
    before = path.read_text(encoding="utf-8")
    path.write_text(before.replace("plain", "changed"), encoding="utf-8")
    try:
        assert build(folder, "new")["id"] == built["new"]["id"]
        stashed = build(folder, "new", "--stash")
        assert run(stashed["tag"], "sh", "-c", "echo $V0") == "changed\n"
        assert (stashed["version"], stashed["dirty"]) == ("v1-stash", True)
    finally:
        path.write_text(before, encoding="utf-8")


def test_the_folder_as_it_is_is_marked_dirty(built: dict[str, Any], folder: Path, run: Callable[..., str]) -> None:
    (folder / "new.txt").write_text("not committed", encoding="utf-8")
    made = build(folder, "old", "--working-tree")
    assert (made["version"], made["dirty"], made["left_out"]) == ("v1-dirty", True, [".env"])
    assert run(made["tag"], "cat", "new.txt") == "not committed"
    (folder / "new.txt").unlink()


def test_values_of_variables_arrive_as_they_were_written(
    engine: Any, project: str, base_image: str, tmp_path: Path
) -> None:
    environment = {f"V{number}": value for number, value in enumerate(VALUES)}
    (tmp_path / "own.j2").write_text(  # no packages, which take their time
        "FROM {{ runtime.base }}\n{% for name, value in environment.items() %}\nENV {{ name }}={{ value | value }}\n{% endfor %}\n"
    )
    import yaml

    said = {
        "name": project,
        "runtimes": {"values": {"image": base_image, "template": "own.j2", "environment": environment}},
    }
    write_repository(tmp_path, yaml.safe_dump(said, allow_unicode=True))
    found = engine.images.get(build(tmp_path, "values")["tag"]).attrs["Config"]["Env"]
    assert dict(each.split("=", 1) for each in found if each.startswith("V")) == environment


def test_a_failed_build_registers_nothing_and_names_the_step(
    engine: Any, project: str, base_image: str, tmp_path: Path
) -> None:
    write_repository(
        tmp_path, f"name: {project}\nruntimes: {{broken: {{image: '{base_image}', packages: [six==0.0.1]}}}}"
    )
    containers = len(engine.containers.list(all=True, filters={"label": "nb_dagster.tests"}))
    done = nb_dagster("runtime", "build", "broken", "--json", cwd=tmp_path, timeout=500)
    failed = as_json(done)
    assert (done.returncode, failed["built"]) == (5, False)
    assert failed["step"].startswith("step 7/")
    assert "uv pip install" in failed["step"]
    assert "six==0.0.1" in "\n".join(failed["log"])
    assert f"the runtime 'broken' was not built: {failed['step']} failed" in done.stderr
    assert all_images(project, "broken") == []
    assert engine.images.list(name=f"{project}-broken") == []
    assert len(engine.containers.list(all=True, filters={"label": "nb_dagster.tests"})) <= containers


def test_a_runtime_is_found_by_its_last_image_or_by_a_version(
    built: dict[str, Any], folder: Path, project: str
) -> None:
    path = folder / "notebooks/other.py"
    path.write_text("# later", encoding="utf-8")
    commit_all(folder)
    git(folder, "tag", "v2")
    later = build(folder, "old")
    assert image_of(project, "old") == later["tag"]
    assert image_of(project, "old", "v1") == built["old"]["tag"]
    assert image_of(project, "old", later["tag"].split(":")[1]) == later["tag"]
    with pytest.raises(
        RunRefused, match=r"has no image of version 'v3' \(it has v2, .*v1.*nb-dagster runtime build old --ref v3"
    ):
        image_of(project, "old", "v3")
    with pytest.raises(RunRefused, match=r"'none' of .* has no image; build it with: nb-dagster runtime build none"):
        image_of(project, "none")


def test_old_images_are_removed_and_those_in_use_are_kept(built: dict[str, Any], engine: Any, folder: Path) -> None:
    listed = as_json(nb_dagster("runtime", "list", "--json", cwd=folder))
    tags = [each["tag"] for each in listed if each["runtime"] == "old"]  # type: ignore[index]
    assert built["old"]["tag"] == tags[-1]
    container = engine.containers.create(tags[-1], "true")
    try:
        pruned = as_json(nb_dagster("runtime", "prune", "old", "--keep", "1", "--json", cwd=folder))
    finally:
        container.remove()
    assert pruned == {"removed": tags[1:-1], "in_use": tags[-1:]}
    assert as_json(nb_dagster("runtime", "prune", "old", "--keep", "1", "--json", cwd=folder))["removed"] == tags[-1:]
    assert "old" in nb_dagster("runtime", "list", cwd=folder).stdout

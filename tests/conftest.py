"""Settings of all tests."""

import functools
import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from nb_dagster.kernel import warm

ROOT = Path(__file__).parent.parent
pytest_plugins = ["tests.docker_engine", "tests.conformance"]
settings.register_profile("no_deadline", deadline=None)  # machines are noisy: a slow example is no failure
settings.load_profile("no_deadline")


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Gives each process whole files; all that use the cluster go to one, since some of them restart it."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid.split("::", 1)[0])


@functools.cache
def _group(file: str) -> str:
    return "cluster" if "pytest.mark.k8s" in (ROOT / file).read_text(encoding="utf-8") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    """Take that for ``--dist loadfile``."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: the cluster, of which there is one, then what waits for daemons and browsers."""
    items.sort(key=lambda item: (item.get_closest_marker("k8s") is None, "integration" not in item.path.parts))


def pytest_collection_finish() -> None:
    """Have the modules and tests out of what the garbage collector goes through again and again: they stay."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def own_warm_servers() -> Iterator[None]:
    """What the user keeps warm is none of the tests'."""
    with tempfile.TemporaryDirectory(prefix="nbt-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield
        warm.stop_all()

"""Settings of all tests."""

import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from nb_dagster.kernel import warm

settings.register_profile("no_deadline", deadline=None)  # machines are noisy: a slow example is no failure
settings.load_profile("no_deadline")


@pytest.fixture(scope="session", autouse=True)
def own_warm_servers() -> Iterator[None]:
    """What the user keeps warm is none of the tests'."""
    with tempfile.TemporaryDirectory(prefix="nbt-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield
        warm.stop_all()

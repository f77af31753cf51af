"""Runs on forked kernels."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nb_dagster.kernel.fork_servers import ForkServers
from tests.kernel.forking import PRELOAD, Runs, fork_servers_of_its_own, ready


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


@pytest.fixture(scope="module")
def servers() -> Iterator[ForkServers]:
    """The fork servers of this process, with one that has numpy, ready."""
    with fork_servers_of_its_own() as servers:
        ready(servers, *PRELOAD)
        yield servers

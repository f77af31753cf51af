"""A history for tests of projects."""

from collections.abc import Iterator

import dagster as dg
import pytest


@pytest.fixture
def history() -> Iterator[dg.DagsterInstance]:
    """A history in memory, closed in the end."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance

"""Services that tests of notifications share."""

from collections.abc import Iterator

import pytest

from tests.notifications.servers import Mailbox, Service, mailbox, service


@pytest.fixture
def webhook() -> Iterator[Service]:
    """A webhook that takes everything."""
    with service() as started:
        yield started


@pytest.fixture
def mail() -> Iterator[Mailbox]:
    """A mail server."""
    with mailbox() as started:
        yield started

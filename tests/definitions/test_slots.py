"""A slot is held by one at a time, on PostgreSQL too, where Dagster's own way to claim one lets two have it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import dagster as dg
import pytest

from nb_dagster.definitions.lease import lease
from nb_dagster.definitions.slots import free_slot, one_slot, take_slot
from tests.runs.postgres import needed_programs, postgres

AT_ONCE, ROUNDS = 6, 25
SLOT = "one"


@pytest.fixture(params=["sqlite", "postgres"])
def instance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A history."""
    settings = "telemetry: {enabled: false}\n"
    if request.param == "sqlite":
        yield from _history(tmp_path, settings)
        return
    with postgres(needed_programs(), ["-c", "timezone=America/New_York"]) as url:
        yield from _history(tmp_path, f"{settings}storage:\n  postgres:\n    postgres_url: {url}\n")


def _history(home: Path, settings: str) -> Iterator[dg.DagsterInstance]:
    (home / "dagster.yaml").write_text(settings)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def test_of_those_who_want_a_slot_at_once_one_has_it(instance: dg.DagsterInstance) -> None:
    storage, begin = one_slot(instance, SLOT), Barrier(AT_ONCE)

    def take(number: int) -> list[bool]:
        had = []
        for _ in range(ROUNDS):
            begin.wait()
            had.append(take_slot(storage, SLOT, str(number), "step"))
            begin.wait()
            free_slot(storage, SLOT, str(number))
        return had

    with ThreadPoolExecutor(AT_ONCE) as threads:
        rounds = zip(*threads.map(take, range(AT_ONCE)), strict=True)
        assert [sum(each) for each in rounds] == [1] * ROUNDS


def test_who_has_no_slot_frees_none(instance: dg.DagsterInstance) -> None:
    storage = one_slot(instance, SLOT)
    assert take_slot(storage, SLOT, "holder", "step")
    free_slot(storage, SLOT, "another")
    assert not take_slot(storage, SLOT, "another", "step")


def test_a_lease_is_for_one_until_its_end(instance: dg.DagsterInstance) -> None:
    for _ in range(2):
        with lease(instance, SLOT, at_most=60) as first, lease(instance, SLOT, at_most=60) as second:
            assert (first, second) == (True, False)


def test_a_lease_that_was_held_for_too_long_is_free(instance: dg.DagsterInstance) -> None:
    with lease(instance, SLOT, at_most=60):
        time.sleep(1.1)
        with lease(instance, SLOT, at_most=0.5) as second, lease(instance, SLOT, at_most=60) as third:
            assert (second, third) == (True, False)
    with lease(instance, SLOT, at_most=60) as is_free:
        assert is_free

"""An interval's moments lie on a grid, and each of them runs once, whoever looks and when."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from tests.schedules.clockwork import DAWN, Clockwork


def test_it_runs_each_time_that_its_interval_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork = Clockwork(tmp_path, "90s", monkeypatch)
    assert clockwork.at(0, 50, 89, 90, 120, 181, 200, 285) == [90, 180, 270]


def test_a_restart_neither_shifts_nor_doubles_nor_loses_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Clockwork(tmp_path, "90s", monkeypatch).at(0, 95) == [90]
    assert Clockwork(tmp_path, "90s", monkeypatch).at(100, 185) == [180]
    assert Clockwork(tmp_path, "90s", monkeypatch).at(274, 275) == [270]


def test_with_a_start_it_is_counted_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork = Clockwork(tmp_path, "{every: 1h, start: 2026-01-01T07:10, timezone: Europe/Berlin}", monkeypatch)
    assert clockwork.at(0, 599, 610, 3600, 4210) == [600, 4200]


def test_nothing_before_start_and_nothing_after_until(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork = Clockwork(tmp_path, "{every: 1m, start: 2026-01-01T06:02, until: 2026-01-01T06:03}", monkeypatch)
    assert clockwork.at(0, 60, 121, 182, 240) == [120, 180]
    assert clockwork.said[-1] == "it is over, after 2 runs"


def test_it_repeats_as_often_as_said_over_restarts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "{every: 1m, repeat: 3}"
    assert Clockwork(tmp_path, said, monkeypatch).at(0, 60, 120) == [60, 120]
    assert Clockwork(tmp_path, said, monkeypatch).at(180, 240, 300) == [180]


def test_another_interval_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Clockwork(tmp_path, "90s", monkeypatch).at(0, 95) == [90]
    assert Clockwork(tmp_path, "2m", monkeypatch).at(100, 180, 221) == [220]


def test_what_came_while_it_was_paused_is_wanted_by_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork = Clockwork(tmp_path, "{every: 1m, overlap: queue, catchup: all}", monkeypatch)
    assert clockwork.at(0, 60) == [60]
    assert clockwork.at(610, 665, 670, started=605) == [660]


def test_a_run_that_is_being_made_is_not_asked_for_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork = Clockwork(tmp_path, "1m", monkeypatch)
    assert clockwork.at(0) == []
    clockwork.now = DAWN + 61
    (request,) = clockwork.look()
    assert clockwork.look() == []
    assert clockwork.said[-1] == "the run of 2026-01-01T06:01:00+00:00 is being made"
    clockwork.make(request)
    assert clockwork.look() == []


def test_a_run_whose_daemon_was_killed_before_it_was_made_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clockwork = Clockwork(tmp_path, "1m", monkeypatch)
    clockwork.at(0)
    clockwork.now = DAWN + 61
    (lost,) = clockwork.look()
    clockwork.now += 31
    (request,) = clockwork.look()
    assert request.run_key == lost.run_key == "2026-01-01T06:01:00+00:00"


def test_each_partition_by_value_runs_at_each_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clockwork = Clockwork(tmp_path, "1m", monkeypatch, ", partitions: {values: [de, fr]}")
    assert clockwork.at(0, 65, 70) == [60, 60]


def test_the_shortest_looks_at_each_round_of_the_daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = {"5s": 4, "2m": 12, "2d": 30}
    for said, seconds in looks.items():
        (sensor,) = Clockwork(tmp_path, said, monkeypatch).repository.sensor_defs
        assert (sensor.name, sensor.minimum_interval_seconds) == ("ingest_ticker", seconds)
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING

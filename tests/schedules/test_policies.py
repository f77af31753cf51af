"""What becomes of a moment that was missed, or at which a run from before has not ended."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from nb_dagster.schedules import firing, runs
from tests.schedules.clockwork import DAWN, Clockwork


class TestOverlap:
    def test_skip_lets_a_moment_go_and_says_for_which_run(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clockwork = Clockwork(tmp_path, "1m", monkeypatch)
        assert clockwork.at(0, 60, 120, ends=False) == [60]
        (run_id,) = clockwork.instance.get_run_ids()
        assert clockwork.said[-1] == f"2026-01-01T06:02:00+00:00 does not run: run {run_id} from before has not ended"
        clockwork.end_all()
        assert clockwork.at(130, 180) == [180]

    def test_a_run_by_hand_counts_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        clockwork = Clockwork(tmp_path, "1m", monkeypatch)
        clockwork.launch()
        assert clockwork.at(0, 60) == []

    def test_one_of_another_project_does_not(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        clockwork = Clockwork(tmp_path, "1m", monkeypatch)
        tags = {"nb_dagster/project": "bank"}
        clockwork.instance.add_run(dg.DagsterRun("ingest", tags=tags, status=dg.DagsterRunStatus.STARTED))
        assert clockwork.at(0, 60) == [60]

    def test_queue_has_them_run_one_after_another(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        clockwork = Clockwork(tmp_path, "{every: 1m, overlap: queue}", monkeypatch)
        assert clockwork.at(0, 60, 120, 180, ends=False) == [60]
        assert "2026-01-01T06:02:00+00:00 waits: run" in clockwork.said[-1]
        clockwork.end_all()
        assert clockwork.at(185, ends=False) == [120]
        clockwork.end_all()
        assert clockwork.at(190, 195) == [180]

    def test_cancel_ends_the_run_from_before_and_runs_when_it_is_gone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(runs, "stop_run", lambda *_: None)
        clockwork = Clockwork(tmp_path, "{every: 1m, overlap: cancel}", monkeypatch)
        assert clockwork.at(0, 60, ends=False) == [60]
        (run_id,) = clockwork.instance.get_run_ids()
        assert clockwork.at(120) == []
        assert clockwork.said[-1] == f"run {run_id} is cancelled"
        clockwork.end_all()
        assert clockwork.at(125, 130) == [120]

    def test_of_several_that_wait_for_a_cancelled_run_the_newest_runs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clockwork = Clockwork(tmp_path, "{every: 1m, overlap: cancel}", monkeypatch)
        monkeypatch.setattr(runs, "stop_run", lambda *_: None)
        assert clockwork.at(0, 60, ends=False) == [60]
        assert clockwork.at(120, 180, ends=False) == []
        assert "06:02:00+00:00 does not run: 2026-01-01T06:03:00+00:00 came" in clockwork.said[-1]
        clockwork.end_all()
        assert clockwork.at(185) == [180]


class TestCatchup:
    @pytest.mark.parametrize(("catchup", "seconds"), [("none", []), ("last", [3600]), ("all", [1200, 2400, 3600])])
    def test_of_those_that_were_missed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catchup: str, seconds: list[int]
    ) -> None:
        clockwork = Clockwork(tmp_path, f"{{every: 20m, catchup: {catchup}}}", monkeypatch)
        assert clockwork.at(0, 4000, 4005, 4010, 4015) == seconds
        assert clockwork.at(4802) == [4800]

    def test_one_less_than_a_minute_ago_was_not_missed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        clockwork = Clockwork(tmp_path, "{every: 20m, catchup: none}", monkeypatch)
        assert clockwork.at(0, 1255) == [1200]

    def test_it_says_what_was_let_go(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        clockwork = Clockwork(tmp_path, "{every: 20m, catchup: none}", monkeypatch)
        clockwork.at(0, 1300)
        assert clockwork.said[-1] == "2026-01-01T06:20:00+00:00 does not run: it was missed"


class TestCron:
    def test_it_is_dagsters_own_schedule(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        clockwork = Clockwork(tmp_path, '"0 * * * *"', monkeypatch)
        (request,) = clockwork.fire(0)
        assert request.run_key == "2026-01-01T06:00:00+00:00"

    def test_skip(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        clockwork = Clockwork(tmp_path, '"0 * * * *"', monkeypatch)
        run_id = clockwork.launch()
        assert clockwork.fire(0) == []
        assert clockwork.said == [f"run {run_id} from before has not ended"]

    def test_a_moment_that_another_daemon_has_is_not_run_twice(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clockwork = Clockwork(tmp_path, '"0 * * * *"', monkeypatch)
        (request,) = clockwork.fire(0)
        clockwork.make(request, ends=False)
        (again,) = clockwork.fire(0)  # Dagster finds the run by its key
        assert again.run_key == request.run_key
        assert clockwork.now == DAWN

    def test_one_whose_daemon_was_killed_is_run_when_that_is_certain(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(firing, "CLAIMED_FOR", 5)
        clockwork = Clockwork(tmp_path, '"0 * * * *"', monkeypatch)
        clockwork.fire(0)
        (again,) = clockwork.fire(0)
        assert again.run_key == "2026-01-01T06:00:00+00:00"
        assert clockwork.now == DAWN + 5

    @pytest.mark.parametrize(
        ("catchup", "second", "words"),
        [
            ("none", 0, "2026-01-01T06:00:00+00:00 was missed"),
            ("last", 0, "2026-01-01T06:00:00+00:00 was missed"),
            ("none", 3600, "2026-01-01T07:00:00+00:00 was missed"),
            ("last", 3600, ""),
        ],
    )
    def test_catchup(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, catchup: str, second: int, words: str
    ) -> None:
        clockwork = Clockwork(tmp_path, f'{{cron: "0 * * * *", catchup: {catchup}}}', monkeypatch)
        clockwork.now = DAWN + 5000
        assert bool(clockwork.fire(second)) == (not words)
        assert clockwork.said == [words]

    def test_start_and_until(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        said = '{cron: "0 * * * *", start: 2026-01-01T07:00, until: 2026-01-01T08:00}'
        clockwork = Clockwork(tmp_path, said, monkeypatch)
        fired = {}
        for hour in range(4):
            clockwork.now = DAWN + 3600 * hour
            fired[hour] = [clockwork.make(each) for each in clockwork.fire(3600 * hour)]
        assert fired == {0: [], 1: [3600], 2: [7200], 3: []}
        assert clockwork.said[0] == "it begins at 2026-01-01T07:00:00+00:00"

    @pytest.mark.parametrize("more", ["overlap: queue", "overlap: cancel", "catchup: all", "repeat: 2"])
    def test_what_dagsters_scheduler_cannot_do_is_a_sensor(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str
    ) -> None:
        clockwork = Clockwork(tmp_path, f'{{cron: "0 * * * *", {more}}}', monkeypatch)
        assert clockwork.repository.schedule_defs == []
        assert clockwork.at(0, 3599, 3605, 7205) == [3600, 7200]

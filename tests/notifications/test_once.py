"""A message is sent once, tried again while nobody takes it, and holds neither other targets nor the run up."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from nb_dagster.definitions.lease import lease
from nb_dagster.notifications import cursor, marks, sensor, targets
from tests.notifications.deployment import Deployment
from tests.notifications.servers import HANG, Service, service


@dg.op
def fails() -> None:
    """Fails."""
    raise ValueError("boom")


@dg.job
def nightly() -> None:
    """Fails."""
    fails()


def deploy(folder: Path, *urls: str, instance: dg.DagsterInstance | None = None) -> Deployment:
    return Deployment(folder, rules=[nbd.Notify(list(urls))], jobs=[nightly], instance=instance)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wait between two tries."""
    monkeypatch.setattr(marks, "FIRST_WAIT", 0.0)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """A history on disk."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        yield instance


def test_who_was_told_is_in_the_runs_log(tmp_path: Path, webhook: Service) -> None:
    deployed = deploy(tmp_path, webhook.url)
    run_id = deployed.run()
    assert deployed.tick() == "1 sent, 0 to be sent"
    assert deployed.log(run_id) == ["notification sent: failure to json"]


class TestOnce:
    def test_further_looks_tell_nothing_again(self, tmp_path: Path, webhook: Service) -> None:
        deployed = deploy(tmp_path, webhook.url)
        deployed.run()
        for _ in range(3):
            deployed.tick()
        assert len(webhook.taken) == 1

    def test_a_lost_cursor_tells_nothing_again(self, tmp_path: Path, webhook: Service) -> None:
        deployed = deploy(tmp_path, webhook.url)
        before = deployed.cursor
        deployed.run()
        deployed.tick()
        deployed.cursor = before
        assert deployed.tick() == "0 sent, 0 to be sent"
        assert len(webhook.taken) == 1

    def test_a_new_daemon_tells_what_the_old_one_had_not(self, tmp_path: Path, home: dg.DagsterInstance) -> None:
        with service(500) as later:
            old = deploy(tmp_path, later.url, instance=home)
            first, second = old.run(), ""
            old.tick()
            second = old.run()
            new = deploy(tmp_path, later.url, instance=home)
            new.cursor = old.cursor
            new.tick()
            said = [body["message"] for body in later.bodies()]
        assert len(said) == 1, "the first is tried again when its time has come"
        assert second in said[0]
        assert "try 1 of 5" in new.log(first)[0]

    def test_two_daemons_at_one_moment_tell_it_once(self, tmp_path: Path, home: dg.DagsterInstance) -> None:
        with service() as hook:
            one, other = (deploy(tmp_path, hook.url, instance=home) for _ in range(2))
            one.run()
            both = [threading.Thread(target=each.tick) for each in (one, other)]
            for each in both:
                each.start()
            for each in both:
                each.join()
            one.tick()
            other.tick()
            assert len(hook.taken) == 1

    def test_nobody_sends_while_another_does(self, tmp_path: Path, webhook: Service) -> None:
        deployed = deploy(tmp_path, webhook.url)
        deployed.run()
        with lease(deployed.instance, sensor.SLOT, at_most=60) as is_ours:
            assert is_ours
            assert deployed.tick() == "another process sends at this moment"
        assert deployed.tick() == "1 sent, 0 to be sent"

    def test_one_that_was_killed_while_it_sent_is_not_waited_for_forever(
        self, tmp_path: Path, webhook: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deployed = deploy(tmp_path, webhook.url)
        deployed.run()
        killed = lease(deployed.instance, sensor.SLOT, at_most=60)
        assert killed.__enter__()  # the end of the block never comes
        assert deployed.tick() == "another process sends at this moment"
        monkeypatch.setattr(sensor, "HELD_AT_MOST", -1)
        assert deployed.tick() == "1 sent, 0 to be sent"

    def test_an_end_that_shows_late_is_told(
        self, tmp_path: Path, webhook: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deployed = deploy(tmp_path, webhook.url)
        late, real = deployed.run(), dg.DagsterInstance.fetch_run_status_changes

        def without_late(self: dg.DagsterInstance, *args: object, **options: object) -> object:
            found = real(self, *args, **options)  # type: ignore[arg-type]
            return type(found)([each for each in found.records if each.run_id != late], found.cursor, found.has_more)

        with monkeypatch.context() as patch:
            patch.setattr(dg.DagsterInstance, "fetch_run_status_changes", without_late)
            deployed.run()
            deployed.tick()
        assert deployed.tick() == "1 sent, 0 to be sent"
        assert len(webhook.taken) == 2

    def test_more_ends_than_one_look_takes_are_all_told(
        self, tmp_path: Path, webhook: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cursor, "BATCH", 2)
        deployed = deploy(tmp_path, webhook.url)
        for _ in range(5):
            deployed.run()
        assert [deployed.tick() for _ in range(3)] == [f"{n} sent, 0 to be sent" for n in (2, 2, 1)]


class TestTriedAgain:
    @pytest.mark.usefixtures("at_once")
    def test_what_was_not_taken_is_sent_by_a_later_look(self, tmp_path: Path) -> None:
        with service(500, 500) as hook:
            deployed = deploy(tmp_path, hook.url)
            run_id = deployed.run()
            said = [deployed.tick() for _ in range(4)]
            assert len(hook.taken) == 1
        assert said == ["0 sent, 1 to be sent", "0 sent, 1 to be sent", "1 sent, 0 to be sent", "0 sent, 0 to be sent"]
        first, second, last = deployed.log(run_id)
        assert "(try 1 of 5, " in first
        assert "error=500" in first
        assert "(try 2 of 5, " in second
        assert last == "notification sent: failure to json"

    def test_not_before_its_time(self, tmp_path: Path) -> None:
        with service(500) as hook:
            deployed = deploy(tmp_path, hook.url)
            deployed.run()
            for _ in range(3):
                deployed.tick()
            assert hook.asked == 1

    @pytest.mark.usefixtures("at_once")
    def test_not_for_ever_and_the_runs_log_says_so(self, tmp_path: Path) -> None:
        with service(*[500] * 20) as hook:
            deployed = deploy(tmp_path, hook.url)
            run_id = deployed.run()
            for _ in range(7):
                deployed.tick()
            assert hook.asked == marks.MAX_TRIES
        assert deployed.log(run_id)[-1].endswith("(given up after 5 tries)")
        assert deployed.tick() == "0 sent, 0 to be sent"


class TestATargetThatIsDown:
    def test_does_not_hold_the_others_up(self, tmp_path: Path, webhook: Service) -> None:
        deployed = deploy(tmp_path, "json://127.0.0.1:9/down", webhook.url)
        run_id = deployed.run()
        deployed.tick()
        assert len(webhook.taken) == 1
        assert sorted(line.split(" (")[0].split(": ")[1] for line in deployed.log(run_id)) == [
            "failure to json",
            "failure to json 2",
        ]

    def test_does_not_hold_the_others_up_where_it_hangs(
        self, tmp_path: Path, webhook: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(targets, "TIMEOUT", 1.0)
        with service(HANG, HANG, HANG) as hanging:
            deployed = deploy(tmp_path, hanging.url, webhook.url)
            for _ in range(3):
                deployed.run()
            started = time.monotonic()
            deployed.tick()
            assert len(webhook.taken) == 3
            assert hanging.asked == 1, "who does not take one is not sent the others"
            assert time.monotonic() - started < 10

    def test_leaves_the_run_as_it_was(self, tmp_path: Path) -> None:
        @dg.job
        def fine() -> None:
            pass

        deployed = Deployment(tmp_path, rules=[nbd.Notify(["json://127.0.0.1:9/down"], on=["success"])], jobs=[fine])
        run_id = deployed.run("fine")
        deployed.tick()
        run = deployed.instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.SUCCESS
        assert len(deployed.log(run_id)) == 1

"""What people are told of real runs, in a message each: which workflow, how it ended, why, with what, and where to look."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from nb_dagster.definitions.worker import WORKER_TAG, Worker
from tests.notebooks import write_notebook
from tests.notifications.deployment import Deployment
from tests.notifications.servers import Service

ALL = ("success", "failure", "retry", "skip", "cancel")


def notebook(
    folder: Path, name: str, *cells: str, parameters: str | None = None, **options: object
) -> dg.AssetsDefinition:
    return nbd.notebook_asset(write_notebook(folder / f"{name}.ipynb", *cells, parameters=parameters), **options)  # type: ignore[arg-type]


def deploy(folder: Path, webhook: Service, *assets: dg.AssetsDefinition, **options: object) -> Deployment:
    return Deployment(folder, *assets, rules=[nbd.Notify([webhook.url], on=ALL)], **options)  # type: ignore[arg-type]


class TestAFailure:
    @pytest.fixture
    def message(self, tmp_path: Path, webhook: Service) -> str:
        train = notebook(tmp_path, "train", "1", "raise ValueError('boom\\nsecond line')", parameters="n = 400")
        deployed = deploy(tmp_path, webhook, train, ui="http://dagster.example:3000", pages="http://pages.example:3030")
        self.run_id = deployed.run()
        deployed.tick()
        (body,) = webhook.bodies()
        assert body["title"] == "train failed"
        assert body["type"] == "failure"
        return str(body["message"])

    def test_is_told_with_its_cell_and_the_first_line_of_its_error(self, message: str) -> None:
        assert "reason: cell 3 (raise ValueError('boom\\nsecond line')), line 1: ValueError: boom" in message
        assert "Traceback" not in message

    def test_is_told_with_parameters_attempt_and_duration(self, message: str) -> None:
        assert "parameters: n = 400\n" in message
        assert "attempt: 1, " in message

    def test_is_told_with_links_to_the_page_and_the_run(self, message: str) -> None:
        assert "page: http://pages.example:3030/train/" in message
        assert f"run: http://dagster.example:3000/runs/{self.run_id}" in message

    def test_is_told_with_a_key_by_which_repetitions_are_known(self, message: str) -> None:
        assert message.endswith(f"message: {self.run_id[:8]}/failure")


def test_a_success_is_told(tmp_path: Path, webhook: Service) -> None:
    deployed = deploy(tmp_path, webhook, notebook(tmp_path, "train", "1"))
    deployed.run()
    deployed.tick()
    (body,) = webhook.bodies()
    assert (body["title"], body["type"]) == ("train succeeded", "info")


def test_a_skip_is_told_with_its_reason(tmp_path: Path, webhook: Service) -> None:
    deployed = deploy(tmp_path, webhook, notebook(tmp_path, "train", "nb.skip('nothing new')"))
    deployed.run()
    deployed.tick()
    assert webhook.titles() == ["train skipped itself"]
    assert "reason: nothing new" in webhook.bodies()[0]["message"]


def test_each_attempt_that_is_retried_is_told_and_then_how_it_ended(tmp_path: Path, webhook: Service) -> None:
    flaky = "assert nb.context.attempt > 2, f'not yet {nb.context.attempt}'"
    train = notebook(tmp_path, "train", flaky, retry_policy=dg.RetryPolicy(max_retries=2))
    deployed = deploy(tmp_path, webhook, train)
    deployed.run()
    deployed.tick()
    assert sorted(webhook.titles()) == ["train failed, and is tried again"] * 2 + ["train succeeded"]
    said = " ".join(body["message"] for body in webhook.bodies())
    assert "AssertionError: not yet 1" in said
    assert "AssertionError: not yet 2" in said


def test_an_attempt_that_is_retried_is_told_while_the_run_goes_on(tmp_path: Path, webhook: Service) -> None:
    told: list[list[str]] = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
    def flaky(context: dg.OpExecutionContext) -> None:
        if context.retry_number == 0:
            raise ValueError("not yet")
        deployed.tick()
        told.append(webhook.titles())

    @dg.job
    def plain() -> None:
        flaky()

    deployed = deploy(tmp_path, webhook, jobs=[plain])
    deployed.run("plain")
    assert told == [["flaky failed, and is tried again"]]
    assert "reason: ValueError: not yet" in webhook.bodies()[0]["message"]


def test_each_piece_of_a_step_that_is_retried_is_told(tmp_path: Path, webhook: Service) -> None:
    @dg.op(out=dg.DynamicOut(int))
    def pieces():  # type: ignore[no-untyped-def]
        yield dg.DynamicOutput(1, "a")
        yield dg.DynamicOutput(2, "b")

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
    def work(context, piece: int) -> None:  # type: ignore[no-untyped-def]
        if context.retry_number == 0:
            raise ValueError(f"not yet {piece}")

    @dg.job
    def mapped() -> None:
        pieces().map(work)

    deployed = deploy(tmp_path, webhook, jobs=[mapped])
    deployed.run("mapped")
    deployed.tick()
    retries = [body["message"] for body in webhook.bodies() if "tried again" in body["title"]]
    assert [f"not yet {piece}" in retries[piece - 1] for piece in (1, 2)] == [True, True]


def test_a_run_that_dagster_launches_again_is_told_as_a_retry(tmp_path: Path, webhook: Service) -> None:
    deployed = deploy(tmp_path, webhook, notebook(tmp_path, "train", "1 / 0"))
    run_id = deployed.run()
    deployed.instance.add_run_tags(run_id, {"dagster/will_retry": "true"})
    deployed.tick()
    assert webhook.titles() == ["train failed, and is tried again"]


def test_notebooks_of_one_run_with_one_outcome_share_a_message(tmp_path: Path, webhook: Service) -> None:
    failing = [notebook(tmp_path, f"train_{n}", f"raise ValueError({n})") for n in range(5)]
    deployed = deploy(tmp_path, webhook, *failing, notebook(tmp_path, "report", "1"))
    deployed.run()
    deployed.tick()
    failed, succeeded = sorted(webhook.bodies(), key=lambda body: str(body["type"]))
    assert failed["title"] == "nightly: train_0, train_1, train_2 and 2 more failed"
    assert succeeded["title"] == "report succeeded"
    assert all(f"ValueError: {n}" in failed["message"] for n in range(5))


def test_an_ordinary_step_that_fails_is_told(tmp_path: Path, webhook: Service) -> None:
    @dg.asset
    def rows() -> None:
        raise ValueError("no rows")

    deployed = deploy(tmp_path, webhook, rows)
    deployed.run()
    deployed.tick()
    assert webhook.titles() == ["rows failed"]
    assert "reason: ValueError: no rows" in webhook.bodies()[0]["message"]


def test_a_notebook_without_its_declared_output_is_told_as_failed(tmp_path: Path, webhook: Service) -> None:
    deployed = deploy(tmp_path, webhook, notebook(tmp_path, "train", "1", outs=["rows"]))
    deployed.run()
    deployed.tick()
    assert webhook.titles() == ["train failed"]
    assert 'never called nb.output("rows", ...)' in webhook.bodies()[0]["message"]


def test_a_run_that_ended_before_any_step_is_told(tmp_path: Path, webhook: Service) -> None:
    deployed = deploy(tmp_path, webhook, notebook(tmp_path, "train", "1"))
    run = deployed.instance.create_run_for_job(deployed.definitions.resolve_job_def("nightly"))
    deployed.instance.report_run_failed(run, "the machine is gone")
    deployed.tick()
    assert webhook.titles() == ["nightly failed"]
    assert "reason: the machine is gone" in webhook.bodies()[0]["message"]


def test_a_cancelled_run_is_told(tmp_path: Path, webhook: Service) -> None:
    deployed = deploy(tmp_path, webhook, notebook(tmp_path, "train", "1"))
    run = deployed.instance.create_run_for_job(deployed.definitions.resolve_job_def("nightly"))
    deployed.instance.report_run_canceled(run)
    deployed.tick()
    assert webhook.titles() == ["nightly was cancelled"]


def test_a_run_whose_process_was_killed_is_closed_and_told(tmp_path: Path, webhook: Service) -> None:
    deployed = deploy(tmp_path, webhook, notebook(tmp_path, "train", "1"))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        worker = Worker.of(process.pid)
        process.kill()
    job = deployed.definitions.resolve_job_def("nightly")
    deployed.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={WORKER_TAG: str(worker)})
    deployed.tick()
    assert webhook.titles() == ["nightly failed"]
    assert "reason: killed: the process that ran it (pid " in webhook.bodies()[0]["message"]


class TestRules:
    def test_a_target_hears_only_of_its_outcomes(self, tmp_path: Path, webhook: Service) -> None:
        rules = [nbd.Notify([webhook.url])]
        deployed = Deployment(tmp_path, notebook(tmp_path, "train", "1"), rules=rules)
        deployed.run()
        deployed.tick()
        assert webhook.titles() == []

    def test_a_target_hears_only_of_its_workflows(self, tmp_path: Path, webhook: Service) -> None:
        failing = [notebook(tmp_path, name, "1 / 0") for name in ("train", "report")]
        deployed = Deployment(tmp_path, *failing, rules=[nbd.Notify([webhook.url], workflows=["report"])])
        deployed.run()
        deployed.tick()
        assert webhook.titles() == ["report failed"]

    def test_a_target_of_two_rules_is_told_once_of_both(self, tmp_path: Path, webhook: Service) -> None:
        failing = [notebook(tmp_path, name, "1 / 0") for name in ("train", "report")]
        rules = [nbd.Notify([webhook.url], workflows=[name]) for name in ("train", "report")]
        deployed = Deployment(tmp_path, *failing, rules=rules)
        deployed.run()
        deployed.tick()
        assert len(webhook.titles()) == 1

    def test_a_target_that_is_named_in_two_ways_is_told_once(
        self, tmp_path: Path, webhook: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOOK", webhook.url)
        rules = [nbd.Notify(["env:HOOK"]), nbd.Notify([dg.EnvVar("HOOK")])]
        deployed = Deployment(tmp_path, notebook(tmp_path, "train", "1 / 0"), rules=rules)
        deployed.run()
        deployed.tick()
        assert webhook.titles() == ["train failed"]

    def test_runs_before_the_first_look_are_told_to_nobody(self, tmp_path: Path, webhook: Service) -> None:
        deployed = deploy(tmp_path, webhook, notebook(tmp_path, "train", "1"))
        deployed.run()
        deployed.cursor = None
        deployed.tick()
        assert webhook.titles() == []

    def test_runs_of_other_definitions_are_told_by_those(self, tmp_path: Path, webhook: Service) -> None:
        deployed = deploy(tmp_path, webhook, notebook(tmp_path, "train", "1"))

        @dg.job
        def elsewhere() -> None:
            pass

        elsewhere.execute_in_process(instance=deployed.instance)
        deployed.tick()
        assert webhook.titles() == []

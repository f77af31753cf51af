"""Steps and kernels in pods: what they see, what they leave, how they are stopped, and what they are lost by."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from nb_dagster.definitions.metadata import stored_notebooks
from nb_dagster.definitions.worker import close_lost_runs
from nb_dagster.store.notebooks import NotebookStore
from tests import pods
from tests.executors.deployment import make_home
from tests.executors.pod_jobs import PodJobs
from tests.executors.remote_jobs import ENDLESS, PASSWORD
from tests.notebooks import cell_statuses, printed, read, run_metadata, write_notebook
from tests.waiting import wait_until

pytestmark = [pytest.mark.k8s, pytest.mark.timeout(300)]

KINDS = ["k8s", "k8s-kernel"]
STEPS_FIRST = ["k8s", pytest.param("k8s-kernel", marks=pytest.mark.soak)]
"""For what the cluster does to both in the same way."""
BOUND = 15
"""Seconds after which what was cancelled is gone: five are promised, to a machine that runs no other tests."""
UNHEARD = {"k8s": 50, "k8s-kernel": 35}
"""Seconds after which a pod has ended whose worker is gone; a step has time to keep its notebook."""
ON_SECOND_TRY = """\
print('before', flush=True)
import time
nb.metric('seen', 1)
if nb.context.attempt == 1: time.sleep(600)
"""
GREEDY = """\
print('before', flush=True)
with open('/proc/1/oom_score_adj', 'w') as score: score.write('1000')  # the first process of the pod goes first
taken = bytearray(900_000_000)
"""


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with pods.namespace() as namespace:
        yield namespace


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    make_home(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        yield instance


@pytest.fixture
def jobs(tmp_path: Path, namespace: str, instance: dg.DagsterInstance) -> Iterator[PodJobs]:
    jobs = PodJobs(tmp_path, namespace, instance)
    with jobs.ending():
        yield jobs


@pytest.fixture
def endless(jobs: PodJobs) -> PodJobs:
    write_notebook(jobs.folder / "endless.ipynb", *ENDLESS)
    return jobs


def _assert_it_was_lost(jobs: PodJobs, reason: str) -> None:
    """The run failed, its partial notebook says by what, and nothing is left."""
    jobs.process.wait(60)
    assert jobs.run.status == dg.DagsterRunStatus.FAILURE
    said = run_metadata(jobs.executed())
    assert said["status"] == "killed"
    assert reason in said["reason"]
    assert cell_statuses(jobs.executed()) == ["succeeded", "killed", "not_run"]
    assert printed(jobs.executed()).startswith("before\n")
    jobs.settle()


def test_steps_of_one_job_run_here_and_in_pods(jobs: PodJobs) -> None:
    write_notebook(jobs.folder / "where.ipynb", "import socket\nnb.output('where', socket.gethostname())")
    run = jobs.finish("mixed", "k8s")
    assert run.status == dg.DagsterRunStatus.SUCCESS
    found = {}
    for path in stored_notebooks(jobs.instance, run.run_id):
        record = next(output["data"] for output in read(path)["cells"][-1]["outputs"] if "data" in output)
        found[run_metadata(path)["workflow"]] = record["application/vnd.nb-dagster.record+json"]["value"]
    assert found["here"] == socket.gethostname()
    assert len(set(found.values())) == 3, found
    jobs.settle()


@pytest.mark.parametrize("isolation", KINDS)
def test_a_secret_is_in_no_object_and_no_log_of_the_cluster(jobs: PodJobs, isolation: str) -> None:
    write_notebook(
        jobs.folder / "secret.ipynb",
        "import time\nassert len(nb.secret('PASSWORD'))\nnb.metric('seen', 1)\nprint('known', flush=True)",
        f"import pathlib\nwhile not pathlib.Path({str(jobs.folder / 'go')!r}).exists(): time.sleep(0.1)",
    )
    process = jobs.running("secrets", isolation)
    core, batch, plain = jobs.core, pods.cluster().jobs, jobs.core.api_client.sanitize_for_serialization
    lists = [
        batch.list_namespaced_job,
        core.list_namespaced_pod,
        core.list_namespaced_event,
        core.list_namespaced_secret,
        core.list_namespaced_config_map,
    ]
    objects = json.dumps([plain(each(jobs.namespace).items) for each in lists])
    (pod,) = jobs.alive()
    log = pods.cluster().log(pod, jobs.namespace, "dagster")
    (jobs.folder / "go").touch()
    process.wait(60)
    assert jobs.run.status == dg.DagsterRunStatus.SUCCESS
    assert "known" in printed(jobs.executed())
    assert pod in objects
    assert PASSWORD not in objects
    assert "nb_dagster-pod" in log
    assert PASSWORD not in log


@pytest.mark.parametrize("isolation", KINDS)
def test_a_cancel_ends_the_pod_and_keeps_the_notebook(endless: PodJobs, isolation: str) -> None:
    process = endless.running("endless", isolation)
    endless.cancel(process)
    wait_until(lambda: endless.alive() == [], BOUND)
    endless.assert_cancelled(process)
    endless.settle()


@pytest.mark.parametrize("isolation", KINDS)
def test_a_cancel_ends_a_pod_that_waits_for_a_node(endless: PodJobs, isolation: str) -> None:
    process = endless.start("endless", isolation, node_selector={"no-such": "node"})
    wait_until(lambda: endless.instance.get_runs() != [] and endless.alive() != [], 60)
    endless.cancel(process)
    wait_until(lambda: endless.left() == [], BOUND)
    process.wait(30)
    assert endless.run.status == dg.DagsterRunStatus.CANCELED


@pytest.mark.parametrize("isolation", KINDS)
def test_a_killed_worker_takes_its_pods_with_it(endless: PodJobs, isolation: str) -> None:
    process = endless.running("endless", isolation)
    process.kill()
    process.wait()
    wait_until(lambda: endless.alive() == [], UNHEARD[isolation])
    close_lost_runs(endless.instance, NotebookStore(endless.folder / "endless").recover())
    assert run_metadata(endless.executed())["status"] == "killed"
    assert printed(endless.executed()).startswith("before\n")


@pytest.mark.parametrize("isolation", KINDS)
def test_a_pod_that_is_deleted_by_hand_is_told_and_its_notebook_kept(endless: PodJobs, isolation: str) -> None:
    endless.running("endless", isolation)
    (pod,) = endless.alive()
    endless.delete(pod)
    _assert_it_was_lost(endless, "its pod was ")


@pytest.mark.parametrize("isolation", STEPS_FIRST)
def test_a_pod_that_is_deleted_without_grace_is_told_and_its_notebook_kept(endless: PodJobs, isolation: str) -> None:
    endless.running("endless", isolation)
    (pod,) = endless.alive()
    endless.delete(pod, grace_period_seconds=0)
    _assert_it_was_lost(endless, "its pod was ")


@pytest.mark.parametrize("isolation", STEPS_FIRST)
def test_a_job_that_is_deleted_by_hand_is_told_and_its_notebook_kept(endless: PodJobs, isolation: str) -> None:
    endless.running("endless", isolation)
    (pod,) = endless.alive()
    job = endless.core.read_namespaced_pod(pod, endless.namespace).metadata.labels["job-name"]
    pods.cluster().jobs.delete_namespaced_job(job, endless.namespace, propagation_policy="Background")
    _assert_it_was_lost(endless, "its pod was ")


@pytest.mark.parametrize("isolation", STEPS_FIRST)
def test_an_evicted_pod_is_told_and_its_notebook_kept(endless: PodJobs, isolation: str) -> None:
    endless.running("endless", isolation)
    (pod,) = endless.alive()
    body = {"apiVersion": "policy/v1beta1", "kind": "Eviction", "metadata": {"name": pod}}
    endless.core.create_namespaced_pod_eviction(pod, endless.namespace, body)
    _assert_it_was_lost(endless, "its pod was ")


@pytest.mark.parametrize("isolation", STEPS_FIRST)
def test_a_pod_that_reaches_its_deadline_is_told_and_its_notebook_kept(endless: PodJobs, isolation: str) -> None:
    endless.start("endless", isolation, pod_spec={"activeDeadlineSeconds": 20})
    _assert_it_was_lost(endless, "its pod was ")
    log = "\n".join(entry.message for entry in endless.instance.all_logs(endless.run.run_id))
    assert "its pod was ended at its deadline" in log


@pytest.mark.parametrize("isolation", KINDS)
def test_a_step_whose_pod_was_deleted_is_tried_again(jobs: PodJobs, isolation: str) -> None:
    write_notebook(jobs.folder / "endless.ipynb", ON_SECOND_TRY)
    process = jobs.running("retried", isolation)
    (pod,) = jobs.alive()
    jobs.delete(pod)
    process.wait(100)
    assert jobs.run.status == dg.DagsterRunStatus.SUCCESS
    attempts = sorted(map(run_metadata, stored_notebooks(jobs.instance, jobs.run.run_id)), key=lambda e: e["attempt"])
    assert [each["status"] for each in attempts] == ["killed", "succeeded"]
    jobs.settle()


@pytest.mark.parametrize("isolation", STEPS_FIRST)
def test_a_step_that_raised_is_not_tried_again_where_only_the_infrastructure_counts(
    jobs: PodJobs, isolation: str
) -> None:
    write_notebook(jobs.folder / "endless.ipynb", "1 / 0")
    run = jobs.finish("retried", isolation)
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert run_metadata(jobs.executed())["attempt"] == 1


@pytest.mark.parametrize("isolation", STEPS_FIRST)
def test_a_notebook_with_too_much_memory_is_told_from_one_that_was_killed(jobs: PodJobs, isolation: str) -> None:
    write_notebook(jobs.folder / "fails.ipynb", "print('before', flush=True)", "taken = bytearray(900_000_000)")
    run = jobs.finish("fails", isolation, memory="600m")
    assert run.status == dg.DagsterRunStatus.FAILURE
    said = run_metadata(jobs.executed())
    assert said["status"] == "killed"
    assert said["reason"].startswith("the kernel ran out of memory, and the system killed it")
    jobs.settle()


@pytest.mark.parametrize("isolation", STEPS_FIRST)
def test_a_pod_that_ends_for_lack_of_memory_is_told_and_its_notebook_kept(jobs: PodJobs, isolation: str) -> None:
    write_notebook(jobs.folder / "greedy.ipynb", GREEDY, "print('never')")
    run = jobs.finish("greedy", isolation, memory="600m", cpus=0.5)
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert "ran out of memory" in jobs.said()
    assert run_metadata(jobs.executed())["status"] == "killed"
    assert cell_statuses(jobs.executed()) == ["killed", "not_run"]
    jobs.settle()


def test_a_pod_that_ends_for_lack_of_memory_is_not_tried_again_where_only_the_infrastructure_counts(
    jobs: PodJobs,
) -> None:
    write_notebook(jobs.folder / "endless.ipynb", GREEDY)
    run = jobs.finish("retried", "k8s", memory="600m", cpus=0.5)
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert "ran out of memory" in jobs.said()
    assert run_metadata(jobs.executed())["attempt"] == 1


def test_the_pod_of_a_failed_step_stays_on_request(jobs: PodJobs) -> None:
    write_notebook(jobs.folder / "fails.ipynb", "1 / 0")
    run = jobs.finish("fails", "k8s", keep_failed=True)
    assert run.status == dg.DagsterRunStatus.FAILURE
    wait_until(lambda: jobs.alive() == [], UNHEARD["k8s"])
    assert len(jobs.left()) == 2, "a job, and its pod"


def test_the_pod_of_a_failed_attempt_stays_on_request_when_the_next_one_succeeds(jobs: PodJobs) -> None:
    write_notebook(jobs.folder / "fails.ipynb", "assert nb.context.attempt > 1")
    run = jobs.finish("insists", "k8s", keep_failed=True)
    assert run.status == dg.DagsterRunStatus.SUCCESS
    wait_until(
        lambda: jobs.alive() == [] and len(jobs.left()) == 2,
        UNHEARD["k8s"],
        lambda: f"alive: {jobs.alive()}; left: {jobs.left()}",
    )


def test_an_image_without_dagster_is_said(jobs: PodJobs) -> None:
    write_notebook(jobs.folder / "fails.ipynb", "1")
    (jobs.folder / "bin").mkdir()
    python = jobs.folder / "bin/python3"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    path = [{"name": "PATH", "value": f"{python.parent}:/bin:/usr/bin"}]
    run = jobs.finish("fails", "k8s", container={"env": path})
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert "there is no command 'dagster' on the PATH of the image" in jobs.said()
    jobs.settle()


@pytest.mark.parametrize("isolation", STEPS_FIRST)
@pytest.mark.parametrize(
    ("compute", "words"),
    [
        ({"image": "no-such-image:1"}, "there is no image 'no-such-image:1'"),
        (
            {"image": "127.0.0.1:1/no-such:1", "container": {"imagePullPolicy": "Always"}, "start_timeout": 10},
            "its image '127.0.0.1:1/no-such:1' is not pulled yet",
        ),
        ({"node_selector": {"no-such": "node"}, "start_timeout": 5}, "its pod did not run within 5 s: no node takes"),
        ({"namespace": "no-such-namespace"}, 'namespaces "no-such-namespace" not found'),
    ],
    ids=["image", "registry", "node", "namespace"],
)
def test_what_keeps_a_pod_from_running_is_said(
    jobs: PodJobs, isolation: str, compute: dict[str, Any], words: str
) -> None:
    write_notebook(jobs.folder / "fails.ipynb", "1")
    run = jobs.finish("fails", isolation, **compute)
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert words in jobs.said()
    jobs.settle()

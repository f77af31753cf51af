"""The plain manifests on a real Kubernetes: they come up, a run has a pod of its own, and rights are as narrow as said."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests import containers, pods
from tests.cli import command
from tests.deploy.on_cluster import PASSWORD, TOKEN, OnCluster, ask, on_cluster
from tests.notebooks import executed_notebooks, run_metadata, write_notebook
from tests.waiting import wait_until

pytestmark = [pytest.mark.k8s, pytest.mark.timeout(600)]

HOSTS = ("here", "step_apart", "kernel_apart")
EVERYTHING = [
    (verb, resource, group)
    for verb in ("get", "list", "create", "delete")
    for resource, group in (("pods", ""), ("pods/log", ""), ("secrets", ""), ("configmaps", ""), ("jobs", "batch"))
]
LOG = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events {
    ... on MessageEvent { message } ... on ErrorEvent { error { message stack } } } } } }"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"


def project(image: str) -> str:
    """A workflow in its run's pod, one with a pod for its step and one with a pod for its kernel; one that does not end."""
    own = containers.compute("k8s-kernel", user="1000:1000", service_account="nb-dagster-kernels")
    kernel = {**own, "image": image, "container": {"imagePullPolicy": "Never"}, "env": {**own["env"], "HOME": "/tmp"}}
    workflows = {
        "here": {},
        "step_apart": {"compute": {"isolation": "k8s"}},
        "kernel_apart": {"compute": kernel},
        "deployed_endless": {},
    }
    return json.dumps({"notebooks": ".", "workflows": workflows, "pipelines": {"deployed_mixed": list(HOSTS)}})


@pytest.fixture(scope="module")
def up(base_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnCluster]:
    pods.cluster()
    folder = tmp_path_factory.mktemp("notebooks")
    host = "import os, socket\nprint('host', socket.gethostname(), 'user', os.getuid(), 'end')"
    notebooks = [write_notebook(folder / f"{name}.ipynb", host) for name in HOSTS]
    endless = write_notebook(folder / "deployed_endless.ipynb", "print('before')", "import time; time.sleep(600)")
    with on_cluster(project(base_image), [*notebooks, endless], base_image) as made:
        yield made


def address(up: OnCluster) -> str:
    """The address of Dagster, when web server and daemon are ready."""
    for each in ("web", "daemon"):
        up.wait_until_ready(each)
    return f"http://{up.address('web')}:3000"


def launch(up: OnCluster, url: str, workflow: str, tmp_path: Path) -> str:
    done = command.nb_dagster("launch", workflow, "--json", "--url", url, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr + up.said("code")
    run_id: str = command.as_json(done)["run_id"]
    return run_id


@pytest.fixture(scope="module")
def run_id(up: OnCluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run that succeeded."""
    url = address(up)
    launched = launch(up, url, "deployed_mixed", tmp_path_factory.mktemp("launch"))
    wait_until(lambda: status(url, launched) in {"SUCCESS", "FAILURE", "CANCELED"}, 240)
    assert status(url, launched) == "SUCCESS", why(url, launched)
    return launched


def test_a_run_and_a_step_and_a_kernel_that_want_it_have_pods_of_their_own(up: OnCluster, run_id: str) -> None:
    (pod,) = up.pods(f"job-name=dagster-run-{run_id}")
    assert pod.spec.service_account_name == "nb-dagster-runs"
    hosts = {}
    for workflow in HOSTS:
        (path,) = executed_notebooks(up.folder / ".nb_dagster/notebooks", workflow)
        assert run_metadata(path)["status"] == "succeeded"
        (said,) = re.findall(r"host (\S+) user 1000 end", path.read_text())
        hosts[workflow] = said
    assert hosts["here"] == pod.metadata.name
    assert len(set(hosts.values())) == len(HOSTS)
    wait_until(lambda: up.pods("app.kubernetes.io/managed-by=nb_dagster") == [], 60)


def test_no_password_is_in_the_manifest_of_a_run(up: OnCluster, run_id: str) -> None:
    job = pods.cluster().jobs.read_namespaced_job(f"dagster-run-{run_id}", up.namespace)
    said = json.dumps(job.to_dict(), default=str)
    assert PASSWORD not in said
    assert TOKEN not in said


def test_a_cancel_removes_the_pod_and_keeps_the_notebook(up: OnCluster, tmp_path: Path) -> None:
    url = address(up)
    run_id = launch(up, url, "deployed_endless", tmp_path)
    journals = up.folder / ".nb_dagster/notebooks/.running"
    wait_until(lambda: any("before" in each.read_text() for each in journals.glob("*.jsonl")), 180)
    cancel = "mutation($id: String!) { terminateRun(runId: $id) { __typename } }"
    assert ask(url, cancel, id=run_id)["terminateRun"]["__typename"] == "TerminateRunSuccess"
    wait_until(lambda: up.pods(f"job-name=dagster-run-{run_id}") == [], 90)
    (path,) = executed_notebooks(up.folder / ".nb_dagster/notebooks", "deployed_endless")
    assert run_metadata(path)["status"] == "cancelled"


def test_the_database_is_migrated_from_the_web_server(up: OnCluster) -> None:
    up.wait_until_ready("web")
    migrate = ["exec", "deploy/nb-dagster-web", "--", "dagster", "instance", "migrate"]
    done = subprocess.run(["kubectl", "-n", up.namespace, *migrate], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pages_ask_for_the_token(up: OnCluster) -> None:
    up.wait_until_ready("pages")
    url = f"http://{up.address('pages')}:3030"
    assert requests.get(url, timeout=10).status_code == 401
    assert requests.get(f"{url}/?token={TOKEN}", timeout=10).status_code == 200


@pytest.mark.parametrize("account", ["nb-dagster-kernels", "nb-dagster-code", "nb-dagster-pages", "default"])
def test_kernels_code_and_pages_may_do_nothing(up: OnCluster, account: str) -> None:
    assert [each for each in EVERYTHING if up.may(account, *each)] == []


def test_others_may_do_what_they_do_and_no_more(up: OnCluster) -> None:
    said = {account: may(up, account) for account in ("nb-dagster-web", "nb-dagster-daemon", "nb-dagster-runs")}
    assert said["nb-dagster-web"] == {"list pods", "delete pods", "delete jobs"}
    assert said["nb-dagster-daemon"] == {*said["nb-dagster-web"], "create jobs", "list jobs", "get pods/log"}
    assert said["nb-dagster-runs"] == {*said["nb-dagster-daemon"], "get jobs", "get pods"}


def may(up: OnCluster, account: str) -> set[str]:
    return {f"{verb} {resource}" for verb, resource, group in EVERYTHING if up.may(account, verb, resource, group)}


def status(url: str, run_id: str) -> Any:
    return ask(url, STATUS, id=run_id)["runOrError"].get("status")


def why(url: str, run_id: str) -> str:
    """The end of a run's log, for whoever looks into a failure."""
    return json.dumps(ask(url, LOG, id=run_id))[-4000:]

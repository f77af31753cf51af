"""The pod of a run is lost on a real Kubernetes: the run fails, its steps and kernels end, and their notebooks are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import containers, pods
from tests.deploy.on_cluster import OnCluster, on_cluster
from tests.deploy.test_cluster import address, launch, status, why
from tests.executors.remote_jobs import ENDLESS
from tests.notebooks import cell_statuses, executed_notebooks, printed, run_metadata, write_notebook
from tests.waiting import wait_until

pytestmark = [pytest.mark.k8s, pytest.mark.timeout(600)]

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
NOTICED = 90
"""Seconds in which run monitoring, which asks every three seconds here, has failed a run."""
UNHEARD = 60
"""Seconds after which a pod has ended whose worker is gone."""
CODE = """\
from pathlib import Path
import dagster as dg
from dagster_k8s import k8s_job_executor
import nb_dagster as nbd

folder = Path(__file__).parent
compute = {"isolation": "k8s", "cpus": 0.25, "memory": "700m", "labels": {"team": "data"}}
where = nbd.notebook_op(folder / "where.ipynb", name="whole", compute=compute)
job = nbd.notebook_job("by_dagster", [where], executor_def=k8s_job_executor, resource_defs=nbd.resources())
defs = dg.Definitions.merge(
    nbd.NotebookProject.from_yaml(folder / "nb_dagster.yaml").build_defs(), dg.Definitions(jobs=[job])
)
"""


def project(image: str) -> str:
    """Workflows that do not end, each twice: each loses the pod of its run in another way."""
    step = {"isolation": "k8s", "cpus": 0.25, "memory": "700m"}
    own = containers.compute("k8s-kernel", user="1000:1000")
    kernel = {**own, "image": image, "container": {"imagePullPolicy": "Never"}, "env": {**own["env"], "HOME": "/tmp"}}
    computes = {"step": step, "kernel": kernel}
    workflows: dict[str, Any] = {
        f"{kind}_{way}": {"notebook": "endless.ipynb", "compute": compute}
        for kind, compute in computes.items()
        for way in ("deleted", "killed")
    }
    return json.dumps({"notebooks": ".", "workflows": {**workflows, "where": {}}})


@pytest.fixture(scope="module")
def up(base_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnCluster]:
    pods.cluster()
    folder = tmp_path_factory.mktemp("notebooks")
    notebooks = [
        write_notebook(folder / "endless.ipynb", *ENDLESS),
        write_notebook(folder / "where.ipynb", "import os\nprint(os.environ.get('NB_DAGSTER_IN_STEP'))"),
    ]
    with on_cluster(project(base_image), notebooks, base_image, CODE) as made:
        yield made


def runs_in_its_second_cell(up: OnCluster, run_id: str) -> bool:
    journals = (up.folder / ".nb_dagster/notebooks/.running").glob("*.jsonl")
    return any(run_id in (said := each.read_text()) and '"seen"' in said for each in journals)


def end(up: OnCluster, pod: str, way: str) -> None:
    """End the pod of a run: by the cluster, or as the system kills a process."""
    if way == "deleted":
        up.core.delete_namespaced_pod(pod, up.namespace, grace_period_seconds=0)
        return
    labels = [f"io.kubernetes.pod.name={pod}", "io.kubernetes.docker.type=container"]
    (container,) = containers.engine().containers.list(filters={"label": labels})
    container.kill()


@pytest.mark.parametrize("way", [pytest.param("deleted", marks=pytest.mark.soak), "killed"])
@pytest.mark.parametrize("kind", ["step", pytest.param("kernel", marks=pytest.mark.soak)])
def test_a_run_that_loses_its_pod_fails_and_takes_its_pods_with_it(
    up: OnCluster, tmp_path: Path, kind: str, way: str
) -> None:
    url, workflow = address(up), f"{kind}_{way}"
    run_id = launch(up, url, workflow, tmp_path)
    wait_until(lambda: runs_in_its_second_cell(up, run_id), 180)
    (run_pod,) = up.pods(f"job-name=dagster-run-{run_id}")
    labels = f"app.kubernetes.io/managed-by=nb_dagster,{'dagster' if kind == 'step' else 'nb-dagster'}/run-id={run_id}"
    (job,) = pods.cluster().jobs.list_namespaced_job(up.namespace, label_selector=labels).items
    (owner,) = job.metadata.owner_references
    assert (owner.kind, owner.uid) == ("Pod", run_pod.metadata.uid)

    end(up, run_pod.metadata.name, way)

    wait_until(lambda: status(url, run_id) in ENDED, NOTICED)
    assert status(url, run_id) == "FAILURE", why(url, run_id)
    wait_until(lambda: pods.running(up.namespace, labels) == [], UNHEARD)
    if kind == "kernel":  # its worker, which wrote its journal, is gone; the next run makes a notebook of that
        next_run = launch(up, url, "where", tmp_path)
        wait_until(lambda: status(url, next_run) in ENDED, 180)
    store = up.folder / ".nb_dagster/notebooks"
    wait_until(lambda: executed_notebooks(store, workflow) != [], 30)
    (executed,) = executed_notebooks(store, workflow)
    # A kubelet gives what it ends two seconds, in which the run's process may cancel its steps.
    assert run_metadata(executed)["status"] in ({"killed"} if way == "killed" else {"killed", "cancelled"})
    assert printed(executed).startswith("before\n")
    assert cell_statuses(executed)[0] == "succeeded"
    if way == "killed":  # the pod of the run is still there to be looked into; what it owned goes with it
        pods.cluster().delete(f"dagster-run-{run_id}", up.namespace)
    wait_until(lambda: pods.left(up.namespace, labels) == [], 60)


def test_dagsters_own_executor_makes_the_pod_that_compute_says(up: OnCluster, tmp_path: Path) -> None:
    url = address(up)
    run_id = launch(up, url, "by_dagster", tmp_path)
    wait_until(lambda: status(url, run_id) in ENDED, 240)
    assert status(url, run_id) == "SUCCESS", why(url, run_id)
    (pod,) = up.pods(f"dagster/run-id={run_id},team=data")
    assert pod.metadata.labels["app.kubernetes.io/managed-by"] == "nb_dagster"
    (container,) = pod.spec.containers
    assert container.resources.limits == {"cpu": "250m", "memory": str(700 << 20)}
    (executed,) = executed_notebooks(up.folder / ".nb_dagster/notebooks", "whole")
    assert printed(executed) == "1\n"  # the kernel is beside its step

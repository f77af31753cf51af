"""What a workflow may say of its pod, and what is said of what it may not, before anything starts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import nb_dagster as nbd
from tests.notebooks import write_notebook

GOOD: list[dict[str, Any]] = [
    {"namespace": "notebooks"},
    {"node_selector": {"node.kubernetes.io/instance-type": "m5.large"}},
    {"tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 30}]},
    {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}},
    {"service_account": "notebooks"},
    {"image_pull_secrets": ["registry"]},
    {"runtime_class": "gvisor"},
    {"labels": {"team": "data", "example.com/cost-centre": "42"}},
    {"gpus": 1, "gpu_type": "NVIDIA-L4"},
    {"gpus": 1, "gpu_type": "cloud.google.com/gke-accelerator=nvidia-l4"},
    {"start_timeout": 0.5},
    {"ttl": 60},
    {"volumes": ["/data:/data:ro", "shared-claim:/shared"]},
    {"pod_spec": {"priorityClassName": "batch", "initContainers": [{"name": "wait", "image": "busybox:1"}]}},
    {"container": {"imagePullPolicy": "Never", "securityContext": {"allowPrivilegeEscalation": False}}},
    {"container": {"livenessProbe": {"httpGet": {"port": "http"}}}},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"namespace": "Note_Books"}, "namespace is a namespace's name, such as notebooks, not 'Note_Books'"),
    ({"node_selector": {"disk": True}}, "node_selector: disk is at most 63 letters"),
    ({"node_selector": {"a b": "c"}}, "node_selector is labels such as node.kubernetes.io/instance-type, not 'a b'"),
    ({"node_selector": "gpu"}, "node_selector is a mapping of labels to their values, not 'gpu'"),
    ({"tolerations": [{"key": "a", "operator": "Is"}]}, "tolerations[0].operator is one of Exists, Equal, not 'Is'"),
    ({"tolerations": [{"effect": "Never"}]}, "tolerations[0].effect is one of NoSchedule"),
    ({"tolerations": [{"keys": "a"}]}, "tolerations[0] is a mapping of key, operator, value, effect"),
    ({"tolerations": [{"key": 1}]}, "tolerations[0].key: expected text (in quotes, where YAML sees something else)"),
    ({"affinity": {"nodeAfinity": {}}}, "affinity.nodeAfinity: there is no such key (did you mean nodeAffinity?)"),
    ({"affinity": ["a"]}, "affinity is a mapping, as Kubernetes has it, not ['a']"),
    (
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}},
        "requiredDuringSchedulingIgnoredDuringExecution: there is no nodeSelectorTerms in it, which it needs",
    ),
    ({"service_account": "me@here"}, "service_account is a service account's name, not 'me@here'"),
    ({"image_pull_secrets": [1]}, "image_pull_secrets is a list of names of secrets, not 1"),
    ({"runtime_class": "gVisor"}, "runtime_class is a runtime class's name, such as gvisor, not 'gVisor'"),
    ({"labels": {"team": 42}}, "labels: team is at most 63 letters, digits, -, _ and ., as text (in quotes"),
    ({"gpu_type": "NVIDIA-L4"}, "gpu_type is that of its GPUs; say gpus: 1 too"),
    ({"gpus": 1, "gpu_type": "a b"}, "gpu_type: nvidia.com/gpu.product is at most 63 letters"),
    ({"start_timeout": 0}, "start_timeout is a number of seconds above 0, not 0"),
    ({"ttl": 1.5}, "ttl is a number of seconds above 0, not 1.5"),
    ({"network": "host"}, "network is Docker's; a pod's is the cluster's"),
    ({"pod_spec": "hostNetwork"}, "pod_spec is a mapping, as Kubernetes has it, not 'hostNetwork'"),
    (
        {"pod_spec": {"containers": [{"name": "a", "imagee": "b"}]}},
        "pod_spec.containers[0].imagee: there is no such key (did you mean image?)",
    ),
    ({"pod_spec": {"containers": [{"image": "b"}]}}, "pod_spec.containers[0]: there is no name in it"),
    ({"pod_spec": {"containers": {}}}, "pod_spec.containers: expected a list, found {}"),
    ({"pod_spec": {"containers": [{"name": "dagster"}]}}, "pod_spec.containers[0].name: so the notebook's own is"),
    ({"pod_spec": {"hostNetwork": "yes"}}, "pod_spec.hostNetwork: expected true or false, found 'yes'"),
    ({"pod_spec": {"priority": True}}, "pod_spec.priority: expected a whole number, found True"),
    ({"pod_spec": {"securityContext": []}}, "pod_spec.securityContext: expected a mapping, found []"),
    ({"pod_spec": {"restartPolicy": "Always"}}, "pod_spec.restartPolicy: it is Never: retries are Dagster's"),
    ({"container": {"image_pull_policy": "Never"}}, "there is no such key (did you mean imagePullPolicy?)"),
    ({"container": {"command": ["sh"]}}, "container.command: it is what starts the kernel or step; leave it out"),
    ({"container": {"args": ["-c"]}}, "container.args: they belong to what starts the kernel or step; leave it out"),
    ({"container": {"name": "mine"}}, "container.name: it is dagster, as Dagster calls its own; leave it out"),
]


def define(folder: Path, isolation: str, said: dict[str, Any]) -> object:
    notebook = write_notebook(folder / "train.ipynb", "1")
    return nbd.notebook_op(notebook, compute={"isolation": isolation, "image": "train:1.4", **said})


@pytest.mark.parametrize("isolation", ["k8s", "k8s-kernel"])
@pytest.mark.parametrize("said", GOOD, ids=json.dumps)
def test_what_kubernetes_takes_is_taken(tmp_path: Path, isolation: str, said: dict[str, Any]) -> None:
    assert define(tmp_path, isolation, said)


@pytest.mark.parametrize(("said", "words"), BAD, ids=[json.dumps(said) for said, _ in BAD])
def test_what_it_does_not_take_is_refused_with_its_key(tmp_path: Path, said: dict[str, Any], words: str) -> None:
    with pytest.raises(nbd.RunRefused) as refused:
        define(tmp_path, "k8s", said)
    assert words in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("said", [each for each in GOOD if not {"gpus", "volumes"} & set(each)], ids=json.dumps)
def test_what_only_pods_have_is_refused_elsewhere(said: dict[str, Any]) -> None:
    (name,) = said
    with pytest.raises(nbd.RunRefused, match=f"compute: {name} is for pods; say isolation: k8s"):
        nbd.Compute("docker", image="train:1.4", **said)


def test_a_run_without_dagster_is_refused_alike(tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "train.ipynb", "1")
    compute = nbd.Compute("k8s-kernel", image="train:1.4", container={"imagee": "other"})
    with pytest.raises(nbd.RunRefused, match=r"container\.imagee: there is no such key \(did you mean image\?\)"):
        nbd.run_notebook(notebook, compute=compute)


def test_a_pod_without_the_apis_own_words_is_defined_without_its_client(tmp_path: Path) -> None:
    write_notebook(tmp_path / "train.ipynb", "1")
    script = (
        "import sys, nb_dagster as nbd\n"
        "nbd.notebook_asset('train.ipynb', compute=nbd.Compute('k8s', image='a', node_selector={'disk': 'ssd'}))\n"
        "assert 'kubernetes' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=120)


def test_they_need_the_client_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        nbd.RunRefused, match=r"isolation k8s needs the Kubernetes client: pip install 'nb_dagster\[k8s\]'"
    ):
        define(tmp_path, "k8s", {"pod_spec": {"priorityClassName": "batch"}})

"""Kernels in pods, without Dagster: what they see, what comes back, and what is said of those that cannot start."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import zmq

import nb_dagster as nbd
from nb_dagster.runner.background import settle
from nb_dagster.runner.events import Finished
from tests import containers, pods
from tests.notebooks import printed, run_metadata, write_notebook
from tests.waiting import wait_until

pytestmark = [pytest.mark.k8s, pytest.mark.timeout(300)]

MANY = 6
LIMITS = """\
from pathlib import Path
def first(*paths): return next(Path(each).read_text().split()[0] for each in paths if Path(each).exists())
cgroups = '/sys/fs/cgroup'
nb.output('memory', int(first(f'{cgroups}/memory.max', f'{cgroups}/memory/memory.limit_in_bytes')))
nb.output('cpu', int(first(f'{cgroups}/cpu.max', f'{cgroups}/cpu/cpu.cfs_quota_us')))
mounts = [line.split() for line in Path('/proc/mounts').read_text().splitlines()]
nb.output('shm', next(kind for _, place, kind, *_ in mounts if place == '/dev/shm'))
"""
RUN = """\
import sys, nb_dagster as nbd
from tests import pods
said = nbd.Compute(**pods.compute("k8s-kernel", sys.argv[3]))
nbd.run_notebook(sys.argv[1], output=sys.argv[2], compute=said)
"""


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    with pods.namespace() as namespace:
        yield namespace


@pytest.fixture
def claim(namespace: str, tmp_path: Path) -> Iterator[str]:
    """A claim of a volume that is a folder of the node."""
    core, name = pods.cluster().core, f"nb-dagster-test-{uuid.uuid4().hex[:8]}"
    (tmp_path / "claimed").mkdir()
    size, modes = {"storage": "1Mi"}, ["ReadWriteOnce"]
    place = {"path": str(tmp_path / "claimed")}
    volume = {"capacity": size, "accessModes": modes, "storageClassName": name, "hostPath": place}
    core.create_persistent_volume({"metadata": {"name": name}, "spec": volume})
    wanted = {"accessModes": modes, "storageClassName": name, "resources": {"requests": size}}
    core.create_namespaced_persistent_volume_claim(namespace, {"metadata": {"name": name}, "spec": wanted})
    yield name
    core.delete_namespaced_persistent_volume_claim(name, namespace)
    core.delete_persistent_volume(name)


def run(path: Path, namespace: str, *, name: str = "out", **compute: Any) -> nbd.NotebookResult:
    said = nbd.Compute(**pods.compute("k8s-kernel", namespace, **compute))
    return nbd.run_notebook(path, output=path.with_name(f"{name}.ipynb"), compute=said)


def test_what_kubernetes_would_expand_reaches_it_as_it_is(
    tmp_path: Path, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = (zmq.curve_keypair() for _ in range(20_000))
    keys = next(pair for pair in pairs if b"$$" in pair[0])  # one key of two hundred
    monkeypatch.setattr(zmq, "curve_keypair", lambda: keys)
    path = write_notebook(tmp_path / "x.ipynb", "import os\nprint(os.environ['SAID'])")
    result = run(path, namespace, env={"SAID": "$(HOME) $$ $HOME $$(x)"})
    assert result.status == "succeeded", result.reason
    assert printed(result.executed_notebook) == "$(HOME) $$ $HOME $$(x)\n"


def of_workflow(name: str) -> str:
    return f"nb-dagster/workflow={name}"


def test_it_sees_its_volumes_and_variables_and_nothing_of_its_worker(tmp_path: Path, namespace: str) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/model.txt").write_text("from a volume")
    (tmp_path / "private.txt").write_text("nobody's business")
    notebook = write_notebook(
        tmp_path / "sees.ipynb",
        "import os\nprint(open('/shared/model.txt').read())",
        "print(os.environ['GIVEN'], 'HOST_ONLY' in os.environ)",
        f"print(os.path.exists({str(tmp_path / 'private.txt')!r}))",
        "try: open('/shared/new.txt', 'w')\nexcept OSError as error: print(error.strerror)",
        "print(os.path.exists('/var/run/secrets/kubernetes.io'))",
        "print([name for name in os.environ if name.endswith('_SERVICE_HOST')])",
    )
    os.environ["HOST_ONLY"] = "secret"
    try:
        volumes = [f"{tmp_path / 'shared'}:/shared:ro"]
        result = run(notebook, namespace, volumes=volumes, env={"GIVEN": "given"})
    finally:
        del os.environ["HOST_ONLY"]
    assert result.ok, result.reason
    said = printed(result.executed_notebook).splitlines()
    assert said[:5] == ["from a volume", "given False", "False", "Read-only file system", "False"]
    assert said[5] in ("[]", "['KUBERNETES_SERVICE_HOST']")


def test_it_gets_the_memory_cpus_and_shared_memory_it_was_promised(tmp_path: Path, namespace: str) -> None:
    notebook = write_notebook(tmp_path / "limits.ipynb", LIMITS)
    result = run(notebook, namespace, memory="256m", cpus=0.5, shm_size="8m")
    assert result.ok, result.reason
    assert result.outputs == {"memory": 256 << 20, "cpu": 50_000, "shm": "tmpfs"}


def test_a_claim_is_mounted_by_its_name(tmp_path: Path, namespace: str, claim: str) -> None:
    notebook = write_notebook(tmp_path / "writes.ipynb", "open('/data/note.txt', 'w').write('kept')")
    result = run(notebook, namespace, volumes=[f"{claim}:/data"])
    assert result.ok, result.reason
    assert (tmp_path / "claimed/note.txt").read_text() == "kept"


def test_frames_and_files_cross_its_wall_large_ones_too(tmp_path: Path, namespace: str) -> None:
    import numpy as np
    import pandas as pd

    notebook = write_notebook(
        tmp_path / "crosses.ipynb",
        "nb.output('doubled', rows * 2)\nnb.artifact('note.txt', b'hello')",
        "nb.artifact('large.bin', bytes(range(256)) * (50 << 12))",
        parameters="rows = None",
    )
    rows = pd.DataFrame({"a": np.random.default_rng(1).random(1_000_000)})
    said = nbd.Compute(**pods.compute("k8s-kernel", namespace))
    result = nbd.run_notebook(notebook, {"rows": rows}, output=tmp_path / "out.ipynb", compute=said)
    assert result.ok, result.reason
    assert (result.outputs["doubled"]["a"] == rows["a"] * 2).all()
    assert Path(result.artifacts["note.txt"]).read_bytes() == b"hello"
    assert Path(result.artifacts["large.bin"]).read_bytes() == bytes(range(256)) * (50 << 12)
    assert Path(result.artifacts["note.txt"]).stat().st_uid == os.getuid()


@pytest.mark.usefixtures("base_image")
def test_it_runs_as_a_user_without_rights_on_a_root_filesystem_that_is_read_only(
    tmp_path: Path, namespace: str, base_image: str
) -> None:
    notebook = write_notebook(
        tmp_path / "user.ipynb",
        "import os\nnb.output('user', [os.getuid(), os.getgid()])\nnb.artifact('note.txt', b'hello')",
        "try: open('/new.txt', 'w')\nexcept OSError as error: print(error.strerror)",
    )
    security = {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    result = run(notebook, namespace, image=base_image, user="1000:1000", container={"securityContext": security})
    assert result.ok, result.reason
    assert result.outputs == {"user": [1000, 1000]}
    assert printed(result.executed_notebook) == "Read-only file system\n"
    assert Path(result.artifacts["note.txt"]).read_bytes() == b"hello"


@pytest.mark.parametrize(("kernel", "env", "words"), containers.LACKING)
def test_what_an_image_lacks_is_said(
    tmp_path: Path, namespace: str, kernel: str | None, env: dict[str, str], words: str
) -> None:
    notebook = write_notebook(tmp_path / "lacks.ipynb", "1")
    said = nbd.Compute(**pods.compute("k8s-kernel", namespace, env=env))
    result = nbd.run_notebook(notebook, output=tmp_path / "out.ipynb", kernel=kernel, compute=said)
    assert not result.ok
    assert words in str(result.reason)
    wait_until(lambda: pods.left(namespace, of_workflow("lacks")) == [], 30)


def test_the_last_words_of_a_kernel_are_its_own(tmp_path: Path, namespace: str) -> None:
    notebook = write_notebook(
        tmp_path / "leaves.ipynb", "import os, time\nos.write(2, b'farewell\\n'); time.sleep(0.5); os._exit(7)"
    )
    result = run(notebook, namespace)
    assert (result.status, result.is_infrastructure) == ("killed", False)
    assert str(result.reason).startswith("the kernel exited by itself with code 7")
    assert "nb_dagster-pod" not in str(result.reason)


def test_the_time_of_a_run_counts_while_its_pod_waits_for_a_node(tmp_path: Path, namespace: str) -> None:
    notebook = write_notebook(tmp_path / "waits.ipynb", "1")
    said = nbd.Compute(**pods.compute("k8s-kernel", namespace, node_selector={"no-such": "node"}))
    result = nbd.run_notebook(notebook, output=tmp_path / "out.ipynb", compute=said, timeout=3)
    assert result.status == "timed_out"
    assert result.reason == "the run timeout of 3 s was over, while the kernel was starting"
    assert result.duration_s < 8
    wait_until(lambda: pods.left(namespace, of_workflow("waits")) == [], 30)


def test_several_at_once_end_well_and_leave_nothing(tmp_path: Path, namespace: str) -> None:
    notebook = write_notebook(tmp_path / "one.ipynb", "import os\nnb.output('host', os.uname().nodename)")
    with ThreadPoolExecutor(MANY) as pool:
        results = list(pool.map(lambda number: run(notebook, namespace, name=f"out-{number}"), range(MANY)))
    assert [result.reason for result in results if not result.ok] == []
    assert len({result.outputs["host"] for result in results}) == MANY
    settle(60)
    wait_until(lambda: pods.left(namespace, of_workflow("one")) == [], 60)


def test_a_process_that_ends_at_once_leaves_nothing(tmp_path: Path, namespace: str) -> None:
    notebook = write_notebook(tmp_path / "brief.ipynb", "import atexit, time\natexit.register(time.sleep, 0.5)")
    command = [sys.executable, "-c", RUN, str(notebook), str(tmp_path / "out.ipynb"), namespace]
    subprocess.run(command, cwd=containers.ROOT, check=True, timeout=120)
    assert run_metadata(tmp_path / "out.ipynb")["status"] == "succeeded"
    wait_until(lambda: pods.left(namespace, of_workflow("brief")) == [], 30)


def test_what_a_killed_process_left_is_removed_when_the_next_pod_is_made(tmp_path: Path, namespace: str) -> None:
    notebook = write_notebook(tmp_path / "endless.ipynb", "import time\ntime.sleep(600)")
    quick = write_notebook(tmp_path / "quick.ipynb", "1")
    labels = of_workflow("endless")
    command = [sys.executable, "-c", RUN, str(notebook), str(tmp_path / "lost.ipynb"), namespace]
    with subprocess.Popen(command, cwd=containers.ROOT) as lost:
        wait_until(lambda: pods.running(namespace, labels) != [], 60)
        lost.kill()
    command = [sys.executable, "-c", RUN, str(quick), str(tmp_path / "next.ipynb"), namespace]
    subprocess.run(command, cwd=containers.ROOT, check=True, timeout=120)
    assert run_metadata(tmp_path / "next.ipynb")["status"] == "succeeded"
    wait_until(lambda: pods.left(namespace, labels) == [], 30)


@pytest.mark.parametrize("is_mounted", [True, False])
def test_the_shared_folder_of_a_run_is_one_that_is_mounted_and_no_other(
    tmp_path: Path, namespace: str, *, is_mounted: bool
) -> None:
    shared = tmp_path / "store/.data/run"
    shared.mkdir(parents=True)
    notebook = write_notebook(tmp_path / "shares.ipynb", "(nb.context.data / 'rows.csv').write_text('1,2,3')")
    volumes = [f"{tmp_path / 'store'}:{tmp_path / 'store'}"] if is_mounted else []
    said = nbd.Compute(**pods.compute("k8s-kernel", namespace, volumes=volumes))
    output, context = tmp_path / "out.ipynb", {"data": str(shared)}
    run = nbd.NotebookRun(notebook, output=output, compute=said, context=context)
    result = asyncio.run(_finish(run))
    assert result.ok == is_mounted
    if is_mounted:
        assert (shared / "rows.csv").read_text() == "1,2,3"
    else:
        assert "nb.context.data: this pod shares no folder; mount a claim" in str(result.reason)


async def _finish(run: nbd.NotebookRun) -> nbd.NotebookResult:
    events = [event async for event in nbd.stream_notebook(run)]
    assert isinstance(events[-1], Finished)
    return events[-1].result

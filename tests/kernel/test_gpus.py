"""GPUs of a host: each is one kernel's at a time, and free again whatever ends who had it. The devices are made up."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nb_dagster as nbd
from nb_dagster import Compute, RunRefused
from nb_dagster.kernel import gpus as module
from nb_dagster.kernel.gpus import DECLARED, FOLDER, VISIBLE, gpus, host_gpus
from nb_dagster.kernel.locks import try_lock
from nb_dagster.runner import events
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.prepared import prepare
from nb_dagster.runner.reading import read_result
from nb_dagster.runner.run import Limits, NotebookRun
from tests.definitions.dagster_runs import materialize, new_instance
from tests.notebooks import write_notebook
from tests.waiting import wait_until

DEVICE = "import os\nnb.output('device', os.environ['CUDA_VISIBLE_DEVICES'])"
HOLD = """
import asyncio, sys
from nb_dagster.kernel.gpus import gpus

async def main():
    async with gpus(int(sys.argv[1]), print):
        print("has them", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""
RUN = """
import sys
from concurrent.futures import ThreadPoolExecutor
from nb_dagster import Compute
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.run import NotebookRun

def run(output):
    result = BackgroundRun(NotebookRun(sys.argv[1], output=output, compute=Compute(gpus=1))).result()
    assert result.ok, result.reason

with ThreadPoolExecutor() as threads:
    list(threads.map(run, sys.argv[2:]))
"""


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Two devices that no other test has."""
    named = (f"test-{uuid.uuid4().hex}-0", f"test-{uuid.uuid4().hex}-1")
    monkeypatch.setenv(DECLARED, ",".join(named))
    yield named
    for each in (*named, module._turn(named)):
        (FOLDER / each).unlink(missing_ok=True)


@contextlib.contextmanager
def held(count: int) -> Iterator[subprocess.Popen[str]]:
    """Another process that has so many of them."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(count)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "has them\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def specification(folder: Path, *cells: str, count: int = 1, **options: object) -> NotebookRun:
    path = write_notebook(folder / "a.ipynb", *(cells or (DEVICE,)))
    return NotebookRun(path, output=folder / "out.ipynb", compute=Compute(gpus=count), **options)  # type: ignore[arg-type]


def waiting(run: BackgroundRun) -> str:
    """What a run says that it waits for."""
    return next(event.message for event in run.events() if isinstance(event, events.Waiting))


def test_a_kernel_sees_as_many_devices_as_its_workflow_asks_for(tmp_path: Path, devices: tuple[str, str]) -> None:
    assert BackgroundRun(specification(tmp_path, count=2)).result().outputs == {"device": ",".join(devices)}


def test_its_own_variables_give_it_no_other_device(tmp_path: Path, devices: tuple[str, str]) -> None:
    run = specification(tmp_path, environment={VISIBLE: "7"})
    assert BackgroundRun(run).result().outputs == {"device": devices[0]}


def test_a_device_that_another_process_has_is_passed_over(tmp_path: Path, devices: tuple[str, str]) -> None:
    with held(1):
        assert BackgroundRun(specification(tmp_path)).result().outputs == {"device": devices[1]}


def test_a_run_that_waits_says_so_and_goes_on_when_the_other_process_is_killed(
    tmp_path: Path, devices: tuple[str, str]
) -> None:
    with held(2) as other:
        run = BackgroundRun(specification(tmp_path))
        assert waiting(run) == f"waiting for a GPU: other notebooks use those of this host ({', '.join(devices)})"
        other.kill()
        assert run.result().outputs == {"device": devices[0]}


def test_dagsters_log_says_that_a_step_waits(tmp_path: Path, devices: tuple[str, str]) -> None:
    path = write_notebook(tmp_path / "a.ipynb", DEVICE)
    asset = nbd.notebook_asset(path, compute={"gpus": 2})
    with held(1) as other, ThreadPoolExecutor() as threads:
        instance = new_instance(tmp_path / "store")
        run = threads.submit(materialize, tmp_path / "store", asset, instance=instance)
        wait_until(lambda: any("waiting for 2 GPUs" in entry.message for entry in entries(instance)), 30)
        other.kill()
        assert run.result().result.output_for_node("a__notebook") == {"device": ",".join(devices)}


def entries(instance: dg.DagsterInstance) -> list[dg.EventLogEntry]:
    return [entry for run_id in instance.get_run_ids() for entry in instance.all_logs(run_id)]


def test_a_cancel_ends_the_wait(tmp_path: Path, devices: tuple[str, str]) -> None:
    with held(2):
        run = BackgroundRun(specification(tmp_path))
        waiting(run)
        run.cancel()
        result = run.result()
    assert (result.status, result.reason) == ("cancelled", "cancelled, while it waited for a GPU")


def test_the_runs_timeout_counts_while_it_waits(tmp_path: Path, devices: tuple[str, str]) -> None:
    with held(2):
        result = BackgroundRun(specification(tmp_path, limits=Limits(timeout=0.3))).result()
    assert (result.status, result.reason) == (
        "timed_out",
        "the run timeout of 0.3 s was over, while it waited for a GPU",
    )


def test_who_needs_two_does_not_keep_one_while_it_waits(tmp_path: Path, devices: tuple[str, str]) -> None:
    with held(1):
        run = BackgroundRun(specification(tmp_path, count=2))
        waiting(run)
        assert [is_free(each) for each in devices] == [False, True]
        run.cancel()
        run.result()


def is_free(device: str) -> bool:
    descriptor = module._open(device)
    try:
        return try_lock(descriptor)
    finally:
        os.close(descriptor)


def test_more_than_the_host_has_is_refused_before_anything_starts(tmp_path: Path, devices: tuple[str, str]) -> None:
    run = specification(tmp_path, count=3)
    with pytest.raises(RunRefused) as refused:
        prepare(run)
    assert str(refused.value) == (
        f"{run.notebook}: compute: gpus is 3, and this host has 2 ({', '.join(devices)}); "
        "ask for fewer, or say which there are in NB_DAGSTER_GPUS, such as NB_DAGSTER_GPUS=0,1"
    )


def test_a_host_without_any_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "")
    with pytest.raises(RunRefused, match="gpus is 1, and this host has none"):
        prepare(specification(tmp_path))


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({VISIBLE: "2,0"}, ("2", "0")),
        ({VISIBLE: "1, GPU-5ebe9f43, 1"}, ("1", "GPU-5ebe9f43")),
        ({VISIBLE: "0,-1,1"}, ("0",)),  # CUDA reads no further
        ({VISIBLE: "NoDevFiles"}, ()),
        ({VISIBLE: "3", DECLARED: "0,1"}, ("0", "1")),
    ],
)
def test_the_devices_are_those_that_the_worker_may_see(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], found: tuple[str, ...]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert host_gpus() == found


def test_without_variables_nvidias_own_command_tells_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)
    listed = "GPU 0: NVIDIA H200 (UUID: GPU-5ebe)\n  MIG 1g.18gb Device  0: (UUID: MIG-1)\nGPU 1: NVIDIA H200 (UUID: GPU-9f43)"
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\necho '{listed}'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    module._installed.cache_clear()
    try:
        assert host_gpus() == ("0", "1")
    finally:
        module._installed.cache_clear()


def test_the_files_are_for_all_users(devices: tuple[str, str]) -> None:
    before = os.umask(0o077)
    try:
        os.close(module._open(devices[0]))
    finally:
        os.umask(before)
    assert (FOLDER / devices[0]).stat().st_mode & 0o777 == 0o666
    assert FOLDER.stat().st_mode & 0o7777 == 0o1777


@settings(max_examples=15)
@given(wanted=st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=4), min_size=2, max_size=3))
def test_everybody_gets_what_it_asks_for_and_nobody_what_another_has(wanted: list[list[int]]) -> None:
    named = [f"test-{uuid.uuid4().hex}" for _ in range(3)]
    in_use = {each: threading.Lock() for each in named}

    async def use(count: int) -> None:
        async with gpus(count, lambda _: None) as taken:
            assert len({*taken}) == count
            assert all(in_use[each].acquire(blocking=False) for each in taken)
            await asyncio.sleep(0.002)
            for each in taken:
                in_use[each].release()

    async def use_all(counts: list[int]) -> None:
        await asyncio.wait_for(asyncio.gather(*map(use, counts)), 30)

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as threads:
        patch.setenv(DECLARED, ",".join(named))
        patch.setattr(module, "_LOOK_EVERY", 0.001)
        list(threads.map(lambda counts: asyncio.run(use_all(counts)), wanted))
    for each in (*named, module._turn(named)):
        (FOLDER / each).unlink(missing_ok=True)


@pytest.mark.slow
def test_three_notebooks_of_two_processes_share_two_devices(tmp_path: Path, devices: tuple[str, str]) -> None:
    source = (
        f"{DEVICE}\nimport time\nstarted = time.time()\ntime.sleep(0.5)\nnb.output('times', [started, time.time()])"
    )
    path = write_notebook(tmp_path / "a.ipynb", source)
    outputs = [tmp_path / f"{number}.ipynb" for number in range(3)]
    workers = [subprocess.Popen([sys.executable, "-c", RUN, path, *mine]) for mine in (outputs[:2], outputs[2:])]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    uses = [read_result(str(each)).outputs for each in outputs]
    assert {use["device"] for use in uses} == {*devices}
    for one, other in itertools.combinations(uses, 2):
        is_apart = one["times"][1] <= other["times"][0] or other["times"][1] <= one["times"][0]
        assert one["device"] != other["device"] or is_apart

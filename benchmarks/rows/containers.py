"""B12: a notebook in a container."""

import contextlib
import functools
import os
from collections.abc import Iterator

from benchmarks.deployment import dagstermill_deployment, our_deployment
from benchmarks.peers import dagstermill_python
from benchmarks.place import Place
from benchmarks.report import Row
from benchmarks.timing import medians, take_turns

IMAGE = "BENCH_IMAGE"
"""Variable: an image with this environment's interpreter at the same path, as the tests of containers have it."""


@contextlib.contextmanager
def _no_container_left() -> Iterator[None]:
    """Remove what ``docker_executor`` leaves of its steps."""
    import docker

    client = docker.from_env()
    steps = {"name": "dagster-step-"}
    before = {each["Id"] for each in client.api.containers(all=True, filters=steps)}
    yield
    for each in client.api.containers(all=True, filters=steps):
        if each["Id"] not in before:
            client.api.remove_container(each["Id"], force=True)


def one_notebook(place: Place) -> list[Row]:
    """B12: one trivial notebook as a Dagster step in a container, of an image that is there."""
    image = os.environ.get(IMAGE)
    if not image:
        print(f"B12 is left out: {IMAGE} names no image")
        return []
    folder, notebooks = place.new("containers"), place.notebooks["one"].parent
    mine = our_deployment(folder, notebooks)
    theirs = dagstermill_deployment(folder, notebooks, dagstermill_python())
    turns = {
        "kernel": functools.partial(mine.run, "container_kernel"),
        "step": functools.partial(mine.run, "container_step"),
        "dagstermill": functools.partial(theirs.run, "container_step"),
    }
    with _no_container_left():
        times = medians(take_turns(turns, {"kernel": 5, "step": 3, "dagstermill": 3}))
    kernel, step, dagstermill = times["kernel"], times["step"], times["dagstermill"]
    return [
        Row(
            "B12",
            "one trivial notebook in a container, run start to run end, image at hand",
            f"kernel {kernel:.2f} s, whole step {step:.2f} s",
            f"dagstermill {dagstermill:.1f} s ({dagstermill / kernel:.1f}x, {dagstermill / step:.1f}x)",
            [],
            [
                (
                    "`dagster job execute` in a new process each. Ours in `notebook_executor`, with `isolation: docker-kernel` and "
                    "with `isolation: docker`; dagstermill under Dagster's `docker_executor`. The environment of each is mounted "
                    "into the same image."
                )
            ],
        )
    ]

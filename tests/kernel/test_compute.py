"""What a compute may say, and what is said of what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nb_dagster import Compute, RunRefused
from nb_dagster.kernel.compute import check_volume


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"isolation": "podman"}, "isolation is one of process, docker, docker-kernel, k8s, k8s-kernel, not 'podman'"),
        ({"memory": "2g"}, "memory needs a container; say isolation: docker, docker-kernel, k8s or k8s-kernel too"),
        ({"isolation": "docker"}, "isolation docker needs an image or a runtime"),
        ({"isolation": "docker", "image": "a:1", "runtime": "b"}, "an image or a runtime, and not both"),
        (
            {"isolation": "docker", "image": "a b"},
            "image is an image's name, such as registry/team/train:1.4, not 'a b'",
        ),
        ({"isolation": "docker", "image": "a", "version": "1"}, "version is that of a runtime; say runtime: too"),
        ({"isolation": "docker", "image": "a", "memory": "2 parsecs"}, "memory is bytes, or a size such as 512m or 2g"),
        ({"isolation": "docker", "image": "a", "memory": "1m"}, "memory is at least 6m, not '1m'"),
        ({"isolation": "docker", "image": "a", "cpus": 0}, "cpus is a number of CPUs, such as 1.5, not 0"),
        ({"isolation": "docker", "image": "a", "gpus": 0}, "gpus is a whole number from 1, not 0"),
        ({"isolation": "docker", "image": "a", "gpus": True}, "gpus is a whole number from 1, not True"),
        ({"isolation": "docker", "image": "a", "volumes": ["/data"]}, "volumes is SOURCE:TARGET or SOURCE:TARGET:ro"),
        ({"isolation": "docker", "image": "a", "volumes": ["/a:b"]}, "volumes is SOURCE:TARGET or SOURCE:TARGET:ro"),
        (
            {"isolation": "docker", "image": "a", "user": "root"},
            "user is numbers of a user and a group, such as 1000:1000",
        ),
        ({"isolation": "docker", "image": "a", "env": {"A=B": "c"}}, "env is variables by name, with text for values"),
        (
            {"isolation": "docker-kernel", "image": "a", "keep_failed": True},
            "keep_failed is for isolation docker and k8s",
        ),
    ],
)
def test_what_it_may_not_say_is_refused(said: dict[str, Any], message: str) -> None:
    with pytest.raises(RunRefused) as refused:
        Compute(**said)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("given", "size"),
    [("512m", 512 << 20), ("2g", 2 << 30), ("1.5G", 3 << 29), ("8MiB", 8 << 20), (10_000_000, 10_000_000)],
)
def test_a_size_is_bytes_or_has_a_unit(given: str | int, size: int) -> None:
    assert Compute("docker", image="a", memory=given).memory_bytes == size


@given(st.text())
def test_a_volume_is_taken_as_three_parts_or_refused(given: str) -> None:
    try:
        source, target, mode = check_volume(given)
    except RunRefused:
        return
    assert target.startswith("/")
    assert mode in ("ro", "rw")
    assert given in (f"{source}:{target}", f"{source}:{target}:{mode}")

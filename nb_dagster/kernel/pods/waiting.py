"""Waiting for a pod: until it runs, and the program in it says where it is reached."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nb_dagster.kernel.pods import ends, in_pod
from nb_dagster.kernel.pods.api import ApiRefused
from nb_dagster.kernel.pods.cluster import cluster
from nb_dagster.kernel.pods.manifest import CONTAINER
from nb_dagster.kernel.remote import EngineFailed

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

FIRST_LINE = re.compile(rf"^{in_pod.FIRST_WORD} (\d+) (\S{{40}})$", re.MULTILINE)
"""What the program says first: its port, and its public key."""
_PENDING = 0.5  # seconds between two looks at a pod that does not run yet
_SAY_AFTER = 2.0  # seconds that a pod may wait before it is said
_IMAGE_SECONDS = 600.0
"""Seconds that an image may fail to be pulled."""
_NO_LOG = (400, 404)  # what the API says of the log of a container that does not run yet, or is gone


class Waiting:
    """Waits for a pod to run.

    Args:
        job: the name of its job.
        namespace: where that is.
        timeout: seconds until it must run; None waits for a node as long as it takes.
        tell: hears what it waits for.
        is_given_up: says whether nobody wants it any more.
    """

    def __init__(
        self,
        job: str,
        namespace: str,
        timeout: float | None,
        tell: Callable[[str], None],
        is_given_up: Callable[[], bool],
    ) -> None:
        self._job, self._namespace, self._timeout = job, namespace, timeout
        self._tell, self._is_given_up = tell, is_given_up
        self._started = time.monotonic()
        self._no_image_since: float | None = None
        self._said = ""

    def until_it_runs(self) -> V1Pod:
        """The pod, as soon as it runs and has an address.

        Raises:
            EngineFailed: it never will, or not in time.
        """
        while True:
            pod = cluster().pod(self._job, self._namespace)
            if pod is not None and pod.status.phase == "Running" and pod.status.pod_ip:
                return pod
            self._check(pod)
            time.sleep(_PENDING)

    def until_it_speaks(self, pod: V1Pod) -> tuple[int, bytes]:
        """The port and public key of the program in it, from the first line of its log.

        Raises:
            EngineFailed: it never says them, or not in time.
        """
        while True:
            if found := FIRST_LINE.search(self._log(pod, limit_bytes=1 << 16)):
                return int(found[1]), found[2].encode()
            self._check(cluster().pod(self._job, self._namespace))
            time.sleep(_PENDING / 2)

    def _log(self, pod: V1Pod, **more: int) -> str:
        try:
            return cluster().log(pod.metadata.name, self._namespace, CONTAINER, **more)
        except ApiRefused as refused:
            if refused.status not in _NO_LOG:
                raise
            return ""

    def _check(self, pod: V1Pod | None) -> None:
        """See that it may still run.

        Raises:
            EngineFailed: it will not.
        """
        if self._is_given_up():
            raise EngineFailed("nobody waits for its pod any more")
        if why := ends.cannot_start(pod):
            raise EngineFailed(why)
        if pod is not None and (ends.is_over(pod) or pod.metadata.deletion_timestamp is not None):
            code, said = ends.code_of(pod), self._log(pod, tail_lines=1).strip()
            ended = ends.ended_by_cluster(pod) or f"its pod ended {ends.signal_words(code or 0)} before it began"
            raise EngineFailed(f"{ended}: {said[:300]}" if said else ended)
        self._wait(ends.waits_for(pod))

    def _wait(self, why: str) -> None:
        now = time.monotonic()
        if self._timeout is not None and now - self._started > self._timeout:
            raise EngineFailed(f"its pod did not run within {self._timeout:g} s: {why or 'it is being made'}")
        self._no_image_since = (self._no_image_since or now) if "image" in why else None
        if self._no_image_since is not None and now - self._no_image_since > _IMAGE_SECONDS:
            raise EngineFailed(why)
        if why and why != self._said and now - self._started > _SAY_AFTER:
            self._said = why
            self._tell(f"waiting for its pod: {why}")

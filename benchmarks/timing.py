"""Stopwatches. Machines are noisy, so contenders take turns, and medians count."""

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping

_PAUSE_SECONDS = 0.3


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop what this process and its children write to standard error meanwhile."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def timed(work: Callable[[], object]) -> float:
    """Seconds that some work takes, without what it says on standard error."""
    with quiet():
        start = time.perf_counter()
        work()
        return time.perf_counter() - start


def take_turns(
    contenders: Mapping[str, Callable[[], float]], rounds: int | Mapping[str, int]
) -> dict[str, list[float]]:
    """What each contender returns, once a round.

    Args:
        contenders: each does its work once, and says how long that took.
        rounds: how often; a slow one may have fewer.
    """
    wanted = rounds if isinstance(rounds, Mapping) else dict.fromkeys(contenders, rounds)
    values: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(max(wanted.values())):
        for name, contender in contenders.items():
            if number < wanted[name]:
                values[name].append(contender())
                time.sleep(_PAUSE_SECONDS)  # so that the end of one's kernel is not in the next one's time
    return values


def medians(values: Mapping[str, list[float]]) -> dict[str, float]:
    """The median of each contender."""
    return {name: statistics.median(each) for name, each in values.items()}


def settle() -> None:
    """Wait until the kernels of our runs that are over have ended, off the path of who waits for a result."""
    from nb_dagster.runner import background

    background.settle()

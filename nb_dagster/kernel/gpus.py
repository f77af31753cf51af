"""The GPUs of a host, each for one kernel at a time, whichever process and user asks for it.

Who has a GPU holds a lock on its file, which the system takes back when that process ends, whatever ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import glob
import hashlib
import itertools
import os
import re
import subprocess
import tempfile
import urllib.parse
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from nb_dagster.errors import RunRefused
from nb_dagster.kernel.compute import Compute
from nb_dagster.kernel.locks import try_lock

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The devices that a process may see, as CUDA has it."""
DECLARED = "NB_DAGSTER_GPUS"
"""The devices that kernels may get, with commas between; it goes before what else says them."""
FOLDER = Path("/tmp" if os.name == "posix" else tempfile.gettempdir()) / "nb_dagster-gpus"  # noqa: S108 - all users' one
"""Where the files are; not under ``TMPDIR``, which may be each user's own."""
_TO_LOCK = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)
_NONE = ("", "-1", "NoDevFiles")
_LOOK_EVERY = 0.2  # seconds between two tries of a run that waits
_SMI_SECONDS = 30


def host_gpus() -> tuple[str, ...]:
    """The GPUs that this process may give to kernels, as ``CUDA_VISIBLE_DEVICES`` names them."""
    said = os.environ.get(DECLARED, os.environ.get(VISIBLE))
    if said is None:
        return _installed()
    names = (each.strip() for each in said.split(","))
    return tuple(dict.fromkeys(itertools.takewhile(lambda each: each not in _NONE, names)))  # so CUDA reads it


def check_gpus(compute: Compute, owner: str) -> None:
    """See that this host has as many GPUs as are asked for, where they are not a container's.

    Args:
        compute: what is asked for.
        owner: the notebook, for messages.

    Raises:
        RunRefused: it has fewer, or they cannot be locked.
    """
    if compute.gpus is None or compute.is_container:
        return
    there = host_gpus()
    if compute.gpus > len(there):
        has = f"has {len(there)} ({', '.join(there)})" if there else "has none"
        raise RunRefused(
            f"{owner}: compute: gpus is {compute.gpus}, and this host {has}; "
            f"ask for fewer, or say which there are in {DECLARED}, such as {DECLARED}=0,1"
        )
    try:
        for each in (*there, _turn(there)):
            os.close(_open(each))
    except OSError as error:
        raise RunRefused(f"{owner}: compute: GPUs cannot be locked in {FOLDER} ({error.strerror})") from None


@contextlib.asynccontextmanager
async def gpus(count: int, tell: Callable[[str], None]) -> AsyncIterator[list[str]]:
    """So many GPUs of this host for the block: all of them, or none yet.

    Who waits for the same GPUs waits in turn: who needs several is not passed by those who need one.

    Args:
        count: how many, no more than there are.
        tell: hears that it waits.
    """
    there = host_gpus()
    with ExitStack() as held, ExitStack() as turn:
        tries = itertools.count()
        for stack, names, wanted in ((turn, [_turn(there)], 1), (held, there, count)):
            while not (taken := _take(stack, names, wanted)):
                if next(tries) == 1:  # not at once: whoever tries has the turn for a moment
                    wanted_in_words = "a GPU" if count == 1 else f"{count} GPUs"
                    tell(f"waiting for {wanted_in_words}: other notebooks use those of this host ({', '.join(there)})")
                await asyncio.sleep(_LOOK_EVERY)
        turn.close()
        yield taken


def _take(held: ExitStack, names: Sequence[str], count: int) -> list[str]:
    """Lock so many of these files; where others have too many of them, none."""
    with ExitStack() as locks:
        taken = list(itertools.islice((each for each in names if _lock(locks, each)), count))
        if len(taken) < count:
            return []
        held.push(locks.pop_all())
        return taken


def _lock(locks: ExitStack, name: str) -> bool:
    descriptor = _open(name)
    if not try_lock(descriptor):
        os.close(descriptor)
        return False
    locks.callback(os.close, descriptor)
    with contextlib.suppress(OSError):
        os.utime(descriptor)  # what is in use is not tidied away
    return True


def _open(name: str) -> int:
    """Open the file of a device; who comes first makes it, for all users."""
    path = FOLDER / urllib.parse.quote(name, safe="")
    try:
        return os.open(path, _TO_LOCK)  # some systems let nobody but its owner open it with O_CREAT
    except FileNotFoundError:
        pass
    with contextlib.suppress(FileExistsError):
        FOLDER.mkdir()
        FOLDER.chmod(0o1777)
    with contextlib.suppress(FileExistsError):
        path.touch(exist_ok=False)
        path.chmod(0o666)
    return os.open(path, _TO_LOCK)


def _turn(names: Sequence[str]) -> str:
    """The file of those that wait for these GPUs."""
    return f"turn-{hashlib.sha256(','.join(sorted(names)).encode()).hexdigest()[:16]}"


@functools.cache
def _installed() -> tuple[str, ...]:
    """The numbers of the GPUs that there are, as NVIDIA's own command tells them; without it, by their device files."""
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=_SMI_SECONDS, check=True)
        return tuple(re.findall(r"^GPU (\d+):", listed.stdout, re.MULTILINE))
    except (OSError, subprocess.SubprocessError):
        return tuple(str(number) for number, _ in enumerate(glob.glob("/dev/nvidia[0-9]*")))

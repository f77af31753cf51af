"""What a kernel finds of its run: a private folder with the context, the inputs, and the ``nb`` module as a spare."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nb_dagster import nb
from nb_dagster.kernel.compute import check_volume
from nb_dagster.kernel.containers.process import InContainer
from nb_dagster.kernel.folders import kept_if_used, private_folder
from nb_dagster.kernel.remote import RemotePlace
from nb_dagster.runner.prepared import Prepared


@dataclass(frozen=True)
class Handover:
    """What a kernel is started with.

    Attributes:
        environment: all its variables.
        setup: code it runs silently before the first cell.
        place: the container or pod it is started in; None for none.
    """

    environment: dict[str, str]
    setup: str
    place: RemotePlace | None


def _nobody(_: str) -> None:
    """Nobody hears it."""


@contextlib.contextmanager
def hand_over(prepared: Prepared, files: Path, tell: Callable[[str], None] = _nobody) -> Iterator[Handover]:
    """Write the folder, which is gone after the block.

    Args:
        prepared: the run.
        files: the folder that takes the run's artifacts.
        tell: hears what the place waits for that the kernel is started in.
    """
    compute = prepared.run.compute
    with private_folder() as folder:
        context = {
            "context": _context(prepared),
            "files": str(folder / "files" if compute.is_pod else files),
            "inputs": {
                name: _write_input(folder / f"input-{number}", value)
                for number, (name, value) in enumerate(prepared.file_inputs.items())
            },
            "upstream": prepared.run.upstream,
            "secrets": prepared.secrets,
        }
        path = folder / "context.json"
        path.write_text(json.dumps(context), encoding="utf-8")
        environment = {**compute.env, **prepared.environment, nb.CONTEXT_VARIABLE: str(path)}
        setup = _spare_nb(folder) if prepared.language == "python" else ""
        if compute.is_pod:
            yield Handover(environment, setup, _pod(prepared, folder, files, tell))
        elif compute.is_container:
            with kept_if_used(files):
                yield Handover(environment, setup, _container(prepared, folder, files))
        else:
            own = {
                name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"
            }  # changes ipykernel
            if prepared.installed_in is not None:
                own = prepared.installed_in.activated(own)
            yield Handover({**own, **environment}, setup, None)


def _context(prepared: Prepared) -> dict[str, Any]:
    """The context; a pod without a volume where the run's shared folder is has none, and does not share its own."""
    compute, shared = prepared.run.compute, prepared.context.get("data")
    if not compute.is_pod or shared is None:
        return dict(prepared.context)
    mounts = [check_volume(each)[1] for each in compute.volumes]
    mounts += [str(each["mountPath"]) for each in compute.container.get("volumeMounts", ())]
    is_mounted = any(Path(str(shared)).is_relative_to(each) for each in mounts)
    return {**prepared.context, "data": shared if is_mounted else None}


def _pod(prepared: Prepared, folder: Path, files: Path, tell: Callable[[str], None]) -> RemotePlace:
    from nb_dagster.kernel.pods.place import InPod

    labels = {"nb-dagster/run-id": prepared.run_id, "nb-dagster/workflow": prepared.workflow}
    timeout = prepared.run.limits.timeout
    return InPod(prepared.run.compute, folder, files, prepared.workflow, labels, tell, timeout)


def _container(prepared: Prepared, *folders: Path) -> InContainer:
    compute = prepared.run.compute
    labels = {"nb_dagster.run_id": prepared.run_id, "nb_dagster.workflow": prepared.workflow}
    return InContainer(str(compute.image), compute, [str(each) for each in (prepared.cwd, *folders)], labels)


def _write_input(path: Path, value: Any) -> dict[str, str]:
    file_format = nb.file_format_of(value)
    path = path.with_suffix(f".{file_format or 'pickle'}")
    if file_format is None:
        path.write_bytes(pickle.dumps(value, protocol=5))
    else:
        nb.write_value(value, file_format, path)
    return {"file": str(path), "format": file_format or "pickle"}


def _spare_nb(folder: Path) -> str:
    """Make ``from nb_dagster import nb`` work where nb_dagster is not installed; one that is installed goes first."""
    package = folder / "spare" / "nb_dagster"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""The nb module alone, lent by the runner."""\n', encoding="utf-8")
    shutil.copyfile(nb.__file__, package / "nb.py")
    find = "__import__('importlib.util').util.find_spec('nb_dagster')"
    return f"{find} or __import__('sys').path.append({str(package.parent)!r})"

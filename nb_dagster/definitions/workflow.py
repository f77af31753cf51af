"""A workflow: a notebook with everything its definition says of it."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from nb_dagster.definitions.compute import RETRY_ON_TAG, check_compute, compute_of, compute_tags
from nb_dagster.definitions.config import Launchpad
from nb_dagster.definitions.names import dagster_name
from nb_dagster.definitions.partition_params import PartitionParams
from nb_dagster.definitions.retries import ALL_CLASSES, FailureClass, check_retry_on
from nb_dagster.definitions.single_flight import OnBusy, check_single_flight
from nb_dagster.errors import InvalidParameter, RunRefused
from nb_dagster.kernel.compute import Compute
from nb_dagster.kernel.environment import Environment, find_environment
from nb_dagster.kernel.specs import find_kernel, kernel_name, preload_of
from nb_dagster.notebook.cache import NotebookCache
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import check_parameters, unknown_parameter
from nb_dagster.notebook.types import JSON
from nb_dagster.runner.run import Limits
from nb_dagster.runner.secrets import Secrets, references

if TYPE_CHECKING:
    from jupyter_client.kernelspec import KernelSpec

NOTEBOOK_TAG = "nb_dagster/notebook"
"""Tag of an op that runs a notebook: the path of its source."""
KERNEL_TAG = "nb_dagster/kernel"
"""Tag of such an op: the name of its kernel."""
SOURCE_TAG = "nb_dagster/source_sha256"
"""Tag of such an op: hash of the notebook's bytes."""
PRELOAD_TAG = "nb_dagster/preload"
"""Tag of such an op: the modules that its kernel is forked with, with commas between."""
CACHE_FILE = ".nb_dagster/notebooks.cache"
"""What definitions that are loaded in a folder have read, under this folder."""


@dataclass(frozen=True)
class Workflow:
    """A notebook as it is defined in Dagster.

    Attributes:
        name: the workflow's name.
        document: the notebook.
        params: values that the definition sets.
        inputs: parameters that upstream values fill.
        partition_params: parameters that the run's partition fills, and with what of it.
        kernel: an installed kernel's name; None takes the notebook's own.
        preload: modules imported before its kernel is forked.
        cwd: working directory; None takes the notebook's folder.
        environment: variables for the kernel.
        secrets: where each secret is that ``nb.secret`` gives.
        compute: where it runs, and with what.
        limits: timeouts.
        retry_on: the failures that are retried, where its step has a retry policy.
        single_flight: what becomes of a run while another one has not ended; None lets both run.
    """

    name: str
    document: NotebookDocument
    params: Mapping[str, JSON]
    inputs: Collection[str]
    partition_params: PartitionParams
    kernel: str | None
    preload: tuple[str, ...]
    cwd: str | None
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    compute: Compute
    limits: Limits
    retry_on: Collection[FailureClass]
    single_flight: OnBusy | None

    @classmethod
    def define(
        cls,
        path: str | os.PathLike[str],
        *,
        name: str | None,
        params: Mapping[str, object] | None,
        inputs: Collection[str],
        partition_params: PartitionParams | None,
        kernel: str | None,
        preload: Sequence[str] | None,
        cwd: str | os.PathLike[str] | None,
        environment: Mapping[str, str] | None,
        secrets: Secrets,
        compute: Compute | Mapping[str, Any] | None,
        limits: Limits,
        retry_on: Collection[FailureClass],
        single_flight: OnBusy | None,
    ) -> Workflow:
        """Read the notebook and check what the definition says against its signature.

        Raises:
            RunRefused: the file cannot be read, or a name or value does not fit its parameters.
        """
        document = notebook_cache().read(path)
        declared = document.parameters
        for each in inputs:
            if each not in declared:
                raise InvalidParameter(f"ins: {unknown_parameter(each, declared, document.path)}")
        for each in partition_params or ():
            if each not in declared:
                raise InvalidParameter(f"partition_params: {unknown_parameter(each, declared, document.path)}")
        optional = {each.name: each for each in declared.values() if not each.required or each.name in (params or {})}
        where = check_compute(compute, document.path)
        if kernel and where.kernel not in (None, kernel):
            raise RunRefused(
                f"{document.path}: kernel is {kernel}, and environment is {where.environment}; say one of both"
            )
        return cls(
            name=name or dagster_name(document.name),
            document=document,
            params=check_parameters(optional if params else {}, params or {}, document.path),
            inputs=inputs,
            partition_params=dict(partition_params or {}),
            kernel=kernel,
            preload=preload_of(document, preload),
            cwd=None if cwd is None else os.fspath(cwd),
            environment=dict(environment or {}),
            secrets=references(secrets, document.path),
            compute=where,
            limits=limits,
            retry_on=check_retry_on(retry_on, document.path),
            single_flight=check_single_flight(single_flight, document.path),
        )

    @property
    def config(self) -> Launchpad:
        """The launchpad."""
        return Launchpad(self.document.parameters, self.params, self.inputs, self.partition_params)

    @functools.cached_property
    def source(self) -> str:
        """Where the notebook is: an absolute path, or a URL."""
        path = self.document.path
        return path if "://" in path else str(Path(path).absolute())

    @property
    def op_tags(self) -> dict[str, str]:
        """Tags by which the command line finds the source notebook, its executor the kernel, and Dagster's UI shows it."""
        kernel = {KERNEL_TAG: kernel_name(self.document, self.kernel, self.compute)}
        kernel[PRELOAD_TAG] = ",".join(self.preload)
        is_choosy = self.compute.is_whole_step and set(self.retry_on) != set(ALL_CLASSES)
        retried = {RETRY_ON_TAG: ",".join(sorted(self.retry_on))} if is_choosy else {}
        is_shown = self.source.endswith(".ipynb") and "://" not in self.source
        shown = {"kind": "ipynb", "notebook_path": self.source} if is_shown else {}
        return {
            NOTEBOOK_TAG: self.source,
            SOURCE_TAG: self.document.sha256,
            **kernel,
            **compute_tags(self.compute, self.secrets),
            **retried,
            **shown,
        }

    @property
    def source_metadata(self) -> dict[str, Any]:
        """Where the source is."""
        path = self.source
        if "://" in path:
            return {"notebook": dg.MetadataValue.url(path)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)  # ours to follow; a user can do nothing about it
            reference = dg.CodeReferencesMetadataValue(
                code_references=[dg.LocalFileCodeReference(file_path=path, label=os.path.basename(path))]
            )
        shown = dg.MetadataValue.notebook(path) if path.endswith(".ipynb") else dg.MetadataValue.path(path)
        return {"notebook": shown, "dagster/code_references": reference}


def kernel_of(tags: Mapping[str, str], kernel: str | None = None) -> tuple[KernelSpec, Environment | None] | None:
    """The kernel of an op, and the environment it is in; None where it is known in a container only.

    Args:
        tags: the op's tags.
        kernel: a kernel's name that goes before the definition's.

    Raises:
        RunRefused: there is none, or no such environment.
    """
    compute = compute_of(tags)
    if compute.is_container:
        return None
    environment = find_environment(compute.environment, tags[NOTEBOOK_TAG])
    return find_kernel(kernel or tags[KERNEL_TAG], tags[NOTEBOOK_TAG], environment), environment


def notebook_cache() -> NotebookCache:
    """What definitions that are loaded in this folder have read."""
    return _cache(os.getcwd())


@functools.lru_cache(maxsize=1)
def _cache(folder: str) -> NotebookCache:
    return NotebookCache(Path(folder, CACHE_FILE))

"""A workflow: a notebook with everything its definition says of it."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from nb_dagster.definitions.config import Launchpad
from nb_dagster.definitions.names import dagster_name
from nb_dagster.definitions.retries import FailureClass, check_retry_on
from nb_dagster.errors import InvalidParameter
from nb_dagster.kernel.specs import check_preload
from nb_dagster.notebook.cache import NotebookCache
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import check_parameters, unknown_parameter
from nb_dagster.notebook.types import JSON
from nb_dagster.runner.run import Limits
from nb_dagster.runner.secrets import Secrets, references

NOTEBOOK_TAG = "nb_dagster/notebook"
"""Tag of an op that runs a notebook: the path of its source."""
KERNEL_TAG = "nb_dagster/kernel"
"""Tag of such an op: the name of its kernel."""
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
        kernel: an installed kernel's name; None takes the notebook's own.
        preload: modules imported before its kernel is forked.
        cwd: working directory; None takes the notebook's folder.
        environment: variables for the kernel.
        secrets: where each secret is that ``nb.secret`` gives.
        limits: timeouts.
        retry_on: the failures that are retried, where its step has a retry policy.
    """

    name: str
    document: NotebookDocument
    params: Mapping[str, JSON]
    inputs: Collection[str]
    kernel: str | None
    preload: tuple[str, ...]
    cwd: str | None
    environment: Mapping[str, str]
    secrets: Mapping[str, str]
    limits: Limits
    retry_on: Collection[FailureClass]

    @classmethod
    def define(
        cls,
        path: str | os.PathLike[str],
        *,
        name: str | None,
        params: Mapping[str, object] | None,
        inputs: Collection[str],
        kernel: str | None,
        preload: Sequence[str] | None,
        cwd: str | os.PathLike[str] | None,
        environment: Mapping[str, str] | None,
        secrets: Secrets,
        limits: Limits,
        retry_on: Collection[FailureClass],
    ) -> Workflow:
        """Read the notebook and check what the definition says against its signature.

        Raises:
            RunRefused: the file cannot be read, or a name or value does not fit its parameters.
        """
        document = _cache(os.getcwd()).read(path)
        declared = document.parameters
        for each in inputs:
            if each not in declared:
                raise InvalidParameter(f"ins: {unknown_parameter(each, declared, document.path)}")
        optional = {each.name: each for each in declared.values() if not each.required or each.name in (params or {})}
        return cls(
            name=name or dagster_name(document.name),
            document=document,
            params=check_parameters(optional if params else {}, params or {}, document.path),
            inputs=inputs,
            kernel=kernel,
            preload=document.preload if preload is None else check_preload(preload, document.path),
            cwd=None if cwd is None else os.fspath(cwd),
            environment=dict(environment or {}),
            secrets=references(secrets, document.path),
            limits=limits,
            retry_on=check_retry_on(retry_on, document.path),
        )

    @property
    def config(self) -> Launchpad:
        """The launchpad."""
        return Launchpad(self.document.parameters, self.params, self.inputs)

    @functools.cached_property
    def source(self) -> str:
        """Where the notebook is: an absolute path, or a URL."""
        path = self.document.path
        return path if "://" in path else str(Path(path).absolute())

    @property
    def op_tags(self) -> dict[str, str]:
        """Tags by which the command line finds the source notebook, its executor the kernel, and Dagster's UI shows it."""
        kernel = {KERNEL_TAG: self.kernel or self.document.kernel, PRELOAD_TAG: ",".join(self.preload)}
        is_shown = self.source.endswith(".ipynb") and "://" not in self.source
        shown = {"kind": "ipynb", "notebook_path": self.source} if is_shown else {}
        return {NOTEBOOK_TAG: self.source, **kernel, **shown}

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


@functools.lru_cache(maxsize=1)
def _cache(folder: str) -> NotebookCache:
    return NotebookCache(Path(folder, CACHE_FILE))

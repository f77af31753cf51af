"""A workflow: a notebook with everything its definition says of it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from nb_dagster.definitions.config import config_schema
from nb_dagster.definitions.names import dagster_name
from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.parameters import check_parameters, unknown_parameter
from nb_dagster.notebook.types import JSON
from nb_dagster.runner.run import Limits

NOTEBOOK_TAG = "nb_dagster/notebook"
"""Tag of an op that runs a notebook: the path of its source."""


@dataclass(frozen=True)
class Workflow:
    """A notebook as it is defined in Dagster.

    Attributes:
        name: the workflow's name.
        document: the notebook.
        params: values that the definition sets.
        inputs: parameters that upstream values fill.
        kernel: an installed kernel's name; None takes the notebook's own.
        cwd: working directory; None takes the notebook's folder.
        environment: variables for the kernel.
        limits: timeouts.
    """

    name: str
    document: NotebookDocument
    params: Mapping[str, JSON]
    inputs: Collection[str]
    kernel: str | None
    cwd: str | None
    environment: Mapping[str, str]
    limits: Limits

    @classmethod
    def define(
        cls,
        path: str | os.PathLike[str],
        *,
        name: str | None,
        params: Mapping[str, object] | None,
        inputs: Collection[str],
        kernel: str | None,
        cwd: str | os.PathLike[str] | None,
        environment: Mapping[str, str] | None,
        limits: Limits,
    ) -> Workflow:
        """Read the notebook and check what the definition says against its signature.

        Raises:
            RunRefused: the file cannot be read, or a name or value does not fit its parameters.
        """
        document = NotebookDocument.read(path)
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
            cwd=None if cwd is None else os.fspath(cwd),
            environment=dict(environment or {}),
            limits=limits,
        )

    @property
    def config(self) -> dict[str, dg.Field]:
        """The launchpad."""
        return config_schema(self.document.parameters, self.params, self.inputs)

    @property
    def op_tags(self) -> dict[str, str]:
        """Tags by which the command line finds the source notebook, and Dagster's UI shows it."""
        path = self.document.path
        if "://" in path:
            return {NOTEBOOK_TAG: path}
        absolute = str(Path(path).absolute())
        shown = {"kind": "ipynb", "notebook_path": absolute} if path.endswith(".ipynb") else {}
        return {NOTEBOOK_TAG: absolute, **shown}

    @property
    def source_metadata(self) -> dict[str, Any]:
        """Where the source is."""
        if "://" in self.document.path:
            return {"notebook": dg.MetadataValue.url(self.document.path)}
        path = str(Path(self.document.path).absolute())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)  # ours to follow; a user can do nothing about it
            reference = dg.CodeReferencesMetadataValue(
                code_references=[dg.LocalFileCodeReference(file_path=path, label=os.path.basename(path))]
            )
        shown = dg.MetadataValue.notebook(path) if path.endswith(".ipynb") else dg.MetadataValue.path(path)
        return {"notebook": shown, "dagster/code_references": reference}

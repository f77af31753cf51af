"""What a person means by the name of something to run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nb_dagster.cli.target import Target
from nb_dagster.notebook.document import NotebookDocument

if TYPE_CHECKING:
    import dagster as dg

_SUFFIXES = (".ipynb", ".py", ".md")


def find_target(name: str, options: Mapping[str, Any]) -> Target:
    """What a person means by a name.

    Raises:
        RunRefused: there is no such notebook file, and no such workflow.
    """
    if not ("/" in name or name.endswith(_SUFFIXES) or os.path.exists(name)):
        from nb_dagster.cli.workspace import find_workflow

        return find_workflow(name, options)
    document = NotebookDocument.read(name)

    def make_job() -> tuple[dg.JobDefinition, str]:
        from nb_dagster.definitions.job import notebook_job
        from nb_dagster.definitions.op import notebook_op

        op = notebook_op(name)
        return notebook_job(op.name, [op]), op.name

    return Target(document, options, frozenset(), make_job)

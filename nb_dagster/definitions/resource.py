"""The resource of a deployment: where executed notebooks are kept, and where their pages are."""

from __future__ import annotations

import os
from typing import Any

import dagster as dg
from pydantic import Field

from nb_dagster.store.notebooks import DEFAULT_ROOT, NotebookStore

RESOURCE_KEY = "notebooks"
PAGES_VARIABLE = "NB_DAGSTER_PAGES"
"""The environment variable that says where pages are, where the resource does not; ``nb-dagster dev`` sets it."""


class NotebookResource(dg.ConfigurableResource[Any]):
    """Settings that all notebooks of a deployment share.

    Example:
        >>> dg.Definitions(assets=[...], resources={"notebooks": NotebookResource(store="s3://bucket/notebooks")})
    """

    store: str = Field(
        default=DEFAULT_ROOT,
        description="Where executed notebooks and artifacts are kept: a folder, or a URL of universal-pathlib. "
        "Dagster's web server shows notebooks that are under the code server's working directory.",
    )
    pages: str | None = Field(
        default=None,
        description="Address of the server that shows their pages (nb-dagster serve), such as http://127.0.0.1:3030; "
        "links then lead there.",
    )


def resources(store: str = DEFAULT_ROOT, pages: str | None = None) -> dict[str, Any]:
    """The resources of a deployment, for ``dg.Definitions(resources=...)``.

    Args:
        store: where executed notebooks and artifacts are kept: a folder, or a URL (``s3://bucket/notebooks``).
        pages: address of the server that shows their pages (``nb-dagster serve``), such as ``http://127.0.0.1:3030``;
            links in Dagster then lead there. By default the environment variable ``NB_DAGSTER_PAGES`` says it.

    Example:
        >>> dg.Definitions(assets=[...], resources=resources(store="s3://bucket/notebooks"))
    """
    return {RESOURCE_KEY: NotebookResource(store=store, pages=pages)}


def store_of(context: dg.OpExecutionContext) -> NotebookStore:
    """The store of the job that a step is in.

    The resource is read from the job instead of being required by every op, so that ``dg.materialize([asset])`` works
    without it.
    """
    launched: Any = context.run_config.get("resources") or {}
    return store_of_job(context.get_step_execution_context().job_def, context.instance, launched.get(RESOURCE_KEY, {}))


def store_of_job(job: dg.JobDefinition, instance: dg.DagsterInstance, launched: Any = None) -> NotebookStore:
    """The store of a job.

    Args:
        job: the job.
        instance: the history.
        launched: what a run says of the resource in its config.
    """
    definition = job.resource_defs.get(RESOURCE_KEY)
    if definition is None:
        return NotebookStore(pages=os.environ.get(PAGES_VARIABLE))
    with dg.build_resources(
        {RESOURCE_KEY: definition},
        instance=instance,
        resource_config={RESOURCE_KEY: launched or {}},
    ) as built:
        settings = built.notebooks
        return NotebookStore(settings.store, pages=settings.pages or os.environ.get(PAGES_VARIABLE))

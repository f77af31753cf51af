"""The resource of a deployment: where executed notebooks are kept."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field

from nb_dagster.store.notebooks import DEFAULT_ROOT, NotebookStore

RESOURCE_KEY = "notebooks"


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


def resources(store: str = DEFAULT_ROOT) -> dict[str, Any]:
    """The resources of a deployment, for ``dg.Definitions(resources=...)``.

    Args:
        store: where executed notebooks and artifacts are kept: a folder, or a URL (``s3://bucket/notebooks``).

    Example:
        >>> dg.Definitions(assets=[...], resources=resources(store="s3://bucket/notebooks"))
    """
    return {RESOURCE_KEY: NotebookResource(store=store)}


def store_of(context: dg.OpExecutionContext) -> NotebookStore:
    """The store of the job that a step is in.

    The resource is read from the job instead of being required by every op, so that ``dg.materialize([asset])`` works
    without it.
    """
    definition = context.get_step_execution_context().job_def.resource_defs.get(RESOURCE_KEY)
    if definition is None:
        return NotebookStore()
    launched: Any = context.run_config.get("resources") or {}
    with dg.build_resources(
        {RESOURCE_KEY: definition},
        instance=context.instance,
        resource_config={RESOURCE_KEY: launched.get(RESOURCE_KEY, {})},
    ) as built:
        return NotebookStore(built.notebooks.store)

"""Jupyter notebooks in production on Dagster: a notebook is a function, each call of it a Dagster step.

import dagster as dg
import nb_dagster as nbd

ingest = nbd.notebook_asset("notebooks/ingest.ipynb", outs=["rows"])
report = nbd.notebook_asset("notebooks/report.ipynb", ins={"rows": ingest})
defs = dg.Definitions(assets=[ingest, report], resources=nbd.resources())
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nb_dagster.version import __version__ as __version__

if TYPE_CHECKING:
    from nb_dagster import nb as nb
    from nb_dagster.definitions.asset import notebook_asset as notebook_asset
    from nb_dagster.definitions.job import notebook_job as notebook_job
    from nb_dagster.definitions.op import notebook_op as notebook_op
    from nb_dagster.definitions.resource import NotebookResource as NotebookResource
    from nb_dagster.definitions.resource import resources as resources
    from nb_dagster.direct import run_notebook as run_notebook
    from nb_dagster.direct import stream_notebook as stream_notebook
    from nb_dagster.errors import RunRefused as RunRefused
    from nb_dagster.executors.executor import notebook_executor as notebook_executor
    from nb_dagster.kernel.compute import Compute as Compute
    from nb_dagster.notifications.rules import Notify as Notify
    from nb_dagster.notifications.sensor import notification_sensor as notification_sensor
    from nb_dagster.project.project import NotebookProject as NotebookProject
    from nb_dagster.runner.limits import Limits as Limits
    from nb_dagster.runner.limits import OutputLimits as OutputLimits
    from nb_dagster.runner.result import NotebookFailed as NotebookFailed
    from nb_dagster.runner.result import NotebookResult as NotebookResult
    from nb_dagster.runner.run import NotebookRun as NotebookRun
    from nb_dagster.runs.history import History as History
    from nb_dagster.runs.history import history as history
    from nb_dagster.runs.past_run import PastAttempt as PastAttempt
    from nb_dagster.runs.past_run import PastRun as PastRun

# Loaded when first used, so that `from nb_dagster import nb` in a notebook costs nothing.
_HOMES = {
    "notebook_asset": "nb_dagster.definitions.asset",
    "notebook_job": "nb_dagster.definitions.job",
    "notebook_op": "nb_dagster.definitions.op",
    "NotebookResource": "nb_dagster.definitions.resource",
    "resources": "nb_dagster.definitions.resource",
    "Compute": "nb_dagster.kernel.compute",
    "notebook_executor": "nb_dagster.executors.executor",
    "Notify": "nb_dagster.notifications.rules",
    "notification_sensor": "nb_dagster.notifications.sensor",
    "NotebookProject": "nb_dagster.project.project",
    "run_notebook": "nb_dagster.direct",
    "RunRefused": "nb_dagster.errors",
    "stream_notebook": "nb_dagster.direct",
    "NotebookFailed": "nb_dagster.runner.result",
    "NotebookResult": "nb_dagster.runner.result",
    "Limits": "nb_dagster.runner.limits",
    "OutputLimits": "nb_dagster.runner.limits",
    "NotebookRun": "nb_dagster.runner.run",
    "History": "nb_dagster.runs.history",
    "history": "nb_dagster.runs.history",
    "PastAttempt": "nb_dagster.runs.past_run",
    "PastRun": "nb_dagster.runs.past_run",
}

__all__ = [  # noqa: PLE0604 - the keys are texts
    "__version__",
    "nb",
    *_HOMES,
]


def __getattr__(name: str) -> Any:
    if name == "nb":
        return importlib.import_module("nb_dagster.nb")
    if name not in _HOMES:
        raise AttributeError(f"module 'nb_dagster' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)

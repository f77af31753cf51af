"""``nb_dagster.yaml``: every key there is, what it means, and what it may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, StrictBool
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from nb_dagster.definitions.single_flight import OnBusy
from nb_dagster.kernel.compute import IN_PROCESS, Compute
from nb_dagster.kernel.specs import check_preload
from nb_dagster.project.notify import Notifications, NotifiedOrNames
from nb_dagster.project.parts import (
    After,
    Environment,
    EnvironmentOrVariables,
    Executor,
    Part,
    Partitions,
    RetriesOrCount,
    ScheduleOrCron,
    Seconds,
    Sweep,
)
from nb_dagster.project.trigger import TriggerOrWord
from nb_dagster.project.words import Name
from nb_dagster.runner.limits import OutputLimits
from nb_dagster.runner.secrets import references
from nb_dagster.runtimes.runtime import Runtime


def _references(given: Any) -> Any:
    return references(given, "secrets") if isinstance(given, (str, list, dict)) else given


Secrets = Annotated[
    dict[str, str],
    BeforeValidator(_references, json_schema_input_type=list[str] | dict[str, str]),
]
Preload = Annotated[list[str], AfterValidator(lambda given: list(check_preload(given, "preload")))]


class Settings(Part):
    """What may be said of one workflow, and under ``defaults`` of all."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    kind: Literal["asset", "op"] = "asset"
    """An asset with a job of its name, or a job of one op."""
    tags: dict[str, str] = {}
    """Tags of the asset or op."""
    owners: list[str] = []
    """Owners of the asset: addresses, or team:NAME."""
    group: Name | None = None
    """The asset's group; by default the project's name."""
    partitions: Partitions | None = None
    """What it is divided into."""
    retries: RetriesOrCount | None = None
    """What becomes of a failed attempt."""
    timeout: Seconds | None = None
    """Seconds for a whole attempt."""
    cell_timeout: Seconds | None = None
    """Seconds for each cell."""
    stall_timeout: Seconds | None = None
    """Seconds without any output or finished cell."""
    single_flight: OnBusy | None = None
    """What becomes of a run while another one has not ended."""
    kernel: str | None = None
    """An installed kernel's name; by default the notebook's own."""
    cwd: str | None = None
    """Working directory, seen from this file; by default the notebook's folder."""
    environment: EnvironmentOrVariables = Environment()
    """Variables for the kernel; or the existing environment it runs in: venv:PATH, conda:NAME, kernel:NAME."""
    secrets: Secrets = {}
    """What nb.secret gives: names of environment variables, or names and where they are (env:NAME, file:PATH)."""
    preload: Preload | None = None
    """Modules imported before its kernel is forked."""
    output_limits: OutputLimits = OutputLimits()
    """How much is kept of what it shows and hands out."""
    compute: Compute = IN_PROCESS
    """Where it runs, and with what."""
    pool: str | None = None
    """The Dagster pool whose slot an attempt takes."""
    notify: NotifiedOrNames | None = None
    """Who is told how its runs ended."""
    enabled: StrictBool = True
    """Whether it runs by itself; what is not enabled can still be launched."""


class Workflow(Settings):
    """One notebook, and how it is run."""

    notebook: str | None = None
    """Its file, seen from the notebook folder; by default the one of the workflow's name."""
    description: str | None = None
    """By default the notebook's first Markdown cell."""
    params: dict[str, Any] = {}
    """Values of its parameters."""
    after: After = {}
    """What comes before it, and which parameters that fills."""
    for_each: Sweep | None = None
    """One workflow for each point of a grid, or each item of a list, of values of its parameters."""
    schedule: ScheduleOrCron | None = None
    """When it runs by itself."""
    trigger: TriggerOrWord | None = None
    """What starts it, beside the clock."""
    outs: list[str] = []
    """The outputs it declares."""
    checks: list[str] = []
    """The checks it makes with nb.check."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        return {**schema, "type": ["object", "null"]}  # of a name alone


def _said(given: Any) -> Any:
    """What is said of a workflow that is there by its name alone."""
    return {} if given is None else given


WorkflowOrName: TypeAlias = Annotated[Workflow, BeforeValidator(_said, json_schema_input_type=Workflow)]


class Pipeline(Part):
    """Several workflows as one job. Short form: their names."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    workflows: Annotated[list[str], Field(min_length=1)]
    """What it runs: workflows, whole sweeps, or single items of them."""
    description: str | None = None
    """Shown in Dagster."""
    params: dict[str, Any] = {}
    """Values for each of its workflows that declares such a parameter and does not say a value itself."""
    schedule: ScheduleOrCron | None = None
    """When it runs by itself."""
    tags: dict[str, str] = {}
    """Tags of its runs."""


def _long_pipeline(given: Any) -> Any:
    return {"workflows": given} if isinstance(given, list) else given


PipelineOrList: TypeAlias = Annotated[
    Pipeline, BeforeValidator(_long_pipeline, json_schema_input_type=list[str] | Pipeline)
]


class Project(Part):
    """A project of notebooks on Dagster."""

    name: Name | None = None
    """Its name, which is the group of its assets; by default that of its folder."""
    notebooks: str = "."
    """The folder of its notebooks, seen from this file."""
    parameters: dict[str, Any] = {}
    """Values for every notebook that declares such a parameter."""
    defaults: Settings = Settings()
    """What holds for every workflow that does not say otherwise."""
    workflows: Annotated[dict[Name, WorkflowOrName], Field(min_length=1)] | None = None
    """The workflows by name; without it, each notebook with a parameters cell or settings of its own is one."""
    pipelines: dict[Name, PipelineOrList] = {}
    """Jobs of several workflows, by name."""
    external_assets: list[str] = []
    """Keys of assets made elsewhere that workflows come after."""
    data: str | None = None
    """The folder of the values that one notebook hands to another; by default Dagster's."""
    store: str | None = None
    """Where executed notebooks and artifacts are kept: a folder, or a URL; by default .nb_dagster/notebooks."""
    pages: str | None = None
    """Address of the server of their pages."""
    notifications: Notifications = Notifications()
    """The targets that workflows name under notify."""
    secrets: Secrets = {}
    """Secrets of every workflow."""
    executor: Executor = Executor()
    """How the notebooks of one run are run."""
    runtimes: dict[Name, Runtime] = {}
    """Environments of notebooks by name, of which images are built."""

"""``notebook_executor``: the notebooks of a run as threads of one process, each still a Dagster step of its own.

A notebook's work is done by its kernel, in a process of its own; the step only follows it. So many steps fit into one
process, and none of them pays for starting Python and importing Dagster. Notebooks that ask for a container of their
own, or a pod, get it, and other ops of the same job run in subprocesses, as under Dagster's multiprocess executor.
"""

import contextlib
import copy
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.retries import RetryMode, get_retries_config
from dagster._core.execution.tags import get_tag_concurrency_limits_config
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepHandler,
    StepHandlerContext,
)
from dagster._core.system_config.objects import ResolvedRunConfig

from nb_dagster.definitions.compute import COMPUTE_TAG, compute_of
from nb_dagster.definitions.growth import grown
from nb_dagster.definitions.workflow import KERNEL_TAG, NOTEBOOK_TAG, PRELOAD_TAG, kernel_of
from nb_dagster.errors import RunRefused
from nb_dagster.executors.container_step import ContainerStep
from nb_dagster.executors.delegating import NotebookExecutor
from nb_dagster.executors.logs import ThreadLogs
from nb_dagster.executors.pod_step import PodStep
from nb_dagster.executors.process_step import ProcessStep
from nb_dagster.executors.step import Step, end_told, key_of
from nb_dagster.executors.thread_step import ThreadStep
from nb_dagster.kernel.fork_servers import FORK_SERVERS
from nb_dagster.kernel.specs import forkable_python

_POLL_SECONDS = 0.05
_HEALTH_SECONDS = 2
_KIND_TAGS = (KERNEL_TAG, PRELOAD_TAG, COMPUTE_TAG)


class NotebookStepHandler(StepHandler):
    """Starts notebooks in threads, and other steps in subprocesses.

    Args:
        job: the job, as Dagster can load it again.
        environment: variables for every kernel.
    """

    def __init__(self, job: Any, environment: dict[str, str]) -> None:
        super().__init__()
        self._job, self._environment = job, environment
        self._steps: dict[str, Step] = {}
        self._instance: dg.DagsterInstance | None = None
        self._config: ResolvedRunConfig | None = None

    @property
    def name(self) -> str:
        """How the event log calls it."""
        return "notebook_executor"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Start a step."""
        if not self._steps:
            _expect_kernels(step_handler_context)
        key = key_of(step_handler_context)
        self._steps[key] = self._step(step_handler_context, step_handler_context.step_tags[key])
        self._steps[key].start()
        return iter(())

    def _step(self, context: StepHandlerContext, tags: Mapping[str, str]) -> Step:
        run_id = context.execute_step_args.run_id
        compute = grown(compute_of(tags), context.instance, run_id, key_of(context))
        if compute.isolation == "docker":
            return ContainerStep(self._job, context, compute, tags)
        if compute.isolation == "k8s":
            return PodStep(self._job, context, compute, tags)
        if NOTEBOOK_TAG in tags:
            plan, instance = self._plan(context), self._shared_instance(context)
            return ThreadStep(self._job, plan, instance, context, self._environment)
        return ProcessStep(context)

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Whether a step is still going, or has said how it ended."""
        key = key_of(step_handler_context)
        if key not in self._steps:  # of a worker that is gone, whose run goes on in this one
            return CheckStepHealthResult.unhealthy(f"step {key} ended with the process that its run was in")
        if self._steps[key].is_running() or self._steps[key].has_said_how():
            return CheckStepHealthResult.healthy()
        if end_told(step_handler_context) is not None:
            return CheckStepHealthResult.healthy()
        return CheckStepHealthResult.unhealthy(f"step {key} {self._steps[key].how_it_ended()}")

    def may_retry(self, key: str) -> bool:
        """Whether another attempt of a step is wanted that ended without saying how."""
        return key not in self._steps or self._steps[key].may_retry()

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Stop a step, and wait until what it started is gone: the executor returns right afterwards."""
        key = key_of(step_handler_context)
        context = step_handler_context.get_step_context(key)
        yield DagsterEvent.engine_event(context, f"stopping step {key}", EngineEventData())
        self._steps[key].stop()

    def _plan(self, context: StepHandlerContext) -> ExecutionPlan:
        """The plan of one step, cut out of the run's: another plan of all steps for each would take quadratic time."""
        key, state = key_of(context), context.execute_step_args.known_state or KnownExecutionState()
        config, whole = context.dagster_run.run_config, context._plan_context.execution_plan  # noqa: SLF001
        if key not in whole.step_dict_by_key:  # a step that another one made
            return create_execution_plan(self._job, config, step_keys_to_execute=[key], known_state=state)
        definition = self._job.get_definition()
        if self._config is None:
            self._config = ResolvedRunConfig.build(definition, config)
        return whole.build_subset_plan([key], definition, self._config)._replace(known_state=state)

    def _shared_instance(self, context: StepHandlerContext) -> dg.DagsterInstance:
        """One instance for all threads, whose compute logs are per thread."""
        if self._instance is None:
            instance: Any = copy.copy(context.instance)  # another from its ref would check its database for 0.3 s
            instance._compute_log_manager = ThreadLogs(context.instance.compute_log_manager)  # noqa: SLF001
            # Each step would configure logging anew, which takes logging's locks in an order that meets ours.
            handlers = instance.get_yaml_python_handlers()
            instance.get_yaml_python_handlers = lambda: handlers
            self._instance = instance
        return self._instance


def _expect_kernels(context: StepHandlerContext) -> None:
    """Have fork servers started for the run's kernels, where it has more than one of a kind."""
    plan = context._plan_context.execution_plan  # noqa: SLF001 - its public way makes another plan
    tags = [plan.get_step_by_key(key).tags or {} for key in plan.step_keys_to_execute]
    notebooks = [each for each in tags if NOTEBOOK_TAG in each]
    kinds = Counter(tuple(map(each.get, _KIND_TAGS)) for each in notebooks)
    for each in notebooks:
        count = kinds.pop(tuple(map(each.get, _KIND_TAGS)), 0)
        with contextlib.suppress(RunRefused):  # the steps say so themselves
            found = kernel_of(each) if count > 1 else None
            if found is None or (python := forkable_python(found[0])) is None:
                continue
            environment = found[1].activated(os.environ) if found[1] else None
            FORK_SERVERS.expect(python, [module for module in each[PRELOAD_TAG].split(",") if module], environment)


@dg.executor(
    name="notebook_executor",
    config_schema={
        "max_concurrent": dg.Field(
            int, is_required=False, description="How many steps run at once; as many as there are CPUs by default."
        ),
        "tag_concurrency_limits": get_tag_concurrency_limits_config(),  # type: ignore[no-untyped-call]
        "retries": get_retries_config(),  # type: ignore[no-untyped-call]
    },
    requirements=multiple_process_executor_requirements(),
)
def notebook_executor(init_context: dg.InitExecutorContext) -> NotebookExecutor:
    """Runs the notebooks of a job in threads of one process, and its other ops in subprocesses.

    Each kernel gets its share of the CPUs for BLAS and OpenMP (``OMP_NUM_THREADS`` and the like), where the
    environment does not say otherwise.

    Example:
        >>> dg.Definitions(assets=[...], executor=notebook_executor)
    """
    config = init_context.executor_config
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    at_once = int(config.get("max_concurrent") or cpus)  # type: ignore[call-overload]
    share = str(max(1, cpus // at_once))
    environment = {
        name: share
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
        if name not in os.environ
    }
    return NotebookExecutor(
        NotebookStepHandler(init_context.job, environment),
        retries=RetryMode.from_config(config["retries"]),  # type: ignore[arg-type]
        max_concurrent=at_once,
        tag_concurrency_limits=config.get("tag_concurrency_limits"),  # type: ignore[arg-type]
        sleep_seconds=_POLL_SECONDS,
        check_step_health_interval_seconds=_HEALTH_SECONDS,
    )

"""``notebook_executor``: the notebooks of a run as threads of one process, each still a Dagster step of its own.

A notebook's work is done by its kernel, in a process of its own; the step only follows it. So many steps fit into one
process, and none of them pays for starting Python and importing Dagster. Other ops of the same job run in
subprocesses, as under Dagster's multiprocess executor.
"""

import contextlib
import copy
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import DagsterEvent, DagsterEventType, EngineEventData
from dagster._core.execution.api import create_execution_plan, execute_plan_iterator
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.retries import RetryMode, get_retries_config
from dagster._core.execution.tags import get_tag_concurrency_limits_config
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)
from dagster._core.system_config.objects import ResolvedRunConfig

from nb_dagster.definitions.here import Follower, follow
from nb_dagster.definitions.workflow import KERNEL_TAG, NOTEBOOK_TAG, PRELOAD_TAG
from nb_dagster.errors import RunRefused
from nb_dagster.executors.logs import ThreadLogs
from nb_dagster.kernel.fork_servers import FORK_SERVERS
from nb_dagster.kernel.specs import find_kernel, forkable_python

_POLL_SECONDS = 0.05
_HEALTH_SECONDS = 2
_STOP_SECONDS = 10.0  # a cancelled kernel is gone within five
_ENDS = {DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_UP_FOR_RETRY}


class ThreadStep:
    """A notebook step in a thread.

    Args:
        job: the job, as Dagster can load it again.
        plan: the plan of this step alone.
        instance: the instance that all threads share.
        context: what Dagster says of the step.
        environment: variables for its kernel.
    """

    def __init__(
        self, job: Any, plan: ExecutionPlan, instance: dg.DagsterInstance, context: StepHandlerContext, environment: Any
    ) -> None:
        self._job, self._instance, self._run = job, instance, context.dagster_run
        self._plan: ExecutionPlan | None = plan
        self._retry_mode = context.execute_step_args.retry_mode
        self._background: Any = None
        self._is_stopping = False
        self._is_done = False
        self._follower = Follower(environment=environment, on_start=self._follow)
        self._thread = threading.Thread(target=self._work, name=_key(context), daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def is_running(self) -> bool:
        """Whether the thread is still going."""
        return self._thread.is_alive()

    def has_said_how(self) -> bool:
        """Whether the step, which has ended, told Dagster how."""
        return self._is_done

    def stop(self) -> None:
        """Cancel the notebook, and wait until its kernel is gone."""
        self._is_stopping = True
        if self._background is not None:
            self._background.cancel()
        if self._thread.ident is not None:
            self._thread.join(_STOP_SECONDS)

    def _follow(self, background: Any) -> None:
        self._background = background
        if self._is_stopping:  # the cancel came while the notebook was being prepared
            background.cancel()

    def _work(self) -> None:
        cancelled = contextlib.suppress(DagsterExecutionInterruptedError)  # the executor did it
        try:
            with follow(self._follower), cancelled:
                assert self._plan is not None  # noqa: S101 - it goes at the end of this
                for _ in execute_plan_iterator(
                    self._plan,
                    self._job,
                    self._run,
                    self._instance,
                    retry_mode=self._retry_mode,
                    run_config=self._run.run_config,
                ):
                    pass
            self._is_done = True
        finally:
            self._background = self._plan = None  # the run may have many more steps, and remembers all of them


class ProcessStep:
    """Any other step, in a subprocess."""

    def __init__(self, context: StepHandlerContext) -> None:
        arguments = context.execute_step_args
        environment = {each["name"]: each["value"] for each in arguments.get_command_env()}
        program, *rest = arguments.get_command_args()
        self._command = [*([sys.executable, "-m", "dagster"] if program == "dagster" else [program]), *rest]
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        self._process = subprocess.Popen(self._command, env=self._environment)

    def is_running(self) -> bool:
        """Whether the process is still going."""
        return self._process is not None and self._process.poll() is None

    def has_said_how(self) -> bool:
        """Whether the step, which has ended, told Dagster how."""
        return self._process is not None and self._process.returncode == 0

    def stop(self) -> None:
        """Interrupt the process as Dagster does, and kill it where that does not end it."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class NotebookStepHandler(StepHandler):
    """Starts notebooks in threads, and other steps in subprocesses.

    Args:
        job: the job, as Dagster can load it again.
        environment: variables for every kernel.
    """

    def __init__(self, job: Any, environment: dict[str, str]) -> None:
        super().__init__()
        self._job, self._environment = job, environment
        self._steps: dict[str, ThreadStep | ProcessStep] = {}
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
        key = _key(step_handler_context)
        step: ThreadStep | ProcessStep
        if NOTEBOOK_TAG in step_handler_context.step_tags[key]:
            instance = self._shared_instance(step_handler_context)
            step = ThreadStep(
                self._job, self._plan(step_handler_context), instance, step_handler_context, self._environment
            )
        else:
            step = ProcessStep(step_handler_context)
        self._steps[key] = step
        step.start()
        return iter(())

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Whether a step is still going, or has said how it ended."""
        key = _key(step_handler_context)
        if self._steps[key].is_running() or self._steps[key].has_said_how():
            return CheckStepHealthResult.healthy()
        run_id = step_handler_context.execute_step_args.run_id
        attempts = step_handler_context.execute_step_args.known_state
        expected = 1 + (attempts.get_retry_state().get_attempt_count(key) if attempts else 0)
        entries = step_handler_context.instance.all_logs(run_id, of_type=_ENDS)
        if sum(entry.step_key == key for entry in entries) >= expected:
            return CheckStepHealthResult.healthy()
        return CheckStepHealthResult.unhealthy(f"step {key} ended without saying how")

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        """Stop a step, and wait until what it started is gone: the executor returns right afterwards."""
        key = _key(step_handler_context)
        context = step_handler_context.get_step_context(key)
        yield DagsterEvent.engine_event(context, f"stopping step {key}", EngineEventData())
        self._steps[key].stop()

    def _plan(self, context: StepHandlerContext) -> ExecutionPlan:
        """The plan of one step, cut out of the run's: another plan of all steps for each would take quadratic time."""
        key, state = _key(context), context.execute_step_args.known_state or KnownExecutionState()
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
    kinds = Counter((each[KERNEL_TAG], each[PRELOAD_TAG]) for each in tags if NOTEBOOK_TAG in each)
    for (kernel, preload), count in kinds.items():
        with contextlib.suppress(RunRefused):  # the steps say so themselves
            python = forkable_python(find_kernel(kernel, ""))
            if python is not None and count > 1:
                FORK_SERVERS.expect(python, [each for each in preload.split(",") if each])


def _key(context: StepHandlerContext) -> str:
    (key,) = context.execute_step_args.step_keys_to_execute or ()
    return key


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
def notebook_executor(init_context: dg.InitExecutorContext) -> StepDelegatingExecutor:
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
    return StepDelegatingExecutor(
        NotebookStepHandler(init_context.job, environment),
        retries=RetryMode.from_config(config["retries"]),  # type: ignore[arg-type]
        max_concurrent=at_once,
        tag_concurrency_limits=config.get("tag_concurrency_limits"),  # type: ignore[arg-type]
        sleep_seconds=_POLL_SECONDS,
        check_step_health_interval_seconds=_HEALTH_SECONDS,
    )

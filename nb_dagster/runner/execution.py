"""One run from its specification to its end: check, start, run the cells under their limits, write what happened."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nb_dagster.kernel.folders import KEPT_PREFIX, KEPT_VARIABLE
from nb_dagster.kernel.gpus import VISIBLE, gpus
from nb_dagster.kernel.process import INTERRUPT_GRACE, Kernel, KernelDied, open_kernel
from nb_dagster.kernel.remote import EngineFailed
from nb_dagster.notebook.records import Records
from nb_dagster.runner import events
from nb_dagster.runner.backlog import EventQueue
from nb_dagster.runner.client import CellClient
from nb_dagster.runner.ending import Ending, Stopped, ended_by_author
from nb_dagster.runner.executed import mark_cell, mark_run, new_notebook, write_notebook
from nb_dagster.runner.failure import first_line, read_error
from nb_dagster.runner.handover import hand_over
from nb_dagster.runner.journal import Journal
from nb_dagster.runner.prepared import Prepared
from nb_dagster.runner.recorder import Recorder
from nb_dagster.runner.recovery import open_journal
from nb_dagster.runner.redaction import Redactor
from nb_dagster.runner.result import CellError, CellResult, CellStatus, NotebookResult
from nb_dagster.runner.watch import Watch

_DRAIN_AFTER_DEATH = 0.1  # seconds for what a dead kernel had still sent
_LOOK_EVERY = 0.5  # seconds between looks at the kernel's memory
_FIRST_USAGE, _LAST_USAGE = 5.0, 60.0  # seconds between two events that tell of it: at first, and in the end
_SKIP_TAG = "skip-execution"


class Execution:
    """A prepared run, being executed once.

    Args:
        prepared: a run that has passed its checks.
    """

    def __init__(self, prepared: Prepared) -> None:
        self._prepared = prepared
        self._run = prepared.run
        self._notebook = new_notebook(prepared.content)
        self._queue = EventQueue()
        self._records = Records()
        self._started = time.time()
        self._cells: dict[int, CellResult] = {}
        self._error: CellError | None = None
        self._peak_memory = 0
        self._redactor = Redactor(prepared.secrets)
        self._journal: Journal
        self._output: Path
        self._files: Path
        self._watch = Watch(self._run.limits)

    def cancel(self, why: str = "cancelled") -> None:
        """Stop the run, for a reason in words; its events go on until ``Finished``."""
        self._watch.stop(Ending("cancelled", why))

    def lose(self, why: str) -> None:
        """End the run, since what it runs on is going, for a reason in words."""
        self._watch.stop(Ending("killed", why, is_infrastructure=True))

    async def stream(self) -> AsyncGenerator[events.Event, None]:
        """The events of the run; closing the iterator early cancels it.

        Its end is the kernel's: that may be a moment after ``Finished``, while exit handlers run.
        """
        task = asyncio.create_task(self._execute())
        try:
            while (event := await self._queue.get()) is not None:
                yield event
            await task
        finally:
            self.cancel()
            await asyncio.wait({task})

    async def _execute(self) -> None:
        try:
            self._output, journal = self._prepared.place.reserve()
            self._files = self._output.with_suffix(".files")
            self._journal = open_journal(journal, self._prepared.content, self._output)
            async with contextlib.AsyncExitStack() as kernel:
                ending = await self._run_on(kernel)
                if not ending.kernel_is_well:
                    await kernel.aclose()
                self._emit(self._finish(ending))  # a kernel that is well has nothing more to say; it may end meanwhile
        finally:
            self._queue.put_nowait(None)

    async def _run_on(self, stack: contextlib.AsyncExitStack) -> Ending:
        """Run all cells on a kernel, which ends with the stack."""
        prepared = self._prepared
        try:
            devices = await self._gpus(stack)
            given = stack.enter_context(hand_over(prepared, self._files, self._wait))
            opened = open_kernel(
                prepared.kernel,
                prepared.cwd,
                {**given.environment, **devices},
                prepared.preload,
                given.setup,
                place=given.place,
                installed_in=prepared.installed_in,
            )
            kernel: Kernel = await self._open(stack, opened, "while the kernel was starting")
            self._emit_started()
            measuring = asyncio.create_task(self._measure(kernel))
            try:
                ending = await self._run_cells(kernel)
            finally:
                measuring.cancel()
                kernel.memory.look()
                self._peak_memory = kernel.memory.peak
        except Stopped as stopped:
            return stopped.ending
        except KernelDied as died:
            return Ending("killed", self._redactor.text(str(died)), is_infrastructure=died.is_infrastructure)
        except EngineFailed as failed:
            return Ending("failed", self._redactor.text(str(failed)), is_infrastructure=True)
        if ending.kernel_is_well:
            stack.push_async_callback(kernel.shut_down)
        elif ending.status != "killed":
            stack.push_async_callback(kernel.terminate)
        return ending

    async def _gpus(self, stack: contextlib.AsyncExitStack) -> dict[str, str]:
        """Have the GPUs that the run asks for, as long as the stack is open; the variable that names them."""
        compute = self._run.compute
        if compute.gpus is None or compute.is_container:
            return {}
        waiting = gpus(compute.gpus, self._wait)
        return {VISIBLE: ",".join(await self._open(stack, waiting, "while it waited for a GPU"))}

    def _wait(self, words: str) -> None:
        """Tell what the run waits for."""
        self._queue.put_nowait(events.Waiting(time.time(), words))

    async def _open(
        self, stack: contextlib.AsyncExitStack, resource: contextlib.AbstractAsyncContextManager[Any], when: str
    ) -> Any:
        """Open what the run needs before its first cell; the stack closes it.

        Raises:
            Stopped: the run must stop before it is there.
        """
        opening = asyncio.ensure_future(stack.enter_async_context(resource))
        try:
            return await self._watch.opened(opening)
        except Stopped as stopped:
            opening.cancel()
            await asyncio.wait({opening})
            raise Stopped(replace(stopped.ending, reason=f"{stopped.ending.reason}, {when}")) from None

    async def _measure(self, kernel: Kernel) -> None:
        """Look at the kernel's memory, and tell of it ever more rarely."""
        due, pause = self._started + _FIRST_USAGE, _FIRST_USAGE
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            kernel.memory.look()
            now = time.time()
            if now >= due:
                self._emit(events.Usage(now, now - self._started, kernel.memory.now, kernel.memory.peak))
                pause = min(_LAST_USAGE, 2 * pause)
                due = now + pause

    async def _run_cells(self, kernel: Kernel) -> Ending:
        recorder = Recorder(
            journal=self._journal,
            records=self._records,
            files=self._files,
            numbers={index: number for number, index in enumerate(self._code_cells(), start=1)},
            emit=self._emit,
            on_heard=self._watch.heard,
        )
        limits = self._run.limits.output
        client = CellClient(self._notebook, kernel.client, recorder, limits=limits, redactor=self._redactor)
        if kernel.remote is not None:
            client.bring_files_with(kernel.remote.bring, self._files)
        self._journal.follow(client)
        ending = Ending("succeeded", kernel_is_well=True)
        for number, index in enumerate(self._code_cells(), start=1):
            cell = self._notebook.cells[index]
            skipped = _SKIP_TAG in cell.metadata.get("tags", [])
            if skipped or not cell.source.strip():
                self._finish_cell(index, number, "skipped" if skipped else "succeeded", time.time())
                continue
            ended = await self._run_cell(kernel, client, number, index)
            if ended is not None:
                ending = ended
                break
        client.set_widgets_metadata()
        return ending

    async def _run_cell(self, kernel: Kernel, client: CellClient, number: int, index: int) -> Ending | None:
        """Run one cell; how the run ended, where it ended with this cell."""
        source = self._notebook.cells[index].source
        started = time.time()
        self._journal.cell_started(index)
        self._emit(events.CellStarted(started, index, number, first_line(source)))
        cell = asyncio.ensure_future(client.run_cell(index))
        try:
            reply = await self._watch.over(cell, kernel.died)
            ending = self._judge(reply, number, index, source)
        except Stopped as stopped:
            await self._stop_cell(kernel, cell, died=stopped.ending.reason is None)
            why, is_lost = stopped.ending.reason, stopped.ending.is_infrastructure
            if why is None:
                why, is_lost = self._redactor.text(kernel.cause_of_death()), kernel.lost_by is not None
            where = f"in cell {number} ({first_line(source)})"
            ending = Ending(stopped.ending.status, f"{why}, {where}", is_infrastructure=is_lost)
        status: CellStatus = ending.cell_status if ending else "succeeded"
        self._finish_cell(index, number, status, started)
        return ending

    def _judge(self, reply: dict[str, Any], number: int, index: int, source: str) -> Ending | None:
        """What a kernel's reply means; success needs its word for it."""
        if self._records.skip_reason is not None:
            return Ending("skipped", self._records.skip_reason, kernel_is_well=True)
        by_author = ended_by_author(reply, number)
        if by_author is not None:
            self._error = read_error(reply, index, number, source) if by_author.status == "failed" else None
            return by_author
        if reply.get("status") == "ok" or "raises-exception" in self._notebook.cells[index].metadata.get("tags", []):
            return None
        self._error = read_error(reply, index, number, source)
        return Ending("failed", str(self._error), kernel_is_well=True)

    async def _stop_cell(self, kernel: Kernel, cell: asyncio.Future[Any], *, died: bool) -> None:
        """Let a stopped cell say where it was, as long as it takes no time; then give it up."""
        if not died:
            await kernel.interrupt()
        await asyncio.wait({cell}, timeout=_DRAIN_AFTER_DEATH if died else INTERRUPT_GRACE)
        cell.cancel()
        await asyncio.gather(cell, return_exceptions=True)

    def _finish_cell(self, index: int, number: int, status: CellStatus, started: float) -> None:
        now = time.time()
        self._cells[index] = CellResult(index, status, now - started)
        self._journal.cell_finished(index, mark_cell(self._notebook.cells[index], status, started, now))
        self._emit(events.CellFinished(now, number, self._cells[index]))

    def _code_cells(self) -> list[int]:
        return [index for index, cell in enumerate(self._notebook.cells) if cell.cell_type == "code"]

    def _emit(self, event: events.Event) -> None:
        self._queue.put_nowait(event)

    def _emit_started(self) -> None:
        prepared = self._prepared
        self._emit(
            events.Started(
                at=self._started,
                run_id=prepared.run_id,
                workflow=prepared.workflow,
                notebook=prepared.document.path,
                executed_notebook=str(self._output),
                cells=len(self._code_cells()),
                kernel=prepared.kernel,
                parameters=prepared.parameters,
            )
        )

    def _finish(self, ending: Ending) -> events.Finished:
        prepared, now = self._prepared, time.time()
        ending = self._write(ending, now)
        not_run = {index: CellResult(index, "not_run", 0.0) for index in self._code_cells()}
        result = NotebookResult(
            status=ending.status,
            reason=ending.reason,
            is_infrastructure=ending.is_infrastructure,
            notebook=prepared.document.path,
            workflow=prepared.workflow,
            run_id=prepared.run_id,
            attempt=self._run.attempt,
            executed_notebook=str(self._output),
            parameters=prepared.parameters,
            records=self._records,
            cells=[self._cells.get(index, cell) for index, cell in not_run.items()],
            error=self._error,
            duration_s=now - self._started,
            peak_memory=self._peak_memory,
            commit=self._notebook.metadata["nb_dagster"]["commit"],
            dirty=self._notebook.metadata["nb_dagster"]["dirty"],
        )
        return events.Finished(now, result)

    def _write(self, ending: Ending, now: float) -> Ending:
        """Write the executed notebook to its place; where that is impossible, to another, and say so."""
        mark_run(self._notebook, ending.status, ending.reason, now)
        try:
            write_notebook(self._output, self._notebook)
        except OSError as error:
            kept = Path(tempfile.mkdtemp(prefix=KEPT_PREFIX, dir=os.environ.get(KEPT_VARIABLE))) / self._output.name
            how = f"{ending.status}: {ending.reason}" if ending.reason else ending.status
            reason = f"the executed notebook cannot be written to {self._output} ({error.strerror}); it is kept in {kept} ({how})"
            ending = Ending("failed", reason, is_infrastructure=True)
            mark_run(self._notebook, ending.status, ending.reason, now)
            write_notebook(kept, self._notebook)
            self._output = kept
        self._journal.close()
        return ending

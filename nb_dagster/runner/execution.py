"""One run from its specification to its end: check, start, run the cells under their limits, write what happened."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from nb_dagster.kernel.process import INTERRUPT_GRACE, Kernel, KernelDied, open_kernel
from nb_dagster.notebook.records import Records, read_records
from nb_dagster.runner import events
from nb_dagster.runner.client import CellClient
from nb_dagster.runner.ending import Ending, Stopped, ended_by_author
from nb_dagster.runner.executed import mark_cell, mark_run, new_notebook, write_notebook
from nb_dagster.runner.failure import first_line, read_error
from nb_dagster.runner.handover import hand_over
from nb_dagster.runner.journal import Journal, open_journal
from nb_dagster.runner.output_meter import OutputMeter
from nb_dagster.runner.prepared import Prepared
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
        self._queue: asyncio.Queue[events.Event | None] = asyncio.Queue()
        self._cancelled = asyncio.Event()
        self._records = Records()
        self._started = time.time()
        self._cells: dict[int, CellResult] = {}
        self._error: CellError | None = None
        self._peak_memory = 0
        self._is_warned = False
        self._redactor = Redactor(prepared.secrets)
        self._journal: Journal
        self._output: Path
        self._files: Path
        self._watch = Watch(self._run.limits, self._cancelled)

    def cancel(self) -> None:
        """Stop the run; its events go on until ``Finished``."""
        self._cancelled.set()

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
            environment, setup = stack.enter_context(hand_over(prepared, self._files))
            opened = open_kernel(prepared.kernel, prepared.cwd, environment, prepared.preload, setup)
            opening = asyncio.ensure_future(stack.enter_async_context(opened))
            try:
                kernel: Kernel = await self._watch.opened(opening)
            except Stopped as stopped:
                opening.cancel()
                await asyncio.wait({opening})
                return Ending(stopped.ending.status, f"{stopped.ending.reason}, while the kernel was starting")
            self._emit_started()
            measuring = asyncio.create_task(self._measure(kernel))
            try:
                ending = await self._run_cells(kernel)
            finally:
                measuring.cancel()
                kernel.memory.look()
                self._peak_memory = kernel.memory.peak
        except KernelDied as died:
            return Ending("killed", self._redactor.text(str(died)))
        if ending.kernel_is_well:
            stack.push_async_callback(kernel.shut_down)
        elif ending.status != "killed":
            stack.push_async_callback(kernel.terminate)
        return ending

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
        limits = self._run.limits
        meter = OutputMeter(limits.max_cell_output, limits.max_output)
        client = CellClient(
            self._notebook,
            kernel.client,
            self._on_message,
            meter=meter,
            on_cut=self._on_cut,
            redactor=self._redactor,
        )
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
            await self._stop_cell(kernel, cell, died=stopped.ending.status == "killed")
            why = stopped.ending.reason
            if stopped.ending.status == "killed":
                why = self._redactor.text(kernel.cause_of_death())
            ending = Ending(stopped.ending.status, f"{why}, in cell {number} ({first_line(source)})")
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

    def _on_cut(self, cell: int, mark: str) -> None:
        self._emit(events.Warned(time.time(), cell, f"cell {self._code_cells().index(cell) + 1}: {mark}"))

    def _on_message(self, cell: int, message: dict[str, Any]) -> None:
        self._watch.heard()
        self._journal.message(cell, message)
        self._warn_of_journal()
        content, now = message["content"], time.time()
        if message["msg_type"] == "stream":
            self._emit(events.Stream(now, cell, content["name"], content["text"]))
        elif message["msg_type"] in ("display_data", "execute_result", "update_display_data"):
            self._on_display(now, cell, content.get("data", {}))

    def _on_display(self, now: float, cell: int, data: dict[str, Any]) -> None:
        try:
            records = read_records(data, self._files)
        except (ValueError, KeyError, TypeError, OSError) as error:
            self._emit(events.Warned(now, cell, f"a record was left out: {error}"))
            return
        for record in records:
            self._records.add(record)
            self._emit(events.Recorded(now, cell, record))
        if not records:
            self._emit(events.Display(now, cell, data))

    def _finish_cell(self, index: int, number: int, status: CellStatus, started: float) -> None:
        now = time.time()
        self._cells[index] = CellResult(index, status, now - started)
        self._journal.cell_finished(index, mark_cell(self._notebook.cells[index], status, started, now))
        self._emit(events.CellFinished(now, number, self._cells[index]))

    def _code_cells(self) -> list[int]:
        return [index for index, cell in enumerate(self._notebook.cells) if cell.cell_type == "code"]

    def _emit(self, event: events.Event) -> None:
        self._queue.put_nowait(event)

    def _warn_of_journal(self) -> None:
        """Say once that the run is not safe from being killed."""
        failure = self._journal.failure
        if failure is not None and not self._is_warned:
            self._is_warned = True
            why = f"the run's journal cannot be written ({failure.strerror})"
            self._emit(events.Warned(time.time(), None, f"{why}; if this process is killed, the notebook is lost"))

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
        )
        return events.Finished(now, result)

    def _write(self, ending: Ending, now: float) -> Ending:
        """Write the executed notebook to its place; where that is impossible, to another, and say so."""
        mark_run(self._notebook, ending.status, ending.reason, now)
        try:
            write_notebook(self._output, self._notebook)
        except OSError as error:
            kept = Path(tempfile.mkdtemp(prefix="nb_dagster-kept-")) / self._output.name
            how = f"{ending.status}: {ending.reason}" if ending.reason else ending.status
            reason = f"the executed notebook cannot be written to {self._output} ({error.strerror}); it is kept in {kept} ({how})"
            ending = Ending("failed", reason, is_infrastructure=True)
            mark_run(self._notebook, ending.status, ending.reason, now)
            write_notebook(kept, self._notebook)
            self._output = kept
        self._journal.close()
        return ending

"""Running cells on a kernel, with a message loop of our own that tells of each message."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode

from nb_dagster.kernel.messages import look_again, receive
from nb_dagster.nb import inside, real_folder
from nb_dagster.notebook.records import file_of
from nb_dagster.runner.outputs import CellOutputs

_IDLE_AFTER_REPLY = 4.0  # seconds, as nbclient has it
_LATE = ("stream", "display_data", "update_display_data")
_log = logging.getLogger("nb_dagster")
_TURN = 20  # messages; receiving one that is there does not wait, and a cancel and other runs want their turn


class CellClient(CellOutputs):
    """Runs cells on a kernel that is already up; deciding what an outcome means is the runner's work."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._cells: dict[str, int] = {}  # by the requests that they were
        self._bring: tuple[Callable[[str], None], Path] | None = None
        self._is_bringing = False

    def bring_files_with(self, bring: Callable[[str], None], files: Path) -> None:
        """Have the files of records here before those are read.

        Args:
            bring: brings a file of the run, by its path in the run's folder.
            files: that folder.
        """
        self._bring = (bring, files)

    async def run_cell(self, index: int) -> dict[str, Any]:
        """Run one cell to its end; returns the content of the kernel's reply."""
        cell = self.nb.cells[index]
        self.start_cell(cell)
        request = self._kernel.execute(cell.source, stop_on_error=False)
        self._cells[request] = index
        outputs = asyncio.ensure_future(self._take_outputs(request, cell, index))
        try:
            reply = await self._reply_to(request)
            await self._wait_for_idle(outputs)
        finally:
            outputs.cancel()
            for message in self._redactor.held():
                self._process(message, cell, index)
            self.settle()
        return reply

    async def _wait_for_idle(self, outputs: asyncio.Future[None]) -> None:
        """Wait a while; a kernel may never say that it is idle, and what it replied is what counts."""
        while not (await asyncio.wait({outputs}, timeout=_IDLE_AFTER_REPLY))[0] and self._is_bringing:
            pass
        if outputs.done():
            outputs.result()

    async def _take_outputs(self, request: str, cell: NotebookNode, index: int) -> None:
        """Take everything that the kernel shows for a request, until it says that it is idle."""
        for count in itertools.count(1):
            if count % _TURN == 0:
                await asyncio.sleep(0)
            message = await receive(self._kernel.iopub_channel)
            parent = message["parent_header"].get("msg_id")
            if self._bring is not None and message["msg_type"] == "display_data" and parent in self._cells:
                await self._bring_file(*self._bring, message["content"].get("data", {}))
            if parent == request:
                try:
                    self.process_message(message, cell, index)
                except CellExecutionComplete:
                    return
                if message["msg_type"].startswith("comm_"):
                    look_again(self._kernel.shell_channel)  # an Output widget was answered there
            elif parent in self._cells and message["msg_type"] in _LATE:
                self._take_late(message, self._cells[parent])

    async def _bring_file(self, bring: Callable[[str], None], files: Path, data: dict[str, Any]) -> None:
        try:
            name = file_of(data)
            if name is None:
                return
            inside(real_folder(files), name)
            self._is_bringing = True
            await asyncio.to_thread(bring, name)
        except (OSError, ValueError) as error:  # the record is left out then, since its file is not there
            _log.warning("a file of a record could not be had: %s", error)
        finally:
            self._is_bringing = False

    def _take_late(self, message: dict[str, Any], index: int) -> None:
        """What a cell shows when it has ended, by a thread or a child, belongs to it."""
        waits, self.clear_before_next_output = self.clear_before_next_output, False  # the running cell's
        self.process_message(message, self.nb.cells[index], index)
        self.clear_before_next_output = waits

    async def _reply_to(self, request: str) -> dict[str, Any]:
        while True:
            message = await receive(self._kernel.shell_channel)
            if message["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = self._redactor.value(message["content"])
                return content

    @property
    def _kernel(self) -> Any:
        assert self.kc is not None, "cells run on a kernel; only a replay has none"  # noqa: S101 - an invariant of ours
        return self.kc

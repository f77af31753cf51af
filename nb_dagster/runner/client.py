"""nbclient's run of one cell, which also tells of each message as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbformat import NotebookNode

from nb_dagster.kernel.messages import receive
from nb_dagster.runner.output_meter import OutputMeter
from nb_dagster.runner.redaction import Redactor
from nb_dagster.runner.streams import StreamText

OnMessage = Callable[[int, dict[str, Any]], None]
OnCut = Callable[[int, str], None]
_IDLE_AFTER_REPLY = 4.0  # seconds, as nbclient has it
_OUTPUTS: dict[str, dict[str, Callable[[], Any]]] = {
    "stream": {"name": lambda: "stdout", "text": str},
    "display_data": {"data": dict, "metadata": dict},
    "execute_result": {"data": dict, "metadata": dict},
    "error": {"ename": str, "evalue": str, "traceback": list},
}
_SKIP_EXCEPTION = "_Skipped"  # nb.skip ends the notebook with it; a viewer would show it as a failure


class CellClient(NotebookClient):
    """Runs cells on a kernel that is already up; deciding what an outcome means is the runner's work.

    Args:
        notebook: outputs are written into its cells.
        client: the connected kernel; None to replay messages without one.
        on_message: called with the cell's index and the message, after its output is in the cell.
        meter: counts outputs, and says which are too much.
        on_cut: called with the cell's index and what to say, where output is cut.
        redactor: takes secrets out of messages before anything else sees them.
    """

    def __init__(
        self,
        notebook: NotebookNode,
        client: AsyncKernelClient | None,
        on_message: OnMessage,
        *,
        meter: OutputMeter | None = None,
        on_cut: OnCut = lambda *_: None,
        redactor: Redactor | None = None,
    ) -> None:
        # nbclient's own coalescing takes time quadratic in the length of a line, and moves text across displays.
        super().__init__(notebook, allow_errors=True, record_timing=False, coalesce_streams=False)
        self.kc = client
        self.clear_before_next_output = False  # nbclient sets it with each cell it runs; a replay runs none
        self._on_message = on_message
        self._meter, self._on_cut = meter or OutputMeter(), on_cut
        self._redactor = redactor or Redactor({})
        self._stream: StreamText | None = None

    async def run_cell(self, index: int) -> dict[str, Any]:
        """Run one cell to its end; returns the content of the kernel's reply."""
        cell = self.nb.cells[index]
        cell.outputs = []
        self._meter.start_cell()
        self.clear_before_next_output = False
        request = self._kernel.execute(cell.source, stop_on_error=False)
        outputs = asyncio.ensure_future(self._take_outputs(request, cell, index))
        try:
            reply = await self._reply_to(request)
            await asyncio.wait_for(outputs, _IDLE_AFTER_REPLY)
        except asyncio.TimeoutError:
            pass  # a kernel that never says that it is idle; what it replied is what counts
        finally:
            outputs.cancel()
            for message in self._redactor.held():
                self._process(message, cell, index)
            self.settle()
        return reply

    async def _take_outputs(self, request: str, cell: NotebookNode, index: int) -> None:
        """Take everything that the kernel shows for a request, until it says that it is idle."""
        while True:
            message = await receive(self._kernel.iopub_channel)
            if message["parent_header"].get("msg_id") == request:
                try:
                    self.process_message(message, cell, index)
                except CellExecutionComplete:
                    return

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

    def settle(self) -> None:
        """Write text that is still in pieces into its cell."""
        if self._stream is not None:
            self._stream.settle()
            self._stream = None

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take a message's output into the cell, without secrets, as far as there is room, and tell of it."""
        output = None
        for message in self._redactor.messages(msg):
            output = self._process(message, cell, cell_index)
        return output

    def _process(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        if self._meter.takes(msg) or self._makes_room(cell, msg):
            kept = msg
        elif self._meter.is_cut:
            return None
        else:
            kept, mark = self._meter.cut(msg)
            self._on_cut(cell_index, mark)
        try:
            return super().process_message(kept, cell, cell_index)
        finally:
            self._on_message(cell_index, kept)

    def _makes_room(self, cell: NotebookNode, msg: dict[str, Any]) -> bool:
        """Whether there is room after all: what was cleared, or overwritten by a progress bar, does not count."""
        if self._meter.is_cut:
            return False
        if self._stream is not None:
            self._stream.settle()
        self._meter.recount(cell.outputs)
        return self._meter.takes(msg, overwritten=True)

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Append an output; text joins the output before it, if that is text of the same stream."""
        content = msg["content"]
        if msg["msg_type"] == "error" and content.get("ename") == _SKIP_EXCEPTION:
            return None
        stream = self._stream_of(outs, msg)
        if stream is not None:
            stream.add(content["text"])
            return None
        self.settle()
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if hooked or msg["msg_type"] not in _OUTPUTS:
            return super().output(outs, msg, display_id, cell_index)
        if self.clear_before_next_output:
            outs.clear()
            self.clear_display_id_mapping(cell_index)
            self.clear_before_next_output = False
        if display_id:
            self._display_id_map.setdefault(display_id, {}).setdefault(cell_index, []).append(len(outs))
        output = _output_of(msg["msg_type"], content)
        outs.append(output)
        if output["output_type"] == "stream":
            self._stream = StreamText(output)
            self._stream.add(content["text"])
        return output

    def _stream_of(self, outs: list[NotebookNode], msg: dict[str, Any]) -> StreamText | None:
        """The growing text that a message goes on with, if it does."""
        stream = self._stream
        if stream is None or msg["msg_type"] != "stream" or not outs or outs[-1] is not stream.output:
            return None
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        same = stream.output["name"] == msg["content"]["name"]
        return stream if same and not hooked and not self.clear_before_next_output else None


def _output_of(kind: str, content: dict[str, Any]) -> NotebookNode:
    """A message's content as an output; nbformat's own would validate each against the whole schema, for 0.5 ms."""
    values = {name: content.get(name) or default() for name, default in _OUTPUTS[kind].items()}
    if kind == "execute_result":
        values["execution_count"] = content.get("execution_count")
    return NotebookNode(output_type=kind, **values)  # type: ignore[no-untyped-call]

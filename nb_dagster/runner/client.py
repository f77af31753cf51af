"""nbclient's run of one cell, which also tells of each message as it arrives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from nbclient import NotebookClient
from nbformat import NotebookNode

from nb_dagster.runner.streams import StreamText

OnMessage = Callable[[int, dict[str, Any]], None]
_SKIP_EXCEPTION = "_Skipped"  # nb.skip ends the notebook with it; a viewer would show it as a failure


class CellClient(NotebookClient):
    """Runs cells on a kernel that is already up; deciding what an outcome means is the runner's work.

    Args:
        notebook: outputs are written into its cells.
        client: the connected kernel; None to replay messages without one.
        on_message: called with the cell's index and the message, after its output is in the cell.
    """

    def __init__(self, notebook: NotebookNode, client: AsyncKernelClient | None, on_message: OnMessage) -> None:
        # nbclient's own coalescing takes time quadratic in the length of a line, and moves text across displays.
        super().__init__(notebook, allow_errors=True, record_timing=False, coalesce_streams=False)
        self.kc = client
        self.clear_before_next_output = False  # nbclient sets it with each cell it runs; a replay runs none
        self._on_message = on_message
        self._reply: dict[str, Any] = {}
        self._stream: StreamText | None = None
        self.on_cell_executed = self._keep_reply

    async def run_cell(self, index: int) -> dict[str, Any]:
        """Run one cell to its end; returns the content of the kernel's reply."""
        self._reply = {}
        try:
            await self.async_execute_cell(self.nb.cells[index], index)
        finally:
            self.settle()
        return self._reply

    def settle(self) -> None:
        """Write text that is still in pieces into its cell."""
        if self._stream is not None:
            self._stream.settle()
            self._stream = None

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take a message's output into the cell, and tell of it."""
        try:
            return super().process_message(msg, cell, cell_index)
        finally:
            self._on_message(cell_index, msg)

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
        output = super().output(outs, msg, display_id, cell_index)
        if output is not None and output["output_type"] == "stream":
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

    async def _async_poll_kernel_alive(self) -> None:
        """The runner watches the process itself, and knows at once."""

    def _keep_reply(self, *, execute_reply: dict[str, Any], **_: Any) -> None:
        self._reply = execute_reply["content"]

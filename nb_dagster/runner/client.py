"""nbclient's run of one cell, which also tells of each message as it arrives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from nbclient import NotebookClient
from nbformat import NotebookNode

OnMessage = Callable[[int, dict[str, Any]], None]


class CellClient(NotebookClient):
    """Runs cells on a kernel that is already up; deciding what an outcome means is the runner's work.

    Args:
        notebook: outputs are written into its cells.
        client: the connected kernel; None to replay messages without one.
        on_message: called with the cell's index and the message, after its output is in the cell.
    """

    def __init__(self, notebook: NotebookNode, client: AsyncKernelClient | None, on_message: OnMessage) -> None:
        super().__init__(notebook, allow_errors=True, record_timing=False, coalesce_streams=True)
        self.kc = client
        self.clear_before_next_output = False  # nbclient sets it with each cell it runs; a replay runs none
        self._on_message = on_message
        self._reply: dict[str, Any] = {}
        self.on_cell_executed = self._keep_reply

    async def run_cell(self, index: int) -> dict[str, Any]:
        """Run one cell to its end; returns the content of the kernel's reply."""
        await self.async_execute_cell(self.nb.cells[index], index)
        return self._reply

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take a message's output into the cell, and tell of it."""
        try:
            return super().process_message(msg, cell, cell_index)
        finally:
            self._on_message(cell_index, msg)

    async def _async_poll_kernel_alive(self) -> None:
        """The runner watches the process itself, and knows at once."""

    def _keep_reply(self, *, execute_reply: dict[str, Any], **_: Any) -> None:
        self._reply = execute_reply["content"]

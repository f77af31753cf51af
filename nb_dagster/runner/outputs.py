"""What cells show, as nbclient writes it into a notebook: as far as there is room, and without secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from nbclient import NotebookClient
from nbformat import NotebookNode

from nb_dagster.notebook.records import record_key
from nb_dagster.runner.limits import UNLIMITED, OutputLimits
from nb_dagster.runner.listener import Listener
from nb_dagster.runner.output_meter import OutputMeter, marked
from nb_dagster.runner.record_meter import RecordMeter
from nb_dagster.runner.redaction import Redactor
from nb_dagster.runner.streams import StreamText

_OUTPUTS: dict[str, dict[str, Callable[[], Any]]] = {
    "stream": {"name": lambda: "stdout", "text": str},
    "display_data": {"data": dict, "metadata": dict},
    "execute_result": {"data": dict, "metadata": dict},
    "error": {"ename": str, "evalue": str, "traceback": list},
}
_UPDATE = "update_display_data"
_SKIP_EXCEPTION = "_Skipped"  # nb.skip ends the notebook with it; a viewer would show it as a failure


class CellOutputs(NotebookClient):
    """Takes a kernel's messages into the cells of a notebook.

    Args:
        notebook: outputs are written into its cells.
        client: the kernel's client; None to replay messages without one.
        listener: hears of each message that is kept, after its output is in the cell, and of what is not.
        limits: how much is kept.
        redactor: takes secrets out of messages before anything else sees them.
    """

    def __init__(
        self,
        notebook: NotebookNode,
        client: AsyncKernelClient | None = None,
        listener: Listener | None = None,
        *,
        limits: OutputLimits = UNLIMITED,
        redactor: Redactor | None = None,
    ) -> None:
        super().__init__(notebook, record_timing=False)
        self.kc = client
        self.clear_before_next_output = False
        self._listener = listener or Listener()
        self._meter, self._record_meter = OutputMeter(limits), RecordMeter(limits)
        self._redactor = redactor or Redactor({})
        self._stream: StreamText | None = None

    def start_cell(self, cell: NotebookNode) -> None:
        """Another cell begins to show something."""
        cell.outputs = []
        self._meter.start_cell()
        self.clear_before_next_output = False

    def settle(self) -> None:
        """Write text that is still in pieces into its cell."""
        if self._stream is not None:
            self._stream.settle()
            self._stream = None

    def messages(self, running: int) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Messages that make the outputs of all cells as they are now: cell, type and content.

        Args:
            running: index of the cell that takes what widgets have captured, as it does when all messages are replayed.
        """
        shows = {
            (cell, index): display_id
            for display_id, cells in self._display_id_map.items()
            for cell, indices in cells.items()
            for index in indices
        }
        for number, cell in enumerate(self.nb.cells):
            for index, output in enumerate(cell.get("outputs", ())):
                content = {name: value for name, value in output.items() if name != "output_type"}
                if self._stream is not None and self._stream.output is output:
                    content["text"] = self._stream.text
                if (number, index) in shows:
                    content["transient"] = {"display_id": shows[number, index]}
                yield number, output["output_type"], content
        for output in self._captured():
            yield running, output["output_type"], {**output}
        if self.clear_before_next_output:
            yield running, "clear_output", {"wait": True}

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Take a message's output into the cell, without secrets, as far as there is room, and tell of it."""
        self._listener.heard()
        output = None
        for message in self._redactor.messages(msg):
            output = self._process(message, cell, cell_index)
        return output

    def _process(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        data = msg["content"].get("data")
        key = record_key(data) if isinstance(data, dict) and not msg["msg_type"].startswith("comm") else None
        kept = self._kept(msg, cell, cell_index) if key is None else self._kept_record(msg, key, cell, cell_index)
        return None if kept is None else self._show(kept, cell, cell_index)

    def _show(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        try:
            return super().process_message(msg, cell, cell_index)
        finally:
            self._listener.shown(cell_index, msg)

    def _kept_record(
        self, msg: dict[str, Any], key: tuple[str, str], cell: NotebookNode, cell_index: int
    ) -> dict[str, Any] | None:
        kept, mark = self._record_meter.keep(msg, cell_index, self._shown)
        if mark is not None:
            self._listener.marked(cell_index, mark)
            self._show(marked(msg, mark), cell, cell_index)
        if kept is None:
            self._listener.left_out(*key)
        return kept

    def _kept(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> dict[str, Any] | None:
        """What there is room for of a message without a record."""
        replaced = self._shown((msg["content"].get("transient") or {}).get("display_id"))
        if msg["msg_type"] == _UPDATE and not replaced:
            return None
        if msg["msg_type"] == "comm_msg" and self._is_of_unknown_widget(msg["content"]):
            return None
        if self._meter.takes(msg, replaced) or self._makes_room(cell, msg, replaced):
            return msg
        if self._meter.is_cut:
            return None
        kept, mark = self._meter.cut(msg)
        self._listener.marked(cell_index, mark)
        return kept

    def _makes_room(self, cell: NotebookNode, msg: dict[str, Any], replaced: list[NotebookNode]) -> bool:
        """Whether there is room after all: what was cleared, or overwritten by a progress bar, does not count."""
        if self._meter.is_cut:
            return False
        if self._stream is not None:
            self._stream.settle()
        self._meter.recount([*cell.outputs, *self._captured()])
        return self._meter.takes(msg, replaced, overwritten=True)

    def _captured(self) -> Iterator[NotebookNode]:
        """What widgets show instead of cells."""
        return (output for widget in self.comm_objects.values() for output in widget.outputs)

    def _shown(self, display_id: str | None) -> list[NotebookNode]:
        """The outputs that show a display."""
        cells = self._display_id_map.get(display_id or "", {})
        return [self.nb.cells[cell].outputs[index] for cell, indices in cells.items() for index in indices]

    def _is_of_unknown_widget(self, content: dict[str, Any]) -> bool:
        """Whether a message would make nbclient remember a widget that was left out."""
        return "state" in content["data"] and content["comm_id"] not in self.widget_state

    def _update_display_id(self, display_id: str, msg: dict[str, Any]) -> None:
        """Show a display's new content wherever it is shown; nbclient's own would validate it, for 0.5 ms."""
        for output in self._shown(display_id):
            output["data"], output["metadata"] = msg["content"]["data"], msg["content"]["metadata"]

    def clear_display_id_mapping(self, cell_index: int) -> None:
        """Forget where a cell shows its displays: it was cleared."""
        for display_id, cells in list(self._display_id_map.items()):
            cells.pop(cell_index, None)
            if not cells:
                del self._display_id_map[display_id]
        self._record_meter.cleared(cell_index)
        self._listener.cleared(cell_index)

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

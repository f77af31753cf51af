"""The log of a run in a history that this process can open."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg

from nb_dagster.cli.run_log import CHUNK, PAGE, UNSAID, LogPiece, RunLog, Stream


class StoredLog(RunLog):
    """Reads from the history.

    Args:
        instance: the history.
        run_id: id of the run.
    """

    def __init__(self, instance: dg.DagsterInstance, run_id: str) -> None:
        super().__init__()
        self._instance, self._run_id = instance, run_id
        self._cursor: str | None = None

    def _is_over(self) -> bool:
        run = self._instance.get_run_by_id(self._run_id)
        return run is None or run.is_finished

    def _entries(self) -> Iterator[LogPiece | Stream]:
        has_more = True
        while has_more:
            page = self._instance.get_records_for_run(self._run_id, self._cursor, limit=PAGE)
            self._cursor, has_more = page.cursor, page.has_more
            for record in page.records:
                yield from self._pieces(record.event_log_entry)

    def _pieces(self, entry: dg.EventLogEntry) -> Iterator[LogPiece | Stream]:
        event = entry.dagster_event
        if event is not None and event.event_type_value == "LOGS_CAPTURED":
            captured = event.logs_captured_data
            key = [self._run_id, "compute_logs", captured.file_key]
            yield Stream(key, captured.step_keys[0] if len(captured.step_keys) == 1 else None)
        if event is None or event.event_type_value not in UNSAID:
            yield LogPiece(entry.timestamp, entry.step_key, "event", _message(entry))

    def _stream_data(self, stream: Stream) -> tuple[bytes | None, bytes | None, str | None]:
        data = self._instance.compute_log_manager.get_log_data(stream.key, stream.cursor, CHUNK)
        return data.stdout, data.stderr, data.cursor


def _message(entry: dg.EventLogEntry) -> str:
    event = entry.dagster_event
    message = (event.message if event else None) or entry.user_message or ""
    if event is not None and event.is_step_failure:
        failure = event.step_failure_data
        said = failure.user_failure_data and failure.user_failure_data.description
        is_cancelled = failure.error is not None and failure.error.cls_name == "DagsterExecutionInterruptedError"
        message = "cancelled" if is_cancelled else said or failure.error_display_string.strip() or message
    return message

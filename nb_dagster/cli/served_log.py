"""The log of a run that a Dagster somewhere else tells of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args

from nb_dagster.cli.exit_codes import CANCELLED, EXIT_CODES, FAILED, INFRASTRUCTURE, SUCCEEDED
from nb_dagster.cli.run_log import CHUNK, PAGE, UNSAID, LogPiece, RunLog, Stream
from nb_dagster.runner.result import Status
from nb_dagster.runs.graphql import Dagster, Unreachable

_ENTRIES = """
query($id: ID!, $cursor: String, $limit: Int!) { logsForRun(runId: $id, afterCursor: $cursor, limit: $limit) { __typename
  ... on EventConnection { cursor hasMore events { __typename
    ... on MessageEvent { message timestamp stepKey eventType }
    ... on LogsCapturedEvent { fileKey stepKeys }
    ... on EngineEvent { metadataEntries { label ... on TextMetadataEntry { text } ... on BoolMetadataEntry { boolValue } } }
    ... on ExecutionStepFailureEvent { error { message className } failureMetadata { description } }
  } }
} }
"""
_STREAM = """
query($key: [String!]!, $cursor: String, $limit: Int!) {
  capturedLogs(logKey: $key, cursor: $cursor, limit: $limit) { stdout stderr cursor }
}
"""
_STATUS = "query($id: ID!) { runOrError(runId: $id) { __typename ... on Run { status } } }"
_ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


class ServedLog(RunLog):
    """Reads over GraphQL, and keeps in mind how the run's notebooks ended.

    Args:
        dagster: where the run is.
        run_id: its id.
    """

    def __init__(self, dagster: Dagster, run_id: str) -> None:
        super().__init__()
        self._dagster, self._run_id = dagster, run_id
        self._cursor: str | None = None
        self._status = ""
        self._ends: dict[str, int] = {}
        self._has_step_failed = False

    @property
    def outcome(self) -> str:
        """How a run has ended, in words."""
        return next((name for name, code in EXIT_CODES.items() if code == self.exit_code), "failed")

    @property
    def exit_code(self) -> int:
        """What ``nb-dagster run`` would have said of a run that has ended."""
        if self._status == "SUCCESS":
            return SUCCEEDED
        if self._status == "CANCELED":
            return CANCELLED
        failed = [code for code in self._ends.values() if code != SUCCEEDED]
        return failed[0] if failed else FAILED if self._has_step_failed else INFRASTRUCTURE

    def _is_over(self) -> bool:
        run = self._dagster.query(_STATUS, id=self._run_id)["runOrError"]
        if run["__typename"] != "Run":
            raise Unreachable(f"{self._dagster.name} does not tell of run {self._run_id} any more")
        self._status = run["status"]
        return self._status in _ENDED

    def _entries(self) -> Iterator[LogPiece | Stream]:
        has_more = True
        while has_more:
            page = self._dagster.query(_ENTRIES, id=self._run_id, cursor=self._cursor, limit=PAGE)["logsForRun"]
            if page["__typename"] != "EventConnection":
                raise Unreachable(f"{self._dagster.name} does not tell the log of run {self._run_id}")
            self._cursor, has_more = page["cursor"], page["hasMore"]
            for event in page["events"]:
                yield from self._pieces(event)

    def _pieces(self, event: Mapping[str, Any]) -> Iterator[LogPiece | Stream]:
        if "fileKey" in event:
            steps = event["stepKeys"] or []
            yield Stream([self._run_id, "compute_logs", event["fileKey"]], steps[0] if len(steps) == 1 else None)
        if event["eventType"] in UNSAID:
            return
        message = event["message"]
        if event["__typename"] == "ExecutionStepFailureEvent":
            self._has_step_failed = True
            said = (event["failureMetadata"] or {}).get("description")
            message = said or (event["error"] or {}).get("message", "").strip() or message
        self._note_end(event)
        if message:
            yield LogPiece(int(event["timestamp"]) / 1000, event["stepKey"], "event", message)

    def _note_end(self, event: Mapping[str, Any]) -> None:
        """Note how an attempt ended, where an entry tells it."""
        said = {each["label"]: each for each in event.get("metadataEntries") or []}
        status = said.get("status", {}).get("text")
        if event["stepKey"] and status in get_args(Status):
            is_infrastructure = said.get("is_infrastructure", {}).get("boolValue", False)
            self._ends[event["stepKey"]] = INFRASTRUCTURE if is_infrastructure else EXIT_CODES[cast("Status", status)]

    def _stream_data(self, stream: Stream) -> tuple[bytes | None, bytes | None, str | None]:
        data = self._dagster.query(_STREAM, key=stream.key, cursor=stream.cursor, limit=CHUNK)["capturedLogs"]
        stdout, stderr = ((data[name] or "").encode() for name in ("stdout", "stderr"))
        return stdout, stderr, data["cursor"]

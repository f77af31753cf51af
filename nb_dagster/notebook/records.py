"""What a notebook hands out, as it arrives in display messages, and the collection of one run's records."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nb_dagster.nb import MIME_TYPE, inside, read_value, real_folder, write_atomically
from nb_dagster.notebook.types import JSON

SCRAP_MIME_TYPES = ("application/scrapbook.scrap.json+json", "application/scrapbook.scrap.text+json")


@dataclass(frozen=True)
class FileValue:
    """An output that travels as a file: a frame as Parquet, an array as ``.npy``."""

    path: str
    format: str
    shape: tuple[int, ...]

    def to_json(self) -> dict[str, JSON]:
        """What stands for it where only JSON can be shown."""
        return {"file": self.path, "format": self.format, "shape": list(self.shape)}

    def load(self) -> Any:
        """The DataFrame or array."""
        return read_value(Path(self.path), self.format)


@dataclass(frozen=True)
class Check:
    """The outcome of a check."""

    passed: bool
    severity: str = "error"
    description: str = ""


@dataclass(frozen=True)
class Record:
    """One thing a notebook handed out.

    Attributes:
        kind: ``output``, ``metric``, ``figure``, ``artifact``, ``check`` or ``skip``.
        name: its name.
        value: JSON or :class:`FileValue` of an output, number of a metric, PNG bytes of a figure, path of an
            artifact, :class:`Check`, or reason of a skip.
    """

    kind: str
    name: str
    value: Any


@dataclass
class Records:
    """All records of a run by kind and name; the last of a name counts.

    Attributes:
        left_out: how many there were beyond the run's limits; their names have no value.
    """

    outputs: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    figures: dict[str, bytes] = field(default_factory=dict)
    artifacts: dict[str, str] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    skip_reason: str | None = None
    left_out: int = 0

    def add(self, record: Record) -> None:
        """Take in one record."""
        if record.kind == "skip":
            self.skip_reason = record.value
        else:
            getattr(self, f"{record.kind}s")[record.name] = record.value

    def leave_out(self, kind: str, name: str) -> None:
        """One that is not kept: what its name had before is no longer its last value."""
        self.left_out += 1
        if kind in _READERS:
            getattr(self, f"{kind}s", {}).pop(name, None)

    def to_json(self) -> dict[str, JSON]:
        """Outputs, metrics, artifacts and checks as JSON, as ``--json`` shows them."""
        records = self.for_downstream()
        files = records.pop("files")
        return {**records, "outputs": {**records["outputs"], **files}}

    def for_downstream(self) -> dict[str, JSON]:
        """The same as ``nb.upstream`` takes it, values that are files apart from the others."""
        files = {name: value for name, value in self.outputs.items() if isinstance(value, FileValue)}
        return {
            "outputs": finite({name: value for name, value in self.outputs.items() if name not in files}),
            "files": {name: value.to_json() for name, value in files.items()},
            "metrics": finite(self.metrics),
            "artifacts": dict(self.artifacts),
            "checks": {name: check.passed for name, check in self.checks.items()},
        }


def record_key(data: Mapping[str, Any]) -> tuple[str, str] | None:
    """Kind and name of the record in a display message's data, as far as they can be read; None where there is none."""
    for mime_type in SCRAP_MIME_TYPES:
        scrap = data.get(mime_type)
        if isinstance(scrap, dict) and isinstance(scrap.get("name"), str):
            return "output", scrap["name"]
    if MIME_TYPE not in data:
        return None
    content = data[MIME_TYPE]
    if isinstance(content, str):
        with contextlib.suppress(ValueError):
            content = json.loads(content)
    if not isinstance(content, dict):
        return "", ""
    return str(content.get("kind")), str(content.get("name"))


def read_records(data: dict[str, Any], files: Path | None) -> list[Record]:
    """The records in one display message's data; none where it is an ordinary display.

    Args:
        data: the message's MIME bundle.
        files: the folder that file records are in.

    Raises:
        ValueError: it claims to be a record, and is not a valid one; says why.
    """
    for mime_type in SCRAP_MIME_TYPES:  # papermill's scrapbook
        scrap = data.get(mime_type)
        if isinstance(scrap, dict) and isinstance(scrap.get("name"), str):
            return [Record("output", scrap["name"], scrap.get("data"))]
    if MIME_TYPE not in data:
        return []
    content = data[MIME_TYPE]
    if isinstance(content, str):
        content = json.loads(content)
    if not isinstance(content, dict) or not isinstance(content.get("name"), str):
        raise ValueError("a record is an object with a name")
    reader = _READERS.get(str(content.get("kind")))
    if reader is None:
        raise ValueError(f"there is no kind of record {content.get('kind')!r}")
    return [Record(content["kind"], content["name"], reader(content, data, files))]


def file_of(data: dict[str, Any]) -> str | None:
    """The file that a record in a display message's data says it has, by its path in the folder of files.

    Raises:
        ValueError: it claims to be a record, and is not a valid one.
    """
    content = data.get(MIME_TYPE)
    if isinstance(content, str):
        content = json.loads(content)
    name = content.get("file") if isinstance(content, dict) else None
    return name if isinstance(name, str) else None


def finite(value: JSON) -> JSON:
    """The value with None for numbers that JSON has no form for."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _output(content: dict[str, Any], _: dict[str, Any], files: Path | None) -> Any:
    if "format" not in content:
        return _value(content)
    if content["format"] not in ("parquet", "npy"):  # above all no pickle, which is code
        raise ValueError(f"output {content['name']!r} is a file of parquet or npy, not {content['format']!r}")
    shape = tuple(int(n) for n in content.get("shape", ()))
    return FileValue(str(_file(content, files)), content["format"], shape)


def _metric(content: dict[str, Any], _: dict[str, Any], __: Path | None) -> float:
    value = _value(content)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"metric {content['name']!r} is no number")
    return float(value)


def _figure(content: dict[str, Any], data: dict[str, Any], _: Path | None) -> bytes:
    return _bytes(data.get("image/png") or content.get("base64"), content["name"])


def _artifact(content: dict[str, Any], _: dict[str, Any], files: Path | None) -> str:
    if "file" not in content and files is not None:  # small content of a kernel that shares no folder with us
        path = inside(real_folder(files), content["name"])
        text = content.get("text")
        written = text.encode() if isinstance(text, str) else _bytes(content.get("base64"), content["name"])
        write_atomically(path, lambda partial: partial.write_bytes(written))
        return str(path)
    return str(_file(content, files))


def _check(content: dict[str, Any], _: dict[str, Any], __: Path | None) -> Check:
    severity = "warn" if content.get("severity") == "warn" else "error"
    return Check(content.get("passed") is True, severity, str(content.get("description", "")))


def _skip(content: dict[str, Any], _: dict[str, Any], __: Path | None) -> str:
    return str(content.get("reason", ""))


_READERS = {
    "output": _output,
    "metric": _metric,
    "figure": _figure,
    "artifact": _artifact,
    "check": _check,
    "skip": _skip,
}


def _value(content: dict[str, Any]) -> JSON:
    return json.loads(content["json"]) if isinstance(content.get("json"), str) else content.get("value")


def _file(content: dict[str, Any], files: Path | None) -> Path:
    if files is None or not isinstance(content.get("file"), str):
        raise ValueError(f"{content['kind']} {content['name']!r} names no file")
    path = inside(real_folder(files), content["file"])
    if not path.is_file():
        raise ValueError(f"{content['kind']} {content['name']!r}: its file is not in the run's folder")
    return path


def _bytes(text: object, name: str) -> bytes:
    try:
        return base64.b64decode(str(text or ""), validate=False)
    except (binascii.Error, ValueError):
        raise ValueError(f"{name!r} is no base64") from None

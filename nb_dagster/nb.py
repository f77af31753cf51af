"""What a notebook's author imports: hand out values, read what came before, stop early.

    from nb_dagster import nb

    nb.output("rows", len(df))              # a value, handed to whatever comes next
    nb.metric("auc", 0.93)                  # a number, plotted over time
    nb.figure("roc", fig)                   # a picture, shown with the run
    nb.artifact("model.onnx", "out.onnx")   # a file, kept with the run
    nb.check("no_nulls", not df.isna().any().any())

Records travel as display messages, so they arrive while the notebook runs. In a notebook opened by hand they are
only shown. This module needs nothing but the standard library: the runner copies it to kernels that have no nb_dagster.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import numbers
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote

__all__ = ["artifact", "check", "context", "figure", "input", "metric", "output", "secret", "skip", "upstream"]

MIME_TYPE = "application/vnd.nb-dagster.record+json"
CONTEXT_VARIABLE = "NB_DAGSTER_CONTEXT"
_VALUES_FOLDER = ".values"  # frames and arrays, apart from the author's artifacts
_NO_NAME = re.compile(r"^/|^[A-Za-z]:|(^|/)\.\.(/|$)|[\\\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LONGEST_NAME, _LONGEST_PATH = 200, 1000  # bytes, so that there is room for what is put before and behind it


def output(name: str, value: object) -> None:
    """Hand out a value: JSON (numbers, text, lists, dicts, None), a pandas or polars DataFrame, or a numpy array.

    Args:
        name: what downstream notebooks and Dagster know it by; the last value of a name counts.
        value: JSON values travel inside the record, frames as Parquet, arrays as ``.npy``.

    Raises:
        TypeError: the value is of no such type; store it with :func:`artifact` instead.

    Example:
        >>> nb.output("rows", 120)
    """
    file_format = file_format_of(value)
    if file_format is None:
        _publish(
            {"kind": "output", "name": _name(name), **_json(value, name)},
            f"{name} = {_shorten(repr(_unwrap_scalar(value)))}",
        )
        return
    shape = [int(n) for n in value.shape]  # type: ignore[attr-defined]
    record = {"kind": "output", "name": _name(name), "format": file_format, "shape": shape}
    folder = _files_folder()
    if folder is not None:
        record["file"] = f"{_VALUES_FOLDER}/{name}.{file_format}"
        path = inside(folder / _VALUES_FOLDER, f"{name}.{file_format}")
        write_atomically(path, lambda partial: write_value(value, file_format, partial))
    _publish(record, f"{name}: {type(value).__name__} of {' x '.join(map(str, shape))}")


def metric(name: str, value: float) -> None:
    """Hand out one number, which Dagster plots over time.

    Raises:
        TypeError: the value is no real number.

    Example:
        >>> nb.metric("auc", 0.93)
    """
    number: Any = _unwrap_scalar(value)
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise TypeError(f"nb.metric({name!r}): a metric is a number, not {type(value).__name__}")
    _publish({"kind": "metric", "name": _name(name), **_json(float(number), name)}, f"{name} = {float(number):g}")


def figure(name: str, fig: object) -> None:
    """Hand out a picture: a matplotlib figure, PNG bytes, or anything that shows itself as PNG in Jupyter.

    A matplotlib figure is closed for pyplot, so that the cell does not show it a second time.

    Raises:
        TypeError: the object has no PNG form.

    Example:
        >>> nb.figure("roc", plt.gcf())
    """
    png = _png(name, fig)
    _publish({"kind": "figure", "name": _name(name)}, name, {"image/png": base64.b64encode(png).decode("ascii")})


def artifact(name: str, source: str | os.PathLike[str] | bytes) -> None:
    """Hand out a file, which is kept with the run.

    Args:
        name: its name in the run's folder; may have sub-folders (``plots/a.png``), never leaves that folder.
        source: the path of an existing file, or the content as bytes.

    Raises:
        FileNotFoundError: there is no file at that path.
        ValueError: the name would leave the run's folder.

    Example:
        >>> nb.artifact("model.onnx", model.SerializeToString())
    """
    if not isinstance(source, bytes):
        source = Path(source)
        if not source.is_file():
            raise FileNotFoundError(
                f"nb.artifact({name!r}): there is no file {str(source)!r} (to store text, pass it as bytes: text.encode())"
            )
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    record = {"kind": "artifact", "name": _name(name), "size": size}
    folder = _files_folder()
    path = inside(folder or Path.cwd(), name)
    if folder is not None:
        if path.is_relative_to(folder / _VALUES_FOLDER):
            raise ValueError(f"nb.artifact({name!r}): the folder {_VALUES_FOLDER} is for the values of nb.output")
        if isinstance(source, bytes):
            content = source
            write_atomically(path, lambda partial: partial.write_bytes(content))
        elif source.resolve() != path:
            original = source
            write_atomically(path, lambda partial: shutil.copyfile(original, partial))
        record["file"] = name
    _publish(record, f"{name} ({size:,} bytes)")


def check(name: str, passed: object, *, severity: str = "error", description: str = "") -> None:
    """Hand out the outcome of a check; it becomes a Dagster asset check, and never stops the notebook.

    Args:
        name: the name of the check.
        passed: true or false.
        severity: what it means when it fails, ``"error"`` or ``"warn"``.
        description: what was looked at, or found.

    Example:
        >>> nb.check("no_nulls", df.notna().all().all())
    """
    if severity not in ("error", "warn"):
        raise ValueError(f"nb.check({name!r}): severity is 'error' or 'warn', not {severity!r}")
    record = {"kind": "check", "name": _name(name), "passed": bool(passed), "severity": severity}
    if description:
        record["description"] = str(description)
    _publish(record, f"{name}: {'passed' if passed else 'FAILED'}")


def skip(reason: str) -> None:
    """End the notebook here without a failure: there was nothing to do.

    In a notebook opened by hand the reason is shown, and the cells go on.

    Example:
        >>> if not new_files:
        ...     nb.skip("nothing new")
    """
    _publish({"kind": "skip", "name": "skip", "reason": str(reason)}, f"skipped: {reason}")
    if _run():
        raise _Skipped(reason)


def input(name: str) -> Any:  # noqa: A001 - the word of Dagster for what comes in; used as nb.input
    """Load an upstream value that is too big to be written into a cell: a frame, an array, any Python object.

    The cell with this run's parameters calls it for you.

    Raises:
        LookupError: no such input was handed to this run.
    """
    inputs = _run().get("inputs", {})
    if name not in inputs:
        raise LookupError(f"nb.input({name!r}): this run was handed {', '.join(sorted(inputs)) or 'no inputs'}")
    return read_value(Path(inputs[name]["file"]), inputs[name]["format"])


class Upstream:
    """What one earlier notebook recorded: ``outputs``, ``metrics``, ``artifacts`` (paths) and ``checks`` by name."""

    def __init__(self, records: Mapping[str, Any]) -> None:
        self._outputs: dict[str, Any] = dict(records.get("outputs", {}))
        self._files: dict[str, dict[str, str]] = dict(records.get("files", {}))
        self.metrics: dict[str, float] = dict(records.get("metrics", {}))
        self.artifacts: dict[str, str] = dict(records.get("artifacts", {}))
        self.checks: dict[str, bool] = dict(records.get("checks", {}))

    @functools.cached_property
    def outputs(self) -> dict[str, Any]:
        """Its values; frames and arrays are read here, when somebody asks."""
        files = {name: read_value(Path(file["file"]), file["format"]) for name, file in self._files.items()}
        return {**self._outputs, **files}

    def __repr__(self) -> str:
        names = [*self._outputs, *self._files]
        return f"Upstream(outputs={names}, metrics={self.metrics}, artifacts={self.artifacts}, checks={self.checks})"


class _Upstreams(Mapping[str, Upstream]):
    def __getitem__(self, name: str) -> Upstream:
        known = _run().get("upstream", {})
        if name not in known:
            given = ", ".join(sorted(known)) or "none (a notebook opened by hand has no upstream)"
            raise LookupError(f"nb.upstream[{name!r}]: the upstreams of this run are: {given}")
        return Upstream(known[name])

    def __iter__(self) -> Iterator[str]:
        return iter(_run().get("upstream", {}))

    def __len__(self) -> int:
        return len(_run().get("upstream", {}))


class _Context:
    """The run this notebook is in; outside of one, what holds for a notebook opened by hand."""

    @property
    def run_id(self) -> str | None:
        """The id of the run, or None."""
        return self._value("run_id")

    @property
    def workflow(self) -> str | None:
        """The name this notebook runs under, or None."""
        return self._value("workflow")

    @property
    def attempt(self) -> int:
        """1 for the first attempt, 2 for its first retry."""
        return int(self._value("attempt") or 1)

    @property
    def partition_key(self) -> str | None:
        """The partition of this run, or None."""
        return self._value("partition_key")

    @property
    def partition_start(self) -> datetime | None:
        """Where the time window of the partition begins, or None."""
        return _moment(self._value("partition_start"))

    @property
    def partition_end(self) -> datetime | None:
        """Where the time window of the partition ends, or None."""
        return _moment(self._value("partition_end"))

    @property
    def now(self) -> datetime:
        """When the run started, with time zone; of one that a schedule made, the moment it was scheduled for."""
        return _moment(self._value("now")) or datetime.now(timezone.utc)

    @property
    def commit(self) -> str | None:
        """The git commit of the source, or None."""
        return self._value("commit")

    @property
    def ci(self) -> dict[str, str]:
        """The GitHub Actions job that has started the run: ``repository``, ``sha``, ``ref``, ``url`` and more; empty elsewhere."""
        return dict(_run().get("context", {}).get("ci") or {})

    @property
    def data(self) -> Path:
        """A folder that all notebooks of this run share, also when it is executed again from a failure.

        It is one of this machine, and nothing in it is ever deleted. In a notebook opened by hand it is ``.nb_dagster/data``
        under the working directory.

        Raises:
            LookupError: the kernel is in a pod that shares no folder with other notebooks.

        Example:
            >>> (nb.context.data / "rows.csv").write_text("1,2,3")
        """
        if _run().get("context", {}).get("data", "") is None:
            raise LookupError(
                "nb.context.data: this pod shares no folder; mount a claim, or a folder of the nodes, where the store is"
            )
        folder = Path(self._value("data") or Path(".nb_dagster", "data").absolute())
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _value(self, name: str) -> str | None:
        value: str | None = _run().get("context", {}).get(name)
        return value

    def __repr__(self) -> str:
        return f"nb.context({_run().get('context', {})})"


def secret(name: str) -> str:
    """A secret of this workflow, such as a password; blacked out in everything the notebook shows.

    In a notebook opened by hand it is the environment variable of that name.

    Args:
        name: as the workflow's definition has it.

    Raises:
        LookupError: the workflow declares no such secret, or by hand, no such variable is set.

    Example:
        >>> connect(password=nb.secret("DB_PASSWORD"))
    """
    run = _run()
    if not run:
        if name not in os.environ:
            raise LookupError(
                f"nb.secret({name!r}): in a notebook opened by hand it is the environment variable {name}"
            )
        return os.environ[name]
    declared: dict[str, str] = run.get("secrets", {})
    if name not in declared:
        known = ", ".join(sorted(declared)) or "none"
        raise LookupError(f"nb.secret({name!r}): the secrets of this workflow are: {known}; declare it with secrets=")
    return declared[name]


upstream = _Upstreams()
context = _Context()


class _Skipped(BaseException):
    """Ends the notebook; not an Exception, so that the author's own ``except Exception`` does not keep it going."""

    def _render_traceback_(self) -> list[str]:
        return [f"skipped: {self}"]


def _run() -> dict[str, Any]:
    """What the runner says of this run; empty in a notebook opened by hand."""
    path = os.environ.get(CONTEXT_VARIABLE)
    if not path:
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            run: dict[str, Any] = json.load(file)
    except FileNotFoundError:  # the environment was inherited from a run that is over
        return {}
    return run


def _files_folder() -> Path | None:
    folder = _run().get("files")
    return real_folder(Path(folder)) if folder else None


def _name(name: str) -> str:
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"a record needs a name, not {name!r}")
    return name


def inside(folder: Path, name: str) -> Path:
    """The path of ``name`` in ``folder``, which it must not leave: not through a link, nor where it is part of an address."""
    decoded = name
    while len(name) <= _LONGEST_PATH and (once := unquote(decoded, errors="surrogateescape")) != decoded:
        decoded = once
    parts = decoded.encode(errors="surrogatepass").split(b"/")
    is_short = len(name) <= _LONGEST_PATH and max(map(len, parts)) <= _LONGEST_NAME
    path = (folder / name).resolve() if is_short and not _NO_NAME.search(decoded) else folder
    if path == folder or not path.is_relative_to(folder):
        raise ValueError(
            f"{_shorten(name, 60)!r} is no name inside the run's folder; it may have sub-folders, as 'plots/a.png', but no "
            f"'..', backslash, drive, control character, link to elsewhere, or part of more than {_LONGEST_NAME} bytes"
        )
    return path


def real_folder(folder: Path) -> Path:
    """A folder without the links that lead to it; where it is itself a link, nothing is inside of it."""
    return folder.parent.resolve() / folder.name


def write_atomically(path: Path, write: Any) -> None:
    """Write a file in one step: it is there whole, or not at all; a link in its place is replaced, not followed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=".partial-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    try:
        write(Path(partial))
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def _unwrap_scalar(value: Any) -> Any:
    """A numpy scalar as the Python value it stands for."""
    is_numpy_scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    return value.item() if is_numpy_scalar else value


def _json(value: object, name: str) -> dict[str, Any]:
    """The record's value field; text of JSON where a number is not finite, which no Jupyter message can carry."""

    def refuse(unknown: object) -> Any:
        known = _unwrap_scalar(unknown)
        return known if known is not unknown else _refuse(unknown)

    try:
        text = json.dumps(_unwrap_scalar(value), default=refuse)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"nb.output({name!r}): {error}") from None
    plain = json.loads(text)
    return {"value": plain} if _is_finite(plain) else {"json": text}


def _refuse(value: object) -> NoReturn:
    raise TypeError(
        f"{type(value).__module__}.{type(value).__name__} is no JSON value, DataFrame or numpy array; "
        "hand out a part of it, or write it to a file and use nb.artifact"
    )


def _is_finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def file_format_of(value: object) -> str | None:
    module, kind = type(value).__module__.split(".")[0], type(value).__name__
    if kind == "DataFrame" and module in ("pandas", "polars"):
        return "parquet"
    if kind == "ndarray" and module == "numpy" and value.shape != ():  # type: ignore[attr-defined]
        return "npy"
    return None


def write_value(value: Any, file_format: str, path: Path) -> None:
    if file_format == "npy":
        import numpy

        with path.open("wb") as file:  # given a path, numpy may write to another
            numpy.save(file, value, allow_pickle=False)
    elif hasattr(value, "write_parquet"):
        value.write_parquet(path)
    else:
        value.to_parquet(path)


def read_value(path: Path, file_format: str) -> Any:
    if file_format == "parquet":
        import pandas

        return pandas.read_parquet(path)
    if file_format == "npy":
        import numpy

        return numpy.load(path, allow_pickle=False)
    if file_format == "json":
        return json.loads(path.read_text(encoding="utf-8"))
    import pickle

    # Written by the step that started this kernel, in this run's private folder.
    return pickle.loads(path.read_bytes())  # noqa: S301


def _png(name: str, fig: object) -> bytes:
    if isinstance(fig, bytes) and fig.startswith(b"\x89PNG"):
        return fig
    if hasattr(fig, "savefig"):
        import io

        buffer = io.BytesIO()
        fig.savefig(buffer, format="png", bbox_inches="tight", facecolor="white")
        if type(fig).__module__.startswith("matplotlib"):
            import matplotlib.pyplot

            matplotlib.pyplot.close(fig)  # type: ignore[arg-type]
        return buffer.getvalue()
    png = fig._repr_png_() if hasattr(fig, "_repr_png_") else None
    if isinstance(png, str):
        png = base64.b64decode(png)
    if not isinstance(png, bytes):
        raise TypeError(
            f"nb.figure({name!r}): {type(fig).__name__} has no PNG form; pass a matplotlib figure or PNG bytes"
        )
    return png


def _publish(record: dict[str, Any], text: str, extra: Mapping[str, str] | None = None) -> None:
    try:
        from IPython import get_ipython
        from IPython.display import publish_display_data
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:  # a plain script
        print(text)  # noqa: T201
        return
    publish_display_data({MIME_TYPE: record, "text/plain": text, **(extra or {})})  # type: ignore[no-untyped-call]


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _shorten(text: str, width: int = 200) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"

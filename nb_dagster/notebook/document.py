"""A notebook file as a function: its cells, its signature, its kernel, its description and its hash."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nb_dagster.notebook.formats import changed_at, parse_notebook, read_bytes
from nb_dagster.notebook.inference import infer_python
from nb_dagster.notebook.injection import INJECTED_TAG, PARAMETERS_TAG
from nb_dagster.notebook.languages import infer_by_line
from nb_dagster.notebook.parameters import Parameters

_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+(\w[^#;\n]*))", re.MULTILINE)
_WORTH_PRELOADING = {"numpy": "numpy", "pandas": "pandas", "matplotlib": "matplotlib.pyplot"}
_HEADING = re.compile(r"^#+\s*")


@dataclass(frozen=True)
class NotebookDocument:
    """A notebook as it was read; never changed afterwards.

    Attributes:
        path: where it was read from, as given.
        content: the notebook in nbformat 4, as plain JSON, without saved outputs.
        sha256: hash of the file's bytes.
        changed: when the file was last changed, as it was read, in seconds since the epoch; None of a remote one.
    """

    path: str
    content: dict[str, Any]
    sha256: str
    changed: float | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> NotebookDocument:
        """Read an ``.ipynb`` (nbformat 1 to 4), Jupytext ``py:percent`` or Markdown notebook, local or remote.

        Raises:
            UnreadableNotebook: one sentence naming the file and what is wrong with it.

        Example:
            >>> NotebookDocument.read("train.ipynb").parameters["n"].type
            IntType()
        """
        name = os.fspath(path)
        raw = read_bytes(name)
        return cls(name, parse_notebook(name, raw), hashlib.sha256(raw).hexdigest(), changed_at(name))

    @property
    def name(self) -> str:
        """The file's name without its ending: ``train`` of ``notebooks/train.ipynb``."""
        return os.path.basename(self.path).rsplit(".", 1)[0]

    @property
    def cells(self) -> list[dict[str, Any]]:
        """Its cells, each with ``cell_type``, ``source`` (text) and ``metadata``."""
        cells: list[dict[str, Any]] = self.content["cells"]
        return cells

    @cached_property
    def kernel(self) -> str:
        """The name of the kernel it asks for."""
        spec = self.content["metadata"].get("kernelspec") or {}
        return str(spec.get("name") or "python3")

    @cached_property
    def language(self) -> str:
        """The language of its cells, in lower case."""
        metadata = self.content["metadata"]
        spec, info = metadata.get("kernelspec") or {}, metadata.get("language_info") or {}
        return str(spec.get("language") or info.get("name") or "python").lower()

    @cached_property
    def settings(self) -> dict[str, Any] | None:
        """What its author says of how it is to run (``metadata.nb_dagster``), in the words of the project file.

        None of an executed notebook, which says there how it ran.
        """
        said = self.content["metadata"].get("nb_dagster")
        if not isinstance(said, dict):
            return {}
        return None if "status" in said else said

    @cached_property
    def parameters(self) -> Parameters:
        """Its signature.

        Raises:
            UnreadableNotebook: the parameters cell is no Python.
        """
        cell = self.parameters_cell
        if cell is None:
            return {}
        if self.language in ("python", "ipython"):
            return infer_python(cell["source"], self.path)
        return infer_by_line(cell["source"], self.language)

    @property
    def parameters_cell(self) -> dict[str, Any] | None:
        """The first code cell tagged ``parameters``."""
        tagged = (c for c in self.cells if c["cell_type"] == "code" and PARAMETERS_TAG in c["metadata"].get("tags", []))
        return next(tagged, None)

    @cached_property
    def description(self) -> str | None:
        """The text of its first Markdown cell, its heading on a line of its own."""
        first = next((cell["source"].strip() for cell in self.cells if cell["cell_type"] == "markdown"), "")
        return _HEADING.sub("", first) or None

    @cached_property
    def preload(self) -> tuple[str, ...]:
        """Modules it imports that are worth importing before a kernel is forked for it."""
        if self.language != "python":
            return ()
        code = "\n".join(cell["source"] for cell in self.cells if cell["cell_type"] == "code")
        names = (name for one, many in _IMPORT.findall(code) for name in (one or many).split(","))
        found = {re.split(r"\W", name.strip(), maxsplit=1)[0] for name in names}
        return tuple(module for name, module in _WORTH_PRELOADING.items() if name in found)

    @cached_property
    def code_version(self) -> str:
        """Hash of what decides its results: code cells, parameters cell and kernel; text and layout do not count."""
        code = [
            (cell["source"], sorted(cell["metadata"].get("tags", [])))
            for cell in self.cells
            if cell["cell_type"] == "code" and INJECTED_TAG not in cell["metadata"].get("tags", [])
        ]
        return hashlib.sha256(json.dumps([self.kernel, code]).encode()).hexdigest()[:16]

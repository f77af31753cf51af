"""What the code of a notebook tells without being run: names that nothing defines, parameters that nothing uses."""

from __future__ import annotations

import ast
import contextlib
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from nb_dagster.notebook.document import NotebookDocument

_GIVEN = ("get_ipython", "display", "In", "Out", "_", "__", "___", "exit", "quit", "open")
_RUNS_PYTHON = re.compile(r"\s*%%(time|timeit|capture|prun)\b.*")
_TIMED = re.compile(r"^([ \t]*)%time[ \t]+", re.MULTILINE)
_DEFINES_NOTHING = (
    *("matplotlib", "time", "timeit", "config", "load_ext", "reload_ext", "autoreload", "env", "set_env", "cd", "pwd"),
    *("pip", "conda", "mamba", "uv", "bash", "sh", "script", "html", "javascript", "js", "latex", "markdown", "svg"),
    *("writefile", "who", "whos", "memit", "prun", "capture", "precision", "system", "sx", "ls", "mkdir"),
)
_MAGIC = re.compile(r"^\s*%{1,2}(\w+)", re.MULTILINE)
_STORES = re.compile(r"%%capture\s+(\w+)")


@dataclass(frozen=True)
class UndefinedName:
    """A name that is used and defined nowhere.

    Attributes:
        name: the name.
        cell: the cell, counted among the code cells from 1.
        line: its line in the cell, from 1.
    """

    name: str
    cell: int
    line: int


def undefined_names(document: NotebookDocument) -> list[UndefinedName]:
    """The names that a Python notebook uses and nothing in it defines.

    A notebook with a magic that may define names, such as ``%run``, is not judged; nor is code that is no Python.
    """
    sources = [cell["source"] for cell in document.cells if cell["cell_type"] == "code"]
    if document.language not in ("python", "ipython"):
        return []
    magics = {name for source in sources for name in _MAGIC.findall(source)}
    if magics - {*_DEFINES_NOTHING}:
        return []
    from IPython.core.inputtransformer2 import TransformerManager  # of the kernel, and slow to import
    from pyflakes.checker import Checker
    from pyflakes.messages import UndefinedName as Undefined

    transformer = TransformerManager()  # type: ignore[no-untyped-call]
    lines = [
        (cell, line, text)
        for cell, source in enumerate(sources, 1)
        for line, text in enumerate(_python(source, transformer).splitlines(), 1)
    ]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # "\d" in a text is no concern of ours
            tree = ast.parse("\n".join(text for _, _, text in lines))
    except (SyntaxError, ValueError, RecursionError):
        return []
    stored = {name for source in sources for name in _STORES.findall(source)}
    found = Checker(tree, document.path, builtins={*_GIVEN, *stored, *document.parameters}).messages
    names = [each for each in found if isinstance(each, Undefined)]
    return [UndefinedName(str(each.message_args[0]), *lines[each.lineno - 1][:2]) for each in names]


def _python(source: str, transformer: Any) -> str:
    """A cell as Python, line by line as it was written."""
    source = _RUNS_PYTHON.sub("", source, count=1) if _RUNS_PYTHON.match(source) else source
    return str(transformer.transform_cell(_TIMED.sub(r"\1", source)))


def recorded_names(document: NotebookDocument, kind: Literal["output", "check"]) -> list[str]:
    """The names that a Python notebook hands out with ``nb.output`` or ``nb.check``, as far as its code says them."""
    if document.language not in ("python", "ipython"):
        return []
    from IPython.core.inputtransformer2 import TransformerManager  # of the kernel, and slow to import

    transformer = TransformerManager()  # type: ignore[no-untyped-call]
    found: list[str] = []
    for cell in document.cells:
        if cell["cell_type"] == "code" and f"nb.{kind}" in cell["source"]:
            with contextlib.suppress(SyntaxError, ValueError, RecursionError):
                found += _first_arguments(ast.parse(_python(cell["source"], transformer)), kind)
    return list(dict.fromkeys(found))


def _first_arguments(code: ast.AST, kind: str) -> Iterator[str]:
    for node in ast.walk(code):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="nb"), attr=attribute),
                args=[ast.Constant(value=str(name)), *_],
            ) if attribute == kind:
                yield name


def unused_parameters(document: NotebookDocument) -> Iterator[str]:
    """The parameters that no other line of code has a word of, in any language."""
    cell = document.parameters_cell
    if cell is None:
        return
    others = "\n".join(each["source"] for each in document.cells if each["cell_type"] == "code" and each is not cell)
    for name, parameter in document.parameters.items():
        own = [line for number, line in enumerate(cell["source"].splitlines(), 1) if number != parameter.line]
        if not re.search(rf"\b{re.escape(name)}\b", "\n".join([*own, others])):
            yield name

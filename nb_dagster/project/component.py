"""Where the attributes of the Dagster component are written."""

from __future__ import annotations

import itertools
import re

import dagster as dg

from nb_dagster.notebook.plain_yaml import parse_yaml
from nb_dagster.project.source import Source

ATTRIBUTES = "attributes"


def source_of(context: dg.ComponentLoadContext) -> Source:
    """The place of each attribute in the component's ``defs.yaml``, which Dagster has read.

    Where YAML 1.1 and plain YAML do not agree on the file, the places are not known; its problems have a key still.

    Args:
        context: what Dagster loads the component with.
    """
    path, number = context.component_path.file_path / "defs.yaml", context.component_path.instance_key
    try:
        text = _document(path.read_text(encoding="utf-8"), number if isinstance(number, int) else 0)
        read = parse_yaml(text, has_aliases=True)
    except (OSError, ValueError, IndexError, RecursionError):
        return Source(str(path), {}, prefix=(ATTRIBUTES,))
    places = {key[1:]: place for key, place in read.places.items() if key[0] == ATTRIBUTES}
    return Source(str(path), {}, places, prefix=(ATTRIBUTES,))


def _document(text: str, number: int) -> str:
    """One of the documents of a file, behind as many empty lines as there are lines before it."""
    marks = [mark.span() for mark in re.finditer(r"^---.*\n", text, re.MULTILINE)]
    edges = [(0, 0), *marks, (len(text), len(text))]
    parts = [(end, start) for (_, end), (start, _) in itertools.pairwise(edges)]
    if marks and not re.sub(r"#.*", "", text[: marks[0][0]]).strip():  # the first mark is above everything
        parts = parts[1:]
    begin, end = parts[number]
    return "\n" * text.count("\n", 0, begin) + text[begin:end]

"""The grammar of internationalised addresses, built when it is first used instead of when it could be.

nbformat and Jupyter's other libraries bring jsonschema, which imports rfc3987-syntax where that is installed, as it is with
JupyterLab. That builds a parser of the whole grammar when it is imported: two seconds of each process that runs a notebook,
for a check of the formats ``iri`` and ``iri-reference`` that no notebook has.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

_PACKAGE = "rfc3987_syntax"


def defer() -> None:
    """Have the package imported by its first use; nothing is done where it is imported already, or not installed."""
    if _PACKAGE in sys.modules or (spec := importlib.util.find_spec(_PACKAGE)) is None:
        return
    module: Any = importlib.util.module_from_spec(spec)

    def real() -> Any:
        if sys.modules.get(_PACKAGE) is module:
            del sys.modules[_PACKAGE]
        return importlib.import_module(_PACKAGE)

    def is_valid_syntax(term: str, value: str) -> bool:
        return bool(real().is_valid_syntax(term, value))

    module.is_valid_syntax = is_valid_syntax  # what jsonschema takes by name, before it asks anything
    module.__getattr__ = lambda name: getattr(real(), name)
    sys.modules[_PACKAGE] = module

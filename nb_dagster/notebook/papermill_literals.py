"""Values for kernels whose language only papermill knows: what its translators write rightly, and no more.

They escape text as Python does, which other languages read otherwise, so only text without special characters passes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from nb_dagster.errors import InvalidParameter
from nb_dagster.notebook.types import JSON, describe

_HARMLESS_TEXT = re.compile(r"[A-Za-z0-9_ \-./:,@+=]*")
_EXACT = 2**53  # MATLAB's numbers are floating point


def assign_by_papermill(values: Mapping[str, JSON], kernel: str, language: str, owner: str) -> str:
    """Source that sets the values, in the kernel's language.

    Raises:
        InvalidParameter: a value is not harmless in each language, or papermill does not know this one.
    """
    from papermill.exceptions import PapermillException
    from papermill.translators import papermill_translators

    for name, value in values.items():
        _refuse_special(value, name, language, owner)
    try:
        translator = papermill_translators.find_translator(kernel, language)
        return str(translator.codify(dict(values), "Parameters of this run"))
    except (PapermillException, NotImplementedError) as error:
        raise InvalidParameter(f"{owner}: parameters cannot be given to the kernel {kernel!r} ({error})") from None


def _refuse_special(value: JSON, name: str, language: str, owner: str) -> None:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for each in value:
            _refuse_special(each, name, language, owner)
    elif isinstance(value, str) and not _HARMLESS_TEXT.fullmatch(value):
        raise InvalidParameter(
            f"{owner}: parameter {name!r}: {describe(value)} has characters that {language} cannot carry safely"
        )
    elif isinstance(value, int) and abs(value) > _EXACT:
        raise InvalidParameter(
            f"{owner}: parameter {name!r}: {language} cannot carry {describe(value)} safely, only up to 2^53"
        )

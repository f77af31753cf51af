"""A runtime of which no Dockerfile can be made."""

from __future__ import annotations

from nb_dagster.errors import RunRefused


class RuntimeRefused(RunRefused):
    """What a runtime names is not there, or not as it has to be.

    Attributes:
        key: the key of the runtime that names it.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key

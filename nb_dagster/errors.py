"""The ways a run is refused before anything of it starts. Each message is one sentence for the person who asked."""

from __future__ import annotations

__all__ = ["InvalidParameter", "RunRefused", "UnknownEnvironment", "UnknownKernel", "UnreadableNotebook"]


class RunRefused(ValueError):
    """A run that cannot start as it was asked for; nothing was started, nothing was written."""


class UnreadableNotebook(RunRefused):
    """The file is no notebook this version can read."""


class InvalidParameter(RunRefused):
    """A parameter is unknown, missing, or of another type than the notebook declares."""


class UnknownKernel(RunRefused):
    """No kernel of that name is installed."""


class UnknownEnvironment(RunRefused):
    """There is no environment of that name, or no kernel can run in it."""

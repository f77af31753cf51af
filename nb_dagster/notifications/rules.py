"""Who is told of what, as definitions say it."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from nb_dagster.errors import RunRefused
from nb_dagster.notifications.outcomes import OUTCOMES, Outcome


@dataclass(frozen=True)
class Notify:
    """Targets, and what they are told of.

    Attributes:
        targets: where messages go: URLs as apprise has them (``slack://…``, ``discord://…``, ``mailtos://…``,
            ``workflows://…`` for Teams, ``json://…`` for any webhook), or where such a URL is: ``env:NAME``,
            ``file:PATH``, a ``dg.EnvVar``.
        on: the outcomes they are told of: ``success``, ``failure``, ``retry``, ``skip``, ``cancel``,
            ``missed`` (a moment of a project's schedule that was not run).
        workflows: names of workflows or jobs; None takes all.
        attach_page: whether the page of the executed notebook is attached, where the target takes files.

    Raises:
        RunRefused: one of them is none.

    Example:
        >>> Notify(["env:SLACK_URL"], on=["failure", "retry"], workflows=["train"])
    """

    targets: Sequence[str]
    on: Sequence[Outcome] = ("failure",)
    workflows: Sequence[str] | None = None
    attach_page: bool = False

    def __post_init__(self) -> None:
        for name in ("targets", "on", "workflows"):
            value = getattr(self, name)
            if isinstance(value, str) or (name != "workflows" and not value):
                raise RunRefused(f"notifications: {name} is a list with something in it, not {_shown(name, value)}")
        for each in self.on:
            if each not in OUTCOMES:
                raise RunRefused(f"notifications: on is a list of {', '.join(OUTCOMES)}; {each!r} is none")
        if self.attach_page and importlib.util.find_spec("nbconvert") is None:
            raise RunRefused("notifications: attach_page needs nbconvert: pip install 'nb_dagster[ui]'")

    def concerns(self, workflow: str, job: str) -> bool:
        """Whether it is about a workflow of a job."""
        return self.workflows is None or workflow in self.workflows or job in self.workflows


def _shown(name: str, value: object) -> str:
    return "a text" if name == "targets" and value else repr(value)  # a target may be a secret

"""What is to be told of a run, and to whom."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from nb_dagster.notifications.attachments import MAX_PAGES, page_of
from nb_dagster.notifications.ends import End, RunLog, ends_of, name_of, retries_of
from nb_dagster.notifications.marks import Mark, marks_of, write_mark
from nb_dagster.notifications.message import Message, message_of
from nb_dagster.notifications.outbox import Delivery
from nb_dagster.notifications.outcomes import OUTCOMES, Outcome
from nb_dagster.notifications.rules import Notify
from nb_dagster.notifications.targets import Target, targets_of


@dataclass(frozen=True)
class Notice:
    """Something that is told once.

    Attributes:
        key: its name within its run.
        outcome: the outcome of all its ends.
        ends: what it tells of.
    """

    key: str
    outcome: Outcome
    ends: list[End]


class Audience:
    """All rules of a deployment.

    Args:
        rules: the rules.
        ui: address of Dagster's UI, for links.

    Raises:
        RunRefused: a target is none.
    """

    def __init__(self, rules: Sequence[Notify], ui: str | None) -> None:
        texts = list(dict.fromkeys(text for rule in rules for text in rule.targets))
        targets = dict(zip(texts, targets_of(texts), strict=True))
        self._rules = [(rule, {targets[text] for text in rule.targets}) for rule in rules]
        self._targets, self.ui = list(dict.fromkeys(targets.values())), ui

    def hears_of(self, outcome: Outcome) -> bool:
        """Whether anybody is told of an outcome."""
        return any(outcome in rule.on for rule, _ in self._rules)

    def whom(self, outcome: Outcome, job: str) -> list[Target]:
        """Who is told of an outcome of a whole job."""
        hearing = [whom for rule, whom in self._rules if outcome in rule.on and rule.concerns(job, job)]
        return [target for target in self._targets if any(target in each for each in hearing)]

    def open_deliveries(self, instance: dg.DagsterInstance, log: RunLog) -> Iterator[Delivery]:
        """The messages about a run that are neither sent nor given up."""
        marks = marks_of(log)
        for notice in _notices(log):
            for target in self._targets:
                rules = [rule for rule, whom in self._rules if notice.outcome in rule.on and target in whom]
                job = log.run.job_name
                ends = [end for end in notice.ends if any(rule.concerns(end.workflow, job) for rule in rules)]
                key = f"{notice.key} to {target.label}"
                mark = marks.get(key, Mark())
                if ends and not mark.is_over:
                    attach = any(rule.attach_page for rule in rules)
                    write = functools.partial(self._write, log.run, notice, ends, attach=attach)
                    keep = functools.partial(write_mark, instance, log.run, key)
                    yield Delivery(key, mark, target, write, keep, log.run.run_id)

    def _write(self, run: dg.DagsterRun, notice: Notice, ends: list[End], *, attach: bool) -> Message:
        return message_of(
            notice.outcome,
            ends,
            job=name_of(run),
            run_id=run.run_id,
            key=f"{run.run_id[:8]}/{notice.key}",
            ui=self.ui,
            pages=[page_of(end) for end in ends[:MAX_PAGES]] if attach else [],
        )


def _notices(log: RunLog) -> Iterator[Notice]:
    for end in retries_of(log):
        yield Notice(f"retry/{end.step}/{end.attempt}", "retry", [end])
    if not log.run.is_finished:
        return
    ends = ends_of(log)
    for outcome in OUTCOMES:
        if told := [end for end in ends if end.outcome == outcome]:
            yield Notice(outcome, outcome, told)

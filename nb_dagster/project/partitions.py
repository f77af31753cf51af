"""Partitions of the project file as Dagster's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import dagster as dg

from nb_dagster.project.parts import Partitions

_IN_TIME: dict[str, Any] = {
    "hourly": dg.HourlyPartitionsDefinition,
    "daily": dg.DailyPartitionsDefinition,
    "weekly": dg.WeeklyPartitionsDefinition,
    "monthly": dg.MonthlyPartitionsDefinition,
}


def partitions_def(said: Partitions | None) -> dg.PartitionsDefinition[Any] | None:
    """Dagster's partitions."""
    if said is None:
        return None
    if said.values is not None:
        return dg.StaticPartitionsDefinition(said.values)
    start, end = (None if each is None else datetime.fromisoformat(each) for each in (said.start, said.end))
    definition: dg.PartitionsDefinition[Any] = _IN_TIME[str(said.every)](start, timezone=said.timezone, end_date=end)
    return definition

"""Schedules that fire: the moments they name, what becomes of each, and Dagster's schedule or sensor that sees to it."""

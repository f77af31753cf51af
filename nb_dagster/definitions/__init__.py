"""Dagster's side: assets, ops and jobs from notebooks, the launchpad from their parameters, records as metadata."""

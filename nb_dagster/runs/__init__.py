"""What has run and what runs: the history, and launches and schedules of a running Dagster."""

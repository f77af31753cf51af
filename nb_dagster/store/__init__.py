"""Where executed notebooks and artifacts live: one folder an attempt, local or remote. No Dagster."""

"""One notebook on one kernel is a stream of events: states, timeouts, the journal, the executed notebook. No Dagster."""

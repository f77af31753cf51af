"""A live process that runs cells: kernel specs, start, handshake, signals, death. No Dagster."""

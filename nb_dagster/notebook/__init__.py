"""A notebook as a function: document, parameters, records. No process, no Dagster."""

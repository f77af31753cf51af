"""A code location without anything."""

import dagster as dg

import nb_dagster

defs = dg.Definitions(metadata={"nb_dagster": nb_dagster.__version__})

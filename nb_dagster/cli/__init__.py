"""The command line: a thin surface over runs and projects."""

from nb_dagster.cli.main import main as main

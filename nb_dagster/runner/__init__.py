"""One notebook on one kernel is a stream of events: states, timeouts, the journal, the executed notebook. No Dagster."""

from nb_dagster import iri_grammar

iri_grammar.defer()  # before nbformat brings it

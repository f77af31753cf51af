"""A notebook as a function: document, parameters, records. No process, no Dagster."""

from nb_dagster import iri_grammar

iri_grammar.defer()  # before nbformat brings it

"""Executed notebooks as HTML pages that are safe to open: saved as a file, or served on an origin of their own."""

from nb_dagster import iri_grammar

iri_grammar.defer()  # before nbformat brings it

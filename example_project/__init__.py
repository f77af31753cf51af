"""A pipeline of notebooks on handwritten digits: ingest, explore, split, train, benchmark, summarise."""

"""Containers of a Docker engine: where a kernel or a whole step runs, its process, and what starts it there."""

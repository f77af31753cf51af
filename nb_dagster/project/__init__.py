"""A project: notebooks and, in one file of git, everything that is said of them."""

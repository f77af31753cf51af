"""The thin front of pyproject.toml, for tools that still look for it."""

from setuptools import setup

setup()

"""nb_dagster."""
from nb_dagster.version import __version__ as __version__

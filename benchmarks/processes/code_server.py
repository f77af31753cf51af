"""What a code server does first: ``python -m benchmarks.processes.code_server empty|plain|thousand [answer]``.

It imports the definitions and builds the repository; with ``answer`` also what the web server asks of it next.
"""

import importlib
import sys

from dagster._core.remote_representation.external_data import RepositorySnap
from dagster_shared.serdes import serialize_value


def main() -> None:
    """Load a code location."""
    repository = importlib.import_module(f"benchmarks.processes.{sys.argv[1]}").defs.get_repository_def()
    if "answer" in sys.argv[2:]:
        serialize_value(RepositorySnap.from_def(repository, defer_snapshots=True))


if __name__ == "__main__":
    main()

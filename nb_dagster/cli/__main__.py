"""A process of ``nb-dagster``, or of ``python -m nb_dagster.cli``, which is the same."""

from nb_dagster.cli.main import main
from nb_dagster.garbage import collect_rarely
from nb_dagster.interrupts import come_again


def start() -> None:
    """Run the command, and end."""
    collect_rarely()
    come_again()
    main(prog_name="nb-dagster")


if __name__ == "__main__":
    start()

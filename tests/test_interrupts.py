"""An interrupt that comes in a pass of the garbage collector is heard nevertheless."""

import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, sys, time, weakref
from nb_dagster.interrupts import come_again

class Thing:
    pass

def interrupted(_):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(5)  # where it is raised

if sys.argv[1] == "again":
    come_again()
    come_again()
thing = Thing()
reference = weakref.ref(thing, interrupted)
try:
    del thing
    time.sleep(2)
    print("lost")
except KeyboardInterrupt:
    print("heard")
"""


@pytest.mark.parametrize(("how", "said"), [("again", "heard"), ("as Python does", "lost")])
def test_it_is_sent_again(how: str, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, text=True, check=True)
    assert done.stdout == f"{said}\n"


def test_other_errors_that_cannot_be_raised_are_told_as_ever() -> None:
    script = """
from nb_dagster.interrupts import come_again
class Thing:
    def __del__(self):
        raise ValueError("in here")
come_again()
Thing()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "ValueError: in here" in done.stderr

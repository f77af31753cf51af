"""An environment for dagstermill, whose pin ``jupyter-client<8`` keeps it out of ours."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

_FOLDER = Path(__file__).parent / ".venv-dagstermill"


def dagstermill_python() -> str:
    """Its interpreter; made once, with our version of Dagster."""
    python, wanted = _FOLDER / "bin" / "python", version("dagster")
    if _installed(python, "dagster") != wanted or None in (
        _installed(python, "dagstermill"),
        _installed(python, "dagster-docker"),
    ):
        print(f"installing dagstermill into {_FOLDER} (once, a minute or two)", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", _FOLDER], check=True)
        (_FOLDER / ".gitignore").write_text("*\n", encoding="utf-8")
        packages = [f"dagster=={wanted}", "dagstermill", "dagster-docker", "ipykernel"]
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(install, check=True, stderr=subprocess.DEVNULL)
    return str(python)


def dagstermill_version() -> str:
    """The version that is measured."""
    return str(_installed(Path(dagstermill_python()), "dagstermill"))


def _installed(python: Path, package: str) -> str | None:
    if not python.exists():
        return None
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    asked = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None

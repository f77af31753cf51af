"""What starts JupyterLab, run by path with the Python of the image or of this environment.

It imports the standard library and Jupyter's own only.
"""

import importlib.util
import json
import os
import sys
from typing import Any

SETTINGS = "NB_DAGSTER_LAB"
"""The variable with its settings, as JSON; kernels do not inherit it."""
NOT_INSTALLED = 77
"""The exit code where there is no JupyterLab."""

try:
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
except ImportError:
    sys.exit(NOT_INSTALLED)


class KernelsInFolder(AsyncMappingKernelManager):
    """Starts every kernel in the folder in which a run's would be."""

    folder = ""

    def cwd_for_path(self, path: str, **kwargs: Any) -> str:  # noqa: ARG002 - it is asked of any notebook
        return self.folder


def main() -> None:
    """Serve one folder, until this process is told to end."""
    settings = json.loads(os.environ.pop(SETTINGS))
    if importlib.util.find_spec("jupyterlab") is None:
        sys.exit(NOT_INSTALLED)
    if importlib.util.find_spec("nb_dagster") is None:
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [settings["spare"], os.environ.get("PYTHONPATH")]))
    from jupyterlab.labapp import LabApp

    KernelsInFolder.folder = settings["cwd"]
    options = {
        "IdentityProvider.token": settings["token"],  # here, as a process's arguments are for everybody to read
        "PasswordIdentityProvider.hashed_password": "",
        "ServerApp.ip": settings["ip"],
        "ServerApp.port": settings["port"],
        "ServerApp.port_retries": 0,
        "ServerApp.root_dir": settings["root"],
        "ServerApp.open_browser": False,
        "ServerApp.allow_root": True,  # it is whoever started it
        "ServerApp.kernel_manager_class": f"{__name__}.KernelsInFolder",
        "LabApp.check_for_updates_class": "jupyterlab.handlers.announcements.NeverCheckForUpdate",
        "LabApp.news_url": "None",
        "Application.log_level": 30,
    }
    LabApp.launch_instance(argv=[f"--{name}={value}" for name, value in options.items()])


if __name__ == "__main__":
    main()

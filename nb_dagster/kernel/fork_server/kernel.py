"""ipykernel in two halves: what needs neither thread nor socket is done before the fork, the rest after it."""

# mypy: disable-error-code="no-untyped-call"
# IPython and ipykernel have hardly any types.

from __future__ import annotations

import atexit
import os
import select
import threading
import time
from pathlib import Path
from typing import Any

from ipykernel.iostream import OutStream
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.application import BaseIPythonApplication

IN_MEMORY = "--HistoryManager.hist_file=:memory:"
"""The one argument that a shell made ahead is right for; a history in a file would need a thread to write it."""
_PIPE_SECONDS = 0.02  # for which a cell waits, at most, for what it has written to a descriptor
_CONFIGURED_BY = ("HOME", "IPYTHONDIR", "VIRTUAL_ENV", "XDG_CONFIG_HOME", "PROGRAMDATA")
_CONFIGURED_BY_PREFIX = ("JUPYTER_", "PYTHON")


class _Configured(BaseIPythonApplication):
    """Reads its configuration once, however often it is initialised."""

    _is_configured = False

    def initialize(self, argv: list[str] | None = None) -> None:
        if not self._is_configured:
            super().initialize(argv)
            self._is_configured = True


class BriefStream(OutStream):
    """``stdout`` or ``stderr``, which asks the IOPub thread to flush, and waits for it, only where there is something.

    ipykernel flushes both three times a cell; that is 40 % of the time of a cell that writes nothing.
    """

    _is_flushing = False

    def flush(self) -> None:
        self._take_pipe()
        # In this order: text leaves the buffers while the other is true.
        if self._buffers or self._is_flushing or not self._is_master_process():
            super().flush()

    def _flush(self) -> None:
        self._is_flushing = True
        try:
            super()._flush()
        finally:
            self._is_flushing = False

    def _take_pipe(self) -> None:
        """Let the thread that watches the descriptor take what is in it: what the system prints is of this cell too."""
        if self._fid is None or threading.current_thread() is not threading.main_thread():
            return
        pipe, give_up = select.poll(), time.monotonic() + _PIPE_SECONDS
        pipe.register(self._fid, select.POLLIN)
        while pipe.poll(0) and time.monotonic() < give_up:
            time.sleep(0.0005)
        time.sleep(0)  # it may have taken it, and wait for its turn to say so


class ForkedApp(IPKernelApp, _Configured):
    """The kernel's application, whose configuration and shell are made before the fork."""

    def prepare(self) -> None:
        """The half before the fork."""
        import tornado.platform.asyncio  # noqa: F401 - which the first event loop imports

        _Configured.initialize(self, [IN_MEMORY])
        if self.outstream_class == "ipykernel.iostream.OutStream":  # the default
            self.outstream_class = f"{__name__}.{BriefStream.__name__}"
        self.init_pdb()
        kernel: Any = self.kernel_class
        shell = kernel.shell_class.default_value.instance(
            parent=self, profile_dir=self.profile_dir, compiler_class=kernel.compiler_class.default_value
        )
        shell.run_cell("pass", silent=True)  # the first cell imports what the others only use
        self._configuration = _configuration()

    @property
    def configuration_files(self) -> list[str]:
        """Where its configuration may be, whether or not there is any."""
        names = [Path(name).stem + suffix for name in self.config_files for suffix in (".py", ".json")]
        return [os.path.join(folder, name) for folder in self.config_file_paths for name in names]

    def launch(self, arguments: list[str]) -> None:
        """The half after the fork, to the kernel's end.

        Args:
            arguments: those of ``ipykernel_launcher``.
        """
        if arguments[0] == "-f" and arguments[2:] == [IN_MEMORY] and self._configuration == _configuration():
            self.connection_file = arguments[1]
            self.initialize([])
            self.start()
            # The process ends now, and its sockets with it. To close them one by one waits for threads that wait for
            # threads, sometimes for 10 s (ipykernel 7.4: the control thread flushes to an IOPub thread that has ended).
            atexit.unregister(self.close)
        else:  # it may be configured otherwise: made anew, in the ordinary way
            self.clear_instance()
            ZMQInteractiveShell.clear_instance()
            IPKernelApp.launch_instance(argv=arguments)

    def init_kernel(self) -> None:
        """Give the kernel the shell made before, and the shell what is this process's own."""
        super().init_kernel()
        self.kernel._execute_sleep = 0  # noqa: SLF001 - 0.5 ms a cell, for clients that do not wait for its idle message
        shell: Any = self.kernel.shell
        shell.parent = shell.kernel = self.kernel
        shell.init_environment()
        shell.save_sys_module_state()
        shell.starting_dir = os.getcwd()
        shell.history_manager.dir_hist[:] = [Path.cwd()]


def _configuration() -> dict[str, str]:
    """The part of the environment that configures IPython."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in _CONFIGURED_BY or name.startswith(_CONFIGURED_BY_PREFIX)
    }

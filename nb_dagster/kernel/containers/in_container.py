"""What runs in a container: it starts the kernel or step, and ends it when the process that asked for it is gone.

This file is the program, run by path with whatever Python 3 the image has; it imports the standard library only, and
for kernels jupyter_client, which ipykernel brings.
"""

import fcntl
import json
import os
import signal
import sys
import time

_LOOK_EVERY = 0.5  # seconds


def _end_with(lock: str) -> None:
    """End this process when nobody holds the lock file any more; its container then ends too."""
    main = os.getpid()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    if os.fork():  # a child of this process would be one of the kernel, which waits for those when it ends
        os._exit(0)
    os.setsid()
    with open(lock, encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(_LOOK_EVERY)
            else:
                os.kill(main, signal.SIGKILL)
                os._exit(0)


def _take_secrets(path: str) -> None:
    """Set the variables that were left in a file, which goes."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            os.environ.update(json.load(file))
        os.unlink(path)


def _kernel(name: str, connection: str, more: "list[str]") -> "list[str]":
    """The command of a kernel."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        sys.exit("the image has no ipykernel; add it to its packages")
    manager = KernelSpecManager()
    try:
        spec = manager.get_kernel_spec(name)
    except NoSuchKernel:
        installed = ", ".join(sorted(manager.find_kernel_specs())) or "none"
        sys.exit(f"there is no kernel {name!r} in the image (installed: {installed})")
    os.environ.update({key: str(value) for key, value in spec.env.items()})
    command = [each.replace("{connection_file}", connection) for each in spec.argv]
    is_python = any("ipykernel" in each for each in command)
    return [*([sys.executable, *command[1:]] if is_python else command), *(more if is_python else [])]


def main(lock: str, kind: str, *rest: str) -> None:
    """Run a command, a file of Python, or a kernel by name."""
    _end_with(lock)
    _take_secrets(os.path.join(os.path.dirname(lock), "environment.json"))
    if kind == "kernel":
        command = _kernel(rest[0], rest[1], list(rest[2:]))
    else:
        command = [*([sys.executable] if kind == "python" else []), *rest]
    os.execvp(command[0], command)  # noqa: S606 - what it was made for


if __name__ == "__main__":
    main(*sys.argv[1:])

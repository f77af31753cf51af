"""The fork server's program: a Python with an IPython shell already made, which forks a ready kernel on request.

It runs with the interpreter of the kernels it makes, loaded from its path, and imports nothing of nb_dagster. It stays
single-threaded, knows no secrets (its environment is a short list of names), and ends when its standard input closes.

A client connects to its socket once a kernel, and sends a line of JSON (``arguments``, ``cwd``, ``env``, ``umask``) with a
descriptor for the kernel's standard error. It is answered ``{"pid": ...}``, and ``{"exit": ...}`` when the kernel has ended.
When a client goes away before that, its kernel is killed.
"""

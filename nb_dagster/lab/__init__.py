"""JupyterLab on demand: a workflow, or an attempt that failed, opened as it would run."""

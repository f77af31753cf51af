"""Where the steps of a job run."""

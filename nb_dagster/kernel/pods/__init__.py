"""Pods of Kubernetes: where a kernel or a whole step runs, its manifest, its process, and how it ended."""

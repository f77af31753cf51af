"""The environments of notebooks: declared, written as Dockerfiles, built into images from git, and found again."""

"""What of a project's folder is never in an image, in the words of ``.dockerignore``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nb_dagster.runtimes.dockerfile import MARK

FILE = ".dockerignore"
NOT_CODE = (
    *(".git", ".gitignore", ".dockerignore", "Dockerfile*", ".venv", "venv", ".tox", "node_modules", ".nb_dagster"),
    *("__pycache__", "*.pyc", ".ipynb_checkpoints", ".pytest_cache", ".mypy_cache", ".ruff_cache"),
)
SECRETS = (
    *(".env", ".env.*", "*.env", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".ssh", ".gnupg", ".aws", ".azure", ".gcloud", ".kube"),
    *(".docker", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd"),
    *("credentials", "credentials.json", "credentials.toml", "credentials.ini", "credentials.y*ml"),
    *("secrets", "secrets.json", "secrets.toml", "secrets.ini", "secrets.y*ml", "*service-account*.json", "*.nbvars"),
)


def dockerignore() -> str:
    """The ``.dockerignore`` for a project that has none."""
    return "\n".join(
        [
            f"# {MARK}. What is named here is in no image; add to it, or have a file in with a line such as !certs/ca.pem",
            *_anywhere(NOT_CODE),
            "",
            "# Secrets. nb-dagster leaves them out without these lines too.",
            *_anywhere(SECRETS),
            "",
        ]
    )


def not_code(folder: Path) -> list[str]:
    """The rules of a folder without those of secrets."""
    return [*_rules(NOT_CODE), *_own(folder)]


def all_rules(folder: Path) -> list[str]:
    """The rules of a folder; its own come last, and go first."""
    return [*_rules((*NOT_CODE, *SECRETS)), *_own(folder)]


def _anywhere(names: Iterable[str]) -> list[str]:
    return [f"**/{name}" for name in names]


def _rules(names: Iterable[str]) -> list[str]:
    """Each with what is in a folder of that name: the Docker SDK forgets that once a file in it is had in."""
    return [rule for each in _anywhere(names) for rule in (each, f"{each}/**")]


def _own(folder: Path) -> list[str]:
    try:
        lines = [each.strip() for each in (folder / FILE).read_text(encoding="utf-8-sig").splitlines()]
    except FileNotFoundError:
        return []
    if lines and MARK in lines[0]:
        lines = [each for each in lines if each not in _anywhere((*NOT_CODE, *SECRETS))]
    return [each for each in lines if each and not each.startswith("#")]

"""The Dockerfile of a runtime: the same runtime gives the same bytes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path, PurePosixPath
from typing import Any

from nb_dagster.runtimes.kernels import SETUPS
from nb_dagster.runtimes.package_files import package_files
from nb_dagster.runtimes.refused import RuntimeRefused
from nb_dagster.runtimes.runtime import Runtime

MARK = "Written by nb-dagster"
"""What tells a file of ours from one that somebody wrote."""
TEMPLATE = "nb_dagster/Dockerfile.j2"
_OF_INSTALLERS = ("PIP_", "UV_")


def dockerfile(name: str, runtime: Runtime, folder: Path) -> str:
    """The text of a runtime's Dockerfile.

    Args:
        name: the runtime's name.
        runtime: what it declares.
        folder: the folder of the project file, which its files are seen from.

    Raises:
        RuntimeRefused: a file that it names is missing, or is not what it has to be.
    """
    import jinja2

    shipped = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    templates = jinja2.Environment(  # noqa: S701 - no HTML; each value is of a form, and is quoted for its place
        loader=jinja2.ChoiceLoader([jinja2.PrefixLoader({"nb_dagster": shipped}), jinja2.FileSystemLoader(folder)]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters |= {"shell": shlex.quote, "value": quote_value}
    facts = _facts(name, runtime, folder)
    try:
        text = templates.get_template(runtime.template or TEMPLATE).render(facts)
    except jinja2.TemplateNotFound as missing:
        raise RuntimeRefused("template", f"there is no template {missing.name}") from None
    except (jinja2.TemplateError, OSError, ValueError, TypeError) as error:
        line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise RuntimeRefused("template", f"{runtime.template}{line}: {error}") from None
    text = re.sub(r"\n{3,}", "\n\n", text.rstrip()) + "\n"
    return text if MARK in text else f"{text}# {MARK} from {runtime.template}.\n"


def quote_value(value: str) -> str:
    """A text as the value of ENV or LABEL, in which nothing is looked up."""
    return '"' + re.sub(r'(["$\\])', r"\\\1", value) + '"'


def _facts(name: str, runtime: Runtime, folder: Path) -> dict[str, Any]:
    """What a template can say."""
    setups = [SETUPS[each] for each in runtime.kernels]
    file = runtime.packages if isinstance(runtime.packages, str) else None
    listed = [] if isinstance(runtime.packages, str) else runtime.packages
    of_installer = {key: value for key, value in runtime.environment.items() if key.startswith(_OF_INSTALLERS)}
    return {
        "mark": MARK,
        "name": name,
        "runtime": runtime,
        "user": runtime.user,
        "system": list(dict.fromkeys([*runtime.system, *(each for setup in setups for each in setup.system)])),
        "package_files": _by_folder(package_files(folder, file)) if file else {},
        "install": _install(runtime, file),
        "packages": list(dict.fromkeys([*(each for setup in setups for each in setup.packages), *listed])),
        "kernel_commands": [setup.command for setup in setups if setup.command],
        "installer_environment": of_installer,
        "environment": {key: value for key, value in runtime.environment.items() if key not in of_installer},
    }


def _by_folder(files: list[str]) -> dict[str, list[str]]:
    """Files by the folder that they are in, with a slash where it is not the project's own."""
    found: dict[str, list[str]] = {}
    for each in files:
        parent = str(PurePosixPath(each).parent)
        found.setdefault("" if parent == "." else f"{parent}/", []).append(each)
    return found


def _install(runtime: Runtime, file: str | None) -> str:
    """The command that installs packages, before their names."""
    if runtime.installer == "pip":
        command = "python -m pip install --no-cache-dir"
    else:
        place = "" if runtime.has_own_python else " --system"
        command = f"uv pip install{place} --no-cache --compile-bytecode"
    if file is None:
        return command
    if PurePosixPath(file).name != "uv.lock":
        return f"{command} -r {file}"
    project = str(PurePosixPath(file).parent)
    export = f"uv export --quiet --frozen --no-dev --no-emit-project --project {project} --output-file /tmp/locked.txt"
    return f"{export} \\\n && {command} -r /tmp/locked.txt"

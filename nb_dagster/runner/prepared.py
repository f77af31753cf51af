"""A run that has passed every check: nothing was started yet, and what starts now is well formed."""

from __future__ import annotations

import os
import pickle
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nb_dagster.errors import InvalidParameter, RunRefused
from nb_dagster.kernel.containers.engine import check_sdk
from nb_dagster.kernel.environment import Environment, find_environment
from nb_dagster.kernel.gpus import check_gpus
from nb_dagster.kernel.pods.cluster import check_client
from nb_dagster.kernel.pods.schema import check_own_words
from nb_dagster.kernel.specs import find_kernel, kernel_name, preload_of
from nb_dagster.nb import file_format_of
from nb_dagster.notebook.commit import commit_of
from nb_dagster.notebook.document import NotebookDocument
from nb_dagster.notebook.injection import parameters_source
from nb_dagster.notebook.parameters import Parameter, check_parameters, default_values, fill_context
from nb_dagster.notebook.types import JSON, check_json, describe
from nb_dagster.runner.executed import executed_form, timestamp
from nb_dagster.runner.place import FilePlace, Place
from nb_dagster.runner.redaction import Redactor
from nb_dagster.runner.run import NotebookRun
from nb_dagster.runner.secrets import look_up, references
from nb_dagster.version import __version__


@dataclass(frozen=True)
class Prepared:
    """A checked run.

    Attributes:
        run: as it was asked for.
        document: the notebook.
        content: the notebook as it will run, in nbformat 4.
        parameters: its parameters as JSON: given values, and the notebook's own literals.
        context: what ``nb.context`` says.
        file_inputs: values that are handed over as files.
        environment: variables for the kernel beside those of this process.
        secrets: values that ``nb.secret`` gives, by name; never written anywhere but into the run's private folder.
        kernel: the kernel's name.
        installed_in: the existing environment that it is in; None where Jupyter knows it.
        preload: modules that it is worth being forked with.
        language: the kernel's language, in lower case.
        cwd: its working directory.
        place: where it writes.
        run_id: id of the run.
        workflow: its name.
    """

    run: NotebookRun
    document: NotebookDocument
    content: dict[str, Any]
    parameters: dict[str, JSON]
    context: dict[str, JSON]
    file_inputs: dict[str, Any]
    environment: dict[str, str]
    secrets: dict[str, str] = field(repr=False)
    kernel: str
    installed_in: Environment | None
    preload: tuple[str, ...]
    language: str
    cwd: Path
    place: Place
    run_id: str
    workflow: str


def prepare(run: NotebookRun) -> Prepared:
    """Check a run.

    Raises:
        RunRefused: one sentence on what is wrong with it.
    """
    document = run.notebook if isinstance(run.notebook, NotebookDocument) else NotebookDocument.read(run.notebook)
    owner, declared = document.path, document.parameters
    check_sdk(run.compute)
    check_client(run.compute)
    check_own_words(run.compute)
    kernel = kernel_name(document, run.kernel, run.compute)
    installed_in = find_environment(run.compute.environment, owner)
    kernelspec = _kernelspec(run, document, kernel, installed_in)
    check_gpus(run.compute, owner)
    language = str(kernelspec["language"] or document.language).lower()
    _check_attempt(run.attempt, owner)
    run_id, workflow = run.run_id or str(uuid.uuid4()), run.workflow or document.name
    now, commit = time.time(), commit_of(document.path)
    context = {
        "run_id": run_id,
        "workflow": workflow,
        "attempt": run.attempt,
        "now": timestamp(now),
        "commit": commit.sha if commit else None,
        **run.context,
    }

    filled = fill_context(declared, run.parameters, context)
    large = {name: value for name, value in filled.items() if _needs_file(declared.get(name), value)}
    if large and language != "python":
        raise InvalidParameter(f"{owner}: a {language} kernel takes JSON, and {', '.join(large)} is none")
    _check_files(large, owner)
    small = {name: value for name, value in filled.items() if name not in large}
    small_declared = {name: parameter for name, parameter in declared.items() if name not in large}
    values = {**default_values(small_declared), **check_parameters(small_declared, small, owner)}
    changed = {name: value for name, value in values.items() if not declared[name].is_set_to(value)}
    source = None
    if changed or large:
        source = parameters_source(declared, changed, loaded=large, language=language, kernel=kernel, owner=owner)
    place = _place(run, document)
    environment = _environment(run, owner)
    secrets = look_up(references(run.secrets, owner), owner)
    _check_no_secret(secrets, values, owner)
    metadata = {
        "version": __version__,
        "run_id": run_id,
        "workflow": workflow,
        "attempt": run.attempt,
        "parameters": values,
        "source_sha256": document.sha256,
        "commit": context["commit"],
        "dirty": commit.is_dirty if commit else None,
        "kernel": kernel,
        "environment": installed_in.said if installed_in else None,
        "worker": run.worker,
        "started": timestamp(now),
    }
    return Prepared(
        run=run,
        document=document,
        content=executed_form(document.content, source, kernelspec, metadata),
        parameters=values,
        context=context,
        file_inputs=large,
        environment=environment,
        secrets=secrets,
        kernel=kernel,
        installed_in=installed_in,
        preload=preload_of(document, run.preload),
        language=language,
        cwd=_cwd(run, document),
        place=place,
        run_id=run_id,
        workflow=workflow,
    )


def _needs_file(parameter: Parameter | None, value: object) -> bool:
    """Whether a value is no JSON, for a parameter that says nothing of its type: an upstream frame, any object."""
    if parameter is None or not parameter.type.is_open:
        return False
    try:
        check_json(value)
    except ValueError:
        return True
    return False


def _check_files(values: Mapping[str, object], owner: str) -> None:
    """See that each value can be written to a file: as a frame, an array, or a pickle."""
    for name, value in values.items():
        if file_format_of(value) is None:
            try:
                pickle.dumps(value, protocol=5)
            except Exception as error:
                raise InvalidParameter(
                    f"{owner}: the value for {name!r}, {describe(value)}, cannot be handed to a kernel ({error})"
                ) from None


def _kernelspec(
    run: NotebookRun, document: NotebookDocument, name: str, installed_in: Environment | None
) -> dict[str, str]:
    if run.compute.is_container:  # which kernels there are is known in it
        said = document.content["metadata"].get("kernelspec", {}) if run.kernel is None else {}
        return {"name": name, "display_name": said.get("display_name") or name, "language": document.language}
    spec = find_kernel(name, document.path, installed_in)
    return {"name": name, "display_name": spec.display_name or name, "language": spec.language or ""}


def _place(run: NotebookRun, document: NotebookDocument) -> Place:
    place: Place
    if isinstance(run.output, (str, os.PathLike)):
        if not os.fspath(run.output):
            raise RunRefused(f"{document.path}: a run needs an output, the path of its executed notebook")
        place = FilePlace(Path(run.output).absolute())
    else:
        place = run.output
    place.check()
    return place


def _check_attempt(attempt: object, owner: str) -> None:
    if not isinstance(attempt, int) or attempt < 1:
        raise RunRefused(f"{owner}: attempt is a whole number from 1, not {describe(attempt)}")


def _environment(run: NotebookRun, owner: str) -> dict[str, str]:
    """The variables, those that a Dagster ``EnvVar`` names read from this process's. Messages keep their values to themselves."""
    found: dict[str, str] = {}
    for name, given in run.environment.items():
        variable = getattr(given, "env_var_name", None)
        value = given if variable is None else os.environ.get(variable)
        if value is None and variable is not None:
            raise RunRefused(f"{owner}: environment: {name!r} is in the variable {variable}, which is not set")
        if not _is_variable(name, value):
            raise RunRefused(
                f"{owner}: environment: {describe(name)} cannot be set: a name is text without '=', a value is text, "
                "and neither has a NUL or half a character"
            )
        found[name] = str.__str__(value)
    return found


def _is_variable(name: object, value: object) -> bool:
    if not (isinstance(name, str) and isinstance(value, str)) or not name or "=" in name or "\0" in name + value:
        return False
    try:
        os.fsencode(name + value)
    except UnicodeEncodeError:
        return False
    return True


def _check_no_secret(secrets: Mapping[str, str], values: Mapping[str, JSON], owner: str) -> None:
    """Parameters are written down, with the notebook and in Dagster; a secret among them would be no longer one."""
    redactors = {name: Redactor({name: secret}) for name, secret in secrets.items()}
    for parameter, value in values.items():
        for name, redactor in redactors.items():
            if redactor.value(value) != value:
                raise InvalidParameter(
                    f"{owner}: the value for {parameter!r} has the secret {name!r} in it, and parameters are written down; "
                    f"read it in the notebook with nb.secret({name!r})"
                )


def _cwd(run: NotebookRun, document: NotebookDocument) -> Path:
    if run.cwd is not None:
        cwd = Path(run.cwd).absolute()
    else:
        cwd = Path.cwd() if "://" in document.path else Path(document.path).absolute().parent
    if not os.path.isdir(cwd):  # which is False also for what can be no path at all
        fault = "is no folder" if os.path.exists(cwd) else "does not exist"
        raise RunRefused(f"{document.path}: the working directory {cwd} {fault}")
    return cwd

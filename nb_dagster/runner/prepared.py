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
from nb_dagster.kernel.specs import check_preload, find_kernel
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
        secrets: values that ``nb.secret`` gives, by name; never written anywhere but into the run's private folder.
        kernel: the kernel's name.
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
    secrets: dict[str, str] = field(repr=False)
    kernel: str
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
    kernel = run.kernel or document.kernel
    spec = find_kernel(kernel, owner)
    language = str(spec.language or document.language).lower()
    run_id, workflow = run.run_id or str(uuid.uuid4()), run.workflow or document.name
    now = time.time()
    context = {
        "run_id": run_id,
        "workflow": workflow,
        "attempt": run.attempt,
        "now": timestamp(now),
        "commit": commit_of(document.path),
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
    _check_environment(run, owner)
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
        "kernel": kernel,
        "started": timestamp(now),
    }
    return Prepared(
        run=run,
        document=document,
        content=executed_form(document.content, source, _kernelspec(kernel, spec), metadata),
        parameters=values,
        context=context,
        file_inputs=large,
        secrets=secrets,
        kernel=kernel,
        preload=_preload(run, document),
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


def _kernelspec(name: str, spec: Any) -> dict[str, str]:
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


def _check_environment(run: NotebookRun, owner: str) -> None:
    for name, value in run.environment.items():
        if not (
            isinstance(name, str) and isinstance(value, str) and name and "=" not in name and "\0" not in name + value
        ):
            raise RunRefused(f"{owner}: environment: variables are text, not {name!r}: {value!r}")


def _check_no_secret(secrets: Mapping[str, str], values: Mapping[str, JSON], owner: str) -> None:
    """Parameters are written down, with the notebook and in Dagster; a secret among them would be no longer one."""
    for parameter, value in values.items():
        for name, secret in secrets.items():
            if Redactor({name: secret}).value(value) != value:
                raise InvalidParameter(
                    f"{owner}: the value for {parameter!r} has the secret {name!r} in it, and parameters are written down; "
                    f"read it in the notebook with nb.secret({name!r})"
                )


def _preload(run: NotebookRun, document: NotebookDocument) -> tuple[str, ...]:
    return document.preload if run.preload is None else check_preload(run.preload, document.path)


def _cwd(run: NotebookRun, document: NotebookDocument) -> Path:
    if run.cwd is not None:
        cwd = Path(run.cwd).absolute()
    else:
        cwd = Path.cwd() if "://" in document.path else Path(document.path).absolute().parent
    if not cwd.is_dir():
        fault = "is no folder" if cwd.exists() else "does not exist"
        raise RunRefused(f"{document.path}: the working directory {cwd} {fault}")
    return cwd

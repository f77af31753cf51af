"""The runtimes of a project, without its notebooks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nb_dagster.definitions.names import dagster_name
from nb_dagster.errors import RunRefused
from nb_dagster.project.problems import Problem, ProjectRefused
from nb_dagster.project.project import FILE
from nb_dagster.project.schema import Project
from nb_dagster.project.source import Source
from nb_dagster.project.words import nearest
from nb_dagster.runtimes.dockerfile import dockerfile
from nb_dagster.runtimes.refused import RuntimeRefused
from nb_dagster.runtimes.runtime import Runtime


@dataclass(frozen=True)
class ProjectRuntimes:
    """What a project file says of runtimes.

    Attributes:
        project: the project's name.
        runtimes: the runtimes by name.
        source: where they are written.
        folder: the folder that their files are seen from.
    """

    project: str
    runtimes: dict[str, Runtime]
    source: Source
    folder: Path

    @classmethod
    def read(cls, folder: Path, *, home: Path, words: str = "this folder") -> ProjectRuntimes:
        """The runtimes of the project file in a folder.

        Args:
            folder: the folder.
            home: the folder that the project is named after, where the file says no name.
            words: what the folder is, for messages.

        Raises:
            RunRefused: there is no such file, or something is wrong in it.
        """
        if not (folder / FILE).is_file():
            raise RunRefused(f"there is no {FILE} in {words}; it declares runtimes")
        name = FILE if folder == home else f"{FILE} of {words}"
        source = dataclasses.replace(Source.read(folder / FILE), file=name)
        said = source.validate(Project)
        return cls(said.name or dagster_name(home.absolute().name), said.runtimes, source, folder)

    def find(self, name: str) -> Runtime:
        """A runtime by its name.

        Raises:
            RunRefused: there is none, or a file that it names is missing or wrong.
        """
        if name not in self.runtimes:
            known = ", ".join(self.runtimes) or "none"
            raise RunRefused(
                f"{self.source.file} has no runtime {name!r}; {nearest(name, self.runtimes)}it has {known}"
            )
        problem = _problem_of(name, self.runtimes[name], self.source, self.folder)
        if problem is not None:
            raise ProjectRefused([problem])
        return self.runtimes[name]


def problems_of_runtimes(project: Project, source: Source, folder: Path) -> Iterator[Problem]:
    """What is wrong with the files that runtimes name."""
    for name, runtime in project.runtimes.items():
        problem = _problem_of(name, runtime, source, folder)
        if problem is not None:
            yield problem


def _problem_of(name: str, runtime: Runtime, source: Source, folder: Path) -> Problem | None:
    try:
        dockerfile(name, runtime, folder)
    except RuntimeRefused as refused:
        return source.problem(("runtimes", name, refused.key), str(refused))
    return None

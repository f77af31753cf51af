"""A runtime: the environment of notebooks, as it is declared."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictBool, StrictInt, Tag, model_validator

from nb_dagster.runtimes.words import (
    CudaVersion,
    Environment,
    ImageName,
    Package,
    PackagesFile,
    ProjectFile,
    PythonVersion,
    Registry,
    SystemPackage,
    UserName,
)

_Id: TypeAlias = Annotated[StrictInt, Field(gt=0, lt=2**31)]
KernelName: TypeAlias = Literal["python", "bash", "r"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, coerce_numbers_to_str=True)


class User(_Part):
    """Who notebooks run as; never root."""

    name: UserName = "nb"
    """The name."""
    uid: _Id = 1000
    """The number of the user."""
    gid: _Id | None = None
    """The number of the group; by default that of the user."""

    @property
    def group(self) -> int:
        """The number of the group."""
        return self.uid if self.gid is None else self.gid


def _is_file(given: Any) -> str:
    return "file" if isinstance(given, str) else "list"


def _is_version(given: Any) -> str:
    return "whether" if isinstance(given, bool) else "version"


_Packages: TypeAlias = Annotated[
    Annotated[list[Package], Tag("list")] | Annotated[PackagesFile, Tag("file")], Discriminator(_is_file)
]
_Gpu: TypeAlias = Annotated[
    Annotated[StrictBool, Tag("whether")] | Annotated[CudaVersion, Tag("version")], Discriminator(_is_version)
]


class Runtime(_Part):
    """The environment of notebooks, from which an image is built.

    Example:
        >>> Runtime(python="3.12", packages=["pandas>=2.1"])
    """

    image: ImageName | None = None
    """The image it starts from; by default that of its Python."""
    python: PythonVersion | None = None
    """The version of Python, by default 3.12; with an image, uv puts it in, else the image has its own."""
    system: list[SystemPackage] = []
    """Debian packages."""
    packages: _Packages = []
    """Python packages: a list, or a file: requirements.txt, uv.lock, pylock.toml, pyproject.toml."""
    installer: Literal["uv", "pip"] = "uv"
    """What installs Python packages."""
    kernels: Annotated[list[KernelName], Field(min_length=1)] = ["python"]
    """The kernels it has."""
    user: User = User()
    """Who notebooks run as."""
    gpu: _Gpu = False
    """A version of CUDA, whose image it starts from; true for the usual one, or for an own image with CUDA."""
    environment: Environment = {}
    """Variables, written into the image; no secrets."""
    template: ProjectFile | None = None
    """An own Jinja template of the Dockerfile, seen from the project file."""
    registry: Registry | None = None
    """Where the image is pushed, such as registry.example.com/team."""

    @model_validator(mode="after")
    def _fits(self) -> Runtime:
        if isinstance(self.gpu, str) and self.image is not None:
            raise ValueError(
                "gpu: with a version names NVIDIA's image, and image: another one; say gpu: true, or no image:"
            )
        if self.installer == "pip" and self.has_own_python:
            raise ValueError("the image has no pip for this Python; leave installer: out, uv brings Python too")
        if self.installer == "pip" and isinstance(self.packages, str) and not self.packages.endswith((".txt", ".in")):
            raise ValueError(f"pip does not install {self.packages}; leave installer: out, uv does")
        return self

    @property
    def base(self) -> str:
        """The image it starts from."""
        if self.image is not None:
            return self.image
        if self.gpu:
            return f"nvidia/cuda:{USUAL_CUDA if self.gpu is True else self.gpu}-runtime-ubuntu22.04"
        return f"python:{self.python_version}-slim"

    @property
    def python_version(self) -> str:
        """The version of Python where the image has not its own."""
        return self.python or USUAL_PYTHON

    @property
    def has_own_python(self) -> bool:
        """Whether Python is put into an image that came without, or with another."""
        return bool(self.python and self.image) or bool(self.gpu and not self.image)


USUAL_PYTHON = "3.12"
USUAL_CUDA = "12.6.3"

"""The JSON Schema of ``nb_dagster.yaml``, for editors: ``python -m nb_dagster.project.json_schema`` prints it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nb_dagster.project.schema import Project

SHIPPED = Path(__file__).parent / "nb_dagster.schema.json"
"""The schema as it comes with the package."""


def json_schema() -> dict[str, Any]:
    """The schema as the model has it now."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Project.model_json_schema()}


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))  # noqa: T201 - its purpose

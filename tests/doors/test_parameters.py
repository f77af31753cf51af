"""Whatever door a value comes through, it arrives as it was, or is refused before anything starts; none becomes code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

import nb_dagster as nbd
from nb_dagster.errors import RunRefused
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.run import NotebookRun
from nb_dagster.store.notebooks import NotebookStore
from tests.cli.command import as_json, nb_dagster
from tests.definitions.dagster_runs import DagsterRun, materialize
from tests.hostile import ATTACK, SNIPPETS
from tests.notebooks import write_notebook

PARAMETERS = "from typing import Any\ntext: str = ''\nmany: list[str] = []\nvalue: Any = None"
TELL = "nb.output('got', ascii([text, many, value]))"
VALUE = {ATTACK: [ATTACK, None, -0.0, 5e-324, 2**53 + 1, -(2**70), {"": {"class": True}}]}
SENT = {"text": ATTACK, "many": list(SNIPPETS), "value": VALUE}
WHOLE = {**SENT, "many": [each for each in SNIPPETS if each.isascii() and "\0" not in each]}


def told(sent: Mapping[str, Any]) -> str:
    """What the notebook says of the values that it got."""
    return ascii([sent["text"], sent["many"], sent["value"]])


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_notebook(tmp_path / "a.ipynb", TELL, parameters=PARAMETERS)


def got(run: DagsterRun, asset: str = "a") -> str:
    assert run.result.success
    value: str = run.result.output_for_node(f"{asset}__notebook")["got"]
    return value


def test_python(notebook: Path) -> None:
    assert nbd.run_notebook(notebook, SENT).outputs["got"] == told(SENT)
    assert not Path("pwned").exists()


def test_a_definition(notebook: Path, tmp_path: Path) -> None:
    run = materialize(tmp_path / "store", nbd.notebook_asset(notebook, params=WHOLE))
    assert got(run) == told(WHOLE)


def test_the_launchpad(notebook: Path, tmp_path: Path) -> None:
    run = materialize(tmp_path / "store", nbd.notebook_asset(notebook), config={"a": WHOLE})
    assert got(run) == told(WHOLE)
    assert not Path("pwned").exists()


def test_upstream_values(notebook: Path, tmp_path: Path) -> None:
    @dg.asset
    def sent() -> Any:
        return VALUE

    run = materialize(tmp_path / "store", sent, nbd.notebook_asset(notebook, ins={"value": "sent"}))
    assert got(run) == told({"text": "", "many": [], "value": VALUE})
    assert not Path("pwned").exists()


@pytest.mark.slow
def test_the_command_line(notebook: Path, tmp_path: Path) -> None:
    arguments = [f"text={ATTACK}", f"many={json.dumps(WHOLE['many'])}", f"value={json.dumps(VALUE)}"]
    done = nb_dagster("run", notebook, *(part for each in arguments for part in ("-p", each)), "--json", cwd=tmp_path)
    assert as_json(done)["outputs"]["got"] == told(WHOLE)
    assert not Path("pwned").exists()


@pytest.mark.slow
def test_a_file(notebook: Path, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(WHOLE))
    done = nb_dagster("run", notebook, "--params-file", "params.yaml", "--json", cwd=tmp_path)
    assert as_json(done)["outputs"]["got"] == told(WHOLE)


def test_an_output_that_dagster_would_read_as_something_else_is_handed_on(tmp_path: Path) -> None:
    handed = {"__class__": "DagsterRun", "a": {"__set__": [1]}}
    first = nbd.notebook_asset(write_notebook(tmp_path / "first.ipynb", f"nb.output('x', {handed})"))
    then = nbd.notebook_asset(
        write_notebook(tmp_path / "then.ipynb", "nb.output('got', ascii(nb.upstream['first'].outputs['x']))"),
        deps=[first],
    )
    run = materialize(tmp_path / "store", first, then)
    assert got(run, "then") == ascii(handed)
    assert "__class__" in run.values("first")["x"]


def test_a_partition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys = [
        "'; touch pwned #",
        '"$(touch pwned)`touch pwned`',
        "../../x",
        "a/../..",
        "%2e%2e",
        "\\",
        "🎉 {x} ${x}",
        "/etc/x",
    ]
    notebook = write_notebook(
        tmp_path / "a.ipynb",
        "nb.output('got', ascii([key_of(), nb.context.partition_key]))",
        parameters="partition_key = ''\ndef key_of(): return partition_key",
    )
    asset = nbd.notebook_asset(notebook, partitions_def=dg.StaticPartitionsDefinition(keys))
    keep = {"io_manager": dg.mem_io_manager}
    for key in keys:
        run = materialize(tmp_path / "store", asset, partition_key=key, resources=keep)
        assert got(run) == ascii([key, key])
    assert sorted(path.name for path in tmp_path.iterdir()) == [".nb_dagster", "a.ipynb", "store"]


def test_names_of_the_run(tmp_path: Path) -> None:
    notebook = write_notebook(
        tmp_path / "a.ipynb", "nb.output('got', ascii([run_id, workflow]))", parameters="run_id = ''\nworkflow = ''"
    )
    run_id, workflow = ATTACK, f"../../{ATTACK}"
    place = NotebookStore(tmp_path / "store").place(workflow, run_id=run_id, attempt=1, notebook="a")
    run = NotebookRun(notebook, output=place, cwd=tmp_path, run_id=run_id, workflow=workflow)
    assert BackgroundRun(run).result().outputs["got"] == ascii([run_id, workflow])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ipynb", "store"]


def test_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THIS_PROCESS", "looked up")
    environment: dict[str, Any] = {"A": ATTACK, "$(touch pwned)": "x", "B": dg.EnvVar("OF_THIS_PROCESS")}
    notebook = write_notebook(
        tmp_path / "a.ipynb", f"import os\nnb.output('got', [os.environ[n] for n in {[*environment]}])"
    )
    assert nbd.run_notebook(notebook, output=tmp_path / "out.ipynb", environment=environment).outputs["got"] == [
        ATTACK,
        "x",
        "looked up",
    ]


class TestRefused:
    """One sentence, and nothing was started or written."""

    def refusal(self, notebook: Path, params: Mapping[Any, Any] | None = None, **options: Any) -> str:
        before = sorted(notebook.parent.rglob("*"))
        with pytest.raises(RunRefused) as refused:
            nbd.run_notebook(notebook, params, output=notebook.with_name("out.ipynb"), **options)
        assert sorted(notebook.parent.rglob("*")) == before
        assert "\n" not in str(refused.value)
        return str(refused.value)

    @pytest.mark.parametrize(
        "name", ["x; import os", "text ", "text=1", "__builtins__", "os.system", "", "\n", "te\u200bxt", 3]
    )
    def test_a_name_that_is_not_declared(self, notebook: Path, name: Any) -> None:
        assert f"there is no parameter {name!r};" in self.refusal(notebook, {name: 1})

    def test_a_value_that_cannot_be_written_down(self, notebook: Path) -> None:
        deep: list[Any] = []
        for _ in range(100_000):
            deep = [deep]
        bomb: list[Any] = ["lol"]
        for _ in range(60):
            bomb = [bomb, bomb]
        for value in (deep, bomb, 10**5000, ["a"], b"x", float("nan"), dg.EnvVar("HOME")):
            assert "parameter 'text' must be str (line 2 of its parameters cell), not" in self.refusal(
                notebook, {"text": value}
            )
        for value in ([deep], ["a", 10**5000], [dg.EnvVar("HOME")]):
            assert "parameter 'many' must be list[str]" in self.refusal(notebook, {"many": value})

    def test_numbers_that_no_literal_has(self, tmp_path: Path) -> None:
        notebook = write_notebook(tmp_path / "n.ipynb", "1", parameters="n = 1\nx = 1.0\nd = {}")
        assert (
            "'n' must be int (line 1 of its parameters cell), not a whole number of thousands of digits"
            in self.refusal(notebook, {"n": 10**5000})
        )
        assert "which is too large" in self.refusal(notebook, {"x": 10**400})
        assert "more than 100 lists and dicts within each other" in self.refusal(
            notebook, {"d": {"a": json.loads("[" * 101 + "]" * 101)}}
        )

    @pytest.mark.parametrize(
        ("name", "value"),
        [("A=B", "x"), ("", "x"), ("A\0", "x"), ("A", "x\0"), ("A", 3), (3, "x"), ("\ud800", "x"), ("A", "\ud800")],
    )
    def test_a_variable_that_no_process_can_have(self, notebook: Path, name: Any, value: Any) -> None:
        said = self.refusal(notebook, environment={name: value})
        assert "environment:" in said
        assert "cannot be set" in said

    @pytest.mark.parametrize("key", ["__class__", "__enum__", "__set__", "__frozenset__", "__mapping_items__"])
    def test_a_dict_that_dagster_would_read_as_something_else(self, notebook: Path, key: str) -> None:
        with pytest.raises(RunRefused, match="Dagster reads it as a value of its own"):
            nbd.notebook_asset(notebook, params={"value": [{key: "x"}]})
        declared = "any: dict = {}\ntyped: dict[str, str] = {}\nmany: list[dict[str, str]] = []"
        op = nbd.notebook_op(write_notebook(notebook.with_name("b.ipynb"), "1", parameters=declared))
        for config in (
            {"any": {key: "x"}},
            {"any": {"a": [{key: "x"}]}},
            {"typed": {key: "x"}},
            {"many": [{key: "x"}]},
        ):
            with pytest.raises(dg.DagsterInvalidConfigError, match="Dagster reads it as a value of its own"):
                dg.validate_run_config(nbd.notebook_job("job", [op]), {"ops": {"b": {"config": config}}})

    def test_a_value_of_the_environment_is_in_no_message(self, notebook: Path) -> None:
        assert "hunter2" not in self.refusal(notebook, environment={"A": "hunter2\0"})
        assert "NOT_SET, which is not set" in self.refusal(notebook, environment={"A": dg.EnvVar("NOT_SET")})

    @pytest.mark.parametrize(
        "kernel", ["../../x", "/etc/x", "python3; touch pwned", "..", "x\0y", "n" * 5000, "python3\n"]
    )
    def test_a_kernel_that_is_no_name(self, notebook: Path, kernel: str) -> None:
        assert f"there is no kernel {kernel!r}" in self.refusal(notebook, kernel=kernel)

    @pytest.mark.parametrize("module", ["os; import x", "os,sys", "../x", "", ".", "os.", "-c", "os\n", "x\0y", 3])
    def test_a_preload_that_is_no_module(self, notebook: Path, module: Any) -> None:
        assert "is no module's name" in self.refusal(notebook, preload=[module])

    @pytest.mark.parametrize("where", ["file:x\0y", "file:" + "n" * 5000, "file:/", "env:A=B", "env:A\0"])
    def test_a_secret_that_is_nowhere(self, notebook: Path, where: str) -> None:
        assert "the secret 'A' is not there" in self.refusal(notebook, secrets={"A": where})

    @pytest.mark.parametrize("attempt", ["../../x", 0, -1, None, 1.5])
    def test_an_attempt_that_is_no_number(self, notebook: Path, attempt: Any) -> None:
        with pytest.raises(RunRefused, match="attempt is a whole number from 1"):
            BackgroundRun(NotebookRun(notebook, output=notebook.with_name("out.ipynb"), attempt=attempt))

    @pytest.mark.parametrize(
        "config",
        [
            {"x; import os": 1},
            {"text": ["a"]},
            {"text": {"env": "HOME"}},
            {"many": "a"},
            {"many": [{"a": 1}]},
            {"value": float("nan")},
        ],
    )
    def test_a_config_at_launch(self, notebook: Path, config: dict[str, Any]) -> None:
        job = nbd.notebook_job("job", [nbd.notebook_op(notebook)])
        with pytest.raises(dg.DagsterInvalidConfigError):
            dg.validate_run_config(job, {"ops": {"a": {"config": config}}})

"""A secret reaches the notebook, and nothing that the notebook leaves behind."""

import base64
import itertools
import json
import os
from pathlib import Path

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

import nb_dagster as nbd
from nb_dagster.errors import RunRefused
from nb_dagster.runner.background import BackgroundRun
from nb_dagster.runner.redaction import Redactor
from nb_dagster.runner.run import NotebookRun
from tests.notebooks import write_notebook

CANARY = 'Canary&42"\\/ü=='
LEAKS = """\
import base64, html, json, logging, subprocess, sys, urllib.parse, warnings
from IPython.display import display, HTML, JSON, Markdown
secret = nb.secret("TOKEN")
assert len(secret) == 15 and secret.startswith("Canary"), len(secret)
print("plain", secret, "end")
print(secret[:5], end="", flush=True)
import time; time.sleep(0.5)
print(secret[5:], flush=True)
print(*secret, sep="")
for character in secret: sys.stdout.write(character); sys.stdout.flush()
print(repr(secret), json.dumps({"a": secret}), urllib.parse.quote(secret, safe=""), html.escape(secret))
print(base64.b64encode(secret.encode()).decode(), base64.b64encode(b"user:" + secret.encode()).decode())
print(base64.urlsafe_b64encode(b"xy" + secret.encode() + b"!").decode(), file=sys.stderr)
subprocess.run([sys.executable, "-c", "import sys; print(sys.argv[1])", secret])
logging.getLogger("a").warning("logged %s", secret)
warnings.warn("warned " + secret)
display(HTML(f"<b>{html.escape(secret)}</b>"), Markdown(secret), JSON({"deep": [{secret: secret}]}))
nb.output("leaked", {"a": [secret]})
handle = display("x", display_id="d"); handle.update(secret)
secret
"""
FORMS = {
    CANARY,
    json.dumps(CANARY)[1:-1],
    base64.b64encode(CANARY.encode()).decode()[:12],
    base64.b64encode(b"user:" + CANARY.encode()).decode()[8:20],
    base64.urlsafe_b64encode(b"xy" + CANARY.encode() + b"!").decode()[4:16],
    "Canary%26",
    "Canary&amp;",
    "Canary&42",
}


@pytest.fixture(autouse=True)
def _canary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROD_TOKEN", CANARY)


def left_behind(*folders: Path) -> list[str]:
    """Files that have the secret in them, in any form; the databases included."""
    found = []
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        found += [f"{path.name}: {form}" for form in FORMS if form.encode() in content]
    return found


def test_nothing_that_a_run_leaves_has_the_secret(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "in/a.ipynb", LEAKS, "raise ValueError('no way: ' + secret)")
    run = NotebookRun(path, output=tmp_path / "out/a.ipynb", secrets={"TOKEN": "env:PROD_TOKEN"})
    background = BackgroundRun(run)
    told = repr(list(background.events()))
    result = background.result()
    assert result.status == "failed", result.reason
    assert result.error is not None
    assert result.error.message == "no way: [secret TOKEN]"
    assert [form for form in FORMS if form in told] == []
    assert left_behind(tmp_path / "out") == []
    executed = Path(result.executed_notebook).read_text(encoding="utf-8")
    assert executed.count("[secret TOKEN]") >= 15
    assert "plain [secret TOKEN] end" in executed


def test_nor_do_dagsters_logs_and_databases(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "in/a.ipynb", LEAKS, "raise ValueError('no way: ' + secret)")
    asset = nbd.notebook_asset(path, secrets={"TOKEN": dg.EnvVar("PROD_TOKEN")})
    home = tmp_path / "home"
    home.mkdir()
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        resources = nbd.resources(store=str(tmp_path / "store"))
        result = dg.materialize([asset], instance=instance, resources=resources, raise_on_error=False)
        assert not result.success
        assert "[secret TOKEN]" in repr(instance.all_logs(result.run_id))
        assert left_behind(home, tmp_path / "store") == []


def test_a_killed_runs_recovered_notebook_has_none_either(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", LEAKS + "\nimport os; os.kill(os.getpid(), 9)")
    run = NotebookRun(path, output=tmp_path / "out/a.ipynb", secrets={"TOKEN": "env:PROD_TOKEN"})
    result = BackgroundRun(run).result()
    assert result.status == "killed"
    assert left_behind(tmp_path / "out") == []


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n")
    path = write_notebook(tmp_path / "a.ipynb", "nb.output('length', len(nb.secret('TOKEN')))")
    secrets = {"TOKEN": f"file:{tmp_path / 'token'}"}
    assert nbd.run_notebook(path, output=tmp_path / "out.ipynb", secrets=secrets).outputs == {"length": 11}


def test_each_line_of_a_long_secret_is_one(tmp_path: Path) -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----"
    redactor = Redactor({"KEY": key})
    assert redactor.text("line hkiG9w0BAQEFAASC") == "line [secret KEY]"


@pytest.mark.parametrize(
    ("secrets", "sentence"),
    [
        ({"T": "env:NOT_SET"}, "the secret 'T' is not there: it should be in the environment variable NOT_SET"),
        ({"T": "file:/no/such"}, "the secret 'T' is not there: it should be in the file /no/such"),
        ({"T": "hunter2"}, "secrets: 'T' says where it is: 'env:NAME', 'file:PATH' or dg.EnvVar('NAME')"),
        ("PROD_TOKEN", "secrets is a list of names"),
        (["SHORT"], "the secret 'SHORT' has fewer than 4 characters"),
    ],
)
def test_what_is_no_secret_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str], sentence: str
) -> None:
    monkeypatch.setenv("SHORT", "abc")
    path = write_notebook(tmp_path / "a.ipynb", "1")
    with pytest.raises(RunRefused, match=f"^{path}: ") as refused:
        nbd.run_notebook(path, output=tmp_path / "out.ipynb", secrets=secrets)
    assert sentence in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert not (tmp_path / "out.ipynb").exists()


def test_a_secret_as_a_parameter_is_refused(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "1", parameters="token = ''")
    with pytest.raises(
        RunRefused, match="has the secret 'PROD_TOKEN' in it, and parameters are written down"
    ) as refused:
        nbd.run_notebook(path, {"token": f"x{CANARY}"}, output=tmp_path / "out.ipynb", secrets=["PROD_TOKEN"])
    assert CANARY not in str(refused.value)


def test_a_secret_that_is_not_declared_is_an_error_with_those_that_are(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "a.ipynb", "nb.secret('OTHER')")
    result = nbd.run_notebook(path, output=tmp_path / "out.ipynb", secrets=["PROD_TOKEN"])
    assert result.error is not None
    assert "the secrets of this workflow are: PROD_TOKEN" in result.error.message


def test_by_hand_a_secret_is_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    from nb_dagster import nb

    monkeypatch.delenv(nb.CONTEXT_VARIABLE, raising=False)
    assert nb.secret("PROD_TOKEN") == CANARY
    with pytest.raises(LookupError, match="in a notebook opened by hand it is the environment variable NOPE"):
        nb.secret("NOPE")


def stream(text: str) -> dict[str, object]:
    return {"msg_type": "stream", "content": {"name": "stdout", "text": text}}


@given(
    secret=st.text(alphabet="ab", min_size=4, max_size=8),
    before=st.text(alphabet="abc", max_size=20),
    after=st.text(alphabet="abc", max_size=20),
    cuts=st.lists(st.integers(0, 48), max_size=6),
)
def test_a_stream_in_any_pieces_shows_no_secret_and_loses_nothing_else(
    secret: str, before: str, after: str, cuts: list[int]
) -> None:
    whole = before + secret + after
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    redactor = Redactor({"S": secret})
    shown = ""
    for start, end in itertools.pairwise(edges):
        shown += "".join(each["content"]["text"] for each in redactor.messages(stream(whole[start:end])))
    shown += "".join(each["content"]["text"] for each in redactor.held())
    assert secret not in shown
    assert shown.replace("[secret S]", "").count("c") == whole.count("c")
    assert "[secret S]" in shown


def test_without_secrets_a_message_is_passed_as_it_is() -> None:
    message = stream("text")
    assert list(Redactor({}).messages(message)) == [message]
    assert os.environ["PROD_TOKEN"] == CANARY

"""What is wrong in a project file is said with its file, line and column, its key, and what was meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from nb_dagster import RunRefused
from tests.notebooks import write_notebook
from tests.project.projects import definitions, write_project


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(folder: Path, text: str) -> str:
    """The words, in which the file is called by its name alone; its first line is the notebook folder."""
    path = write_project(folder, text)
    with pytest.raises(RunRefused) as refused:
        definitions(Path(path.name))
    return str(refused.value)


KEYS = [
    ("workfows: {}", "nb_dagster.yaml:2:1: workfows: there is no such key; did you mean 'workflows'?"),
    ("defaults:\n  retires: 2", "nb_dagster.yaml:3:3: defaults.retires: there is no such key; did you mean 'retries'?"),
    ("workflows: {train: {colour: x}}", "workflows.train.colour: there is no such key; it is one of kind, tags,"),
    (
        "workflows: {train: {output_limits: {cels: 1}}}",
        "output_limits.cels: there is no such key; did you mean 'cell'?",
    ),
    ("executor: {threads: 3}", "executor.threads: there is no such key; it is one of max_concurrent"),
    ("workflows: {}", "workflows: expected"),
    ("name: my-shop", "name: 'my-shop' is no name for Dagster: letters, digits and _ make one, such as 'my_shop'"),
    ("workflows: {my-train: }", "workflows.my-train: 'my-train' is no name for Dagster"),
    ("workflows: {train: {timeout: soon}}", "workflows.train.timeout: expected a number, found the text 'soon'"),
    ("workflows: {train: {timeout: 0}}", "expected a number greater than 0, found 0"),
    ("workflows: {train: {kind: job}}", "workflows.train.kind: expected 'asset' or 'op', found the text 'job'"),
    ("workflows: {train: [1]}", "workflows.train: expected a mapping of keys to values, found [1]"),
    ("workflows: {train: {outs: rows}}", "workflows.train.outs: expected a list, found the text 'rows'"),
    ("workflows: {train: {retries: {delay: 3}}}", "workflows.train.retries: there is no count: in it, which it needs"),
    ("workflows: {train: {retries: {count: 1, jitter: full}}}", "backoff and jitter change the delay; say delay: too"),
    ("workflows: {train: {secrets: {DB: hunter2}}}", "workflows.train.secrets: 'DB' says where it is: 'env:NAME'"),
    ("a: 1\na: 2", "nb_dagster.yaml: it cannot be read as YAML: the text 'a' is in one mapping twice (line 3)"),
    ("name: [", "it cannot be read as YAML: while parsing a flow node"),
    ("name: !!python/name:os.system x", "could not determine a constructor for the tag"),
    ("name: &a [*a]", "it is nested too deep"),
]
SCHEDULES = [
    (
        'workflows: {train: {schedule: "0 0 6 * * *"}}',
        "workflows.train.schedule: '0 0 6 * * *' has 6 fields, and a cron here has five: minute hour day month weekday.",
    ),
    (
        'workflows: {train: {schedule: "0 0 6 * * *"}}',
        "Seconds and years have no field: where its first one is the seconds, write '0 6 * * *'",
    ),
    ('workflows: {train: {schedule: "0 6 * *"}}', "'0 6 * *' is no cron"),
    ('workflows: {train: {schedule: "0 6 30 2 *"}}', "'0 6 30 2 *' is no cron"),
    (
        'workflows: {train: {schedule: {cron: "0 6 * * *", timezone: Europe/Belrin}}}',
        "workflows.train.schedule.timezone: 'Europe/Belrin' is no time zone; did you mean 'Europe/Berlin'?",
    ),
    (
        "workflows:\n  train:\n    schedule: {timezone: UTC, every: 90x}",
        "nb_dagster.yaml:4:31: workflows.train.schedule.every: '90x' is no interval: a whole number with s, m, h or d",
    ),
    (
        "workflows: {train: {schedule: 90x}}",
        "workflows.train.schedule: '90x' is no interval: a whole number with s, m,",
    ),
    ("workflows: {train: {schedule: 1.5h}}", "'1.5h' is no interval: a whole number with s, m, h or d makes one, such"),
    ("workflows: {train: {schedule: 0s}}", "'0s' is too short: Dagster's daemon looks every 5 s, so that is the least"),
    ("workflows: {train: {schedule: 90}}", "train.schedule: 90 has no unit; write 90s where these are seconds"),
    ('workflows: {train: {schedule: {cron: "0 6 * * *", every: 90s}}}', "or every:, such as 90s; one of both"),
    ("workflows: {train: {schedule: {overlap: skip}}}", "workflows.train.schedule: a schedule has cron:, such as"),
    ("workflows: {train: {schedule: {every: 90s, repeat: 0}}}", "schedule.repeat: expected a number greater than 0"),
    (
        "workflows: {train: {schedule: {every: 90s, start: 2026-02-01, until: 2026-01-01}}}",
        "workflows.train.schedule: until (2026-01-01) is before start (2026-02-01), so it would never run",
    ),
    ("workflows: {train: {schedule: {every: 90s, until: soon}}}", "schedule.until: 'soon' is no day; write 2026-01-31"),
    ("workflows: {train: {schedule: {every: 90s, overlap: kill}}}", "overlap: expected 'skip', 'queue' or 'cancel'"),
    ("workflows: {train: {schedule: {every: 90s, catchup: some}}}", "catchup: expected 'none', 'last' or 'all'"),
    ("workflows: {train: {schedule: {every: 90s, overlap: cancel, catchup: all}}}", "cancel the one before; say queue"),
    ("workflows: {train: {partitions: {every: dayly, start: 2026-01-01}}}", "expected 'hourly', 'daily', 'weekly' or"),
    ("workflows: {train: {partitions: {every: daily}}}", "partitions in time have a start:, such as 2026-01-01"),
    ("workflows: {train: {partitions: {every: daily, start: monday}}}", "'monday' is no day; write 2026-01-31"),
    ("workflows: {train: {partitions: {values: [a], fills: {n: start}}}}", "by values have no start and no end"),
    ("workflows: {train: {partitions: {values: [a], fills: {m: key}}}}", "there is no parameter 'm'"),
]
GRAPHS = [
    (
        "workflows:\n  ingest:\n  train: {after: [ingst]}",
        "nb_dagster.yaml:4:11: workflows.train.after.ingst: there is no workflow 'ingst'; did you mean 'ingest'?",
    ),
    ("workflows: {train: {after: [raw/orders]}}", "an asset made elsewhere is named in external_assets"),
    ("workflows: {ingest: , train: {after: {ingest: row}}}", "there is no parameter 'row'; did you mean 'rows'?"),
    (
        "workflows: {split: {outs: [left, right], params: {rows: [1]}}, train: {after: {split: rows}}}",
        "split has the outputs left, right; say which: {left: rows}",
    ),
    ("workflows: {ingest: {outs: [rows]}, train: {after: {ingest: {raws: rows}}}}", "ingest declares no output 'raws'"),
    (
        "workflows:\n  train: {after: [report]}\n  report: {after: [train]}",
        "goes round in a circle: ",
    ),
    ("workflows: {train: {after: [train]}}", "goes round in a circle: train after train"),
    (
        "workflows: {train: {kind: op}, report: {after: [train]}}",
        "train is an op, a job of its own; nothing comes after",
    ),
    ("workflows: {train: {kind: op, checks: [a]}}", "workflows.train.checks: an op has no checks; an asset has"),
    ("workflows: {train: {for_each: {n: 3}}}", "for_each: expected a list of values of 'n', found 3"),
    ("workflows: {train: {for_each: {n: [1, 1]}}}", "another workflow is called train_1 too"),
    (
        "workflows: {train: {for_each: {n: [1]}}, train_1: {notebook: train.ipynb}}",
        "another workflow is called train_1",
    ),
    (
        "workflows: {split: {outs: [left, right], params: {rows: [1]}}, left: {notebook: train.ipynb}}",
        "another workflow makes the asset left too",
    ),
    (
        "workflows: {train: {for_each: {n: [1]}}, again: {notebook: train.ipynb, for_each: {n: [2]}, after: [train]}}",
        "no item of train has the values of again_2: {'n': 2}",
    ),
]
TRIGGERS = [
    (
        "workflows:\n  ingest:\n  train:\n    after: [ingest]\n    trigger: {upstream: [ingst]}",
        "nb_dagster.yaml:6:15: workflows.train.trigger.upstream: 'ingst' is not in after; did you mean 'ingest'?",
    ),
    (
        "workflows: {train: {trigger: {upstream: [ingest]}}}",
        "trigger.upstream: 'ingest' is not in after; what starts it comes before it: name it in after: too",
    ),
    ("workflows: {train: {trigger: {file: a}}}", "train.trigger.file: there is no such key; did you mean 'files'?"),
    (
        "workflows: {train: {trigger: eagre}}",
        "workflows.train.trigger: expected 'eager', 'on_missing' or 'on_cron', found",
    ),
    (
        "workflows: {train: {trigger: {settle: 3}}}",
        "a trigger has files: (a pattern such as incoming/*.csv), upstream:",
    ),
    ("workflows: {train: {trigger: {automation: eager, settle: 3}}}", "settle is of files that arrive; say files: too"),
    (
        "workflows: {train: {trigger: {files: a, at_most: 0}}}",
        "trigger.at_most: expected a number greater than 0, found",
    ),
    ("workflows: {train: {trigger: on_cron}}", "automation: on_cron and cron: go together, such as cron: '0 6 * * *'"),
    (
        "workflows: {train: {trigger: {files: s4://b/*}}}",
        "s4:// is no kind of place; there are s3://",
    ),
    (
        "workflows: {train: {trigger: {files: a, fills: m}}}",
        "workflows.train.trigger.fills: notebooks/train.ipynb: there is no parameter 'm'",
    ),
    (
        "workflows: {train: {kind: op, trigger: eager}}",
        "workflows.train.trigger: an op is no asset, so nothing tells when it is due; make it an asset, or give it files:",
    ),
    (
        "workflows: {train: {partitions: {values: [a]}, trigger: {files: a}}}",
        "trigger.files: a run for each file has no partition; leave out partitions",
    ),
]
TARGETS = "notifications: {targets: {team: env:HOOK}}"
NOTIFY = [
    (
        f"{TARGETS}\nworkflows:\n  train: {{notify: [taem]}}",
        "nb_dagster.yaml:4:11: workflows.train.notify: there is no target 'taem'; did you mean 'team'?",
    ),
    (
        f"{TARGETS}\ndefaults:\n  notify: {{success: taem}}\nworkflows: {{train: , report: }}",
        "nb_dagster.yaml:4:3: defaults.notify: there is no target 'taem'; did you mean 'team'?",
    ),
    (
        "workflows: {train: {notify: team}}",
        "there is no target 'team'; name it in the project: notifications: {targets: {team: env:NAME}}",
    ),
    (
        f"{TARGETS}\nworkflows: {{train: {{notify: {{on: team}}}}}}",
        "notify.on: there is no such key; it is one of failure",
    ),
    (
        "notifications: {targets: {team: 'jsons://user:hunter22@example.com/hook'}}\nworkflows: {train: }",
        "notifications.targets.team: an address with a secret in it (a password, a token, a header) does not belong into",
    ),
    (
        "notifications: {targets: {team: 'jsons://example.com/hook?+Authorization=hunter22'}}\nworkflows: {train: }",
        "put it into an environment variable and say env:NAME, or into a file and say file:PATH",
    ),
    (
        "notifications: {targets: {team: '#hunter22'}}\nworkflows: {train: }",
        "notifications.targets.team: notifications: a target is no address that apprise knows (it has no ://",
    ),
]
PARAMETERS = [
    (
        "workflows: {train: {params: {m: 3}}}",
        "workflows.train.params.m: notebooks/train.ipynb: there is no parameter 'm'",
    ),
    (
        "workflows: {train: {params: {n: 010}}}",
        "parameter 'n' must be int (line 1 of its parameters cell), not the text",
    ),
    (
        "workflows: {train: {for_each: {n: [x]}}}",
        "workflows.train.for_each.n: notebooks/train.ipynb: parameter 'n' must be",
    ),
    (
        "parameters: {shaer: 1}\nworkflows: {train: }",
        "parameters.shaer: no notebook declares it; did you mean 'share'?",
    ),
    (
        "parameters: {share: x}\nworkflows: {train: }",
        "nb_dagster.yaml:2:14: parameters.share: notebooks/train.ipynb: par",
    ),
    (
        "workflows: {ingest: , train: {params: {rows: 1}, after: {ingest: rows}}}",
        "workflows.train.after.ingest: 'rows' is filled here, and has a value in params too",
    ),
    (
        "workflows: {trian: }",
        "workflows.trian: there is no notebook trian.ipynb in notebooks; did you mean 'train.ipynb'?",
    ),
]


@pytest.mark.parametrize(("text", "words"), [*KEYS, *SCHEDULES, *GRAPHS, *TRIGGERS, *NOTIFY, *PARAMETERS])
def test_it_says_where_what_and_what_else(tmp_path: Path, text: str, words: str) -> None:
    said = refusal(tmp_path, text)
    assert "hunter2" not in said
    assert words in said
    assert all(line.startswith("nb_dagster.yaml") for line in said.splitlines())


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("notebook", "notebooks: there is no folder notebook"),
        ("s3://bucket/a", "cannot be listed; name them under workflows"),
    ],
)
def test_a_folder_without_notebooks_to_list_is_refused(tmp_path: Path, folder: str, words: str) -> None:
    (tmp_path / "nb_dagster.yaml").write_text(f"notebooks: {folder}\n", encoding="utf-8")
    with pytest.raises(RunRefused, match=words):
        definitions(Path("nb_dagster.yaml"))


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    said = refusal(tmp_path, "nam: x\nworkflows:\n  train:\n    timeout: x\n    retires: 3\n")
    assert [line.split(": ")[0] for line in said.splitlines()] == [
        "nb_dagster.yaml:2:1",
        "nb_dagster.yaml:5:5",
        "nb_dagster.yaml:6:5",
    ]


def test_what_a_notebook_says_wrong_is_said_of_the_notebook(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "notebooks/train.ipynb", "1", parameters="n = 1")
    path.write_text(
        path.read_text().replace('"metadata": {"kern', '"metadata": {"nb_dagster": {"timout": 3}, "kern', 1)
    )
    with pytest.raises(RunRefused) as refused:
        definitions(Path("notebooks"))
    assert str(refused.value) == (
        "notebooks/train.ipynb: metadata.nb_dagster.timout: there is no such key; did you mean 'timeout'?"
    )


def test_what_a_file_says_once_it_may_mean_again(tmp_path: Path) -> None:
    text = "workflows:\n  train: &common {timeout: 3}\n  report: *common\n"
    assert definitions(write_project(tmp_path, text))


def test_aliases_that_mean_a_million_values_are_refused(tmp_path: Path) -> None:
    lines = [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 8)]
    assert "aliases that mean more than 100,000 values" in refusal(tmp_path, "\n".join(["x0: &x0 [1]", *lines]))


@pytest.mark.parametrize("raw", [b"\xff\xfe\x00", b"[1, 2]", b"name: 3"])
def test_what_is_no_project_file_is_refused_in_one_line(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "nb_dagster.yaml").write_bytes(raw)
    with pytest.raises(RunRefused, match=r"^[^\n]*nb_dagster.yaml[^\n]*$"):
        definitions(tmp_path)

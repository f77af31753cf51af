"""An address with a token in it is in nothing that sending leaves behind, whether the message is taken or not."""

import logging
from pathlib import Path

import dagster as dg
import pytest

import nb_dagster as nbd
from tests.notebooks import write_notebook
from tests.notifications.deployment import Deployment
from tests.notifications.servers import service

CANARY = "Canary42token"


@pytest.mark.parametrize("answer", [200, 500])
@pytest.mark.parametrize("is_reference", [True, False])
def test_nothing_has_the_address(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    answer: int,
    is_reference: bool,
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/dagster.yaml").write_text("telemetry: {enabled: false}\n")
    train = nbd.notebook_asset(write_notebook(tmp_path / "train.ipynb", "1 / 0"))
    with service(answer) as hook, dg.DagsterInstance.from_config(str(tmp_path / "home")) as instance:
        url = f"json://me:{CANARY}@127.0.0.1:{hook.port}/{CANARY}?+X-Token={CANARY}"
        monkeypatch.setenv("HOOK", url)
        caplog.set_level(logging.INFO)
        down = url.replace(str(hook.port), "9")
        targets = ["env:HOOK"] if is_reference else [url, down]
        deployed = Deployment(tmp_path, train, rules=[nbd.Notify(targets)], instance=instance)
        run_id = deployed.run()
        said = [deployed.tick(), deployed.cursor, repr(deployed.sensor), repr(deployed.sensor.description)]
        assert hook.asked == 1
        assert len(deployed.log(run_id)) == len(targets)
    printed = capfd.readouterr()
    assert CANARY not in " ".join(map(str, [*said, caplog.text, printed.out, printed.err]))
    left = [path for path in tmp_path.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert left == []

"""The page of an executed notebook goes with a message, up to a size."""

from pathlib import Path

import pytest

import nb_dagster as nbd
from nb_dagster.notifications import attachments
from tests.notebooks import write_notebook
from tests.notifications.deployment import Deployment
from tests.notifications.servers import Mailbox


def deploy(folder: Path, mail: Mailbox, *names: str) -> Deployment:
    assets = [nbd.notebook_asset(write_notebook(folder / f"{name}.ipynb", "print('before')\n1 / 0")) for name in names]
    return Deployment(folder, *assets, rules=[nbd.Notify([mail.url], attach_page=True)])


def test_the_page_shows_what_the_notebook_did(tmp_path: Path, mail: Mailbox) -> None:
    deployed = deploy(tmp_path, mail, "train")
    deployed.run()
    deployed.tick()
    ((page,),) = [list(each.iter_attachments()) for each in mail.mails]
    assert page.get_filename() == "train.html"
    assert "before" in page.get_content()
    assert "ZeroDivisionError" in page.get_content()
    assert "<script" not in page.get_content()


def test_of_many_notebooks_three_go_along(tmp_path: Path, mail: Mailbox) -> None:
    deployed = deploy(tmp_path, mail, *"abcd")
    deployed.run()
    deployed.tick()
    assert len(list(mail.mails[0].iter_attachments())) == 3


def test_one_that_is_too_large_is_left_out_and_the_message_says_so(
    tmp_path: Path, mail: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "MAX_PAGE", 1000)
    deployed = deploy(tmp_path, mail, "train")
    deployed.run()
    deployed.tick()
    (received,) = mail.mails
    assert list(received.iter_attachments()) == []
    html = received.get_body(("html",))
    assert html is not None
    assert "page not attached</b>: train: its page has" in html.get_content()


def test_one_that_is_gone_is_left_out_and_the_message_is_sent(tmp_path: Path, mail: Mailbox) -> None:
    deployed = deploy(tmp_path, mail, "train")
    deployed.run()
    (executed,) = (tmp_path / "store/train").glob("*/train.ipynb")
    executed.unlink()
    deployed.tick()
    html = mail.mails[0].get_body(("html",))
    assert html is not None
    assert "there is no notebook of it that can be read here" in html.get_content()
    assert "ZeroDivisionError" in html.get_content()

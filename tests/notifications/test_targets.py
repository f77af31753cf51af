"""Each service is sent a message in the form it takes, and what does not arrive is told in words without the address."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest

import nb_dagster as nbd
from nb_dagster.errors import RunRefused
from nb_dagster.notifications import slack, targets
from nb_dagster.notifications.message import Line, Message, NotDelivered, Page
from nb_dagster.notifications.targets import Target, targets_of
from tests.notifications.servers import HANG, Mailbox, Service, form, instead_of_the_internet, service

REASON = "cell 3 (x < `y`), line 1: ValueError: <b>no</b> *way*"
MESSAGE = Message(
    "train failed",
    [Line("reason", REASON), Line("page", "the executed notebook", "http://pages.example/train/")],
    is_bad=True,
)
PAGE = Page("train.html", b"<!doctype html><p>the page</p>")
WITH_PAGE = Message(MESSAGE.title, MESSAGE.lines, is_bad=True, pages=[PAGE])
SLACK_WEBHOOK = "https://hooks.slack.com/services/T0123ABCD/B0123ABCD/aBcDeFgHiJkLmNoPqRsTuVwX"
SLACK_BOT = "slack://xoxb-1234567890-1234567890-4ddbc191d40ee098cbaae6f3/#ops"
DISCORD = "https://discord.com/api/webhooks/000000000000000000/abcdefgh"
TEAMS = "workflows://prod-1.example.com:443/aWorkflow/aSignature"


def send(url: str, message: Message = MESSAGE) -> str:
    (target,) = targets_of([url])
    return target.send(message)


class TestServices:
    def test_a_webhook_is_sent_json(self, webhook: Service) -> None:
        assert send(webhook.url) == ""
        (body,) = webhook.bodies()
        assert (body["title"], body["type"]) == ("train failed", "failure")
        assert body["message"] == f"reason: {REASON}\npage: http://pages.example/train/"

    def test_a_webhook_is_sent_the_page(self, webhook: Service) -> None:
        assert send(webhook.url, WITH_PAGE) == ""
        (attached,) = webhook.bodies()[0]["attachments"]
        assert attached["filename"] == "train.html"
        assert base64.b64decode(attached["base64"]) == PAGE.content

    def test_slack_is_sent_its_own_markdown(self, webhook: Service) -> None:
        with instead_of_the_internet(webhook):
            assert send(SLACK_WEBHOOK) == ""
        ((path, _),) = webhook.taken
        assert path.startswith("/hooks.slack.com/services/T0123ABCD/B0123ABCD/")
        (shown,) = webhook.bodies()[0]["attachments"]
        assert shown["title"] == "train failed"
        assert "&lt;b&gt;no&lt;/b&gt; *way*`" in shown["text"]
        assert "<http://pages.example/train/|the executed notebook>" in shown["text"]

    def test_a_webhook_of_slack_takes_no_page_and_says_so(self, webhook: Service) -> None:
        with instead_of_the_internet(webhook):
            assert send(SLACK_WEBHOOK, WITH_PAGE) == "this service takes no files here; the page was not attached"
        assert len(webhook.taken) == 1

    def test_discord_is_sent_content(self, webhook: Service) -> None:
        with instead_of_the_internet(webhook):
            assert send(DISCORD) == ""
        content = webhook.bodies()[0]["content"]
        assert content.startswith("train failed")
        assert REASON in content

    def test_discord_is_sent_the_page(self, webhook: Service) -> None:
        with instead_of_the_internet(webhook):
            assert send(DISCORD, WITH_PAGE) == ""
        assert any("the page" in body for _, body in webhook.taken)

    def test_teams_is_sent_a_card(self, webhook: Service) -> None:
        with instead_of_the_internet(webhook):
            assert send(TEAMS) == ""
        ((path, body),) = webhook.taken
        assert path.startswith("/prod-1.example.com:443/workflows/aWorkflow/")
        assert "AdaptiveCard" in body
        assert "[the executed notebook](http://pages.example/train/)" in body

    def test_mail_is_sent_as_html_and_as_text_with_the_page(self, mail: Mailbox) -> None:
        assert send(mail.url, WITH_PAGE) == ""
        (received,) = mail.mails
        assert received["Subject"] == "train failed"
        assert received["To"] == "ops@example.com"
        html, text = received.get_body(("html",)), received.get_body(("plain",))
        assert html is not None
        assert "&lt;b&gt;no&lt;/b&gt; *way*" in html.get_content()
        assert '<a href="http://pages.example/train/">the executed notebook</a>' in html.get_content()
        assert text is not None
        (attached,) = received.iter_attachments()
        assert attached.get_filename() == "train.html"
        assert "the page" in attached.get_content()


class TestSlackWithFiles:
    @pytest.fixture(autouse=True)
    def _here(self, webhook: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(slack, "API", f"http://127.0.0.1:{webhook.port}/api/")

    def test_a_bot_posts_the_message_and_uploads_the_page_under_it(self, webhook: Service) -> None:
        assert send(SLACK_BOT, WITH_PAGE) == ""
        paths = [path for path, _ in webhook.taken]
        assert paths == [
            "/api/chat.postMessage",
            "/api/files.getUploadURLExternal",
            "/upload",
            "/api/files.completeUploadExternal",
        ]
        posted, asked, uploaded, completed = [body for _, body in webhook.taken]
        assert "**train failed**" in json.loads(posted)["markdown_text"]
        assert json.loads(posted)["channel"] == "#ops"
        assert form(asked)["filename"] == "train.html"
        assert uploaded.encode() == PAGE.content
        assert (form(completed)["channel_id"], form(completed)["thread_ts"]) == ("C0123", "1.2")

    def test_a_page_that_is_not_taken_does_not_send_the_message_again(self, webhook: Service) -> None:
        webhook.answers = [200, 500]
        assert send(SLACK_BOT, WITH_PAGE).startswith("Slack did not take the page (")
        assert [path for path, _ in webhook.taken] == ["/api/chat.postMessage"]

    def test_a_message_that_is_not_taken_is_told(self, webhook: Service) -> None:
        webhook.answers = [500]
        with pytest.raises(NotDelivered, match="Slack") as caught:
            send(SLACK_BOT, WITH_PAGE)
        assert "xoxb" not in str(caught.value)


class TestWhatDoesNotArrive:
    def test_a_server_that_fails_is_told_with_its_status(self) -> None:
        with service(500) as failing, pytest.raises(NotDelivered, match="error=500"):
            send(failing.url)

    def test_a_server_that_is_down_is_told_without_its_address(self) -> None:
        with pytest.raises(NotDelivered, match="Connection error") as caught:
            send("json://me:hunter22@127.0.0.1:9/hooks/s3cretPath?+X-Token=s3cretHeader")
        assert not {"hunter22", "s3cret", "127.0.0.1"} & {*str(caught.value).replace("/", " ").split()}

    def test_whatever_a_client_says_is_told_without_the_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        url = "json://me:hunter%2022@hook.example/s3cretPath?+X-Token=s3cretHeader"

        def fail(*_: object, **options: object) -> None:
            raise ValueError(f"cannot open {url}: hunter 22, s3cretPath")

        monkeypatch.setattr("apprise.Apprise.notify", fail)
        with pytest.raises(NotDelivered, match="ValueError: cannot open") as caught:
            send(url)
        assert not [part for part in ("hunter", "s3cret", "hook.example") if part in str(caught.value)]

    def test_a_server_that_hangs_is_not_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(targets, "TIMEOUT", 0.5)
        started = time.monotonic()
        with service(HANG) as hanging, pytest.raises(NotDelivered, match="did not finish within"):
            send(hanging.url)
        assert time.monotonic() - started < 4

    def test_a_mail_server_that_is_down_is_told(self) -> None:
        with pytest.raises(NotDelivered):
            send("mailto://localhost:9/ops@example.com?from=nb@example.com&smtp=127.0.0.1")


class TestReferences:
    def test_an_address_is_looked_up_when_a_message_is_sent(
        self, webhook: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        by_name, by_file = targets_of(["env:HOOK", f"file:{tmp_path / 'hook'}"])
        monkeypatch.setenv("HOOK", webhook.url)
        (tmp_path / "hook").write_text(f"{webhook.url}\n")
        by_name.send(MESSAGE)
        by_file.send(MESSAGE)
        assert webhook.titles() == ["train failed", "train failed"]

    def test_one_that_is_not_there_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("HOOK", raising=False)
        with pytest.raises(RunRefused, match="it should be in the environment variable HOOK"):
            send("env:HOOK")

    def test_one_that_is_no_address_is_told_without_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOOK", "s3cretToken")
        with pytest.raises(RunRefused, match="env:HOOK is no address that apprise knows") as caught:
            send("env:HOOK")
        assert "s3cretToken" not in str(caught.value)

    def test_logs_know_an_address_by_its_reference_or_service(self) -> None:
        given = ["env:HOOK", "json://one.example/s3cret", SLACK_WEBHOOK, "json://two.example/s3cret"]
        labels = [target.label for target in targets_of(given)]
        assert labels == ["env:HOOK", "json", "slack", "json 2"]

    def test_an_address_is_not_in_what_python_shows_of_a_target(self) -> None:
        assert "s3cret" not in repr(Target("json", "json://one.example/s3cret"))


class TestFolder:
    def test_a_message_is_a_file_of_markdown_beside_its_pages(self, tmp_path: Path) -> None:
        assert send(f"folder:{tmp_path / 'messages'}", WITH_PAGE) == ""
        page, written = sorted((tmp_path / "messages").iterdir(), key=lambda path: path.suffix)
        assert page.name == f"{written.stem}.train.html"
        assert page.read_bytes() == PAGE.content
        assert written.name.endswith("Z-train-failed.md")
        title, _, reason, *_ = written.read_text(encoding="utf-8").splitlines()
        assert title == "# train failed"
        assert reason.startswith("**reason**: `cell 3 (x < 'y'), line 1: ValueError: <b>no</b> *way*`")

    def test_each_message_has_its_own(self, tmp_path: Path) -> None:
        for _ in range(3):
            send(f"folder:{tmp_path}")
        assert len(list(tmp_path.iterdir())) == 3

    def test_no_title_leads_out_of_it(self, tmp_path: Path) -> None:
        send(f"folder:{tmp_path / 'in'}", Message("../../out\n# forged", [], pages=[Page("../../page.html", b"")]))
        assert [path.parent for path in tmp_path.rglob("*.*")] == [tmp_path / "in"] * 2
        (written,) = (tmp_path / "in").glob("*.md")
        assert written.read_text(encoding="utf-8").startswith("# ../../out # forged\n\n")

    def test_one_that_cannot_be_written_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(NotDelivered, match=r"the folder cannot be written \((File exists|Not a directory)\)"):
            send(f"folder:{tmp_path / 'file'}")

    def test_one_without_a_path_is_refused(self) -> None:
        with pytest.raises(RunRefused, match="folder: is followed by the path of a folder"):
            nbd.notification_sensor(nbd.Notify(["folder:"]))


@pytest.mark.parametrize("wrong", ["#ops", "slack", "https://example.com/hook", "nope://x/y", "slack://x", ""])
def test_a_target_that_is_none_is_refused_by_the_definition(wrong: str) -> None:
    with pytest.raises(RunRefused, match="is no address that apprise knows") as caught:
        nbd.notification_sensor(nbd.Notify([wrong]))
    assert "/hook" not in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"targets": "env:A"}, "targets is a list with something in it, not a text"),
        ({"targets": []}, "targets is a list"),
        ({"targets": ["env:A"], "on": "failure"}, "on is a list with something in it, not 'failure'"),
        (
            {"targets": ["env:A"], "on": ["broken"]},
            "on is a list of success, failure, retry, skip, cancel, missed; 'broken'",
        ),
        ({"targets": ["env:A"], "workflows": "train"}, "workflows is a list"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_by_the_definition(rule: dict[str, object], words: str) -> None:
    with pytest.raises(RunRefused, match=words):
        nbd.Notify(**rule)  # type: ignore[arg-type]


def test_no_rule_at_all_is_refused() -> None:
    with pytest.raises(RunRefused, match="rules"):
        nbd.notification_sensor()

"""What a message says stays short, and text from a notebook stays text."""

from nb_dagster.notifications.ends import End
from nb_dagster.notifications.message import MAX_BODY, Message, message_of


def message(*ends: End) -> Message:
    return message_of("failure", ends, job="nightly", run_id="1a2b3c4d", key="1a2b3c4d/failure", ui=None, pages=[])


def end(name: str = "train", reason: str = "boom", **parameters: str) -> End:
    return End(name, "failure", "failed", reason, 1, 2.0, parameters)


def test_a_long_reason_is_cut() -> None:
    assert len(message(end(reason="x" * 10_000)).text()) < 500


def test_long_parameters_are_cut() -> None:
    assert len(message(end(text="x" * 10_000)).text()) < 500


def test_many_ends_are_counted_where_there_is_no_room() -> None:
    told = message(*(end(f"train_{n}", "x" * 200) for n in range(100)))
    assert len(told.text()) < MAX_BODY + 200
    assert " more\nrun: 1a2b3c4d" in told.text()
    assert told.title == "nightly: train_0, train_1, train_2 and 97 more failed"


def test_text_of_a_notebook_calls_nobody_up() -> None:
    told = message(end(reason="@everyone look: <@12345> and @here, ask a@b.example"))
    for form in (told.text(), told.markdown(), told.html()):
        assert not any(each in form for each in ("@everyone", "@here", "@12345"))
        assert "a@b.example" in form


def test_text_of_a_notebook_is_no_markup() -> None:
    told = message(end(reason="`[here](http://evil.example)` <script>alert(1)</script>"))
    assert "`'[here](http://evil.example)' <script>alert(1)</script>`" in told.markdown()
    assert "&lt;script&gt;" in told.html()

"""Messages with files to Slack, by Slack's own client: apprise's webhooks take no files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nb_dagster.errors import RunRefused
from nb_dagster.notifications.message import Message, NotDelivered

API = "https://slack.com/api/"
_TIMEOUT = 8  # seconds a request; there are four


def send_with_files(token: str, channels: Sequence[str], message: Message) -> str:
    """Send a message to channels, its pages in a thread under it.

    Args:
        token: a bot's, with ``chat:write`` and ``files:write``.
        channels: names or ids.
        message: what is sent.

    Returns:
        Which pages could not be attached, and why; mostly nothing.

    Raises:
        NotDelivered: a channel did not take the message.
        RunRefused: Slack's client is not installed.
    """
    try:
        from slack_sdk import WebClient
    except ImportError:
        raise RunRefused("files for Slack need slack_sdk: pip install 'nb_dagster[notifications]'") from None
    client = WebClient(token, base_url=API, timeout=_TIMEOUT)
    told = [_send(client, channel, message) for channel in channels]
    return " ".join(filter(None, told))


def _send(client: Any, channel: str, message: Message) -> str:
    from slack_sdk.errors import SlackApiError

    try:
        posted = client.chat_postMessage(channel=channel, markdown_text=f"**{message.title}**\n\n{message.markdown()}")
    except (SlackApiError, OSError) as error:
        raise NotDelivered(_words(error)) from None
    try:
        files = [{"filename": page.name, "content": page.content, "title": page.name} for page in message.pages]
        client.files_upload_v2(file_uploads=files, channel=posted["channel"], thread_ts=posted["ts"])
    except Exception as error:  # the message is there: to send it again for its files would tell it twice
        return f"Slack did not take the page ({_words(error)})"
    return ""


def _words(error: Exception) -> str:
    """What Slack says, in its own word; the client's text has the whole answer in it."""
    answer = getattr(error, "response", None)
    said = answer.get("error") if answer is not None else None
    return f"Slack says {said}" if said else f"Slack could not be reached ({type(error).__name__})"

"""Where messages go, by URL, of which apprise knows the services, or into a folder."""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nb_dagster.errors import RunRefused
from nb_dagster.notifications.folder import SCHEME, put
from nb_dagster.notifications.message import Message, NotDelivered
from nb_dagster.runner.secrets import look_up, references

TIMEOUT = 10.0
"""Seconds a target has to take a message."""
_SHORTEST = 4  # of a part of a URL that is hidden: to hide what is shorter would hide everything
_NO_FILES = "this service takes no files here; the page was not attached"


@dataclass(frozen=True)
class Target:
    """Where messages go.

    Attributes:
        label: what it is called in logs.
        where: its URL, a secret; or ``env:NAME`` or ``file:PATH``, where that is; or ``folder:PATH``.
    """

    label: str
    where: str = field(repr=False)

    def send(self, message: Message) -> str:
        """Send a message.

        Returns:
            What did not go as it should though it was delivered; mostly nothing.

        Raises:
            NotDelivered: it was not taken, or not within :data:`TIMEOUT`.
            RunRefused: it is no URL of a service, or is not where it should be.
        """
        url = self._url()
        if url.startswith(SCHEME):
            put(message, Path(url.removeprefix(SCHEME)))
            return ""
        service = _service(url, self.label)
        try:
            if message.pages and _is_slack_bot(service):
                from nb_dagster.notifications.slack import send_with_files

                return send_with_files(service.access_token, service.channels, message)
            return _send(service, message)
        except Exception as error:  # a service's client raises what it likes, the URL in it
            words = str(error) if isinstance(error, NotDelivered) else f"{type(error).__name__}: {error}"
            raise NotDelivered(_without(url, words)) from None

    def _url(self) -> str:
        return (
            look_up({self.label: self.where}, "notifications")[self.label] if _is_reference(self.where) else self.where
        )


def targets_of(given: Sequence[str]) -> Iterator[Target]:
    """The targets that a definition names.

    Args:
        given: URLs, or references to URLs, which are looked up when a message is sent.

    Raises:
        RunRefused: one is neither, or apprise is not installed.
    """
    counts: dict[str, int] = {}
    for each in given:
        if isinstance(each, str) and each.startswith(SCHEME):
            yield Target(each, _folder(each))
            continue
        if importlib.util.find_spec("apprise") is None:
            raise RunRefused("notifications need apprise: pip install 'nb_dagster[notifications]'")
        if getattr(each, "env_var_name", None) is not None or _is_reference(each):
            where = references({"target": each}, "notifications")["target"]
            yield Target(where, where)
            continue
        label = str(_service(each, "a target").service_name).lower()
        counts[label] = number = counts.get(label, 0) + 1
        yield Target(label if number == 1 else f"{label} {number}", each)


def check_plain(where: str) -> None:
    """See that a target can stand in a file that many read: a reference, or an address without any secret in it.

    Raises:
        RunRefused: it has one, or is no address.
    """
    if _is_reference(where):
        return
    next(targets_of([where]))
    if where.startswith(SCHEME):
        return
    service = _service(where, "a target")
    has_header = re.search(r"[?&](\+|%2B)", where, re.IGNORECASE) is not None
    if has_header or service.url(privacy=True) != service.url(privacy=False):
        raise RunRefused(
            "an address with a secret in it (a password, a token, a header) does not belong into this file; "
            "put it into an environment variable and say env:NAME, or into a file and say file:PATH"
        )


def _is_reference(text: str) -> bool:
    return isinstance(text, str) and text.startswith(("env:", "file:"))


def _folder(where: str) -> str:
    if not where.removeprefix(SCHEME).strip() or "\0" in where:
        raise RunRefused(
            "notifications: folder: is followed by the path of a folder, as in folder:.nb_dagster/messages"
        )
    return where


def _service(url: str, label: str) -> Any:
    """What apprise makes of a URL."""
    import apprise

    asset = apprise.AppriseAsset(app_id="nb_dagster", app_desc="nb_dagster", app_url="", image_url_mask=None)
    service = apprise.Apprise.instantiate(url, asset=asset) if isinstance(url, str) else None
    if service is None:
        raise RunRefused(
            f"notifications: {label} is no address that apprise knows ({_scheme(url)}…): "
            "slack://, discord://, workflows:// (Teams), mailtos://, json:// or jsons:// (any webhook), "
            "folder:PATH, or env:NAME or file:PATH, where such an address is"
        )
    return service


def _scheme(url: object) -> str:
    scheme, mark, _ = str(url).partition("://")
    return f"{scheme}://" if mark and scheme.isalnum() else "it has no ://"


def _is_slack_bot(service: Any) -> bool:
    return bool(getattr(service, "mode", None) == "bot" and getattr(service, "access_token", None))


def _send(service: Any, message: Message) -> str:
    import apprise
    from apprise.attachment.memory import AttachMemory

    formats = service.notify_format if isinstance(service.notify_format, tuple) else (service.notify_format,)
    bodies = {"html": message.html, "markdown": message.markdown, "text": message.text}
    kind = formats[0].value  # what it likes best
    takes_files = service.attachment_support and getattr(service, "schema", "") != "slack"  # its webhooks take none
    pages = message.pages if takes_files else ()
    everyone = apprise.Apprise()
    everyone.add(service)
    result = everyone.notify(
        title=message.title,
        body=bodies[kind](),
        body_format=kind,
        notify_type=apprise.NotifyType.FAILURE if message.is_bad else apprise.NotifyType.INFO,
        attach=[
            AttachMemory(page.content, name=page.name, mimetype="text/html")  # type: ignore[no-untyped-call]
            for page in pages
        ]
        or None,
        timeout=TIMEOUT,
        log_level=logging.WARNING,
    )
    if not result:
        said = " ".join(entry.message for entry in result.logs()) or "it did not say why"
        raise NotDelivered(said)
    return _NO_FILES if message.pages and not takes_files else ""


def _without(url: str, text: str) -> str:
    """A text without any part of a target's URL."""
    parts = {form for part in re.split(r"[/:@?&=#,]+", url) for form in (part, unquote(part))}
    hidden = sorted((part for part in parts if len(part) >= _SHORTEST), key=len, reverse=True)
    return re.sub("|".join(map(re.escape, hidden)), "…", text) if hidden else text

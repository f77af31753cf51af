"""Messages as files in a folder: to look at what is sent where no service is at hand."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from pathlib import Path

from nb_dagster.notifications.message import Message, NotDelivered
from nb_dagster.runner.executed import write_whole

SCHEME = "folder:"
"""What the address of a folder begins with; its path is seen from where the process was started."""
_MAX_NAME = 80


def put(message: Message, folder: Path) -> None:
    """Write a message and its pages; their names begin with the moment.

    Raises:
        NotDelivered: the folder cannot be written.
    """
    name = f"{datetime.now(timezone.utc):%Y-%m-%dT%H%M%S.%fZ}-{_slug(message.title)[:_MAX_NAME]}"
    title = " ".join(message.title.split())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for page in message.pages:
            (folder / f"{name}.{_slug(page.name)}").write_bytes(page.content)
        # Last, and as a whole: who sees it sees its pages too.
        write_whole(folder / f"{name}.md", f"# {title}\n\n{message.markdown()}\n")
    except OSError as error:
        raise NotDelivered(f"the folder cannot be written ({error.strerror})") from None


def _slug(text: str) -> str:
    return re.sub(r"[^\w.]+", "-", text).strip("-.") or "message"

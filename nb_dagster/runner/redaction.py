"""Blacking out secrets in what a kernel sends, before anything else sees it."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

_SHORTEST_LINE = 12  # of a secret of many lines, such as a key: each line gives it away
_STREAM = "stream"


class Redactor:
    """Replaces secrets by their names: as they are, escaped, or in base64; in a stream also across messages.

    Args:
        secrets: values by name.

    Example:
        >>> Redactor({"TOKEN": "hunter2!"}).text("Bearer hunter2!")
        'Bearer [secret TOKEN]'
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._names = {form: name for name, value in secrets.items() for form in _forms(value)}
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))
        self._beginnings = {form[:end] for form in self._names for end in range(1, len(form))}
        self._longest = max(map(len, self._names), default=0)
        self._held: dict[str, tuple[str, dict[str, Any]]] = {}

    def text(self, text: str) -> str:
        """The text without secrets."""
        if not self._names:
            return text
        return self._pattern.sub(lambda match: f"[secret {self._names[match[0]]}]", text)

    def value(self, value: Any) -> Any:
        """JSON without secrets, in keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return {self.text(key): self.value(each) for key, each in value.items()}
        return value

    def messages(self, message: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """A message without secrets; before it, text that was held back because it might have become one."""
        if not self._names:
            yield message
        elif message["msg_type"] == _STREAM:
            name = message["content"]["name"]
            earlier, _ = self._held.pop(name, ("", message))
            text = self.text(earlier + message["content"]["text"])
            end = len(text) - self._beginning_at_end(text)
            if end < len(text):
                self._held[name] = (text[end:], message)
            if end:
                yield _stream(message, text[:end])
        else:
            yield from self.held()
            yield {**message, "content": self.value(message["content"])}

    def held(self) -> Iterator[dict[str, Any]]:
        """Text that was held back, and has not become a secret."""
        held, self._held = self._held, {}
        for text, message in held.values():
            yield _stream(message, text)

    def _beginning_at_end(self, text: str) -> int:
        """How many characters at the text's end may be the beginning of a secret."""
        for size in range(min(self._longest - 1, len(text)), 0, -1):
            if text[-size:] in self._beginnings:
                return size
        return 0


def _stream(message: dict[str, Any], text: str) -> dict[str, Any]:
    return {**message, "content": {**message["content"], "text": text}}


def _forms(value: str) -> set[str]:
    """The forms in which a secret may show up."""
    lines = [line.strip() for line in value.splitlines()]
    whole = {value, *(line for line in lines if len(line) >= _SHORTEST_LINE)}
    forms = set(whole)
    for each in whole:
        forms |= {json.dumps(each)[1:-1], repr(each)[1:-1], html.escape(each), quote(each, safe=""), quote_plus(each)}
        forms |= _base64_cores(each.encode())
    return {form for form in forms if len(form) >= 4}


def _base64_cores(value: bytes) -> set[str]:
    """What is the same in the base64 of every text that contains the value, wherever in it that is."""
    cores = set()
    for before in range(3):
        padded = b"\0" * before + value
        whole = len(padded) // 3 * 3
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            core = encode(padded[:whole]).decode()[-(-before * 4 // 3) :]
            if len(core) >= 6:
                cores.add(core)
    return cores

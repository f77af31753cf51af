"""The literals of Julia and PowerShell, as their manuals have them, no more of each language than we write.

Julia: "Strings" and "Mathematical Operations"; in quotes ``$`` interpolates and a backslash escapes, ``\\u`` has up to
four hexadecimal digits and ``\\U`` up to eight. PowerShell: "about_Quoting_Rules", "about_Numeric_Literals",
"about_Hash_Tables"; in single quotes all is as it stands, up to ``'`` or one of the four curly single quotes.
"""

from __future__ import annotations

import re
from typing import Any

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_JULIA_TEXT = re.compile(r'"((?:[ !#%-\[\]-~]|\\u[0-9a-f]{4}|\\U[0-9a-f]{8})*)"')
_JULIA_ESCAPE = re.compile(r"\\u(....)|\\U(........)")
_POWERSHELL_TEXT = re.compile(r"'([ -&(-~]*)'")
_POWERSHELL_CHARACTER = re.compile(r"\[char\]0x([0-9a-f]{4})")


class Literals:
    """A reader of source from its start to its end."""

    words: dict[str, Any]

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0

    @classmethod
    def read(cls, source: str) -> Any:
        """The one value that the source is.

        Raises:
            SyntaxError: it is anything else.
        """
        reader = cls(source)
        value = reader.value()
        if reader._at != len(source):
            raise SyntaxError(f"more than a literal: {source[reader._at :]}")
        return value

    def value(self) -> Any:
        """The literal that comes next."""
        for word, meaning in self.words.items():
            if self.take(word):
                return meaning
        number = self.match(_NUMBER)
        if number is None:
            raise SyntaxError(f"no literal: {self._source[self._at :]}")
        return float(number[0]) if {*".e"} & {*number[0]} else int(number[0])

    def take(self, word: str) -> bool:
        """Go over this text, if it comes next."""
        found = self._source.startswith(word, self._at)
        self._at += len(word) if found else 0
        return found

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Go over what this pattern takes, if it comes next."""
        found = pattern.match(self._source, self._at)
        self._at = found.end() if found else self._at
        return found

    def expect(self, word: str) -> None:
        """Go over this text, which must come next."""
        if not self.take(word):
            raise SyntaxError(f"{word!r} is missing: {self._source[self._at :]}")


class Julia(Literals):
    """``Dict{String, Any}("a" => Any[1, "b"])``."""

    words = {"nothing": None, "true": True, "false": False}  # noqa: RUF012 - never changed

    def value(self) -> Any:
        text = self.match(_JULIA_TEXT)
        if text:
            return _JULIA_ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), text[1])
        is_any = self.take("Any")
        if self.take("["):
            items = self._items("]")
            assert is_any or len({type(each) for each in items}) == 1, "Julia would make them one type"
            return items
        if self.take("Dict{String, Any}("):
            return dict(self._pairs())
        return super().value()

    def _items(self, end: str) -> list[Any]:
        items: list[Any] = []
        while not self.take(end):
            if items:
                self.expect(", ")
            items.append(self.value())
        return items

    def _pairs(self) -> list[tuple[str, Any]]:
        pairs: list[tuple[str, Any]] = []
        while not self.take(")"):
            if pairs:
                self.expect(", ")
            key = self.value()
            self.expect(" => ")
            pairs.append((key, self.value()))
        return pairs


class PowerShell(Literals):
    """``@{'a' = @(1, ('b' + [char]0x2018))}``."""

    words = {"$null": None, "$true": True, "$false": False}  # noqa: RUF012 - never changed

    def value(self) -> Any:
        text = self.match(_POWERSHELL_TEXT)
        if text:
            return text[1]
        if self.take("@("):
            return self._items()
        if self.take("@{"):
            return self._pairs()
        if self.take("("):
            value = self._sum()
            self.expect(")")
            return value
        return super().value()

    def _sum(self) -> Any:
        """A number, or a text and what is put behind it: a sum has the type of what it starts with."""
        value = self.value()
        units = [value]
        while self.take(" + "):
            character = self.match(_POWERSHELL_CHARACTER)
            units.append(chr(int(character[1], 16)) if character else self.value())
        if len(units) == 1:
            assert value < 0 or str(value).startswith("-"), "a text in brackets"
            return value
        return "".join(units).encode("utf-16", "surrogatepass").decode("utf-16")

    def _items(self) -> list[Any]:
        """A list; its one item has a comma before it, or a list would be put in its place."""
        if self.take(")"):
            return []
        is_one = self.take(",")
        items = [self.value()]
        while self.take(", "):
            items.append(self.value())
        assert is_one == (len(items) == 1)
        self.expect(")")
        return items

    def _pairs(self) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while not self.take("}"):
            if pairs:
                self.expect("; ")
            key = self.value()
            self.expect(" = ")
            assert key.casefold() not in {each.casefold() for each in pairs}, "PowerShell's keys have no case"
            pairs[key] = self.value()
        return pairs

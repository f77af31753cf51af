"""An R that reads source, sees that it is nothing but literals, runs it, and says what the variables then are."""

from __future__ import annotations

import json
import subprocess
from typing import Any

_READER = r"""
Sys.setlocale("LC_ALL", "C")  # the worst that an R may have
allowed <- c("<-", "-", "list", "structure", "c", "character", "paste0")
text <- function(x) sprintf('["text", "%s"]', paste(as.character(charToRaw(enc2utf8(x))), collapse = ""))
tell <- function(x) {
  if (is.null(x)) '["null"]'
  else if (is.list(x)) {
    items <- paste(vapply(x, tell, ""), collapse = ", ")
    if (is.null(names(x))) sprintf('["list", [%s]]', items)
    else sprintf('["dict", [%s], [%s]]', paste(vapply(names(x), text, ""), collapse = ", "), items)
  }
  else if (is.logical(x)) if (x) '["true"]' else '["false"]'
  else if (is.character(x)) text(x)
  else sprintf('["number", "%a"]', x)
}
literals_only <- function(x) {
  if (is.call(x)) as.character(x[[1]]) %in% allowed && all(vapply(as.list(x)[-1], literals_only, TRUE))
  else if (is.symbol(x)) as.character(x) == "p"
  else TRUE
}
read <- file("stdin", "r")
while (length(count <- readLines(read, 1))) {
  source <- paste(readLines(read, as.integer(count)), collapse = "\n")
  cat(tryCatch({
    parsed <- parse(text = source, keep.source = FALSE)
    if (!all(vapply(parsed, literals_only, TRUE))) stop("more than literals")
    for (each in parsed) eval(each)
    tell(p)
  }, error = function(e) sprintf('["error", "%s"]', gsub('[^ -~]|["\\\\]', "?", conditionMessage(e)))), "\n", sep = "")
}
"""


class RProcess:
    """One R for many values.

    Example:
        >>> with RProcess() as r:
        ...     r.value("p <- 3")
        3.0
    """

    def __enter__(self) -> RProcess:  # noqa: PYI034 - Python 3.10 has no Self
        self._process = subprocess.Popen(
            ["Rscript", "--vanilla", "-e", _READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # the locale
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=20)

    def value(self, source: str) -> Any:
        """What ``p`` is after the source, as JSON; numbers are floats."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{source.count(chr(10)) + 1}\n{source}\n")
        self._process.stdin.flush()
        return _value(json.loads(self._process.stdout.readline()))


def _value(told: list[Any]) -> Any:
    kind, *rest = told
    if kind == "error":
        raise SyntaxError(rest[0])
    if kind == "list":
        return [_value(each) for each in rest[0]]
    if kind == "dict":
        return {_value(key): _value(each) for key, each in zip(*rest, strict=True)}
    if kind == "text":
        return bytes.fromhex(rest[0]).decode()
    return float.fromhex(rest[0]) if kind == "number" else {"null": None, "true": True, "false": False}[kind]

"""PyYAML's complaints in words that name the file, the line and what to do."""

from __future__ import annotations

import yaml

from drivers.errors import Fault
from drivers.spec.places import Lines

_SIGN = "a value begins with a sign that has a meaning of its own"

_WORDS: dict[str, tuple[str, str]] = {
    "mapping values are not allowed": (
        "a `:` stands where no value can begin",
        "check the indentation, or quote a text that holds `: `",
    ),
    "could not find expected ':'": ("a line is neither `key: value` nor part of a list", ""),
    "found character '\\t'": ("a tab stands where a word should begin", "indent with blanks"),
    "expected <block end>": (
        "a line does not fit the indentation around it",
        "keys of one level start in one column",
    ),
    "expected the node content": (f"a value is missing, or {_SIGN}", "quote the value"),
    "did not find expected": ("a value ends in the wrong place", "check brackets, quotes and commas"),
    "expected ',' or": ("in brackets, a `,` or the closing bracket is missing", ""),
    "found undefined alias": ("an alias `*name` has no anchor `&name` before it", ""),
    "found another document": ("a second document begins after `---`", "keep one document per file"),
    "found unknown escape character": ("a backslash in double quotes begins no escape", "use single quotes"),
    "that cannot start any token": (_SIGN, "quote the value"),
    "undefined tag handle": ("a tag has no meaning here", "quote a text that begins with `!`"),
    "found duplicate anchor": ("an anchor `&name` stands twice", ""),
}
"""A part of what PyYAML says -> what we say, and what to do."""


def syntax_fault(error: yaml.YAMLError, text: str, file: str, lines: Lines) -> Fault:
    """The fault for a text that is not YAML."""
    problem = getattr(error, "problem", None) or str(error)
    mark = getattr(error, "problem_mark", None)
    start = getattr(error, "context_mark", None)
    context = getattr(error, "context", None) or ""
    at = mark.index if mark is not None else 0
    if "quoted scalar" in context and start is not None and "end of stream" in problem:
        return _fault("a quote is not closed", lines, file, start.index)
    if not text[at:].strip(" \t\r\n\0"):
        opened = _unclosed(text)
        if opened is not None:
            return _fault(f"the bracket `{text[opened]}` is not closed", lines, file, opened)
        at = min(at, lines.last())
    for sign, (words, hint) in _WORDS.items():
        if sign in problem:
            return _fault(words, lines, file, at, hint)
    return _fault(problem.replace("'", "`"), lines, file, at)


def _fault(words: str, lines: Lines, file: str, at: int, hint: str = "") -> Fault:
    return Fault(f"{file} is not valid YAML: {words}", lines.place(file, at, at + 1), hint)


def _unclosed(text: str) -> int | None:
    """Where the last bracket that is never closed stands."""
    opened: list[int] = []
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, (yaml.FlowSequenceStartToken, yaml.FlowMappingStartToken)):
                opened.append(token.start_mark.index)
            elif isinstance(token, (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken)) and opened:
                opened.pop()
    except (yaml.YAMLError, ValueError, OverflowError):
        pass  # the scan is only after the brackets before the trouble
    return opened[-1] if opened else None

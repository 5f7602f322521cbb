"""From a path of keys, or from offsets inside a text, to a place in what the user wrote."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from re import compile as pattern
from typing import Protocol

from drivers.errors import Place
from drivers.spec.terms import Span

KeyPath = tuple[object, ...]
"""Keys and list positions from the top of a document: `("drivers", "climate", "TEM")`."""

_BREAK = pattern("\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML counts as the end of a line."""


class Places(Protocol):
    """Where the parts of a document stand."""

    @property
    def file(self) -> str:
        """The document as messages call it."""

    def key(self, path: KeyPath) -> Place:
        """The place of a key (or of a list item)."""

    def value(self, path: KeyPath) -> Place:
        """The place of a value."""

    def inside(self, path: KeyPath, span: Span) -> Place:
        """The place of a part of a text value."""


class Lines:
    """A text cut into lines, for turning offsets into lines and columns."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in _BREAK.finditer(text))]
        self._texts: Sequence[str] = _BREAK.split(text)

    def place(self, file: str, start: int, end: int) -> Place:
        """The place of the characters [start, end), as far as they are on the first line.

        >>> print(Lines("method: psem\\ntitel: x").place("m.yaml", 13, 18).render())
          m.yaml, line 2:  titel: x
                           ^^^^^
        """
        line = bisect_right(self._starts, start) - 1
        column, text = start - self._starts[line], self._texts[line]
        length = max(min(end - start, len(text) - column), 1)
        return Place(file, line + 1, column + 1, length, text)

    def last(self) -> int:
        """The offset just behind the last line that is not blank."""
        for start, text in zip(reversed(self._starts), reversed(self._texts), strict=True):
            if text.strip():
                return start + len(text.rstrip())
        return 0


class TextPlaces:
    """Places of a model that exists only as a formula in a notebook."""

    def __init__(self, file: str, formula: str) -> None:
        self.file = file
        self._lines = Lines(formula)

    def key(self, path: KeyPath) -> Place:
        """An argument, by name."""
        return Place(".".join(str(part) for part in path) or self.file)

    def value(self, path: KeyPath) -> Place:
        """An argument, by name."""
        return self.key(path)

    def inside(self, path: KeyPath, span: Span) -> Place:
        """A place in the formula; of other texts only the argument is known."""
        if path != ("formula",):
            return self.key(path)
        return self._lines.place(self.file, span.start, span.end)


def shown(path: Path) -> str:
    """A file as messages name it: from the working directory when it is inside, otherwise as given."""
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except (ValueError, OSError):
        return path.as_posix()

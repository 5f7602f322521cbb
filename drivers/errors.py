"""One tree of errors. A fault says what, where (file, line, column, caret) and what to do.

`SpecError` carries every fault of a set of documents at once; `FitError` is the reason why one
stratum cannot be fitted, and becomes a row of fit.csv instead of a stop.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fault is: a file and, when known, the line (from 1), the column (from 1) and its text."""

    file: str
    line: int | None = None
    column: int | None = None
    length: int = 1
    text: str | None = None

    def render(self) -> str:
        """`file, line N:  text` with a caret line under the fault, indented by two blanks."""
        if self.line is None:
            return f"  {self.file}"
        head = f"  {self.file}, line {self.line}:"
        if self.text is None:
            return head
        indent = len(self.text) - len(self.text.lstrip())
        shown = self.text.strip()
        lines = [f"{head}  {shown}"]
        if self.column is not None:
            offset = max(self.column - 1 - indent, 0)
            room = max(len(shown) - offset, 1)
            lines.append(" " * (len(head) + 2 + offset) + "^" * max(min(self.length, room), 1))
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: what, where, and what to do."""

    message: str
    place: Place | None = None
    hint: str = ""

    def render(self) -> str:
        """The message, its place with a caret, and the hint, one under the other."""
        lines = [self.message]
        if self.place is not None:
            lines.append(self.place.render())
        if self.hint:
            lines.append(f"  {self.hint}")
        return "\n".join(lines)


class DriversError(Exception):
    """Whatever ecodrivers refuses, for a reason that a user can act on."""


MANY_FAULTS = 20
"""How many faults a message shows before it only counts them: who has more mends one and asks again."""


class _FaultsError(DriversError):
    """An error made of faults, all reported at once."""

    def __init__(self, faults: Fault | str | Iterable[Fault]) -> None:
        if isinstance(faults, str):
            faults = Fault(faults)
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        shown = [fault.render() for fault in self.faults[:MANY_FAULTS]]
        if len(self.faults) > MANY_FAULTS:
            shown.append(f"and {len(self.faults) - MANY_FAULTS} more faults")
        super().__init__(f"{type(self).__name__}: " + "\n".join(shown))


class SpecError(_FaultsError):
    """A study spec, a model file or a formula is wrong."""


class TableError(_FaultsError):
    """A table cannot be read, or does not hold what a spec says it holds."""


class FitError(DriversError):
    """One model cannot be fitted on one stratum; the text is the reason a person can act on."""


MANY_NAMES = 12
"""How many known names a hint lists before it only counts them: a hint is one line on a screen."""


def propose(name: str, known: Sequence[str]) -> str:
    """Say which known name was probably meant, and which names there are.

    >>> propose("precp", ["precip", "temp", "ndvi"])
    'did you mean `precip`?  known: precip, temp, ndvi'
    """
    folded = {k.lower(): k for k in reversed(known)}
    near = difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.6)
    parts = [f"did you mean `{folded[near[0]]}`?"] if near else []
    if known:
        more = f" and {len(known) - MANY_NAMES} more" if len(known) > MANY_NAMES else ""
        parts.append("known: " + ", ".join(known[:MANY_NAMES]) + more)
    return "  ".join(parts)

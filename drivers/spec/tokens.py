"""Text -> tokens, for formulas and for conditions; every token knows its place in the text.

The tokenizer never fails: what it cannot read becomes a `bad` token that carries the reason, so a parser
can report it where it meets it and go on with the next equation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from drivers.errors import Fault, Place
from drivers.spec.terms import Span

MAX_DEPTH = 40
"""How deep parentheses, signs and powers may nest: far past any real formula, far below Python's stack."""

MAX_OPERATIONS = 200
"""Operators in one term or condition; whoever walks the tree may recurse without a second thought."""

LOGIC = ("and", "or", "not")
"""The words of conditions; a column of that name needs backticks."""

Locate = Callable[[Span], Place]
"""From offsets in a text to a place in a file."""

_NAME = r"[^\W\d][\w.]*|\.[^\W\d][\w.]*|\."
_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_PLAIN_NAME = re.compile(r"(?:[^\W\d][\w.]*|\.[^\W\d][\w.]*)\Z")


class Refused(Exception):
    """What a parser throws at the first thing it cannot accept; callers turn it into a `Fault`."""

    def __init__(self, message: str, span: Span, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.span, self.hint = message, span, hint

    def fault(self, locate: Locate) -> Fault:
        """The same, with its place in the file."""
        return Fault(self.message, locate(self.span), self.hint)


@dataclass(frozen=True, slots=True)
class Token:
    """One word of the text. For `bad` tokens `text` is what is wrong."""

    kind: Literal["name", "number", "text", "operator", "newline", "bad", "end"]
    text: str
    span: Span
    value: float = 0.0


class Language:
    """The operators of a little language, whether it knows quoted text, and how it is called in messages."""

    def __init__(self, title: str, operators: Sequence[str], *, quotes: bool, lines: bool) -> None:
        self.title = title
        self.quotes = quotes
        self.lines = lines
        words = "|".join(re.escape(op) for op in sorted(operators, key=len, reverse=True))
        self._pattern = re.compile(
            rf"(?P<blank>[^\S\n]+)|(?P<newline>\n)|(?P<comment>\#[^\n]*)|(?P<number>{_NUMBER})(?![\w.])"
            rf"|(?P<misnumber>[0-9][\w.]*)|(?P<backtick>`[^`\n]*`)|(?P<name>{_NAME})"
            rf"|(?P<quoted>'[^'\n]*'|\"[^\"\n]*\")|(?P<operator>{words})|(?P<other>.)",
            re.DOTALL,
        )

    def tokens(self, text: str) -> Iterator[Token]:
        """The tokens of a text, without an end token.

        >>> sums = Language("a sum", ["+"], quotes=False, lines=False)
        >>> [token.text for token in sums.tokens("Solar.R + `soil pH`")]
        ['Solar.R', '+', 'soil pH']
        """
        for match in self._pattern.finditer(text):
            span, found, kind = Span(*match.span()), match.group(), match.lastgroup
            if kind == "blank" or (kind == "newline" and not self.lines):
                continue
            if kind == "comment" and self.lines:
                continue
            yield self._token(kind, found, span)

    def _token(self, kind: str | None, found: str, span: Span) -> Token:
        match kind:
            case "newline" | "operator" | "name":
                return Token(kind, found, span)
        if kind == "number":
            value = float(found)
            if math.isinf(value):
                return Token("bad", f"the number {found} is too large", span)
            return Token("number", found, span, value)
        if kind == "backtick" and found[1:-1].strip():
            return Token("name", found[1:-1], span)
        if kind == "quoted" and self.quotes:
            return Token("text", found[1:-1], span)
        return Token("bad", self._reason(kind, found), span)

    def _reason(self, kind: str | None, found: str) -> str:
        if kind == "misnumber":
            return (
                f"`{found}` is neither a number nor a name; a name that starts with a digit needs backticks"
            )
        if kind == "backtick":
            return "a name in backticks is empty"
        if kind == "quoted":
            return f"{self.title} holds no quoted text; a name with blanks stands in backticks"
        if found == "`":
            return "a backtick is not closed"
        if found in "'\"":
            return "a quote is not closed" if self.quotes else f"{self.title} holds no quoted text"
        shown = "".join(c if c.isprintable() else f"U+{ord(c):04X}" for c in found)
        return f"`{shown}` has no meaning in {self.title}"


class Cursor:
    """A parser's place in its tokens, with the guards that all grammars share."""

    def __init__(self, tokens: Sequence[Token], title: str, end: int) -> None:
        self._tokens = tokens
        self._title = title
        self._end = Token("end", "", Span(end, end))
        self._depth = 0
        self._operations = 0
        self._at = 0

    @property
    def token(self) -> Token:
        """The token to be read next; an `end` token after the last one."""
        return self.ahead(0)

    def ahead(self, steps: int) -> Token:
        """The token so many steps after the next one."""
        at = self._at + steps
        return self._tokens[at] if at < len(self._tokens) else self._end

    def take(self) -> Token:
        """Read one token."""
        token = self.token
        self._at += 1
        return token

    def at(self, *operators: str) -> bool:
        """Whether the next token is one of these operators."""
        return self.token.kind == "operator" and self.token.text in operators

    def expect(self, operator: str, opened: Span | None = None) -> Token:
        """Read this operator, or refuse; `opened` is where a parenthesis began."""
        if self.at(operator):
            return self.take()
        if opened is not None and self.token.kind == "end":
            raise Refused("a parenthesis is not closed", opened)
        raise self.unexpected(f"where `{operator}` should be")

    def unexpected(self, where: str) -> Refused:
        """The refusal of the next token."""
        token = self.token
        if token.kind == "bad":
            return Refused(token.text, token.span)
        if token.kind == "end":
            last = self._tokens[-1].span if self._tokens else token.span
            return Refused(f"{self._title} ends {where}", last)
        return Refused(f"`{token.text}` stands {where}", token.span)

    def count(self, span: Span) -> None:
        """Count one operator of the present term; refuse a term that is out of all proportion."""
        self._operations += 1
        if self._operations > MAX_OPERATIONS:
            raise Refused(f"more than {MAX_OPERATIONS} operators in one term", span)

    def restart_count(self) -> None:
        """A new term begins."""
        self._operations = 0

    @contextmanager
    def nested(self, span: Span) -> Iterator[None]:
        """One level deeper; refuse what nests deeper than anyone writes."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise Refused(f"nested more than {MAX_DEPTH} levels deep", span)
        yield
        self._depth -= 1


def plain_name(name: str) -> bool:
    """Whether a name can stand in a formula without backticks."""
    return _PLAIN_NAME.match(name) is not None and name not in LOGIC


def quoted_name(name: str) -> str:
    """The name as it stands in a formula: in backticks where it needs them.

    >>> quoted_name("Solar.R"), quoted_name("soil pH")
    ('Solar.R', '`soil pH`')
    """
    return name if plain_name(name) or name == "." else f"`{name}`"

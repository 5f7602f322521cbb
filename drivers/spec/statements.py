"""The tokens of a formula -> one line of the model after the other: breaks, `;`, and lines that go on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from drivers.spec.tokens import Token


def statements(
    tokens: Sequence[Token], signs: Collection[str], continues: Collection[str]
) -> Iterator[list[Token]]:
    """The tokens of one statement after the other.

    Parameters
    ----------
    signs : operators that make a statement, such as `~`; a line that has one begins a new statement
    continues : operators that cannot end a statement or begin one
    """
    lines: list[list[Token]] = [[]]
    ends: list[bool] = []  # whether the break after a line is a `;`
    for token in tokens:
        if token.kind == "newline" or (token.text == ";" and token.kind == "operator"):
            lines.append([])
            ends.append(token.text == ";")
        else:
            lines[-1].append(token)
    statement: list[Token] = []
    depth, closed = 0, False
    for line, ended in zip(lines, [*ends, True], strict=True):
        if line and statement and (closed or not _goes_on(statement, line, depth, signs, continues)):
            yield statement
            statement, depth = [], 0
        if line:
            closed = False
        statement.extend(line)
        depth += sum((t.text == "(") - (t.text == ")") for t in line if t.kind == "operator")
        closed = closed or ended
    if statement:
        yield statement


def _goes_on(
    statement: Sequence[Token],
    line: Sequence[Token],
    depth: int,
    signs: Collection[str],
    continues: Collection[str],
) -> bool:
    """Whether a line belongs to the statement before it."""

    def unfinished(token: Token) -> bool:
        return token.kind == "operator" and token.text in continues

    if unfinished(line[0]):
        return True
    # A line with its own `~` is a statement, even after a parenthesis that was never closed.
    if any(t.kind == "operator" and t.text in signs for t in line):
        return False
    return depth > 0 or unfinished(statement[-1])

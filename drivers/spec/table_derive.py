"""The derived columns of a table spec: their formulas, and in which order they can be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from drivers.errors import Fault, Place
from drivers.spec.canonical import names_in
from drivers.spec.derived import Operand, is_yearly, parse_derived
from drivers.spec.document import Document
from drivers.spec.places import KeyPath
from drivers.spec.table_shapes import TableDocument
from drivers.spec.terms import Expression, Span
from drivers.spec.tokens import Refused

Known = TypeVar("Known")


@dataclass(frozen=True, slots=True)
class DerivedSpec:
    """A column computed from layers."""

    name: str
    text: str
    expression: Expression
    yearly: bool
    unit: str
    place: Place = field(compare=False)


def read_derived(
    found: TableDocument,
    operands: Mapping[str, Operand],
    layers: frozenset[str],
    document: Document,
    faults: list[Fault],
) -> tuple[DerivedSpec, ...]:
    """The derived columns of a document, as it orders them; what is wrong is added to `faults`.

    Parameters
    ----------
    found, document
        What the document says, and where.
    operands
        What the names of sound layers mean.
    layers
        The names of all layers, sound or not: who uses a layer that is wrong is not told so again.
    """
    return _Derivations(found, operands, layers, document, faults).read()


class _Derivations:
    """What is known of names grows until all are known, so definitions may stand in any order."""

    def __init__(
        self,
        found: TableDocument,
        operands: Mapping[str, Operand],
        layers: frozenset[str],
        document: Document,
        faults: list[Fault],
    ) -> None:
        self.given = found.derive or {}
        self.operands = dict(operands)
        self.document = document
        self.faults = faults
        content = document.content
        raw = content.get("derive") if isinstance(content, dict) else None
        self.raw: Mapping[object, object] = raw if isinstance(raw, dict) else {}
        everything = layers | {str(name) for name in self.raw}
        self.unsound = set(everything - self.operands.keys() - self.given.keys())
        self.waiting: dict[str, tuple[str, str, Expression]] = {}
        self.made: dict[str, DerivedSpec] = {}

    def read(self) -> tuple[DerivedSpec, ...]:
        for name, item in self.given.items():
            text, unit = (item, "") if isinstance(item, str) else (item.formula, item.unit)
            expression = self._guarded(name, partial(parse_derived, text))
            if expression is not None:
                self.waiting[name] = (text, unit, expression)
        while self.waiting:
            ready = [name for name in self.waiting if not self._needs(name) & self.waiting.keys()]
            if not ready:
                self._cycle()
                break
            for name in ready:
                self._make(name)
        return tuple(self.made[name] for name in self.given if name in self.made)

    def _needs(self, name: str) -> set[str]:
        return {used.text for used in names_in(self.waiting[name][2])}

    def _make(self, name: str) -> None:
        unsound = bool(self._needs(name) & self.unsound)
        text, unit, expression = self.waiting.pop(name)
        if unsound:
            self.unsound.add(name)
            return
        yearly = self._guarded(name, lambda: is_yearly(expression, self.operands))
        if yearly is not None:
            self.operands[name] = Operand(yearly)
            place = self.document.value(self._path(name))
            self.made[name] = DerivedSpec(name, text.strip(), expression, yearly, unit, place)

    def _guarded(self, name: str, read: Callable[[], Known]) -> Known | None:
        try:
            return read()
        except Refused as refused:
            self.unsound.add(name)
            self.faults.append(refused.fault(lambda span: self._locate(name, span)))
            return None

    def _locate(self, name: str, span: Span) -> Place:
        return self.document.inside(self._path(name), span)

    def _path(self, name: str) -> KeyPath:
        return ("derive", name, "formula") if isinstance(self.raw.get(name), dict) else ("derive", name)

    def _cycle(self) -> None:
        """Follow the first name until one comes again."""
        way = [next(iter(self.waiting))]
        while True:
            after = next(n.text for n in names_in(self.waiting[way[-1]][2]) if n.text in self.waiting)
            if after in way:
                break
            way.append(after)
        circle = [*way[way.index(after) :], after]
        message = f"derived columns need each other: {' -> '.join(circle)}"
        place = self.document.value(self._path(circle[0]))
        self.faults.append(Fault(message, place, "one of them must come from layers alone"))

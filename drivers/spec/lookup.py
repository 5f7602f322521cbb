"""What a name in a formula stands for: a composite, a column, a driver group, or all drivers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from drivers.errors import Fault, propose
from drivers.spec.model import ModelFile
from drivers.spec.terms import Name, Span
from drivers.spec.vocabulary import Vocabulary

_MADE_FIRST = "a composite is a weighted sum, made before the equations"


@dataclass(frozen=True, slots=True)
class LeftSide:
    """What an equation is about: a node, and with it whatever makes up the node."""

    node: str
    parts: frozenset[str]

    @classmethod
    def of(cls, node: str, members: Collection[str] = ()) -> LeftSide:
        """The left side of a column, or of a composite with its members."""
        return cls(node, frozenset((node, *members)))


class Lookup:
    """The names of one model in one vocabulary; what is wrong is added to the faults, once per name."""

    def __init__(
        self,
        model: ModelFile,
        vocabulary: Vocabulary,
        composites: Collection[str],
        faults: list[Fault],
        sign: str = "<~",
    ) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._composites = composites
        self._faults = faults
        self._sign = sign
        self._unknown: set[str] = set()
        self.misses = 0
        """How often a name could not be resolved, reported again or not."""

    def fault(self, message: str, span: Span, hint: str = "") -> None:
        """Add a fault of this model."""
        self.misses += 1
        self._faults.append(Fault(message, self._model.locate(span), hint))

    def predictors(self, name: Name, function: str, left: LeftSide) -> tuple[str, ...]:
        """What a name on the right of `~` stands for."""
        text = name.text
        if text == ".":
            return tuple(driver for driver in self._vocabulary.drivers if driver not in left.parts)
        if text == left.node:
            self.fault(f"`{text}` stands on both sides of its equation", name.span)
            return ()
        if text in left.parts:
            message = f"`{text}` is part of the composite `{left.node}`, so it cannot explain it"
            self.fault(message, name.span)
            return ()
        if text in self._composites:
            if function:
                hint = f"{_MADE_FIRST}; transform its members instead"
                self.fault(f"the composite `{text}` cannot stand inside `{function}()`", name.span, hint)
                return ()
            return (text,)
        if text in self._vocabulary:
            return self._column(name, function)
        members = self._group(name, function)
        return tuple(member for member in members if member not in left.parts)

    def members(self, name: Name, function: str, composite: str) -> tuple[str, ...]:
        """What a name on the right of `<~` stands for; there a group's name means its drivers."""
        text = name.text
        if text == ".":
            return self._vocabulary.drivers
        if text in self._vocabulary:
            return self._column(name, function)
        if text in self._composites and self._vocabulary.members(text) is None:
            message = f"the composite `{composite}` cannot be made of the composite `{text}`"
            self.fault(message, name.span, "name the columns instead")
            return ()
        return self._group(name, function)

    def node(self, name: Name) -> bool:
        """Whether a name can be a node: a composite or a column; a fault says why not."""
        if name.text in self._composites or name.text in self._vocabulary:
            return True
        if self._vocabulary.members(name.text) is not None:
            message = f"`{name.text}` is a driver group, not a column"
            hint = f"make it one variable with `{name.text} {self._sign} {name.text}`"
            self.fault(message, name.span, hint)
        else:
            self._report_unknown(name)
        return False

    def crossed_composite(self, name: Name) -> None:
        """Refuse a composite in an interaction."""
        hint = f"{_MADE_FIRST}; cross its members instead"
        self.fault(f"the composite `{name.text}` cannot stand in an interaction", name.span, hint)

    def _column(self, name: Name, function: str) -> tuple[str, ...]:
        if function not in ("", "C") and name.text in self._vocabulary.categorical:
            message = f"`{name.text}` is categorical and cannot stand inside `{function}()`"
            self.fault(message, name.span)
            return ()
        return (name.text,)

    def _group(self, name: Name, function: str) -> tuple[str, ...]:
        members = self._vocabulary.members(name.text)
        if members is None:
            self._report_unknown(name)
            return ()
        if function:
            message = (
                f"`{name.text}` stands for {len(members)} drivers and cannot stand inside `{function}()`"
            )
            self.fault(message, name.span, "transform its drivers one by one")
            return ()
        return members

    def _report_unknown(self, name: Name) -> None:
        if name.text in self._unknown:
            self.misses += 1
            return
        self._unknown.add(name.text)
        words = self._vocabulary
        groups = [group for group, _ in words.groups if group not in self._composites]
        known = list(dict.fromkeys([*self._composites, *words.variables, *groups]))
        message = f"model `{self._model.name}` uses `{name.text}`, which {words.label} does not define"
        self.fault(message, name.span, propose(name.text, known))

"""Composites: their members, and how they get their weights (in the formula or under `composite`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from drivers.errors import Fault, Place, propose
from drivers.spec.bound import Composite
from drivers.spec.expand import expand
from drivers.spec.formula import ParsedEquation
from drivers.spec.lookup import Lookup
from drivers.spec.model import How, ModelFile
from drivers.spec.terms import Call, Name, Term
from drivers.spec.tokens import Refused
from drivers.spec.vocabulary import Vocabulary


def read_composite(
    line: ParsedEquation, model: ModelFile, vocabulary: Vocabulary, lookup: Lookup, faults: list[Fault]
) -> Composite | None:
    """The composite of a `<~` line, with its members and the way it gets its weights; None when it is wrong.

    Parameters
    ----------
    line
        The `<~` line.
    model, vocabulary
        Where it stands, and the names there are.
    lookup
        Says what the names mean.
    faults
        Grows by what is wrong.
    """
    name = line.left.text if isinstance(line.left, Name) else ""

    def resolve(part: Name, function: str) -> tuple[str, ...]:
        return lookup.members(part, function, name)

    before = lookup.misses
    try:
        members = expand(line.right, resolve, vocabulary.categorical)
        single = [
            len(expand([s], resolve, vocabulary.categorical)) == 1 for s in line.right if s.weight is not None
        ]
    except Refused as refused:
        faults.append(refused.fault(model.locate))
        return None
    if lookup.misses > before:
        return None
    weights = [summand.weight for summand in line.right if summand.weight is not None]
    if not members:
        faults.append(Fault(f"the composite `{name}` has no members", model.locate(line.span)))
    elif not all(single):
        at = next(s for s, one in zip(line.right, single, strict=False) if not one)
        faults.append(Fault("a weight stands before one column", model.locate(at.expression.span)))
    elif weights and len(weights) != len(members):
        faults.append(Fault(f"a member of the composite `{name}` has two weights", model.locate(line.span)))
    else:
        return _weighted(model, line, members, weights, faults)
    return None


def _weighted(
    model: ModelFile,
    equation: ParsedEquation,
    members: Sequence[Term],
    given: Sequence[float],
    faults: list[Fault],
) -> Composite:
    name = equation.left.text if isinstance(equation.left, Name) else ""
    place = model.locate(equation.span)
    choice, where = _choice(model, name)
    if isinstance(choice, Mapping):
        if given:
            message = f"the composite `{name}` has weights in the formula and under `composite`"
            faults.append(Fault(message, where, "keep one of them"))
        weights = _by_member(name, members, choice, where, faults)
        return _fixed(name, members, weights, place, faults)
    if given:
        if where is not None and choice != "fixed":
            message = f"the composite `{name}` has weights in the formula, so it cannot be `{choice}`"
            faults.append(Fault(message, where))
        return _fixed(name, members, tuple(given), place, faults)
    if choice == "fixed":
        message = f"the composite `{name}` is fixed and has no weights"
        faults.append(Fault(message, place, f"write them, as in `{name} <~ 0.5*a + 0.5*b`"))
    if choice in ("pc1", "equal"):
        _check_single(name, members, choice, place, faults)
    return Composite(name, tuple(members), choice)


def check_choices(model: ModelFile, composites: Sequence[str], faults: list[Fault]) -> None:
    """Refuse weights of composites that are not there."""
    if not isinstance(model.composite, Mapping):
        return
    for name in model.composite:
        if name not in composites:
            message = f"`composite` names `{name}`, which is not a composite of model `{model.name}`"
            hint = propose(name, composites) or f"define it in the formula: `{name} <~ ...`"
            faults.append(Fault(message, model.places.key((*model.composite_at, name)), hint))


def _choice(model: ModelFile, name: str) -> tuple[How | Mapping[str, float], Place | None]:
    """What the file says about a composite, and where, if it names it."""
    if not isinstance(model.composite, Mapping):
        return model.composite, None
    if name not in model.composite:
        return "regression", None
    return model.composite[name], model.places.key((*model.composite_at, name))


def _by_member(
    name: str,
    members: Sequence[Term],
    choice: Mapping[str, float],
    where: Place | None,
    faults: list[Fault],
) -> tuple[float, ...]:
    by_text = {_squeezed(key): weight for key, weight in choice.items()}
    texts = [_squeezed(member.text) for member in members]
    for key in choice:
        if _squeezed(key) not in texts:
            message = f"`{key}` has a weight and is no member of the composite `{name}`"
            faults.append(Fault(message, where, propose(key, [member.text for member in members])))
    for member, text in zip(members, texts, strict=True):
        if text not in by_text:
            faults.append(Fault(f"`{member.text}` has no weight in the composite `{name}`", where))
    return tuple(by_text.get(text, 0.0) for text in texts)


def _fixed(
    name: str, members: Sequence[Term], weights: tuple[float, ...], place: Place, faults: list[Fault]
) -> Composite:
    if not any(weights):
        faults.append(Fault(f"all weights of the composite `{name}` are zero", place))
    _check_single(name, members, "fixed", place, faults)
    return Composite(name, tuple(members), "fixed", weights)


def _check_single(name: str, members: Sequence[Term], how: str, place: Place, faults: list[Fault]) -> None:
    """One weight needs one column; a member with several columns gets its weights by regression only."""
    for member in members:
        wide = [
            factor
            for factor in member.factors
            if factor.categorical
            or (isinstance(factor.expression, Call) and factor.expression.function == "poly")
        ]
        if wide:
            message = f"`{member.text}` has several columns, so the composite `{name}` cannot be `{how}`"
            faults.append(Fault(message, place, "only `regression` gives every column its weight"))


def _squeezed(text: str) -> str:
    return "".join(text.split())

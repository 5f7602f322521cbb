"""The option `direction`: which way a single independence claim is tested."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from drivers.errors import Fault, Place, propose
from drivers.spec.model import ModelFile
from drivers.spec.places import KeyPath
from drivers.spec.terms import Span
from drivers.spec.tokens import Language, Refused

_DIRECTION = Language("a direction", ["<-"], quotes=False, lines=False)


def parse_direction(text: str) -> tuple[str, str]:
    """`rich <- hetero` -> ("rich", "hetero"): the variable in whose model the other one is tested.

    >>> parse_direction("rich <- `soil pH`")
    ('rich', 'soil pH')
    """
    tokens = list(_DIRECTION.tokens(text))
    if [token.kind for token in tokens] != ["name", "operator", "name"]:
        raise Refused(f"`{text}` is no direction", Span(0, len(text)), "write `response <- predictor`")
    return tokens[0].text, tokens[2].text


def check_directions(
    model: ModelFile, directions: Sequence[str], nodes: Collection[str], faults: list[Fault]
) -> None:
    """Read every direction of a model, and look for its names among the nodes."""
    for index, text in enumerate(directions):
        path: KeyPath = ("options", "direction", index)

        def locate(span: Span, path: KeyPath = path) -> Place:
            return model.places.inside(path, span)

        try:
            names = parse_direction(text)
        except Refused as refused:
            faults.append(refused.fault(locate))
            continue
        place = model.places.value(path)
        unknown = [name for name in dict.fromkeys(names) if name not in nodes]
        for name in unknown if model.whole else ():
            message = f"`direction` names `{name}`, which is not in model `{model.name}`"
            faults.append(Fault(message, place, propose(name, sorted(nodes))))
        if names[0] == names[1]:
            faults.append(Fault("a direction needs two variables", place))

"""Pydantic's errors as faults with a place and a proposal."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from drivers.errors import Fault, propose
from drivers.spec.places import KeyPath, Places

Kind = TypeVar("Kind", bound=BaseModel)

_KINDS = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a mapping `key: value`",
    "model_type": "a mapping `key: value`",
}
"""Errors about the kind of a value -> the kind that is wanted."""

_BOUNDS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def validate(
    kind: type[Kind],
    content: Mapping[object, object],
    places: Places,
    faults: list[Fault],
    stand_in: Mapping[str, object],
) -> tuple[Kind, frozenset[str]]:
    """Check a document against its shape; report every fault, and go on with what is sound.

    Parameters
    ----------
    kind
        The shape.
    content
        The document.
    places
        Where its parts stand.
    faults
        Grows by what is wrong.
    stand_in
        Values for the required keys, used where the document's own are wrong.

    Returns
    -------
    The document as far as it is sound, and the keys at its top that are not.
    """
    try:
        return kind.model_validate(content), frozenset()
    except ValidationError as error:
        errors = error.errors(include_url=False)
    groups = _by_path(errors, content)
    faults.extend(_fault(kind, path, group, places) for path, group in groups.items())
    unsound = frozenset(str(path[0]) for path in groups if path)
    sound = {k: v for k, v in content.items() if isinstance(k, str) and k not in unsound}
    repaired = _without(content, groups)
    for key in unsound & repaired.keys() & kind.model_fields.keys():
        # What is left of a key without its wrong parts may be sound, and hold faults of another kind.
        try:
            kind.model_validate({**stand_in, **sound, key: repaired[key]})
        except ValidationError:
            continue
        sound[key] = repaired[key]
    return kind.model_validate({**stand_in, **sound}), unsound


def _without(content: Mapping[object, object], paths: Iterable[KeyPath]) -> dict[object, object]:
    """The document without the values at these paths, and without the mappings that this empties."""
    left = copy.deepcopy(dict(content))
    for path in paths:
        owners: list[object] = [left]
        for part in path[:-1]:
            owner = owners[-1]
            owners.append(owner.get(part) if isinstance(owner, dict) else None)
        for owner, part in zip(reversed(owners), reversed(path), strict=True):
            if not isinstance(owner, dict):
                break
            owner.pop(part, None)
            if owner:
                break
    return left


def _by_path(errors: list[ErrorDetails], content: object) -> dict[KeyPath, list[ErrorDetails]]:
    """The errors of one value together: a value that fits no branch of a union has one for each."""
    groups: dict[KeyPath, list[ErrorDetails]] = {}
    for error in errors:
        groups.setdefault(_path(error, content), []).append(error)
    return groups


def _path(error: ErrorDetails, content: object) -> KeyPath:
    """The keys that lead to the error, without pydantic's names for branches of unions."""
    path: list[object] = []
    value = content
    for part in error["loc"]:
        if isinstance(value, dict) and part != "[key]":
            key = next((k for k in value if k == part or str(k) == str(part)), None)
            if key is not None:
                path.append(key)
                value = value[key]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path.append(part)
            value = value[part]
    if error["type"] == "missing":
        path.append(error["loc"][-1])
    return tuple(path)


def _fault(kind: type[BaseModel], path: KeyPath, errors: list[ErrorDetails], places: Places) -> Fault:
    error = errors[0]
    name = str(path[-1]) if path else places.file
    owner = f" of `{_dotted(path[:-1])}`" if len(path) > 1 else ""
    if error["type"] == "extra_forbidden":
        known = _keys_at(kind, error["loc"][:-1])
        return Fault(f"unknown key `{name}`{owner}", places.key(path), propose(name, known))
    if error["type"] == "missing":
        return Fault(f"the key `{name}`{owner} is missing", places.key(path[:-1]))
    if "[key]" in error["loc"]:
        wanted = _wanted(errors)
        hint = f"write '{name}'" if wanted == "must be text" else ""
        return Fault(f"the key `{name}`{owner} {wanted}", places.key(path), hint)
    if error["type"] == "literal_error":
        choices = re.findall(r"'([^']*)'", str(error["ctx"]["expected"]))
        found = error["input"]
        said = f"`{found}`" if isinstance(found, (str, int, float)) else _what(found)
        hint = propose(str(found), choices) if isinstance(found, str) else "known: " + ", ".join(choices)
        return Fault(f"`{_dotted(path)}` cannot be {said}", places.value(path), hint)
    label = f"`{_dotted(path)}`" if path else name
    return Fault(f"{label} {_wanted(errors)}", places.value(path))


def _wanted(errors: list[ErrorDetails]) -> str:
    error = errors[0]
    kinds = dict.fromkeys(_KINDS[e["type"]] for e in errors if e["type"] in _KINDS)
    if kinds:
        found = "" if error["loc"] and error["loc"][-1] == "[key]" else f", and is {_what(error['input'])}"
        return f"must be {' or '.join(kinds)}{found if '[key]' not in error['loc'] else ''}"
    if error["type"] in _BOUNDS:
        words, bound = _BOUNDS[error["type"]]
        return f"must be {words} {error['ctx'][bound]:g}, and is {error['input']}"
    if error["type"] == "too_short":
        return "must not be empty"
    if error["type"] == "finite_number":
        return "must be a finite number"
    return error["msg"]


def _what(value: object) -> str:
    if value is None:
        return "empty"
    names = {dict: "a mapping", list: "a list", bool: str(value).lower(), str: "a text"}
    return names.get(type(value), f"`{value}`")


def _dotted(path: KeyPath) -> str:
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) and text else f".{part}" if text else str(part)
    return text


def _keys_at(kind: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys that the shape has where an error is."""
    here: list[object] = [kind]
    for part in loc:
        here = [deeper for annotation in here for deeper in _descend(annotation, part)]
    for annotation in here:
        for plain in _branches(annotation):
            if isinstance(plain, type) and issubclass(plain, BaseModel):
                return list(plain.model_fields)
    return []


def _descend(annotation: object, part: int | str) -> Iterator[object]:
    for plain in _branches(annotation):
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            if part in plain.model_fields:
                yield plain.model_fields[str(part)].annotation
        elif get_origin(plain) is dict:
            yield get_args(plain)[1]
        elif get_origin(plain) is list:
            yield get_args(plain)[0]
    if isinstance(part, str) and part.startswith("<"):  # the name of a branch of a union
        yield from (b for b in _branches(annotation, part))


def _branches(annotation: object, tag: str | None = None) -> Iterator[object]:
    """What an annotation may be, without `Annotated` and unions; with a tag only the branch of that tag."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *extra = get_args(annotation)
        tags = [e.tag for e in extra if isinstance(e, Tag)]
        if tags and tag is not None:
            if tag in tags:
                yield from _branches(inner)
        else:
            yield from _branches(inner, tag)
    elif origin is Union or origin is UnionType:
        for part in get_args(annotation):
            yield from _branches(part, tag)
    elif tag is None:
        yield annotation

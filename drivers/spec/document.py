"""YAML files whose every key and value knows its line and column.

PyYAML composes the nodes; the values are made here, by the core rules of YAML 1.2 (`no` is a text, `1e-3`
is a number, there are no dates), so that nothing in a file can make an object or surprise its author.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from drivers.errors import Fault, Place, SpecError
from drivers.spec.places import KeyPath, Lines, shown
from drivers.spec.terms import Span
from drivers.spec.yaml_faults import syntax_fault

MAX_BYTES = 1_000_000
"""A spec is a page or two; a larger file is a table that was named by mistake."""

MAX_NODES = 20_000
"""Values in one document with its aliases written out: room for any study, none for an alias bomb."""

MAX_LEVELS = 30
"""Levels of one document; a study needs five."""

_STR, _NULL, _BOOL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_MAP, _SEQ = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"

_BREAKS = frozenset("\r\n\x85\u2028\u2029")
_BLANKS = _BREAKS | frozenset(" \t")
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
_ESCAPE = re.compile(r"\\(?:x..|u....|U........|.)", re.DOTALL)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff")


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012  (PyYAML's own class attribute, emptied)


_Loader.add_implicit_resolver(_NULL, re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_BOOL, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))
_Loader.add_implicit_resolver(_INT, re.compile(r"[-+]?[0-9]+\Z"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    _FLOAT,
    re.compile(
        r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
    list("-+.0123456789"),
)


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: what it says, and where every part of it stands (it is a `Places`)."""

    path: Path
    file: str
    """The file as messages name it."""
    sha256: str
    content: object
    """Dicts, lists, texts, numbers, booleans and None."""
    _text: str = field(repr=False)
    _lines: Lines = field(repr=False)
    _keys: Mapping[KeyPath, yaml.Node] = field(repr=False)
    _values: Mapping[KeyPath, yaml.Node] = field(repr=False)

    def key(self, path: KeyPath) -> Place:
        """The place of a key or list item; of what contains it when it is not there."""
        while path:
            node = self._keys.get(path) or self._values.get(path)
            if node is not None:
                return self._place(node)
            path = path[:-1]
        return Place(self.file)

    def value(self, path: KeyPath) -> Place:
        """The place of a value; of its key when the value is empty or a block of lines."""
        node = self._values.get(path)
        if node is None or node.start_mark.index == node.end_mark.index or _is_block(node):
            return self.key(path)
        return self._place(node)

    def inside(self, path: KeyPath, span: Span) -> Place:
        """The place of a part of a text value, whatever the style in which YAML holds the text."""
        node = self._values.get(path)
        if not isinstance(node, yaml.ScalarNode):
            return self.key(path)
        offsets = _offsets(self._text[node.start_mark.index : node.end_mark.index], node)
        start, end = offsets[min(span.start, len(offsets) - 1)], offsets[min(span.end, len(offsets)) - 1] + 1
        base = node.start_mark.index
        return self._lines.place(self.file, base + start, base + max(end, start + 1))

    def _place(self, node: yaml.Node) -> Place:
        start, end = node.start_mark.index, node.end_mark.index
        return self._lines.place(self.file, start, end if isinstance(node, yaml.ScalarNode) else start + 1)


def read_document(path: Path) -> Document:
    """Read a YAML file whole.

    Raises
    ------
    SpecError
        When there is no such file, it is not UTF-8, not YAML, or says one key twice.
    """
    faults: list[Fault] = []
    document = load_document(path, faults)
    if faults:
        raise SpecError(faults)
    return document


def load_document(path: Path, faults: list[Fault]) -> Document:
    """As `read_document`, but a fault that leaves a document, as a doubled key, is added to `faults`."""
    file = shown(path)
    data = _read_bytes(path, file)
    text = _decode(data, file)
    lines = Lines(text)
    node = _compose(text, file, lines)
    builder = _Builder(file, lines)
    content = builder.build(node, ())
    faults.extend(builder.faults)
    return Document(
        path, file, hashlib.sha256(data).hexdigest(), content, text, lines, builder.keys, builder.values
    )


def _read_bytes(path: Path, file: str) -> bytes:
    place = Place(file)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise SpecError(Fault(f"{file} is too large to be a spec: more than {MAX_BYTES:,} bytes", place))
        return path.read_bytes()
    except FileNotFoundError:
        raise SpecError(Fault(f"there is no file {file}")) from None
    except IsADirectoryError:
        raise SpecError(Fault(f"{file} is a folder, not a file")) from None
    except (OSError, ValueError) as error:
        raise SpecError(
            Fault(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}")
        ) from None


def _decode(data: bytes, file: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"{file} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        raise SpecError(Fault(message, Place(file, line), "save the file as UTF-8")) from None
    found = _UNPRINTABLE.search(text)
    if found is not None:
        message = f"{file} holds a character that YAML does not allow: U+{ord(found.group()):04X}"
        start = found.start()
        line = text.count("\n", 0, start) + 1
        raise SpecError(Fault(message, Place(file, line)))
    return text


def _compose(text: str, file: str, lines: Lines) -> yaml.Node:
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise SpecError(syntax_fault(error, text, file, lines)) from None
    except RecursionError:
        raise SpecError(Fault(f"{file} is nested too deeply", Place(file))) from None
    except (ValueError, OverflowError):  # PyYAML lets these escape for impossible \\U escapes
        raise SpecError(
            Fault(f"{file} is not valid YAML: an escape names no character", Place(file))
        ) from None
    if node is None:
        raise SpecError(Fault(f"{file} is empty", Place(file)))
    return node


class _Builder:
    """Nodes -> values and places; gathers what is wrong."""

    def __init__(self, file: str, lines: Lines) -> None:
        self.file = file
        self.lines = lines
        self.keys: dict[KeyPath, yaml.Node] = {}
        self.values: dict[KeyPath, yaml.Node] = {}
        self.faults: list[Fault] = []
        self._open: set[int] = set()
        self._count = 0

    def build(self, node: yaml.Node, path: KeyPath) -> object:
        self._count += 1
        if self._count > MAX_NODES:
            raise SpecError(Fault(f"{self.file} holds more than {MAX_NODES:,} values", self._place(node)))
        if len(path) > MAX_LEVELS:
            raise SpecError(Fault(f"{self.file} is nested too deeply", self._place(node)))
        self.values[path] = node
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise SpecError(Fault("an alias stands inside its own anchor", self._place(node)))
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            return self._sequence(node, path)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[object, object]:
        self._check_tag(node, _MAP)
        built: dict[object, object] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key == "":
                self._refuse("a key must be a name or a number", key_node)
                continue
            here = (*path, key)
            if key in built:
                first = self.keys[here].start_mark.line + 1
                shown_key = key_node.value
                self._refuse(f"the key `{shown_key}` stands twice; the first is on line {first}", key_node)
                continue
            self.keys[here] = key_node
            built[key] = self.build(value_node, here)
        return built

    def _sequence(self, node: yaml.Node, path: KeyPath) -> list[object]:
        self._check_tag(node, _SEQ)
        return [self.build(item, (*path, at)) for at, item in enumerate(node.value)]

    def _scalar(self, node: yaml.ScalarNode) -> object:
        text: str = node.value
        try:
            match node.tag:
                case "tag:yaml.org,2002:str":
                    return text
                case "tag:yaml.org,2002:null":
                    return None
                case "tag:yaml.org,2002:bool" if text.lower() in ("true", "false"):
                    return text.lower() == "true"
                case "tag:yaml.org,2002:int":
                    return int(text)
                case "tag:yaml.org,2002:float":
                    return _float(text)
        except ValueError:
            self._refuse(f"`{_short(text)}` is no number that can be read", node)
            return None
        self._check_tag(node, _STR)
        return text

    def _check_tag(self, node: yaml.Node, wanted: str) -> None:
        if node.tag != wanted:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse(f"the tag `{_short(tag)}` has no meaning here", node)

    def _refuse(self, message: str, node: yaml.Node) -> None:
        self.faults.append(Fault(message, self._place(node)))

    def _place(self, node: yaml.Node) -> Place:
        start, end = node.start_mark.index, node.end_mark.index
        return self.lines.place(self.file, start, end if isinstance(node, yaml.ScalarNode) else start + 1)


def _float(text: str) -> float:
    lowered = text.lower()
    if lowered.endswith((".inf", ".nan")):
        return float(lowered.replace(".", ""))
    value = float(text)
    if math.isinf(value):
        raise ValueError
    return value


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _is_block(node: yaml.Node) -> bool:
    return node.start_mark.line != node.end_mark.line


def _offsets(raw: str, node: yaml.ScalarNode) -> list[int]:
    """For every character of a scalar's text (and its end) the offset in the source that wrote it.

    Whatever the style, the visible characters stand in the source in the same order, with nothing but
    blanks and line breaks between them, so one walk over both finds them all.
    """
    at = 0
    properties = _PROPERTIES.match(raw)
    if node.style is not None or raw[:1] in ("&", "!"):
        at = properties.end() if properties else 0
    if node.style in ("|", ">"):
        at = raw.find("\n", at) + 1
    elif node.style in ("'", '"'):
        at += 1
    offsets: list[int] = []
    for character in node.value:
        if character not in _BLANKS:
            at = _skip_blanks(raw, at, node.style)
        offsets.append(min(at, max(len(raw) - 1, 0)))
        at += _width(raw, at, character, node.style)
    offsets.append(min(at, max(len(raw) - 1, 0)))
    return offsets


def _skip_blanks(raw: str, at: int, style: str | None) -> int:
    """Past blanks and line breaks, and past the backslash that hides a break inside double quotes."""
    while at < len(raw):
        hidden = style == '"' and raw[at] == "\\" and raw[at + 1 : at + 2] in _BREAKS
        if raw[at] not in _BLANKS and not hidden:
            break
        at += 1
    return at


def _width(raw: str, at: int, character: str, style: str | None) -> int:
    """How many characters of the source write one character of the text."""
    if style == '"' and raw[at : at + 1] == "\\":
        escape = _ESCAPE.match(raw, at)
        return len(escape.group()) if escape else 1
    if character in _BLANKS and raw[at : at + 1] not in _BLANKS:
        return 0
    return 2 if style == "'" and character == "'" else 1

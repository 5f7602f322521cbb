"""YAML files: values by YAML 1.2, places of everything, and what is no YAML."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from drivers.errors import SpecError
from drivers.spec.document import Document, read_document
from drivers.spec.terms import Span


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def document(text: str | bytes) -> Document:
    path = Path("study.yaml")
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_document(path)


def refusal(text: str | bytes) -> str:
    with pytest.raises(SpecError) as caught:
        document(text)
    return str(caught.value)


VALUES = {
    "no": "no",
    "NO": "NO",
    "on": "on",
    "yes": "yes",
    "y": "y",
    "true": True,
    "False": False,
    "1": 1,
    "-007": -7,
    "1e-3": 1e-3,
    ".5": 0.5,
    "1.": 1.0,
    "1_000": "1_000",
    "0x1F": "0x1F",
    "2001-01-01": "2001-01-01",
    "12:30:00": "12:30:00",
    "~": None,
    "null": None,
    "": None,
    "'1'": "1",
    "!!str 1": "1",
    "<<": "<<",
    "=": "=",
    "[1, a]": [1, "a"],
    "{1: a, b: 2.5}": {1: "a", "b": 2.5},
}


@pytest.mark.parametrize("text", VALUES)
def test_values_follow_yaml_1_2(text: str) -> None:
    content = document(f"key: {text}\n").content
    assert content == {"key": VALUES[text]}
    assert type(content["key"]) is type(VALUES[text])


def test_places_of_keys_and_values() -> None:
    spec = document("study: x\ndrivers:\n  climate: {TEM: {unit: degC}, PRE: {}}\n  soil: [PH, TN]\n")
    path = ("drivers", "climate", "TEM")
    assert spec.key(path).render() == (
        "  study.yaml, line 3:  climate: {TEM: {unit: degC}, PRE: {}}\n" + " " * 33 + "^^^"
    )
    value = spec.value((*path, "unit"))
    assert (value.line, value.column, value.length) == (3, 25, 4)
    assert (spec.key(("drivers", "soil", 1)).column, spec.key(("drivers", "soil", 1)).line) == (14, 4)
    assert spec.key(("drivers", "nowhere")).line == 2
    assert spec.key(("nowhere",)).line is None


STYLES = {
    "literal": "formula: |\n  rich ~ cover\n\n  cover ~ FIRE\n",
    "literal with comment": "formula: |-   # paths\n     rich ~ cover\n     cover ~ FIRE\n",
    "indented literal": "a:\n  formula: |2\n      rich ~ cover\n    cover ~ FIRE\n",
    "folded": "formula: >\n  rich ~ cover;\n\n  cover ~\n    FIRE\n",
    "plain": "formula: rich ~ cover; cover ~ FIRE\n",
    "plain over lines": "formula: rich ~ cover;\n  cover\n  ~ FIRE\n",
    "single": "formula: 'rich ~ ''a''; cover ~ FIRE'\n",
    "double": 'formula: "rich ~ \\"a\\"; \\u00e9\\n \\\n   cover ~ FIRE"\n',
    "anchor": "formula: &f |\n  cover ~ FIRE\n",
    "tag": "formula: !!str 'cover ~ FIRE'\n",
    "CRLF": "title: x\r\nformula: |\r\n  rich ~ cover\r\n  cover ~ FIRE\r\n",
    "BOM": "\ufefftitle: x\nformula: |\n  cover ~ FIRE\n",
    "unicode": "formula: '气温 ~ 降水; cover ~ FIRE'\n",
}


@pytest.mark.parametrize("style", STYLES)
def test_places_inside_texts(style: str) -> None:
    source = STYLES[style].removeprefix("\ufeff")
    spec = document(STYLES[style])
    path: tuple[object, ...] = ("a", "formula") if source.startswith("a:") else ("formula",)
    content = spec.content
    for key in path:
        assert isinstance(content, dict)
        content = content[key]
    assert isinstance(content, str)
    start = content.index("FIRE")
    place = spec.inside(path, Span(start, start + 4))
    before = source[: source.index("FIRE")].replace("\r\n", "\n")
    assert place.line == before.count("\n") + 1
    assert place.column == len(before) - before.rfind("\n")
    assert place.length == 4
    assert place.text is not None
    assert "FIRE" in place.text
    end = spec.inside(path, Span(len(content), len(content)))
    assert end.line is not None


BROKEN = {
    "a: 1\nfit: [": (
        "study.yaml is not valid YAML: the bracket `[` is not closed\n"
        "  study.yaml, line 2:  fit: [\n" + 28 * " " + "^"
    ),
    "a: {b: [1, 2}\n": (
        "study.yaml is not valid YAML: in brackets, a `,` or the closing bracket is missing\n"
        "  study.yaml, line 1:  a: {b: [1, 2}\n" + 35 * " " + "^"
    ),
    "a: b: c\n": (
        "study.yaml is not valid YAML: a `:` stands where no value can begin\n"
        "  study.yaml, line 1:  a: b: c\n" + 27 * " " + "^\n"
        "  check the indentation, or quote a text that holds `: `"
    ),
    "a: 'open\n": (
        "study.yaml is not valid YAML: a quote is not closed\n"
        "  study.yaml, line 1:  a: 'open\n" + 26 * " " + "^"
    ),
    "a:\n\tb: 1\n": (
        "study.yaml is not valid YAML: a tab stands where a word should begin\n"
        "  study.yaml, line 2:  b: 1\n" + 23 * " " + "^\n  indent with blanks"
    ),
    "a: 1\n  b: 2\n": (
        "study.yaml is not valid YAML: a `:` stands where no value can begin\n"
        "  study.yaml, line 2:  b: 2\n" + 24 * " " + "^\n"
        "  check the indentation, or quote a text that holds `: `"
    ),
    "a: *nowhere\n": (
        "study.yaml is not valid YAML: an alias `*name` has no anchor `&name` before it\n"
        "  study.yaml, line 1:  a: *nowhere\n" + 26 * " " + "^"
    ),
    "a: 1\n---\nb: 2\n": (
        "study.yaml is not valid YAML: a second document begins after `---`\n"
        "  study.yaml, line 2:  ---\n" + 23 * " " + "^\n  keep one document per file"
    ),
    "a: @b\n": (
        "study.yaml is not valid YAML: a value begins with a sign that has a meaning of its own\n"
        "  study.yaml, line 1:  a: @b\n" + 26 * " " + "^\n  quote the value"
    ),
    "seed: 1\nseed: 2\n": (
        "the key `seed` stands twice; the first is on line 1\n"
        "  study.yaml, line 2:  seed: 2\n" + 23 * " " + "^^^^"
    ),
    "a: !!python/object:os.system x\n": (
        "the tag `!!python/object:os.system` has no meaning here\n"
        "  study.yaml, line 1:  a: !!python/object:os.system x\n" + 26 * " " + "^" * 27
    ),
    "? [a]\n: 1\n": (
        "a key must be a name or a number\n  study.yaml, line 1:  ? [a]\n" + 25 * " " + "^"
    ),
    "a: &x [*x]\n": (
        "an alias stands inside its own anchor\n  study.yaml, line 1:  a: &x [*x]\n" + 26 * " " + "^"
    ),
    "": "study.yaml is empty\n  study.yaml",
    "# only a comment\n": "study.yaml is empty\n  study.yaml",
    "a: b\x00c\n": "study.yaml holds a character that YAML does not allow: U+0000\n  study.yaml, line 1:",
    'a: "\\UFFFFFFFF"\n': "study.yaml is not valid YAML: an escape names no character\n  study.yaml",
}  # fmt: skip


@pytest.mark.parametrize("text", BROKEN)
def test_broken(text: str) -> None:
    assert refusal(text) == "SpecError: " + BROKEN[text]


def test_not_utf8() -> None:
    assert refusal("a: 1\nb: é\n".encode("latin-1")) == (
        "SpecError: study.yaml is not UTF-8: byte 0xe9 at offset 8\n  study.yaml, line 2:\n"
        "  save the file as UTF-8"
    )


def test_alias_bomb_and_deep_nesting() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for level in range(1, 9):
        bomb += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n"
    assert "more than 20,000 values" in refusal(bomb)
    assert "nested too deeply" in refusal("a: " + "[" * 3000 + "]" * 3000)
    assert "nested too deeply" in refusal("a: " + "[" * 60 + "]" * 60)


def test_aliases_are_values() -> None:
    spec = document("a: &unit {unit: mm}\nb: *unit\n")
    assert spec.content == {"a": {"unit": "mm"}, "b": {"unit": "mm"}}
    assert spec.key(("b",)).line == 2


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"there is no file nowhere\.yaml"):
        read_document(Path("nowhere.yaml"))
    with pytest.raises(SpecError, match="is a folder"):
        read_document(tmp_path)
    Path("big.yaml").write_bytes(b"#" * 2_000_000)
    with pytest.raises(SpecError, match="too large to be a spec"):
        read_document(Path("big.yaml"))


def test_names_of_files() -> None:
    Path("specs").mkdir()
    Path("specs/a.yaml").write_text("a: 1\n")
    assert read_document(Path("specs/a.yaml").resolve()).file == "specs/a.yaml"
    assert read_document(Path("specs/../specs/a.yaml")).file == "specs/a.yaml"


SCRAPS = st.lists(
    st.sampled_from([*"abn01:-?[]{},&*!|>'\"%@`#~\\ \n\t", ": ", "- ", "\n  ", "&a ", "*a", "!!int ", "1e3"])
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary() | st.text().map(str.encode) | SCRAPS.map(lambda words: "".join(words).encode()))
@example(b"a: " + b"9" * 5000)
@example(b"%YAML 9.9\n---\na")
@example(b"? a\n? b\n")
def test_any_bytes_are_a_document_or_a_spec_error(data: bytes) -> None:
    path = Path("any.yaml")
    path.write_bytes(data)
    with suppress(SpecError):
        read = read_document(path)
        read.key(("a",)).render()
        read.inside((), Span(0, 3)).render()
        return
    with pytest.raises(SpecError, match=r"any\.yaml"):
        read_document(path)

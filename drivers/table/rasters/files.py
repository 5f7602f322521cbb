"""From a source with `{year}`, `{month}` and `*` to the files that are there."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from drivers.errors import Fault, Place, TableError
from drivers.spec.places import shown

SHOWN = 5
"""Names of files that a hint shows."""

_SIGNS = re.compile(r"\{year\}|\{month\}|\*")


@dataclass(frozen=True, slots=True)
class DatedFile:
    """A file, with the year and month that its name says."""

    path: Path
    year: int | None = None
    month: int | None = None


def find_files(
    source: Path, place: Place, years: tuple[int, ...] | None, *, many: bool = False
) -> list[DatedFile]:
    """The files of a source in the order of time.

    Parameters
    ----------
    source : a path in which `{year}` stands for four digits, `{month}` for 1 to 12 with or without a zero,
        `*` for anything within a name
    place : where the spec names it
    years : the years that are wanted; other files are passed over
    many : whether several files may have one date, since their insides say more

    Raises
    ------
    TableError
        If there is no such file, or two for one date.
    """
    parts = source.parts
    plain = next((i for i, part in enumerate(parts) if _SIGNS.search(part)), None)
    if plain is None:
        if not source.exists():
            raise TableError(Fault(f"there is no file {shown(source)}", place, _near(source)))
        return [DatedFile(source)]
    folder = Path(*parts[:plain])
    if not folder.is_dir():
        raise TableError(Fault(f"there is no folder {shown(folder)}", place, _near(folder)))
    found: dict[tuple[int, int, str], DatedFile] = {}
    for file in _walk(folder, parts[plain:], None, None):
        if years is not None and file.year is not None and file.year not in years:
            continue
        key = (file.year or 0, file.month or 0, file.path.as_posix() if many else "")
        if key in found:
            names = f"{found[key].path.name} and {file.path.name}"
            said = f" for {dated(file.year, file.month)}" if file.year else ""
            message = f"two files match {source.name}{said}: {names}"
            raise TableError(Fault(message, place, "make the pattern narrower"))
        found[key] = file
    if not found:
        there = sorted(name for name in os.listdir(folder) if not name.startswith("."))
        hint = f"{shown(folder)} holds {', '.join(there[:SHOWN])}" if there else f"{shown(folder)} is empty"
        said = f" of the years {years[0]} to {years[-1]}" if years else ""
        raise TableError(Fault(f"no file{said} matches {shown(source)}", place, hint))
    return [found[key] for key in sorted(found)]


def dated(year: int | None, month: int | None) -> str:
    """A date as messages say it.

    >>> dated(2003, None), dated(2003, 7)
    ('2003', '2003-07')
    """
    return str(year) if month is None else f"{year}-{month:02d}"


def name_pattern(text: str) -> re.Pattern[str]:
    """A regular expression for names with `{year}`, `{month}` and `*`; all else stands for itself.

    >>> name_pattern("pre_{year}_{month}.tif").fullmatch("pre_2003_07.tif").groupdict()
    {'year': '2003', 'month': '07'}
    """
    pieces, at = [], 0
    seen: set[str] = set()
    for match in _SIGNS.finditer(text):
        pieces.append(re.escape(text[at : match.start()]))
        sign = match.group().strip("{}")
        if sign == "*":
            pieces.append(".*")
        elif sign in seen:
            pieces.append(f"(?P={sign})")
        else:
            pieces.append(r"(?P<year>[0-9]{4})" if sign == "year" else r"(?P<month>1[0-2]|0?[1-9])")
            seen.add(sign)
        at = match.end()
    return re.compile("".join(pieces) + re.escape(text[at:]))


def _walk(folder: Path, parts: tuple[str, ...], year: int | None, month: int | None) -> list[DatedFile]:
    pattern = name_pattern(parts[0])
    found: list[DatedFile] = []
    for name in sorted(os.listdir(folder)):
        match = pattern.fullmatch(name)
        if match is None or (name.startswith(".") and not parts[0].startswith(".")):
            continue
        said = match.groupdict()
        here = int(said["year"]) if said.get("year") else year
        then = int(said["month"]) if said.get("month") else month
        if (year is not None and here != year) or (month is not None and then != month):
            continue
        path = folder / name
        if len(parts) == 1:
            found.append(DatedFile(path, here, then))
        elif path.is_dir():
            found += _walk(path, parts[1:], here, then)
    return found


def _near(path: Path) -> str:
    """What is there instead."""
    import difflib

    folder = path.parent
    if not folder.is_dir():
        return f"there is no folder {shown(folder)} either"
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))
    near = difflib.get_close_matches(path.name, names, n=SHOWN, cutoff=0.6)
    if near:
        return f"{shown(folder)} holds " + ", ".join(near)
    alike = [name for name in names if Path(name).suffix.lower() == path.suffix.lower()]
    return f"{shown(folder)} holds " + (", ".join(alike[:SHOWN]) or "no such file")

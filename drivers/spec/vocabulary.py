"""The names that a study gives to a model: responses, drivers, groups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a formula may name. `bind` looks here, and nowhere else.

    >>> words = Vocabulary.of_columns(["rich", "cover"], label="the table")
    >>> words.drivers, "cover" in words, "precip" in words
    (('rich', 'cover'), True, False)
    """

    label: str
    """Who defines the names, as messages say it: a spec's file, or `the table`."""
    responses: tuple[str, ...]
    drivers: tuple[str, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    categorical: frozenset[str] = frozenset()
    series: tuple[tuple[str, str], ...] = ()
    """Variables that are columns by year: (name, template with `{year}`)."""

    @classmethod
    def of_columns(
        cls, columns: Sequence[str], *, categorical: Collection[str] = (), label: str = "the table"
    ) -> Vocabulary:
        """The vocabulary of a bare table: every column may be a driver, and there are no groups."""
        return cls(label, (), tuple(columns), (), frozenset(categorical))

    def __contains__(self, name: str) -> bool:
        return name in self.drivers or name in self.responses

    @property
    def variables(self) -> tuple[str, ...]:
        """All columns in canonical order: drivers as declared, then responses."""
        return (*self.drivers, *self.responses)

    def members(self, group: str) -> tuple[str, ...] | None:
        """The drivers of a group; None when there is no such group."""
        return next((members for name, members in self.groups if name == group), None)

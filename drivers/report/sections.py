"""The interface by which each method brings its own part of the report.

A method's section is an object with the four members of `Section`; it is entered in `SECTIONS` under the
method's name. The page and the writer know nothing else about methods.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from markupsafe import Markup

from drivers.report.brt_section import BrtSection
from drivers.report.geodetector_section import GeodetectorSection
from drivers.report.psem_section import PsemSection
from drivers.report.run_tables import RunTables


class Section(Protocol):
    """What a method shows of one model."""

    method: str

    def figures(self, run: RunTables, model: str, stratum: str) -> dict[str, str]:
        """The figures of one stratum: a short file name without folder (`paths.svg`) and the SVG.

        Where `stratum` is empty: those of the side-by-side part.
        """
        ...

    def render(self, run: RunTables, model: str, stratum: str, figures: Mapping[str, str]) -> Markup:
        """The section of one stratum that was fitted; `figures` is what `figures` returned."""
        ...

    def overview(self, run: RunTables, model: str) -> Markup:
        """All strata side by side; empty when there is nothing to compare."""
        ...


SECTIONS: dict[str, Section] = {
    section.method: section for section in (PsemSection(), GeodetectorSection(), BrtSection())
}
"""Method name -> its section. A method without one still has its verdict and its tables."""

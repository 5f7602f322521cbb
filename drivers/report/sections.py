"""The interface by which methods, and what compares them, bring their own parts of the report.

A method's section is an object with the four members of `Section`; it is entered in `SECTIONS` under the
method's name. What is about all models together, or about none, is a `Comparison` in `COMPARISONS`. The
page and the writer know nothing else about either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from markupsafe import Markup

from drivers.report.brt_section import BrtSection
from drivers.report.change_section import ChangeOverYears
from drivers.report.distribution_section import Distributions
from drivers.report.fit_wording import Verdict
from drivers.report.geodetector_section import GeodetectorSection
from drivers.report.lsem_section import LsemSection
from drivers.report.lsem_wording import latent_verdict
from drivers.report.methods_compared import MethodsCompared
from drivers.report.psem_section import PsemSection
from drivers.report.run_tables import Row, RunTables
from drivers.report.strata_compared import StrataCompared


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


class Comparison(Protocol):
    """What is shown of all models together, or of none."""

    slug: str
    """Where it is on the page, and how the names of its figures begin."""
    title: str
    tables: tuple[str, ...]
    """The tables without a row in any of which there is nothing to show."""

    def figures(self, run: RunTables) -> dict[str, str]:
        """A short file name and the SVG of each figure."""
        ...

    def links(self, run: RunTables) -> list[tuple[str, str]]:
        """Its parts in the contents of the page: where they are, and their names."""
        ...

    def render(self, run: RunTables, figures: Mapping[str, str]) -> Markup:
        """The section; empty where the run has nothing of the kind."""
        ...


SECTIONS: dict[str, Section] = {
    section.method: section for section in (PsemSection(), LsemSection(), GeodetectorSection(), BrtSection())
}
"""Method name -> its section. A method without one still has its verdict and its tables."""

VERDICTS: dict[str, Callable[[Row], Verdict]] = {"lsem": latent_verdict}
"""Method name -> how a row of fit.csv is read; that of others is read by the field's rule."""

COMPARISONS: tuple[Comparison, ...] = (
    Distributions(),
    ChangeOverYears(),
    StrataCompared(),
    MethodsCompared(),
)
"""In the order of the page."""

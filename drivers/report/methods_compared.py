"""The part of the page that sets methods side by side: ranks, shares and signs, and why they differ."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from drivers.report.agreement_wording import agreement_sentence, agreement_word, chance_level
from drivers.report.compared_rows import selecting
from drivers.report.geodetector_wording import listed
from drivers.report.numbers import count, exact, is_missing, stratum_label
from drivers.report.rank_lines import RankLine, rank_lines
from drivers.report.run_tables import Row, RunTables, number_or_none, text
from drivers.report.svg import group_colours
from drivers.report.templating import figure_of, render

METHODS = {
    "psem": ("piecewise SEM", "total effect"),
    "brt": ("boosted trees", "influence"),
    "geodetector": ("geodetector", "q"),
}
"""The methods that rank drivers, each with its name and with what it ranks by."""
MOST_LINES = 30
"""Drivers in a figure, those of the best ranks; the table has all."""
OPEN = 1
"""Strata whose part stands open."""
READING = (
    "Rank 1 is the strongest driver of a stratum, among the drivers that all methods have. Piecewise SEM "
    "ranks by the size of the standardised total effect, boosted trees by relative influence, the "
    "geodetector by q. A share is of the sum over all drivers of a method. The methods ask different "
    "questions, so disagreement is a finding: the last column says what the tables tell about it."
)

CUT = (
    "This stratum is cut on the response, which bends effects, shares and q: ranks may differ from those of "
    "other strata by the cut alone."
)


@dataclass(frozen=True, slots=True)
class Ranking:
    """The rows of consensus.csv of one stratum and response, and their row of rank_agreement.csv."""

    model: str
    stratum: str
    response: str
    rows: Sequence[Row]
    agreement: Row

    @property
    def methods(self) -> list[str]:
        """The methods that have a rank or a share here."""
        return [
            method
            for method in METHODS
            if any(
                not is_missing(row.get(f"{what}_{method}")) for row in self.rows for what in ("rank", "share")
            )
        ]

    def first(self, method: str) -> list[str]:
        """The drivers that a method ranks first."""
        return [
            text(row.get("driver")) for row in self.rows if number_or_none(row.get(f"rank_{method}")) == 1
        ]


class MethodsCompared:
    """Ranks of drivers by piecewise SEM, boosted trees and geodetector."""

    slug = "methods-compared"
    title = "Methods compared"
    tables: tuple[str, ...] = ("consensus",)

    def figures(self, run: RunTables) -> dict[str, str]:
        """The ranks of each stratum."""
        colours = group_colours(g for g in run.groups.values() if g)
        found = {}
        for k, ranking in enumerate(rankings_of(run)):
            lines = _lines(ranking)
            if lines:
                words = [METHODS[method][0] for method in ranking.methods]
                title = f"Ranks by method — {stratum_label(ranking.stratum)}"
                found[_file(ranking, k)] = rank_lines(lines, words, title=title, colours=colours)
        return found

    def links(self, run: RunTables) -> list[tuple[str, str]]:
        """None: the section is one part."""
        return []

    def render(self, run: RunTables, figures: Mapping[str, str]) -> Markup:
        """A line per stratum, then each stratum's table; nothing where the run has no consensus."""
        rankings = rankings_of(run)
        if not rankings:
            return Markup("")
        used = [method for method in METHODS if any(method in ranking.methods for ranking in rankings)]
        raters = {int(m) for r in rankings if (m := number_or_none(r.agreement.get("n_raters"))) is not None}
        several = len({ranking.response for ranking in rankings}) > 1
        return render(
            "methods_compared.html",
            reading=READING,
            chance=chance_level(*sorted(raters, reverse=True)) if raters else "",
            methods={method: METHODS[method] for method in used},
            strata=[
                {
                    "name": ranking.stratum,
                    "on": ranking.response if several else "",
                    "models": ranking.model,
                    "caution": CUT if selecting(run, [ranking.stratum]) else "",
                    "agreement": ranking.agreement,
                    "word": _word(ranking.agreement),
                    "first": {method: ", ".join(ranking.first(method)) for method in used},
                    "sentences": sentences(ranking),
                    "figure": figure_of(figures[name]) if (name := _file(ranking, k)) in figures else None,
                    "methods": ranking.methods,
                    "rows": sorted(ranking.rows, key=_best),
                    "signs": any(text(row.get("sign")) for row in ranking.rows),
                    "reasons": any(text(row.get("reason")) for row in ranking.rows),
                    "is_open": k < OPEN,
                }
                for k, ranking in enumerate(rankings)
            ],
        )


def rankings_of(run: RunTables) -> list[Ranking]:
    """What consensus.csv holds, by models and stratum; a driver that comes again begins another response."""
    found: list[tuple[tuple[str, str], list[Row]]] = []
    seen: set[str] = set()
    for row in run.rows("consensus"):
        key, driver = (text(row.get("model")), text(row.get("stratum"))), text(row.get("driver"))
        if not found or found[-1][0] != key or driver in seen:
            found.append((key, []))
            seen = set()
        found[-1][1].append(row)
        seen.add(driver)
    rankings: list[Ranking] = []
    for (model, stratum), rows in found:
        agreements = run.rows("rank_agreement", model=model, stratum=stratum, quantity="methods")
        before = sum(1 for r in rankings if (r.model, r.stratum) == (model, stratum))
        parts = sum(1 for key, _ in found if key == (model, stratum))
        agreement = agreements[before] if len(agreements) == parts else {}
        rankings.append(Ranking(model, stratum, text(agreement.get("response")), rows, agreement))
    return rankings


def sentences(ranking: Ranking) -> list[str]:
    """Who is first by which method, how alike the rankings are, and how many drivers need a reason."""
    said = [_first_sentence(ranking), agreement_sentence(ranking.agreement, "methods")]
    apart = [row for row in ranking.rows if text(row.get("reason"))]
    ranked = [row for row in ranking.rows if not is_missing(row.get("agreement"))]
    if apart:
        names = listed([text(row.get("driver")) for row in apart])
        verb = "is" if len(apart) == 1 else "are"
        said.append(f"{names} {verb} ranked very differently ({len(apart)} of {len(ranked)} drivers).")
    elif ranked:
        said.append("No driver is ranked very differently by different methods.")
    return [sentence for sentence in said if sentence]


def _first_sentence(ranking: Ranking) -> str:
    firsts: dict[str, list[str]] = {}
    for method in ranking.methods:
        for driver in ranking.first(method):
            firsts.setdefault(driver, []).append(METHODS[method][0])
    if not firsts:
        return ""
    parts = [f"{driver} by {listed(methods)}" for driver, methods in firsts.items()]
    return f"Ranked first: {'; '.join(parts)}."


def _word(agreement: Row) -> str:
    w, m = number_or_none(agreement.get("w")), number_or_none(agreement.get("n_raters"))
    return "" if w is None or m is None or m < 2 else agreement_word(w, int(m))


def _best(row: Row) -> tuple[float, float]:
    """Sorts by the mean rank, then by the best; drivers without a rank come last."""
    ranks = [rank for method in METHODS if (rank := number_or_none(row.get(f"rank_{method}"))) is not None]
    return (sum(ranks) / len(ranks), min(ranks)) if ranks else (float("inf"), 0.0)


def _lines(ranking: Ranking) -> list[RankLine]:
    found = []
    for row in sorted(ranking.rows, key=_best)[:MOST_LINES]:
        ranks = tuple(number_or_none(row.get(f"rank_{method}")) for method in ranking.methods)
        if any(rank is not None for rank in ranks):
            name = text(row.get("driver"))
            told = [name]
            told += [
                f"{METHODS[method][0]}: rank {count(rank)}, share {exact(row.get(f'share_{method}'))}"
                for method, rank in zip(ranking.methods, ranks, strict=True)
                if rank is not None
            ]
            told += [text(row.get("reason"))] if text(row.get("reason")) else []
            whole = tuple(None if rank is None else int(rank) for rank in ranks)
            found.append(
                RankLine(name, text(row.get("group")), whole, "\n".join(told), bool(text(row.get("reason"))))
            )
    return found


def _file(ranking: Ranking, k: int) -> str:
    """A short file name; its number keeps apart what differs in signs only."""
    return f"{k + 1:02d}--{re.sub(r'[^A-Za-z0-9_]+', '-', ranking.stratum).strip('-')[:60] or 'x'}.svg"

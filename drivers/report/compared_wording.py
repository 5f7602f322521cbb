"""Sentences on strata side by side: who leads where, what differs, and how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from drivers.report.agreement_wording import agreement_sentence, chance_level
from drivers.report.compared_rows import LEVEL, Panel, selecting
from drivers.report.geodetector_wording import listed, q_text
from drivers.report.numbers import coefficient, count, is_missing, level_of, percent
from drivers.report.run_tables import RunTables, text
from drivers.report.wording import FEWEST_PIXELS, TREE_METHOD, errors_of

INTRO = (
    "Each number of each model is set side by side for the strata of one family, and every pair of strata is "
    "tested for a difference. The p-values are adjusted over all differences of a kind in the study "
    "(Benjamini–Hochberg). Strongest means the largest estimate by size; where whiskers overlap, who leads "
    "is not settled."
)
SELECTS = (
    "{strata} {are} cut on the response, which bends every slope, share and q in {them}: a difference "
    "between them need not mean that drivers act differently."
)
CLASSICAL = (
    "The errors behind these tests count every pixel as independent, which neighbouring pixels are not: far "
    "too many differences remain."
)
NOT_TESTED = (
    "The tables hold no standard errors of these numbers, so their differences are not tested; read them as "
    "a description."
)
NAMED = 8
"""Strata that a sentence names; of more it gives the number."""
MOST_LEADERS = 3
"""Drivers that a sentence on many strata names."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a compared number is called and how it is written."""

    heading: str
    many: str
    shown: Callable[[Any], str]
    whiskers: str = "95 % interval"
    caption: str = ""


QUANTITIES = {
    "std_total_effect": Quantity(
        "Total effects on {response}", "total effects", coefficient, caption="std. effect"
    ),
    "q": Quantity("q of each driver", "q values", q_text, "± 2 standard errors", "q"),
    "influence": Quantity(
        "Relative influence in the trees", "shares", percent, "± 2 standard errors", "share"
    ),
    "std_path": Quantity("Standardised paths", "paths", coefficient),
}


def sentences(panel: Panel) -> list[str]:
    """What a panel comes to, a sentence each."""
    said = [leaders_sentence(panel, groups=True), leaders_sentence(panel, groups=False)]
    said += [differences_sentence(panel), omnibus_sentence(panel)]
    if agreed := agreement_sentence(panel.agreement, "strata"):
        said.append(f"{agreed} {chance_level(int(panel.agreement['n_raters']))}")
    return [sentence for sentence in said if sentence]


def leaders_sentence(panel: Panel, *, groups: bool) -> str:
    """Who is strongest where; paths have no leader."""
    if panel.quantity == "std_path":
        return ""
    kind, found = "group" if groups else "driver", panel.leaders(groups)
    if not found:
        return ""
    if len(panel.strata) > NAMED:
        return _counted_leaders(kind, found, len(panel.strata))
    only = next(iter(found))
    if len(found) == 1 and len(found[only]) == len(panel.strata):
        where = "both strata" if len(panel.strata) == 2 else f"all {len(panel.strata)} strata"
        return f"The strongest {kind} is {only} in {where}."
    parts = [f"{name} in {_places(panel, name, strata, groups)}" for name, strata in found.items()]
    return f"The strongest {kind} is {'; '.join(parts)}."


def _counted_leaders(kind: str, found: Mapping[str, Sequence[str]], strata: int) -> str:
    """In how many strata those lead that lead most often."""
    often = sorted(found, key=lambda name: -len(found[name]))
    said = listed([f"{name} in {len(found[name])}" for name in often[:MOST_LEADERS]])
    rest = len(often) - MOST_LEADERS
    others = f"; {rest} other{'s lead' if rest > 1 else ' leads'} in the rest" if rest > 0 else ""
    return f"The strongest {kind} is {said} of {strata} strata{others}."


def _places(panel: Panel, name: str, strata: Sequence[str], groups: bool) -> str:
    shown = QUANTITIES[panel.quantity].shown
    numbers = panel.estimates[groups, name]
    return listed([f"{level_of(s, panel.family)} ({shown(numbers[s].value)})" for s in strata])


def differences_sentence(panel: Panel) -> str:
    """How many differences remain of how many, and at which rate."""
    tested, many = len(panel.tested), QUANTITIES[panel.quantity].many
    if not tested:
        return NOT_TESTED
    remain = len(panel.remaining)
    rate = f"a false discovery rate of {round(100 * LEVEL)} %"
    pairs = len({(text(row.get("stratum_a")), text(row.get("stratum_b"))) for row in panel.tested})
    between = "two strata" if pairs == 1 else f"{count(pairs)} pairs of strata"
    of = f"{count(tested)} differences of {many} between {between}"
    if not remain:
        return (
            f"None of {of} remains at {rate}: these pixels cannot tell the strata apart, which does not make "
            "them alike."
        )
    verb = "remains" if remain == 1 else "remain"
    return (
        f"{count(remain)} of {of} {verb} at {rate}: of those listed, about 1 in 20 at most is expected to be "
        "chance."
    )


def omnibus_sentence(panel: Panel) -> str:
    """In how many rows any stratum differs; of two strata the difference itself says it."""
    tested = [row for row in panel.omnibus if not is_missing(row.get("p_adjusted"))]
    if len(panel.strata) < 3 or not tested:
        return ""
    differ = sum(1 for row in tested if float(row["p_adjusted"]) < LEVEL)
    what = "paths" if panel.quantity == "std_path" else "drivers"
    what += " and groups" if any(is_group for is_group, _ in panel.estimates) else ""
    return (
        f"One test for all strata at once finds a difference in {differ} of {len(tested)} {what}, at "
        "the same rate."
    )


def family_cautions(run: RunTables, model: str, family: str, strata: Sequence[str]) -> list[str]:
    """What a reader must know before comparing these strata."""
    found = []
    cut = [level_of(s, family) for s in selecting(run, strata)]
    if cut:
        them = "it" if len(cut) == 1 else "them"
        are = "is" if len(cut) == 1 else "are"
        found.append(SELECTS.format(strata=_named(cut), are=are, them=them))
    fits = {stratum: run.fit(model, stratum) for stratum in strata}
    tested = (run.meta.get("table") or {}).get("coordinates") and run.method(model) != TREE_METHOD
    if tested and any(fit and errors_of(fit) == "classical" for fit in fits.values()):
        found.append(CLASSICAL)
    few = [
        level_of(stratum, family)
        for stratum, fit in fits.items()
        if not is_missing(fit.get("n_effective")) and float(fit["n_effective"]) < FEWEST_PIXELS
    ]
    if few:
        found.append(
            f"In {_named(few)} fewer than {FEWEST_PIXELS} independent pixels stand behind some numbers: only "
            "large differences can be seen there, and their p-values are rough."
        )
    failed = [level_of(s, family) for s in _failed(run, model, family)]
    if failed:
        found.append(f"Not compared, because the model could not be fitted there: {_named(failed)}.")
    return found


def _failed(run: RunTables, model: str, family: str) -> list[str]:
    """The strata of a family in which a model failed."""
    return [
        text(row.get("stratum"))
        for row in run.rows("fit", model=model)
        if text(row.get("status")) == "failed"
        and "*".join(part.partition("=")[0] for part in text(row.get("stratum")).split(",")) == family
    ]


def _named(names: Sequence[str]) -> str:
    if len(names) <= NAMED:
        return listed(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"

"""What the tables say of boosted trees: shares of the drivers as values, and the sentences on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.report.geodetector_rows import finite
from drivers.report.geodetector_wording import listed
from drivers.report.numbers import coefficient, percent
from drivers.report.run_tables import Row, RunTables, text

MEASURES = ("gain", "shap", "permutation", "shapley")
"""How importance is measured, in the order of the page; the first that a stratum has leads."""
SAID = {
    "gain": "relative influence",
    "shap": "SHAP",
    "permutation": "permutation",
    "shapley": "Shapley value of the group",
}
SCHEMES = {"holdout": "holdout", "random": "random folds", "block": "block folds"}
"""How pixels were held out, in the order of the page."""
GAP = 0.05
"""A gap of R² larger than this is named: below it, random folds and blocks say the same."""
APPLICABLE = 0.9
"""A share of pixels inside the area of applicability below this is named."""
HALF = 0.5
NO_SHARES = "No importance is in the tables."

GAIN = (
    "Relative influence is the share of a driver in what the splits of the trees gain; it favours drivers "
    "with many values, and correlated drivers divide it among themselves by chance."
)
SPREAD = "A whisker is one standard deviation over the forests of the folds: how stable the share is."
SHAP = (
    "SHAP is the mean size of what a driver adds to the predictions of single pixels; where it differs much "
    "from relative influence, believe neither alone."
)
PERMUTATION = (
    "Permutation importance is how much the error rises when a driver is shuffled: near 0, other drivers "
    "can stand in for it."
)
SHAPLEY = (
    "The Shapley value of a group is what the group adds to predictions, averaged over pixels and over "
    "all orders in which groups can be added."
)
H = (
    "Friedman's H is the share of the joint effect of two drivers that is not the sum of their own effects: "
    "0 is none, 1 is all. A large H of two weak drivers is still weak; the strength says how much it moves "
    "the response on the link scale."
)
PARTIAL = (
    "Partial dependence (the line) is the mean prediction with a driver set to a value on all pixels, also "
    "where such pixels do not exist."
)
ALE = (
    "Accumulated local effects (dashed) move each pixel only within its own neighbourhood of the driver: "
    "where line and dashes part, drivers are correlated, and the dashes are to be believed."
)
BLOCKS = (
    "Block folds hold out whole spatial blocks, so no neighbour of a tested pixel was seen: their R² is the "
    "one for places without data. Random folds leave neighbours in and answer only for gaps between pixels."
)
NO_BLOCKS = (
    "There are no block folds: without coordinates it cannot be told how much of R² is owed to neighbours."
)
ASSOCIATION = "Shares say what the trees use to predict, not what causes the response."


@dataclass(frozen=True, slots=True)
class ShareRow:
    """A driver or a group: its share by measure, and of the leading one rank and spread, as a share too."""

    name: str
    group: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    rank: float | None = None
    spread: float | None = None


def leading(rows: Sequence[ShareRow]) -> str:
    """The measure that the page goes by: relative influence, where it was computed."""
    return next((m for m in MEASURES if any(m in r.shares for r in rows)), MEASURES[0])


def share_rows(run: RunTables, model: str, stratum: str, *, groups: bool = False) -> list[ShareRow]:
    """The drivers of a stratum, or its groups, from the largest share to the smallest."""
    cells: dict[str, dict[str, Row]] = {}
    for row in run.rows("importance", model=model, stratum=stratum):
        driver = text(row.get("driver"))
        name = text(row.get("group")) if groups else driver
        if name and bool(driver) != groups:
            cells.setdefault(name, {})[text(row.get("measure"))] = row
    found = []
    for name, of in cells.items():
        shares = {m: s for m, r in of.items() if (s := finite(r.get("share"))) is not None}
        values = {m: v for m, r in of.items() if (v := finite(r.get("value"))) is not None}
        lead = next((m for m in MEASURES if m in shares), "")
        spread = finite(of[lead].get("spread")) if lead else None
        if spread is not None:  # in units of the value
            spread = spread * shares[lead] / values[lead] if values.get(lead) else None
        group = next((g for r in of.values() if (g := text(r.get("group")))), run.groups.get(name, ""))
        rank = finite(of[lead].get("rank")) if lead else None
        found.append(ShareRow(name, group, shares, values, rank, spread))
    lead = leading(found)
    return sorted(found, key=lambda r: (lead not in r.shares, -r.shares.get(lead, 0.0)))


def headline(fit: Row) -> str:
    """The three R² in one line; what was not computed is left out."""
    known = [
        f"{words} {coefficient(value)}"
        for scheme, words in SCHEMES.items()
        if (value := finite(fit.get(f"r2_{scheme}"))) is not None
    ]
    return f"R² of held-out pixels: {', '.join(known)}." if known else "No R² of held-out pixels is known."


def warnings(fit: Row) -> list[str]:
    """What a reader must know before believing the trees of this stratum."""
    found = []
    gap, block, inside = (finite(fit.get(name)) for name in ("r2_gap", "r2_block", "applicable"))
    if gap is not None and gap > GAP:
        found.append(
            f"Random folds flatter by {coefficient(gap)}: neighbouring pixels are alike, and a tested pixel "
            "has near-copies among those that were learnt. Judge the trees by their block folds."
        )
    if block is not None and block <= 0:
        found.append(
            "For other spatial blocks the trees predict no better than the mean: their shares and curves "
            "describe these pixels and do not carry over."
        )
    if inside is not None and inside < APPLICABLE:
        found.append(
            f"Only {percent(inside)} of the pixels lie inside the area of applicability: the others are "
            "unlike what the trees have seen, and R² says nothing of them."
        )
    return found


def findings(rows: Sequence[ShareRow], pairs: Sequence[Row]) -> list[str]:
    """What a stratum comes to: the first driver, how many hold half, and the strongest pair."""
    lead = leading(rows)
    known = [r for r in rows if lead in r.shares]
    if not known:
        return [NO_SHARES]
    best = known[0]
    said = f"{best.name} leads with {percent(best.shares[lead])} of {SAID[lead]}"
    others = {
        m: max((r for r in rows if m in r.shares), key=lambda r: r.shares[m])
        for m in MEASURES
        if m != lead and any(m in r.shares for r in rows)
    }
    same = [SAID[m] for m, row in others.items() if row.name == best.name]
    said += f", and by {listed(same)} too" if same else ""
    parting = [f"by {SAID[m]} it is {row.name}" for m, row in others.items() if row.name != best.name]
    said += f"; {' and '.join(parting)}" if parting else ""
    total, many = 0.0, 0
    while total < HALF and many < len(known):
        total, many = total + known[many].shares[lead], many + 1
    if 1 < many < len(known):
        said += f". The first {many} of {len(known)} drivers hold {percent(total)}"
    found = [said + "."]
    crossed = [r for r in pairs if finite(r.get("value")) is not None]
    if crossed:
        # By what it moves: H of two weak drivers is large by itself.
        top = max(crossed, key=lambda r: (finite(r.get("strength")) or 0.0, finite(r.get("value")) or 0.0))
        found.append(
            f"The strongest interaction is that of {text(top.get('driver_a'))} with "
            f"{text(top.get('driver_b'))}: H = {coefficient(top.get('value'))}."
        )
    return found


def reading(
    rows: Sequence[ShareRow], groups: Sequence[ShareRow], fit: Row, kinds: set[str], *, pairs: bool
) -> list[str]:
    """How to read the section: a sentence each on what its numbers are, and no others."""
    found = [NO_BLOCKS if finite(fit.get("r2_block")) is None else BLOCKS]
    measures = {m for r in (*rows, *groups) for m in r.shares}
    found += [GAIN] if "gain" in measures else []
    found += [SPREAD] if any(r.spread is not None for r in rows) else []
    said = {"shap": SHAP, "permutation": PERMUTATION, "shapley": SHAPLEY}
    found += [words for measure, words in said.items() if measure in measures]
    found += [PARTIAL] if "partial" in kinds else []
    found += [ALE] if "accumulated" in kinds else []
    found += [H] if pairs else []
    return [*found, ASSOCIATION]

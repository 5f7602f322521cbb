"""Sentences on the numbers of boosted trees: what they mean, and when not to trust them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from drivers.report.brt_rows import MEASURES, PairRow, Settings, ShareRow, Simplified, leading
from drivers.report.geodetector_rows import finite
from drivers.report.geodetector_wording import listed
from drivers.report.numbers import coefficient, count, is_missing, number, percent
from drivers.report.run_tables import Row, text

SAID = {
    "gain": "relative influence",
    "shap": "SHAP",
    "permutation": "permutation",
    "shapley": "Shapley value of the group",
}
SCHEMES = {"holdout": "holdout", "random": "random folds", "block": "block folds", "knndm": "kNNDM folds"}
"""How pixels were held out, in the order of the page."""
GAP = 0.05
"""A gap of R² larger than this is named: below it, random folds and blocks say the same."""
APPLICABLE = 0.9
"""A share of pixels inside the area of applicability below this is named."""
HALF = 0.5
NAMED = 6
"""Dropped drivers that a sentence names; of more it counts the others."""
APART = 2.0
"""Standard errors by which one pair must exceed another, or a sample of other pixels may turn them."""
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
SHAP_PAIRS = (
    "The SHAP interaction of two drivers is the mean size of what they add to predictions together and not "
    "each by itself, on the link scale and over pixels that exist, where H also asks for ones that do not"
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
KNNDM = (
    "kNNDM folds are as far from training pixels as the pixels to be predicted are: their R² is the one for "
    "this map, gaps included, where block folds may ask for more distance than the map does."
)
ASSOCIATION = "Shares say what the trees use to predict, not what causes the response."


def headline(fit: Row) -> str:
    """Every R² in one line; what was not computed is left out."""
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
    others = [r2 for scheme in SCHEMES if (r2 := finite(fit.get(f"r2_{scheme}"))) is not None]
    if block is None and others and max(others) <= 0:
        found.append(
            "The trees predict held-out pixels no better than the mean does: what their shares, curves and "
            "interactions show is chance."
        )
    if inside is not None and inside < APPLICABLE:
        found.append(
            f"Only {percent(inside)} of the pixels lie inside the area of applicability: the others are "
            "unlike what the trees have seen, and R² says nothing of them."
        )
    return found


def findings(rows: Sequence[ShareRow], pairs: Sequence[PairRow]) -> list[str]:
    """What a stratum comes to: the first driver, how many hold half, and the strongest pair."""
    lead = leading(rows)
    known = [r for r in rows if lead in r.shares]
    if not known:
        return [NO_SHARES]
    if len(known) == 1:
        return _strongest(pairs)
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
    return [said + ".", *_strongest(pairs)]


def _strongest(pairs: Sequence[PairRow]) -> list[str]:
    """The strongest pair by H, and whether SHAP names the same one; nothing where SHAP cannot tell."""
    crossed = [p for p in pairs if p.h is not None]
    told = [p for p in pairs if p.shap is not None]
    by_shap = max(told, key=lambda p: p.shap or 0.0, default=None)
    if not crossed:
        if by_shap is None:
            return []
        size = f"{number(by_shap.shap)}{_error(by_shap)}"
        return [f"The strongest interaction is that of {_both(by_shap)}: mean |SHAP interaction| {size}."]
    # By what it moves: H of two weak drivers is large by itself.
    top = max(crossed, key=lambda p: (p.strength or 0.0, p.h or 0.0))
    said = f"The strongest interaction is that of {_both(top)}: H = {coefficient(top.h)}"
    if by_shap is top:
        said += ", and by SHAP too"
    elif by_shap is not None and top.shap is not None and _apart(by_shap, top):
        said += f"; by SHAP it is that of {_both(by_shap)}"
    return [said + "."]


def _both(pair: PairRow) -> str:
    return f"{pair.first} with {pair.second}"


def _error(pair: PairRow) -> str:
    return "" if pair.error is None else f" ± {number(pair.error, 2)}"


def _apart(one: PairRow, other: PairRow) -> bool:
    errors = math.hypot(one.error or 0.0, other.error or 0.0)
    return (one.shap or 0.0) - (other.shap or 0.0) > APART * errors


def simplification(found: Simplified | None, fit: Row) -> list[str]:
    """Which drivers were dropped, and which pixels had a say in it."""
    if found is None:
        return []
    many, total = len(found.dropped), found.total
    if total == 1:
        return []
    if not many:
        return [f"None of {total} drivers could be dropped."]
    names = list(found.dropped)
    if many > NAMED + 1:
        names = [*names[:NAMED], f"{many - NAMED} others"]
    were = "was" if many == 1 else "were"
    them = "it" if many == 1 else "them"
    said = (
        f"{many} of {total} drivers {were} dropped, the deviance staying within a standard error of the "
        f"least: {listed(names)}."
    )
    if finite(fit.get("r2_holdout")) is None:
        return [f"{said} The folds chose {them}, and without a holdout no R² here is free of that choice."]
    return [f"{said} The training folds chose {them}; the holdout had no part in it."]


def competition(found: Settings, most: int) -> str:
    """How many settings were tried, which are listed, and how many were given up."""
    said = []
    if found.tried > most:
        known = any(finite(r.get("deviance")) is not None for r in found.listed)
        late = " and the chosen one" if len(found.listed) > most else ""
        of = f"the {most} with the least {'deviance' if known else 'error'}{late}"
        said.append(f"{count(found.tried)} settings were tried; listed are {of}.")
    if found.given_up:
        who = f"{count(found.given_up)} of {count(found.tried)}"
        were = "was" if found.given_up == 1 else "were"
        said.append(f"{who} {were} given up early: the first folds had shown that others are better.")
    return " ".join(said)


def side_of_blocks(value: Any, *, geographic: bool) -> str:
    """`12.3 km` for longitude and latitude, or a number in the coordinates' unit; empty without blocks."""
    if is_missing(value):
        return ""
    return f"{number(value)} {'km' if geographic else 'units of the coordinates'}"


def swarm_caption(pixels: int, dots: int, drivers: int, most: int) -> str:
    """What a dot of the beeswarm is, and what is not drawn of so many pixels and drivers."""
    of = f"{count(dots)} of {count(pixels)}" if pixels > dots else count(pixels)
    said = (
        f"Every dot is one of {of} sampled pixels: right of 0 the driver raises its prediction, left of 0 it "
        "lowers it."
    )
    if drivers > most:
        said += f" Shown are the {most} drivers with the largest mean |SHAP| of {drivers}."
    return said


def sample_of_shap(rows: Sequence[ShareRow]) -> str:
    """On how many pixels SHAP rests, and how sure that makes it."""
    sizes = [r.sampled["shap"] for r in rows if "shap" in r.sampled]
    if not sizes:
        return ""
    errors = {
        r.name: (r.values["shap"], r.errors["shap"] / r.values["shap"])
        for r in rows
        if "shap" in r.errors and r.values.get("shap")
    }
    said = f"SHAP is on {count(max(sizes))} pixels"
    if errors:
        first, (_, own) = max(errors.items(), key=lambda found: found[1][0])
        most = max(share for _, share in errors.values())
        said += ", with a standard error of "
        if most > own:
            said += f"{percent(own)} of the value for {first} and at most {percent(most)} for any driver"
        else:
            said += f"at most {percent(most)} of the value"
    return said + "."


def reading(
    rows: Sequence[ShareRow],
    groups: Sequence[ShareRow],
    fit: Row,
    kinds: set[str],
    pairs: Sequence[PairRow] = (),
) -> list[str]:
    """How to read the section: a sentence each on what its numbers are, and no others."""
    found = [NO_BLOCKS if finite(fit.get("r2_block")) is None else BLOCKS]
    matched = "kNNDM folds are random" not in text(fit.get("message"))  # else the message says what they are
    found += [KNNDM] if matched and finite(fit.get("r2_knndm")) is not None else []
    measures = {m for r in (*rows, *groups) for m in r.shares}
    found += [GAIN] if "gain" in measures else []
    found += [SPREAD] if any(r.spread is not None for r in rows) else []
    if "shap" in measures:
        found.append(" ".join(part for part in (SHAP, sample_of_shap(rows)) if part))
    said = {"permutation": PERMUTATION, "shapley": SHAPLEY}
    found += [words for measure, words in said.items() if measure in measures]
    found += [PARTIAL] if "partial" in kinds else []
    found += [ALE] if "accumulated" in kinds else []
    found += [H] if any(p.h is not None for p in pairs) else []
    if any(p.shap is not None for p in pairs):
        sizes = [p.sampled for p in pairs if p.sampled is not None]
        found.append(SHAP_PAIRS + (f"; here on {count(max(sizes))} pixels." if sizes else "."))
    return [*found, ASSOCIATION]

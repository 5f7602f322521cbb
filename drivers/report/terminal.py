"""Tables for a terminal: as many columns as fit, whole numbers and names, and a word on what was left out."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from drivers.report.change_rows import changed_classes, series_of, sure_shares
from drivers.report.first_look import by_method
from drivers.report.numbers import is_missing, level_of
from drivers.report.run_tables import RunTables, text
from drivers.report.tables import TEXT_COLUMNS
from drivers.report.wording import TREE_METHOD, failures

# fmt: off
FACTORS = ("model", "stratum", "rank", "driver", "q", "n_classes", "method", "p_value", "p_max")
"""The columns of q.csv that a first look needs."""
SHARES = ("model", "stratum", "rank", "driver", "group", "share")
"""The columns of importance.csv that a first look needs."""
TOP = 5
"""Drivers per fit in a first look."""
CHANGES = ("stratum", "series", "n_years", "sen_slope", "mk_z", "mk_p", "significant", "share_fdr")
"""The columns of a first look at change: of series_trend.csv, and shares of the area from trend.csv."""
_CHANGED = ("stratum", "series", "year_from", "year_to", "class")
CLASSES = (*_CHANGED, "before", "after", "gain", "loss", "net")
SHARES_OF_CLASSES = (*_CHANGED, "share_before", "share_after", "share_gain", "share_loss")
"""The columns of a first look at transfers, with areas and without."""
LEAST_NEEDED = (
    "pixels_before", "pixels_after", "share_before", "share_after", "share_gain", "share_loss",
    "sen_intercept", "mk_tau", "mk_s", "linear_slope", "n_years", "unknown", "mean_unchanged", "unchanged",
    "region_p", "missing", "offset_azimuth", "offset", "region_r", "year_from", "mk_z", "total",
    "growth_share",
    "gap", "log_p", "p_classical", "p_block", "block_side", "std_estimate_error", "truncated_std_error",
    "aic_dsep", "aicc_dsep", "fishers_c_classical", "fishers_c_p_classical",
    "baseline_chisq", "baseline_df", "tli_robust", "cfi_robust", "rmsea_p_close", "chisq_scaled",
    "chisq_p_classical", "n_parameters", "rmsea_robust", "chisq_scaling", "rmsea_low", "rmsea_high",
    "srmr", "tli", "cfi", "logl", "bic", "aic", "chisq_df", "chisq", "chisq_p", "df_residual",
    "equivalence_bound", "max_partial_r_low", "max_partial_r_high", "partial_r_low", "partial_r_high",
    "share_psem", "share_brt", "share_geodetector", "pooled",
    "equivalence_p", "method", "group", "message", "c_per_df", "df", "statistic", "delta_c", "given",
    "n_blocks", "rmsea", "equivalence_verdict", "aicc", "max_partial_r", "fishers_c_df", "fishers_c",
    "std_error", "op", "conf_low", "conf_high", "std_conf_low", "std_conf_high", "n_effective",
    "truncated_estimate", "agreement", "pixels", "area", "estimate_a", "estimate_b", "p_adjusted", "max",
    "min",
)
"""What is left out of a table that is too wide, in this order."""
FIT_OF_LATENT = ("srmr", "chisq_df", "chisq", "chisq_p", "cfi")
"""Of latent-variable models, which alone have a CFI, these go after all that is ranked."""
P_COLUMNS = frozenset((
    "fishers_c_p", "fishers_c_p_classical", "chisq_p", "chisq_p_classical", "equivalence_p", "rmsea_p_close",
))
WHOLE = frozenset(("n_effective",))
"""Counts that are not whole in the tables, and are read as if they were."""
KEYS = frozenset((
    "model", "stratum", "response", "term", "driver", "kind", "via", "estimate", "std_estimate", "p_value",
    "n", "status", "verdict", "r2", "step", "action", "selects_on_response",
    "q", "n_classes", "p_max", "driver_a", "driver_b", "q_ab", "type", "class", "class_a", "class_b", "mean",
    "year", "scale", "chosen", "share", "r2_holdout", "r2_random", "r2_block",
    "r2_knndm", "errors", "quantity", "stratum_a", "stratum_b", "difference", "n_strata",
    "series", "partner", "trend_class", "persistence_class", "sen_slope", "mk_p", "significant", "share_fdr",
    "from", "to", "before", "after", "net", "easting", "northing", "growth", "hurst", "year_to",
    "held_equal", "of_stratum", "chisq_difference", "mi", "epc", "residual", "residual_z",
    "w", "w_low", "w_high", "rank_psem", "rank_brt", "rank_geodetector", "sign", "threshold", "side",
))
"""What stays."""
LAST = ("via", "estimate")
"""Keys that go where not even the keys fit: the others can be read without them."""
TOGETHER = (("low", "high"), ("a", "b"), ("psem", "brt", "geodetector"))
"""Ends of names that come and go together."""
SECTIONED = ("model", "stratum", "quantity")
"""What heads a part of a table that has many rows per fit; not all tables have a quantity."""
ENDS = ("stratum_a", "stratum_b")
"""Strata whose family the heading names."""
FOLDED = frozenset(("message", "given", "via", "reason"))
"""Long texts, which may take several lines; they break between words."""
# fmt: on
DIGITS, P_DIGITS = 4, 3
"""Significant digits in a terminal, and those of p-values; the files have them all."""
GAP = 2
"""Blanks between columns."""
FOLD_AT, NARROWEST = 22, 8
"""Characters that a folded text gets at least; and that a name gets, where not even the keys fit."""
PIPE = 1_000_000
"""The width of what is no terminal: nothing wraps."""


@dataclass(frozen=True)
class FittedTable:
    """A table that shows as many of its columns as the console is wide; all of them in a pipe."""

    frame: pd.DataFrame
    title: str
    file: str
    """The name of the CSV that has all columns."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table, and under it what was left out."""
        cells = {str(c): [_shown(str(c), v) for v in self.frame[c].tolist()] for c in self.frame.columns}
        if self.title:
            yield Text(self.title, style="bold")
        if not console.is_terminal:
            yield self._table(cells, {name: _width(name, cells[name]) for name in cells})
            return
        said = []
        parts = _parts(cells)
        if len(parts) > 1 or next(iter(parts)):
            families = cells.get("stratum", [])
            cells |= {name: list(map(level_of, cells[name], families)) for name in ENDS if name in cells}
            cells = {name: shown for name, shown in cells.items() if name not in SECTIONED}
            if {"driver", "group"} <= set(cells):  # the rows of a group have no driver
                cells["driver"] = [
                    d or (g and f"({g})") for d, g in zip(cells["driver"], cells["group"], strict=True)
                ]
        elif len(set(cells.get("model", ()))) == 1 and len(cells) > 1:
            said.append(f"model: {cells.pop('model')[0]}")
        cells = {name: shown for name, shown in cells.items() if any(shown) or not len(self.frame)}
        widths = fitting(cells, options.max_width)
        for heading, rows in parts.items():
            if heading:
                yield Text(f"\n{heading}", style="bold")
            yield self._table({name: [cells[name][k] for k in rows] for name in widths}, widths)
        left_out = [name for name in cells if name not in widths]
        if left_out:
            said.append(f"left out: {', '.join(left_out)}; tables/{self.file}.csv has all columns")
        if said:
            yield Text("\n".join(said), style="dim")

    def _table(self, cells: Mapping[str, Sequence[str]], widths: Mapping[str, int]) -> Table:
        made = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
        for name, width in widths.items():
            number = name not in TEXT_COLUMNS and _is_number(self.frame[name])
            made.add_column(name, justify="right" if number else "left", width=width, overflow="fold")
        for row in zip(*(cells[name] for name in widths), strict=True):
            made.add_row(*(Text(cell) for cell in row))
        return made


def terminal_table(frame: pd.DataFrame, title: str) -> FittedTable:
    """The table `title`, its numbers at four digits."""
    return FittedTable(frame, title, title)


def _parts(cells: Mapping[str, Sequence[str]]) -> dict[str, list[int]]:
    """The rows under each heading `model on stratum`; one part without a heading where fits have one row."""
    keys = [cells[name] for name in SECTIONED if name in cells]
    rows: dict[str, list[int]] = {}
    for k, (*fit, last) in enumerate(zip(*keys, strict=True)):
        heading = f"{' on '.join(fit)}: {last}" if "quantity" in cells else " on ".join([*fit, last])
        rows.setdefault(heading, []).append(k)
    total = sum(len(found) for found in rows.values())
    if {"model", "stratum"} <= set(cells) and total >= 2 * len(rows) > 0:
        return rows
    return {"": list(range(len(next(iter(cells.values()), ()))))}


def fitting(cells: Mapping[str, Sequence[str]], room: int) -> dict[str, int]:
    """The columns that fit into `room` characters, with their widths.

    Columns are left out by `LEAST_NEEDED`, then those that nobody ranked, from the right, then `LAST`;
    what was left out too soon comes back. Where not even the keys fit, names fold, and as the last
    resort keys go from the right: a number is never cut.
    """
    full = {name: _width(name, shown) for name, shown in cells.items()}
    floor = {name: _floor(name, cells[name], full[name]) for name in cells}
    ranked = [name for name in LEAST_NEEDED if name in cells]
    if set(ENDS) <= set(cells) and "p_adjusted" in ranked:  # of many differences only those that remain count
        ranked.insert(ranked.index("p_adjusted"), "p_value")
    if "cfi" in cells:
        late = [name for name in FIT_OF_LATENT if name in cells]
        ranked = [name for name in ranked if name not in late] + late
    unranked = [name for name in reversed(list(cells)) if name not in KEYS and name not in ranked]
    order = [*ranked, *unranked, *(name for name in LAST if name in cells)]
    kept = set(cells)
    _leave_out(order, kept, floor, room)
    if _total(floor, kept) > room:
        floor |= {name: max(NARROWEST, cell_len(name)) for name in kept & TEXT_COLUMNS if name in floor}
        _leave_out([name for name in reversed(list(cells)) if name in kept][:-1], kept, floor, room)
    widths = {name: full[name] for name in cells if name in kept}
    while _total(widths, kept) > room:
        loose = [name for name in widths if widths[name] > floor[name]]
        if not loose:
            break
        widths[max(loose, key=lambda name: widths[name])] -= 1
    return widths


def _leave_out(order: Sequence[str], kept: set[str], floor: Mapping[str, int], room: int) -> None:
    """Take columns out of `kept` in order until the rest fits, then put back what fits after all."""
    dropped = []
    for name in order:
        if _total(floor, kept) <= room:
            break
        dropped.append(_with_its_pair(name) & kept)
        kept -= dropped[-1]
    for names in reversed(dropped):
        if _total(floor, kept | names) <= room:
            kept |= names


def _with_its_pair(name: str) -> set[str]:
    """The two ends of an interval come and go together, as do two estimates and the shares of all methods."""
    stem, _, end = name.rpartition("_")
    together = next((ends for ends in TOGETHER if end in ends), ())
    return {f"{stem}_{end}" for end in together} if stem and together else {name}


def _total(widths: Mapping[str, int], kept: set[str]) -> int:
    return sum(widths[name] for name in kept) + GAP * max(len(kept) - 1, 0) + 1


def _width(name: str, shown: Sequence[str]) -> int:
    return max([cell_len(name), *(cell_len(cell) for cell in shown)])


def _floor(name: str, shown: Sequence[str], full: int) -> int:
    """The least width without a break inside a word."""
    if name not in FOLDED:
        return full
    words = max((cell_len(word) for cell in shown for word in cell.split()), default=0)
    return max(cell_len(name), words, min(full, FOLD_AT))


def _is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def overview(run: RunTables) -> RenderableType:
    """What a run found at a glance: the strata and the fits, then what failed and why."""
    parts: list[RenderableType] = []
    fits = run.tables.get("fit")
    if fits is not None:
        title = text(run.meta.get("title")) or text(run.meta.get("study"))
        for k, kept in enumerate(by_method(run, fits)):
            parts += [Text(""), FittedTable(kept, "", "fit")] if k else [FittedTable(kept, title, "fit")]
    if (best := best_drivers(run)) is not None:
        parts += [Text(""), FittedTable(best, f"The drivers with the largest q, up to {TOP} per fit", "q")]
    if (shares := largest_shares(run)) is not None:
        title = f"The drivers with the largest relative influence, up to {TOP} per fit"
        parts += [Text(""), FittedTable(shares, title, "importance")]
    if (changed := mean_changes(run)) is not None:
        title = "Change over years: slope of each mean, and shares of the area with a significant trend"
        parts += [Text("")] if parts else [Text(text(run.meta.get("title")) or text(run.meta.get("study")))]
        parts.append(FittedTable(changed, title, "series_trend"))
    if classes := changed_classes(run):
        parts += [Text("")] if parts else [Text(text(run.meta.get("title")) or text(run.meta.get("study")))]
        areas = any(not is_missing(row.get("before")) for row in classes)
        names = CLASSES if areas else SHARES_OF_CLASSES
        title = "Change over years: what each class gained and lost"
        parts.append(FittedTable(pd.DataFrame(classes)[list(names)], title, "transfer_classes"))
    parts += [Text(f"failed: {m} on {s}: {why}", style="red") for m, s, why in failures(run)]
    parts += [Text(f"warning: {warning}", style="yellow") for warning in run.meta.get("warnings") or []]
    return Group(*parts)


def best_drivers(run: RunTables) -> pd.DataFrame | None:
    """The first `TOP` drivers of every fit by q, with the columns of `FACTORS`; None without a q."""
    q = run.tables.get("q")
    if q is None or not {"model", "stratum", "driver", "q"} <= set(q.columns) or not q["q"].notna().any():
        return None
    return _top(q, "q", FACTORS)


def largest_shares(run: RunTables) -> pd.DataFrame | None:
    """The first `TOP` drivers of boosted trees by relative influence; None where there are no trees."""
    found = run.tables.get("importance")
    if found is None or not {"model", "stratum", "driver", "measure", "share"} <= set(found.columns):
        return None
    trees = [str(m["name"]) for m in run.models if run.method(str(m["name"])) == TREE_METHOD]
    of_drivers = found["driver"].map(text) != ""
    found = found[found["model"].isin(trees) & of_drivers & (found["measure"] == "gain")]
    return _top(found, "share", SHARES) if found["share"].notna().any() else None


def mean_changes(run: RunTables) -> pd.DataFrame | None:
    """Every stratum's mean with its slope, and the shares of its pixels; None where nothing was asked."""
    rows = []
    for series in series_of(run):
        by = series.by_stratum("trend")
        for row in series.rows("series_trend"):
            shares = sure_shares(series, by.get(text(row.get("stratum")), []))
            found = {name: row.get(name) for name in CHANGES}
            if shares is not None:
                found["significant"] = shares.falling + shares.rising
                found["share_fdr"] = shares.falling_fdr + shares.rising_fdr
            rows.append(found)
    return pd.DataFrame(rows, columns=list(CHANGES)) if rows else None


def _top(frame: pd.DataFrame, by: str, columns: Sequence[str]) -> pd.DataFrame:
    """The `TOP` rows of every fit with the largest `by`, fits in the order of the table."""
    ordered = frame[frame[by].notna()].sort_values(by, ascending=False, kind="stable")
    top = ordered.groupby(["model", "stratum"], sort=False).head(TOP)
    fits = list(dict.fromkeys(zip(frame["model"], frame["stratum"], strict=True)))
    place = [fits.index(key) for key in zip(top["model"], top["stratum"], strict=True)]
    kept = [name for name in columns if name in top.columns]
    return top.assign(_place=place).sort_values("_place", kind="stable")[kept].reset_index(drop=True)


def print_to(console: Console, what: RenderableType) -> None:
    """Print, unwrapped where the output is no terminal, so that it can be piped."""
    if console.is_terminal:
        console.print(what)
        return
    wide = Console(file=io.StringIO(), width=PIPE, force_terminal=False, color_system=None)
    with wide.capture() as captured:
        wide.print(what)
    for line in captured.get().splitlines():
        print(line.rstrip(), file=console.file)


def _shown(name: str, cell: Any) -> str:
    if is_missing(cell):
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float) and math.isfinite(cell):
        if abs(cell) < 1e9 and (cell.is_integer() or name in WHOLE):
            return str(round(cell))
        # 1461036.1, not 1.461e+06: AICs are compared by their differences
        digits = P_DIGITS if name.startswith("p_") or name in P_COLUMNS else DIGITS
        return f"{cell:.1f}" if 1e3 <= abs(cell) < 1e9 else f"{cell:.{digits}g}"
    return str(cell)

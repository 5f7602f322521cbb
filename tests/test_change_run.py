"""Change over years of whole tables: against R, against loops over pixels, and where nothing can be said."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from drivers.change import Changed, change_columns, check_change, run_change
from drivers.glossary import TABLES
from drivers.pixels import pixel_frame
from drivers.spec import read_spec
from drivers.table import Partition, PixelTable, load, make_partition

HERE = Path(__file__).parent
PLACES = (HERE / "golden", HERE.parents[1] / "shared" / "golden")
GOLDEN = next((path for folder in PLACES if (path := folder / "trend.json").exists()), None)
R = 1e-10
"""METHODS, section 8."""
RP = 1e-9
"""p = erfc of a Z that agrees to 1e-10."""


def prepared(spec: Path) -> tuple[Any, PixelTable, Partition]:
    """What `study` does before it runs change."""
    study = read_spec(spec)
    columns = change_columns(study)
    needed = dict(columns.needed)
    labels = set()
    for family in study.strata:
        for name in family.variables:
            if name not in needed:
                needed[name] = family.place
                labels.add(name)
    pixel = study.pixel
    table = load(
        study.table.path,
        needed=needed,
        categorical=columns.categorical,
        labels=labels,
        units=columns.units,
        easting=pixel.easting if pixel else None,
        northing=pixel.northing if pixel else None,
        crs=pixel.crs if pixel else None,
        cell_size=pixel.size if pixel else None,
        place=study.table.place,
    )
    check_change(study, table)
    assert study.change is not None
    return study, table, make_partition(table, study.strata, study.change.over)


def changed(project: Any, frame: pd.DataFrame, change: dict[str, Any], **more: Any) -> Changed:
    project.table("p", frame)
    named = {name.rpartition("_")[0] for name in frame if name.rpartition("_")[2].isdigit()}
    content = {
        "study": "s",
        "table": {"path": "../data/p.csv"},
        "series": {name: f"{name}_{{year}}" for name in sorted(named)},
        **more,
        "change": change,
    }
    found = run_change(*prepared(project.spec("s", content)))
    for name, rows in found.rows.items():
        for row in rows:
            assert set(row) <= set(TABLES[name]), (name, set(row) - set(TABLES[name]))
            assert row["model"] == "change"
    return found


def rows(found: Changed, table: str, **where: Any) -> pd.DataFrame:
    frame = pd.DataFrame(found.rows[table])
    for column, value in where.items():
        frame = frame[frame[column] == value]
    return frame.reset_index(drop=True)


def pixels(n: int = 60, seed: int = 1, holes: float = 0.1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "x": np.arange(n) % 10 * 1000.0,
        "y": np.arange(n) // 10 * 1000.0,
        "zone": [f"z{i % 3}" for i in range(n)],
        "use": rng.integers(1, 4, n),
    }
    for year in range(2001, 2016):
        nep = rng.normal(100, 10, n) + (year - 2008) * rng.normal(0, 3, n)
        columns[f"NEP_{year}"] = np.where(rng.random(n) < holes, np.nan, nep)
        columns[f"TEM_{year}"] = rng.normal(size=n)
        columns[f"LUCC_{year}"] = np.where(rng.random(n) < holes, np.nan, rng.integers(1, 4, n))
    return pd.DataFrame(columns)


PIXEL = {"easting": "x", "northing": "y", "crs": "EPSG:32651", "size": 500}


@pytest.mark.skipif(GOLDEN is None, reason="needs golden/trend.json, which is not part of the repository")
def test_trends_of_r(project: Any) -> None:
    assert GOLDEN is not None
    for name, ref in json.loads(GOLDEN.read_text())["series"].items():
        values = np.array([math.nan if v is None else v for v in ref["values"]], dtype=np.float64)
        # The fourth pixel keeps the years that R's series lacks.
        frame = pd.DataFrame({f"V_{1900 + i}": [v, 2 * v, -v, 1] for i, v in enumerate(values)})
        found = changed(project, frame, {"trend": "V"}).pixels
        for i, sign in enumerate((1, 1, -1)):
            assert found.V_mk_s[i] == sign * ref["S"], name
            assert found.V_mk_z[i] == pytest.approx(sign * ref["Z"], rel=R), name
            assert found.V_mk_p[i] == pytest.approx(ref["p"], rel=RP), name
            slope = ref["slope_true_positions"]
            assert found.V_sen_slope[i] == pytest.approx((1, 2, -1)[i] * slope, rel=R), name
            assert found.V_n_years[i] == ref["n_used"], name


def test_the_acceptance_case(project: Any) -> None:
    """accept.py change: three pixels without a coordinate system, and pixels.parquet."""
    wide = {f"TEM_{year}": [v, 2 * v, -v] for year, v in enumerate(np.arange(12.0) ** 1.5, 1912)}
    frame = pd.DataFrame({"id": [1, 2, 3], "x": [0.0, 1.0, 2.0], "y": [0.0, 0.0, 0.0], **wide})
    project.table("p", frame)
    content = {
        "study": "warming",
        "table": {"path": "../data/p.csv"},
        "pixel": {"easting": "x", "northing": "y", "size": 1},
        "series": {"TEM": "TEM_{year}"},
        "change": {"trend": "TEM"},
    }
    study, table, partition = prepared(project.spec("s", content))
    found = run_change(study, table, partition)
    whole = pixel_frame(table, partition, {}, found.pixels)
    assert whole is not None
    whole.to_parquet(project.root / "pixels.parquet")
    back = pd.read_parquet(project.root / "pixels.parquet")
    assert list(back)[:4] == ["x", "y", "TEM_sen_slope", "TEM_mk_s"]
    assert back.TEM_mk_s.tolist() == [66, 66, -66]
    assert back.TEM_trend_class.astype(str).tolist() == ["extremely significant increase"] * 2 + [
        "extremely significant decrease"
    ]
    assert found.facts["area_unit"] == "squared units of the coordinates"
    assert rows(found, "trend", trend_class="extremely significant increase").area.tolist() == [2.0]


def test_strata_are_what_loops_over_pixels_say(project: Any) -> None:
    frame = pixels()
    found = changed(
        project,
        frame,
        {
            "trend": "NEP",
            "frequency": "NEP",
            "describe": "NEP",
            "correlation": {"NEP": "TEM"},
            "zones": "zone",
        },
        pixel=PIXEL,
        strata={"kind": {"low": "use < 2", "some": "use <= 2"}},
        series={"NEP": "NEP_{year}", "TEM": "TEM_{year}"},
    )
    assert found.facts["strata"] == ["all", "zone=z0", "zone=z1", "zone=z2"]
    for stratum in found.facts["strata"]:
        inside = np.ones(60, bool) if stratum == "all" else (frame.zone == stratum[5:]).to_numpy()
        own, part = found.pixels[inside], frame[inside]
        trend = rows(found, "trend", stratum=stratum).set_index("trend_class")
        counts = Counter(own.NEP_trend_class.astype(object).where(own.NEP_trend_class.notna(), "unknown"))
        assert {k: v for k, v in trend.pixels.items() if v} == dict(counts)
        assert trend.area["no change"] == trend.pixels["no change"] * 0.25
        known = own.NEP_trend_class.notna().sum()
        stands = own[own.NEP_mk_p_adjusted <= 0.05].NEP_trend_class.value_counts()
        for name in trend.index[:-1]:
            assert trend.share[name] == pytest.approx(trend.pixels[name] / known, rel=1e-12)
            assert trend.share_fdr[name] == pytest.approx(stands.get(name, 0) / known, rel=1e-12)
        years = rows(found, "series", stratum=stratum).set_index("year")
        for year in years.index:
            v = part[f"NEP_{year}"].dropna()
            want = [len(v), v.mean(), v.mean(), v.std(), v.min(), v.max(), (v > 0).mean(), v.sum() * 0.25]
            names = ["n", "mean", "area_mean", "sd", "min", "max", "sink_share", "total"]
            assert years.loc[year, names].astype(float).tolist() == pytest.approx(want, rel=1e-12)
        frequency = rows(found, "frequency", stratum=stratum).iloc[0]
        assert frequency.mean_rising == pytest.approx(own.NEP_rising.astype(float).mean(), rel=1e-12)
        assert frequency.mostly_rising == pytest.approx((own.NEP_rising > own.NEP_falling).mean(), rel=1e-12)
        steps = rows(found, "frequency_years", stratum=stratum)
        step = part.NEP_2002 - part.NEP_2001
        assert steps.change[0] == pytest.approx(step.mean(), rel=1e-10)
        assert steps.rising_share[0] == pytest.approx((step.dropna() > 0).mean(), rel=1e-12)
        assert frequency.rising == (steps.change > 0).sum()
        r = rows(found, "correlation", stratum=stratum).iloc[0]
        assert r.mean_r == pytest.approx(own.NEP_TEM_r.mean(), rel=1e-10)
        assert r.significant_positive == pytest.approx(((own.NEP_TEM_p <= 0.05) & (own.NEP_TEM_r > 0)).mean())
        means = [[part[f"{s}_{y}"].mean() for y in range(2001, 2016)] for s in ("NEP", "TEM")]
        assert r.region_r == pytest.approx(np.corrcoef(means)[0, 1], rel=1e-10)
        described = rows(found, "description", stratum=stratum).iloc[0]
        own_means = part[[f"NEP_{y}" for y in range(2001, 2016)]].mean(axis=1)
        assert [described["mean"], described.sd] == pytest.approx([own_means.mean(), own_means.std()])
        slopes = [(means[0][j] - means[0][i]) / (j - i) for i in range(15) for j in range(i + 1, 15)]
        assert described.growth == pytest.approx(np.median(slopes), rel=1e-9)


def test_persistence_beside_the_trend(project: Any) -> None:
    found = changed(project, pixels(holes=0.01), {"persistence": "NEP"}, pixel=PIXEL)
    assert set(found.rows) == {"persistence"}
    assert not any("trend" in name or "slope" in name for name in found.pixels)
    table = rows(found, "persistence")
    assert len(table) == 28
    assert table.share.sum() == pytest.approx(1.0)
    assert table.pixels.sum() == 60
    counts = found.pixels.NEP_persistence_class.value_counts()
    for name, count in counts.items():
        assert table[table.persistence_class == name].pixels.sum() == count
    assert "trend alone" in found.facts["notes"][0]


def test_overlapping_strata_cost_no_pixel(project: Any) -> None:
    strata = {"kind": {"low": "use < 2", "some": "use <= 2", "nobody": "use > 9"}}
    found = changed(project, pixels(), {"trend": "NEP", "over": ["kind"]}, strata=strata)
    total = pd.DataFrame(found.rows["trend"]).groupby("stratum").pixels.sum()
    use = pixels().use
    assert total.to_dict() == {
        "kind=low": (use < 2).sum(),
        "kind=some": (use <= 2).sum(),
        "kind=nobody": 0,
    }
    nobody = rows(found, "trend", stratum="kind=nobody")
    assert nobody.share.isna().all()
    assert rows(found, "series_trend", stratum="kind=nobody").note[0] == "no pixels"
    assert "change: kind=nobody has no pixels" in found.warnings


def test_transfers(project: Any) -> None:
    frame = pixels()
    levels = {"columns": "LUCC_{year}", "levels": {"3": "wood", "1": "crop"}}
    found = changed(
        project,
        frame,
        {"transfer": {"series": "LUCC", "years": [2001, 2008, 2015]}, "zones": "zone"},
        pixel=PIXEL,
        series={"LUCC": levels},
    )
    flows = pd.DataFrame(found.rows["transfer"])
    assert flows.groupby(["year_from", "year_to"]).ngroups == 3
    label = {1: "crop", 3: "wood"}
    for stratum in found.facts["strata"]:
        part = frame if stratum == "all" else frame[frame.zone == stratum[5:]]
        for first, second in ((2001, 2008), (2001, 2015), (2008, 2015)):
            pairs = [
                (label[a], label[b])
                for a, b in zip(part[f"LUCC_{first}"], part[f"LUCC_{second}"], strict=True)
                if a in label and b in label
            ]
            own = flows[(flows.stratum == stratum) & (flows.year_from == first) & (flows.year_to == second)]
            counted = {(row["from"], row["to"]): row["pixels"] for _, row in own.iterrows()}
            assert counted == dict(Counter(pairs))
            assert own.area.sum() == pytest.approx(len(pairs) * 0.25, rel=1e-12)
            assert own.share.sum() == pytest.approx(1.0)
            classes = rows(found, "transfer_classes", stratum=stratum, year_from=first, year_to=second)
            assert classes["class"].tolist() == ["wood", "crop"]
            assert classes.net.sum() == pytest.approx(0.0, abs=1e-12)
            assert (classes.before - classes.loss - classes.stayed).abs().max() < 1e-12
    twos = sum(int((frame[f"LUCC_{y}"] == 2).sum()) for y in (2001, 2008, 2015))
    assert found.warnings[0] == (
        f"change: `LUCC` holds 2 ({twos} times), which `levels` does not name: it counts as missing"
    )


def test_classes_take_the_labels_of_their_strata(project: Any) -> None:
    frame = pixels(holes=0.0).assign(LUCC=1)
    strata = {"landuse": {"column": "LUCC", "levels": {"1": "crop"}}}
    found = changed(project, frame, {"transfer": "LUCC"}, strata=strata, series={"LUCC": "LUCC_{year}"})
    assert set(rows(found, "transfer_classes")["class"]) == {"crop", "2", "3"}
    assert set(rows(found, "transfer").year_from) == {2001}
    assert pd.DataFrame(found.rows["transfer"]).area.isna().all()  # no pixel size, no area
    assert found.facts["area_unit"] == ""


def test_centres_on_a_plane(project: Any) -> None:
    frame = pixels(holes=0.03).drop(columns=[f"LUCC_{y}" for y in range(2001, 2016)])
    found = changed(project, frame, {"centre": "NEP"}, pixel=PIXEL)
    values = frame[[f"NEP_{y}" for y in range(2001, 2016)]]
    whole = values.notna().all(axis=1)
    table = rows(found, "centre")
    assert set(table.n) == {whole.sum()}
    assert set(table.missing) == {(~whole).sum()}
    for i, year in enumerate(range(2001, 2016)):
        w = frame[f"NEP_{year}"][whole]
        assert table.easting[i] == pytest.approx((w * frame.x[whole]).sum() / w.sum(), rel=1e-12)
    step = np.hypot(*np.diff(table[["easting", "northing"]].to_numpy()[:2], axis=0)[0])
    assert math.isnan(table.distance[0])
    assert table.distance[1] == pytest.approx(step, rel=1e-10)


def test_memory_does_not_grow_with_pixels() -> None:
    """Beyond the results, which are a number per pixel."""
    from drivers.change.areas import PixelAreas
    from drivers.change.frequency import FrequencyWork
    from drivers.change.ground import Ground
    from drivers.change.moments import SeriesMoments
    from drivers.change.years import Reading, YearSeries
    from drivers.spec.change_shapes import FrequencyOptions
    from drivers.spec.series import Series
    from drivers.table import pixel_table_from_frame

    def peak(n: int) -> int:
        rng = np.random.default_rng(1)
        frame = pd.DataFrame({f"NEP_{y}": rng.normal(size=n).astype(np.float32) for y in range(2000, 2021)})
        table = pixel_table_from_frame(frame, columns=list(frame))
        series = YearSeries(Series("NEP", "NEP_{year}"), tuple(range(2000, 2021)), tuple(frame))
        ground = Ground.of(table, make_partition(table, [], [()]), PixelAreas("", 1.0), [()])
        works = [SeriesMoments(ground, series), FrequencyWork(ground, series, FrequencyOptions(series="NEP"))]
        reading = Reading(table, series.columns)
        tracemalloc.start()
        for chunk in ground.chunks():
            values = {"NEP": reading.chunk(chunk)}
            for work in works:
                work.take(chunk, values)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    small, large = peak(100_000), peak(300_000)
    assert large < small + 1_000_000

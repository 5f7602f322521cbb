"""Strata: laws of the partition against direct pandas evaluation, labels, faults, and descriptions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.errors import Place, TableError
from drivers.spec.condition import parse_condition
from drivers.spec.strata import ConditionFamily, LevelFamily
from drivers.table import (
    PixelTable,
    describe_strata,
    make_partition,
    pixel_table_from_frame,
    read_table,
)
from drivers.table.select import select

TABLES = Path(__file__).resolve().parents[2] / "shared" / "data" / "tables"


PLACE = Place("specs/s.yaml", 7)


def level_family(name: str, column: str, levels: tuple[tuple[object, str], ...] | None = None) -> LevelFamily:
    return LevelFamily(name, column, levels, PLACE)


def conditions(name: str, **levels: str) -> ConditionFamily:
    parsed = tuple((label, parse_condition(text)) for label, text in levels.items())
    return ConditionFamily(name, parsed, PLACE, (PLACE,) * len(parsed))


BALANCE = conditions("balance", sink="NEP > 0", source="NEP <= 0")
AGE = conditions("age", young="age < 20", middle="age < 30", old="not age < 30")
LANDUSE = level_family("landuse", "LUCC", ((4, "grass"), (1, "crop"), (9, "nothing")))
ZONE = level_family("zone", "zone")

number = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 1.0, 19.0, 20.0, 30.0]))
frames = st.lists(
    st.tuples(number, number, st.sampled_from([1, 4, 7]), st.sampled_from(["a", "b", None])),
    min_size=1,
    max_size=40,
).map(
    lambda rows: pd.concat(
        [
            pd.DataFrame(rows, columns=["NEP", "age", "LUCC", "zone"]).astype({"NEP": float, "age": float}),
            pd.DataFrame({"NEP": [1.0], "age": [1.0], "LUCC": [4], "zone": ["a"]}),
        ],
        ignore_index=True,
    )
)


def direct(frame: pd.DataFrame, family: str, level: str) -> pd.Series:
    """The same stratum by pandas, one mask at a time."""
    nep, age = frame["NEP"], frame["age"]
    masks = {
        ("balance", "sink"): nep > 0,
        ("balance", "source"): nep <= 0,
        ("age", "young"): age < 20,
        ("age", "middle"): age < 30,
        ("age", "old"): age >= 30,
        ("landuse", "grass"): frame["LUCC"] == 4,
        ("landuse", "crop"): frame["LUCC"] == 1,
        ("landuse", "nothing"): frame["LUCC"] == 9,
        ("zone", "a"): frame["zone"] == "a",
        ("zone", "b"): frame["zone"] == "b",
    }
    return masks[family, level]


OVERS = [
    (),
    ("balance",),
    ("age",),
    ("landuse",),
    ("zone",),
    ("balance", "landuse"),
    ("zone", "age", "balance"),
]


@settings(max_examples=30, deadline=None)
@given(frames)
def test_partition_laws(frame):
    table = pixel_table_from_frame(frame)
    partition = make_partition(table, [BALANCE, AGE, LANDUSE, ZONE], OVERS, ["NEP"])
    counts = np.bincount(partition.codes, minlength=partition.cells)
    assert counts.shape == (partition.cells,)
    assert counts.all()
    assert partition.codes.dtype == np.int32
    for stratum in partition.strata:
        want = np.ones(len(frame), dtype=bool)
        for family, level in stratum.levels:
            want &= direct(frame, family, level).to_numpy()
        mask = partition.rows_of(stratum)
        np.testing.assert_array_equal(mask, want)
        assert stratum.rows == want.sum() == counts[list(stratum.cells)].sum()
        assert stratum.selects_on_response == any(family == "balance" for family, _ in stratum.levels)
    young_and_middle = ((frame["age"] < 20) & (frame["age"] < 30)).any()
    assert partition.overlaps == (("age",) if young_and_middle else ())


@settings(max_examples=40, deadline=None)
@given(frames, st.randoms(use_true_random=False))
def test_permuting_rows_changes_nothing(frame, random):
    order = list(range(len(frame)))
    random.shuffle(order)
    families = [BALANCE, AGE, LANDUSE, ZONE]
    straight = make_partition(pixel_table_from_frame(frame), families, OVERS, ["NEP"])
    mixed = make_partition(pixel_table_from_frame(frame.iloc[order]), families, OVERS, ["NEP"])
    assert straight.strata == mixed.strata
    np.testing.assert_array_equal(straight.codes[order], mixed.codes)


@settings(max_examples=30, deadline=None)
@given(frames)
def test_describe_is_pandas_describe(frame):
    frame["TEM"] = frame["age"] * 2
    table = pixel_table_from_frame(frame)
    partition = make_partition(table, [BALANCE, AGE, LANDUSE, ZONE], OVERS, ["NEP"])
    got = describe_strata(table, partition, "NEP", ["TEM", "zone"])
    assert list(got) == [
        "stratum",
        "n",
        "dropped",
        "share",
        "mean",
        "sd",
        "min",
        "max",
        "selects_on_response",
    ]
    for row, stratum in zip(got.itertuples(), partition.strata, strict=True):
        part = frame[partition.rows_of(stratum)]
        nep = part["NEP"]
        assert (row.stratum, row.n, row.share) == (stratum.label, len(part), len(part) / len(frame))
        assert row.dropped == part[["NEP", "TEM", "zone"]].isna().any(axis=1).sum()
        np.testing.assert_allclose(
            [row.mean, row.sd, row.min, row.max],
            [nep.mean(), nep.std(), nep.min(), nep.max()],
            rtol=1e-12,
            atol=1e-12,
        )


def test_describe_is_stable_far_from_zero():
    noise = np.random.default_rng(1).normal(size=20_000)
    table = pixel_table_from_frame(pd.DataFrame({"y": 1e9 + noise, "g": np.arange(20_000) % 7}))
    partition = make_partition(table, [level_family("g", "g")], [(), ("g",)])
    got = describe_strata(table, partition, "y").set_index("stratum")
    exact = table.values("y") - 1e9
    assert got.loc["all", "sd"] == pytest.approx(exact.std(ddof=1), rel=1e-12)
    assert got.loc["g=3", "sd"] == pytest.approx(exact[3::7].std(ddof=1), rel=1e-12)
    assert got.loc["g=3", "mean"] - 1e9 == pytest.approx(exact[3::7].mean(), abs=2e-7)


def test_describe_without_a_response():
    table = pixel_table_from_frame(pd.DataFrame({"a": [1.0, np.nan]}))
    got = describe_strata(table, make_partition(table, [], [()]), None, ["a"])
    assert got.loc[0, ["stratum", "n", "dropped"]].tolist() == ["all", 2, 1]
    assert got[["mean", "sd", "min", "max"]].isna().all(axis=None)


PIXELS = pd.DataFrame(
    {
        "a": [1.0, 2.0, np.nan, 4.0],
        "b": [1, 0, 2, 0],
        "zone": ["wet", "dry", None, "wet"],
        "other": ["dry", "dry", "wet", "wet"],
        "LUCC": [1, 2, 3, 1],
    }
)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("a != 1", [0, 1, 0, 1]),
        ("not a == 1", [0, 1, 0, 1]),
        ("not (a > 1 and b >= 0)", [1, 0, 0, 0]),
        ("a > 0 or b > 0", [1, 1, 0, 1]),  # a missing value anywhere leaves the row out
        ("1 < a <= 4", [0, 1, 0, 1]),
        ("-a < -1", [0, 1, 0, 1]),
        ("a / b > 5", [0, 1, 0, 1]),  # 2 / 0 is infinite
        ("b / b == 1", [1, 0, 1, 0]),  # 0 / 0 is undefined
        ("b / b != 1", [0, 0, 0, 0]),
        ("(a + 2) * b - 1 == 2", [1, 0, 0, 0]),
        ("zone == 'wet'", [1, 0, 0, 1]),
        ("zone != 'wet'", [0, 1, 0, 0]),
        ("not zone == 'wet'", [0, 1, 0, 0]),
        ("'wet' != zone", [0, 1, 0, 0]),
        ("zone == 'nowhere'", [0, 0, 0, 0]),
        ("zone == other", [0, 1, 0, 1]),
        ("zone != other", [1, 0, 0, 0]),
        ("LUCC == '1'", [1, 0, 0, 1]),
        ("LUCC == 1", [1, 0, 0, 1]),
        ("LUCC > 1", [0, 1, 1, 0]),
        ("1 < 2 and a > 0", [1, 1, 0, 1]),
    ],
)
def test_conditions(text, want):
    table = pixel_table_from_frame(PIXELS, categorical=["LUCC", "zone", "other"])
    assert select(table, parse_condition(text)).astype(int).tolist() == want


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "zone > 1",
            "compares `zone`, which holds text, with a number\n{place}  its levels: `'dry'`, `'wet'`",
        ),
        ("zone < 'wet'", "compares text by `<`\n{place}  text is compared by `==` and `!=`"),
        (
            "a == 'one'",
            "compares `a`, which holds numbers, with the text 'one'\n{place}"
            "  write numbers without quotes, or declare the column categorical",
        ),
        ("zone + 1 > 2", "computes with `zone`, which holds text\n{place}"),
        (
            "zoen == 'wet'",
            "cannot be evaluated: the data frame has no column `zoen`\n{place}"
            "  did you mean `zone`?  known: a, b, zone, other, LUCC",
        ),
    ],
)
def test_conditions_that_make_no_sense(text, said):
    with pytest.raises(TableError) as caught:
        make_partition(pixel_table_from_frame(PIXELS), [conditions("s", x=text)], [("s",)])
    want = f"TableError: the condition `{text}` " + said.format(place="  specs/s.yaml, line 7:\n")
    assert str(caught.value) == want.rstrip("\n")


def labels(families, overs, frame=PIXELS) -> list[tuple[str, int]]:
    partition = make_partition(pixel_table_from_frame(frame), families, overs)
    return [(stratum.label, stratum.rows) for stratum in partition.strata]


@pytest.mark.parametrize("column", [[1, 2, 7], [1.0, 2.0, 7.0], ["1", "2", "7"], ["01", "2", "7.0"]])
@pytest.mark.parametrize("values", [(7, 1), (7.0, 1.0), ("7", "1")])
def test_level_values_match_whatever_their_type(column, values):
    family = level_family("use", "LUCC", ((values[0], "unused"), (values[1], "crop")))
    assert labels([family], [("use",)], pd.DataFrame({"LUCC": column})) == [
        ("use=unused", 1),
        ("use=crop", 1),
    ]


def test_boolean_levels():
    family = level_family("sealed", "s", ((True, "yes"), (False, "no")))
    assert labels([family], [("sealed",)], pd.DataFrame({"s": [True, True, False]})) == [
        ("sealed=yes", 2),
        ("sealed=no", 1),
    ]


def test_labels_orders_and_empty_strata():
    assert labels([level_family("zone", "zone")], [(), ("zone",), ()]) == [
        ("all", 4),
        ("zone=dry", 1),
        ("zone=wet", 2),
    ]
    few = conditions("b", none="b > 100", some="b > 0")
    use = level_family("use", "LUCC", ((3, "forest"), (2, "field"), (1, "field")))
    assert labels([few, use], [("use", "b"), ("use",)]) == [
        ("use=forest,b=none", 0),
        ("use=forest,b=some", 1),
        ("use=field,b=none", 0),
        ("use=field,b=some", 1),
        ("use=forest", 1),
        ("use=field", 3),
    ]


def test_crossings_are_found_again():
    partition = make_partition(
        pixel_table_from_frame(PIXELS), [ZONE, conditions("b", x="b > 0")], [(), ("zone", "b")]
    )
    assert [s.label for s in partition.over(())] == ["all"]
    dry, wet = partition.over(["zone", "b"])
    assert partition.over(["zone"]) == ()
    assert not partition.share_pixels(dry, wet)
    assert partition.share_pixels(partition.strata[0], wet)


def test_many_conditions_stay_exact():
    frame = pd.DataFrame({"a": np.arange(100.0)})
    many = conditions("m", **{f"below{i}": f"a < {i}" for i in range(0, 100, 4)})
    partition = make_partition(pixel_table_from_frame(frame), [many], [("m",)])
    assert [s.rows for s in partition.strata] == list(range(0, 100, 4))
    assert partition.cells == 25


def test_faults_of_strata():
    wrong = [
        level_family("use", "LUC"),
        level_family("none", "LUCC", ((8, "x"), (9, "y"))),
        conditions("c", x="d > 1", y="e > 1"),
    ]
    with pytest.raises(TableError) as caught:
        make_partition(pixel_table_from_frame(PIXELS), wrong, [("use", "none"), ("c",), ("balnce",)])
    known = "known: a, b, zone, other, LUCC"
    place = "  specs/s.yaml, line 7:"
    assert str(caught.value) == (
        f"TableError: the strata `use`: the data frame has no column `LUC`\n{place}\n"
        f"  did you mean `LUCC`?  {known}\n"
        f"the strata `none`: no pixel has LUCC = `8`, `9`\n{place}\n  known: 1, 2, 3\n"
        f"the condition `d > 1` cannot be evaluated: the data frame has no column `d`\n{place}\n  {known}\n"
        f"the condition `e > 1` cannot be evaluated: the data frame has no column `e`\n{place}\n  {known}\n"
        "there are no strata `balnce`\n  known: use, none, c"
    )
    table = pixel_table_from_frame(pd.DataFrame({"a": np.arange(2000) / 7}))
    with pytest.raises(TableError, match="column `a` has 2000 values"):
        make_partition(table, [level_family("a", "a")], [("a",)])


def real(name: str, **options) -> PixelTable:
    if not TABLES.is_dir():
        pytest.skip("../shared/data/tables is not there")
    return read_table(TABLES / name, **options)


def test_ndvi_by_climate_zone():
    table = real("ndvi_5.csv")
    partition = make_partition(table, [level_family("zone", "Climatezone")], [(), ("zone",)])
    got = describe_strata(table, partition, "NDVIchange").set_index("stratum")
    want = (
        pd.read_csv(TABLES / "ndvi_5.csv").groupby("Climatezone")["NDVIchange"].agg(["count", "mean", "std"])
    )
    assert list(got.index) == ["all", *(f"zone={zone}" for zone in want.index)]
    assert got["n"].tolist() == [46295, *want["count"]]
    np.testing.assert_allclose(got["mean"][1:], want["mean"], rtol=1e-12)
    np.testing.assert_allclose(got["sd"][1:], want["std"], rtol=1e-12)


def test_meadows_by_grazing_and_elevation():
    table = real("meadows.csv", categorical=["grazed"])
    families = [
        level_family("grazed", "grazed", ((0, "no"), (1, "yes"))),
        conditions("shore", low="elev < 20", high="elev >= 20"),
    ]
    partition = make_partition(table, families, [("grazed", "shore")], ["rich"])
    frame = pd.read_csv(TABLES / "meadows.csv")
    want = [
        int(((frame["grazed"] == g) & low).sum())
        for g in (0, 1)
        for low in (frame["elev"] < 20, frame["elev"] >= 20)
    ]
    assert [s.rows for s in partition.strata] == want
    assert sum(want) == 354

"""The figures of change: tracks, panels, bars, flows and pictures of odd numbers."""

from __future__ import annotations

import base64
import re
import struct
import xml.etree.ElementTree as ET
import zlib

import numpy as np
import pytest
from test_report_fake import assert_legible

from drivers.maps import ClassMap
from drivers.report import RunTables
from drivers.report.centre_track import Stop, centre_track
from drivers.report.change_rows import way_of
from drivers.report.class_bars import Beside, class_bars
from drivers.report.class_colours import FALLING, PERSISTENCE, RISING, class_colour
from drivers.report.flow import Flow, Side, flow
from drivers.report.picture import picture, png, thinned
from drivers.report.series_panels import Panel, series_panels, span_of


def test_the_way_of_a_centre_on_the_sphere() -> None:
    rows = [
        {"year": 2001, "easting": 179.9, "northing": 50.0, "distance": None},
        {"year": 2002, "easting": -179.9, "northing": 50.0, "distance": 14.3},
    ]
    way = way_of(RunTables({}, {"table": {"geographic": True}}), rows)
    assert way is not None
    assert way.measure == "km"
    assert way.direct == pytest.approx(14.29, abs=0.02)
    assert way.azimuth == pytest.approx(90.0)
    assert way_of(RunTables(), rows[:1]) is None


@pytest.mark.parametrize("years", [2, 3, 21, 45])
def test_tracks_of_many_years(years: int) -> None:
    rng = np.random.default_rng(years)
    steps = np.cumsum(rng.normal(0, 2, (years, 2)), axis=0)
    stops = [Stop(1980 + k, *steps[k].tolist(), f"{1980 + k}") for k in range(years)]
    drawn = centre_track(stops, title="NEP", caption="3 km to the west", measure="km")
    assert_legible(drawn)
    assert ">1980</text>" in drawn
    assert f">{1979 + years}</text>" in drawn


@pytest.mark.parametrize("spread", [(0.0, 0.0), (0.0, 5.0), (5.0, 0.0), (1e-9, 1e-9), (1e7, 1.0)])
def test_tracks_that_hardly_move(spread: tuple[float, float]) -> None:
    stops = [Stop(2001 + k, k * spread[0], k * spread[1], "") for k in range(4)]
    assert_legible(centre_track(stops, title="NEP", caption="", measure="km"))


def test_panels_of_gaps_and_of_one_year() -> None:
    means = [1.0, None, 3.0, 4.0]
    panels = [
        Panel("a=1", [2001, 2002, 2003, 2004], means, 1.0, -2000.0, "slope +1", True, "told"),
        Panel("a=2", [2001], [5.0], None, None, "no slope", False, ""),
        Panel("a=3", [2001, 2002], [None, None], None, None, "", False, ""),
        Panel("a=4", [2001, 2041], [1e9, 2e9], 2.5e7, -4.9e10, "slope", True, ""),
    ]
    for shown in (panels[:3], panels, panels[1:2], panels[2:3]):
        assert_legible(series_panels(shown, title="NEP over years", caption="g C", span=span_of(shown)))
    assert "no values" in series_panels(panels, title="NEP over years", caption="", span=3.0)


def test_bars_add_up() -> None:
    classes = [("a", "#8c3800"), ("b", "#d0e5f2"), ("c", "#00416b")]
    shares = {"all": [0.25, 0.25, 0.5], "x=1": [], "x=2": [0.0, 1.0, 0.0]}
    drawn = class_bars(shares, classes, title="t", beside=[Beside("falling", {"all": "3 %"})], over="left")
    assert_legible(drawn)
    widths = [float(w) for w in re.findall(r'width="([\d.]+)" height="17"', drawn)]
    assert widths[0] + widths[1] + widths[2] == pytest.approx(widths[3], abs=0.05)
    assert "no pixel has a class" in drawn


@pytest.mark.parametrize("many", [1, 4, 30])
def test_flows_keep_areas(many: int) -> None:
    rng = np.random.default_rng(many)
    classes = [f"class {k}" for k in range(many)]
    area = rng.random((many, many)) ** 6
    flows = [Flow(a, b, float(area[i, j]), "") for i, a in enumerate(classes) for j, b in enumerate(classes)]
    labels = {c: f"{c} 12 345 km²" for c in classes}
    drawn = flow(classes, flows, Side("2001", labels), Side("2020", labels), title="LUCC")
    assert_legible(drawn)
    heights = [float(h) for h in re.findall(r'width="13" height="([\d.]+)"', drawn)]
    assert len(heights) == 2 * many
    assert sum(heights[:many]) == pytest.approx(sum(heights[many:]), rel=0.02)


def test_png_round_trip() -> None:
    codes = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    data = png(codes, ["#ffffff", "#0072b2", "#d55e00"])
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = {}, 8
    while at < len(data):
        (size,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size : at + 12 + size])[0] == zlib.crc32(kind + body)
        found[kind] = body
        at += 12 + size
    assert struct.unpack(">II", found[b"IHDR"][:8]) == (4, 3)
    lines = np.frombuffer(zlib.decompress(found[b"IDAT"]), dtype=np.uint8).reshape(3, 5)
    assert (lines[:, 1:] == codes).all()
    assert (lines[:, 0] == 0).all()


@pytest.mark.parametrize("shape", [(3, 900), (900, 3), (1, 1), (401, 400)])
def test_pictures_of_every_shape(shape: tuple[int, int]) -> None:
    codes = np.zeros(shape, dtype=np.int16)
    codes[0, 0] = ClassMap.OUTSIDE
    shown = ClassMap("NEP_persistence_class", codes, tuple(PERSISTENCE), (1.0, 1.0), True)
    assert max(thinned(codes).shape) <= 400
    drawn = picture(shown, title="Persistence of NEP", measure="km")
    assert_legible(drawn)
    data = base64.b64decode(re.search(r"base64,([^\"]+)", drawn)[1])  # type: ignore[index]
    assert struct.unpack(">II", data[16:24])[::-1] == thinned(codes).shape
    image = next(e for e in ET.fromstring(drawn) if e.tag.endswith("image"))
    wide, high = float(image.attrib["width"]), float(image.attrib["height"])
    assert wide <= 420
    assert high <= 461


def test_surer_is_darker() -> None:
    def lightness(colour: str) -> float:
        return sum(int(colour[k : k + 2], 16) * w for k, w in ((1, 0.299), (3, 0.587), (5, 0.114)))

    for ramp in (FALLING, RISING):
        assert sorted(map(lightness, ramp), reverse=True) == list(map(lightness, ramp))
    assert class_colour("weakly significant decrease") == FALLING[1]
    assert class_colour("what is this") == class_colour("no change")

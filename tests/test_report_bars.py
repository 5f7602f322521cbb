"""Effect bars: order, limits and bytes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from drivers.report.bars import Effect, effect_bars


def effects(count: int) -> list[Effect]:
    return [
        Effect(f"driver_{k:02d}", f"g{k % 4}", (-1) ** k * 0.02 * k, 0.01 * k if k % 3 else None,
               (-1) ** k * 0.02 * k + 0.01 * k * bool(k % 3), -0.1, 0.9, 0.001)
        for k in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_every_mark_lies_inside_the_figure(count: int) -> None:
    drawn = effect_bars(effects(count), title="t", response="NEP")
    root = ET.fromstring(drawn)
    width, height = (float(root.attrib[k]) for k in ("width", "height"))
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, w = float(rect.attrib.get("x", 0)), float(rect.attrib["width"])
        assert x >= 0
        assert x + w <= width
        assert float(rect.attrib.get("y", 0)) <= height
    assert drawn == effect_bars(effects(count), title="t", response="NEP")


def test_drivers_are_sorted_by_the_size_of_their_total() -> None:
    drawn = effect_bars(
        [
            Effect("small", total=0.1),
            Effect("large", total=-0.8),
            Effect("none"),
            Effect("middle", total=0.3),
        ],
        title="t",
        response="NEP",
    )
    names = re.findall(r">(small|large|none|middle)</text>", drawn)
    assert names == ["large", "middle", "small", "none"]


def test_all_zero_effects_and_huge_intervals_still_draw() -> None:
    drawn = effect_bars([Effect("a", "g", 0.0, 0.0, 0.0, -1e9, float("inf"), 1.0)], title="t", response="y")
    assert "nan" not in drawn
    assert "inf" not in drawn
    ET.fromstring(drawn)

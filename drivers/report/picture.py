"""A map of classes as a small PNG inside a figure: a pixel of the picture is a pixel of the table."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.maps import ClassMap
from drivers.report import svg
from drivers.report.axes import Key, heading, legend, swatch
from drivers.report.class_colours import class_colour
from drivers.report.scale_bar import scale_bar

MARGIN = 14.0
WIDTH = 420.0
MOST_PIXELS = 400
"""Pixels of a picture along its longer side; of a larger map every k-th line is taken."""
TALLEST = 460.0
ABSENT = "#ffffff"
UNKNOWN = "#6f787f"
"""Pixels of the table that have no class."""


def png(codes: NDArray[np.uint8], palette: Sequence[str]) -> bytes:
    """An indexed PNG; `codes` is (rows, columns), the northernmost row first.

    Notes
    -----
    PNG (Portable Network Graphics) Specification, third edition, W3C 2025, sections 5.3, 11.2 and 11.3.
    """
    rows, columns = codes.shape
    lines = np.concatenate([np.zeros((rows, 1), dtype=np.uint8), codes], axis=1)
    colours = b"".join(bytes.fromhex(colour.lstrip("#")) for colour in palette)
    head = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 9)
    chunks = ((b"IHDR", head), (b"PLTE", colours), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def stride(codes: NDArray[np.integer], most: int = MOST_PIXELS) -> int:
    """How many pixels of the table one of the picture stands for, along either side."""
    return int(-(-max(codes.shape) // most))


def thinned(codes: NDArray[np.integer], most: int = MOST_PIXELS) -> NDArray[np.integer]:
    """At most `most` rows and columns, by nearest sampling.

    >>> thinned(np.arange(12).reshape(2, 6), 3).tolist()
    [[7, 9, 11]]
    """
    every = stride(codes, most)
    start = tuple(min(every // 2, size - 1) for size in codes.shape)
    return codes[start[0] :: every, start[1] :: every]


def picture(shown: ClassMap, *, title: str, measure: str, told: Mapping[str, str] | None = None) -> str:
    """The map with its classes and a scale bar in `measure`."""
    present = set(np.unique(shown.codes).tolist())
    keys = [
        Key((told or {}).get(name, name), swatch(class_colour(name)))
        for k, name in enumerate(shown.names)
        if k in present
    ]
    if ClassMap.UNKNOWN in present:
        keys.append(Key("unknown", swatch(UNKNOWN)))
    small = thinned(shown.codes)
    high, wide = shown.codes.shape
    tall, across = high * shown.cell[1], wide * shown.cell[0]
    width = min(WIDTH - 2 * MARGIN, TALLEST * across / tall)
    height = width * tall / across
    palette = [ABSENT, UNKNOWN, *(class_colour(name) for name in shown.names)]
    data = base64.b64encode(png((small + 2).astype(np.uint8), palette)).decode()
    top = 34.0
    image: dict[str, str | float | None] = {"x": MARGIN, "y": top, "width": width, "height": max(height, 1.0)}
    image |= {"preserveAspectRatio": "none", "image-rendering": "pixelated"}
    parts = [
        heading(title, WIDTH, MARGIN),
        svg.element("image", {**image, "href": f"data:image/png;base64,{data}"}),
        svg.element("rect", {**image, "preserveAspectRatio": None, "image-rendering": None, "fill": "none",
                             "stroke": svg.RULE}),
    ]  # fmt: skip
    below = top + height + 30
    if measure:
        parts += scale_bar(MARGIN + 2, below, width / across, width / 3, measure)
        below += 24
    drawn, y = legend(keys, MARGIN, below, WIDTH - 2 * MARGIN)
    return svg.document(WIDTH, y + MARGIN, f"Map: {title}", [*parts, *drawn])

"""The path diagram: nothing overlaps, arcs pass nodes and foreign labels, and bytes repeat."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from itertools import combinations

import pytest

from drivers.report.diagram import Edge, Member, Node, arrange_diagram, diagram_curves, path_diagram
from drivers.report.diagram_parts import head_of
from drivers.report.layout import Box
from drivers.report.lettering import fit, text_width

NAMES = [
    "TEM",
    "PRE",
    "PET",
    "PH",
    "TP",
    "TN",
    "TK",
    "SOM",
    "DEM",
    "SLOPE",
    "ASPECT",
    "GDP",
    "potential_evapotranspiration_sum",
    "HFP",
]


def random_dag(seed: int) -> tuple[list[Node], list[Edge]]:
    """Up to 15 observed nodes, arcs forward only, some covariances, parallel arcs and long names."""
    rng = random.Random(seed)
    names = [*NAMES[: rng.randint(3, 14)], "NEP"]
    nodes = [Node(n, group=rng.choice("abcd"), r2=rng.choice([None, 0.4])) for n in names]
    density = rng.uniform(0.05, 0.4)
    edges = []
    for i, j in combinations(range(len(names)), 2):
        if rng.random() < density or j == len(names) - 1:
            note = rng.choice(["", "", "", "I(TEM ^ 2)", "log1p(a_rather_long_name)"])
            edges.append(Edge(names[i], names[j], "~", rng.uniform(-1.2, 1.2), rng.random() ** 3, note))
        elif rng.random() < 0.04:
            edges.append(Edge(names[i], names[j], "~~", rng.uniform(-0.5, 0.5), 0.01))
    return nodes, edges


def composites(members: int) -> tuple[list[Node], list[Edge]]:
    groups = ("topography", "human", "climate", "soil")
    nodes = [
        Node(g, "composite", g, 0.3, tuple(Member(f"{g}_{k:02d}_mean", (k - 6) / 9) for k in range(members)))
        for g in groups
    ]
    nodes.append(Node("NEP", r2=0.58))
    pairs = [("topography", "climate"), ("human", "climate"), ("climate", "soil"), ("topography", "soil")]
    pairs += [(g, "NEP") for g in groups]
    edges = [Edge(a, b, "~", 0.1 * k - 0.3, 0.2 if k == 3 else 1e-9) for k, (a, b) in enumerate(pairs)]
    return nodes, [*edges, Edge("soil", "human", "~~", -0.11, 0.01)]


CASES = [pytest.param(*random_dag(seed), id=f"dag{seed}") for seed in range(25)]
CASES += [pytest.param(*composites(k), id=f"composites{k}") for k in (1, 3, 8, 14)]
CASES += [
    pytest.param(
        [Node(n) for n in [*NAMES, "NEP"]], [Edge(n, "NEP", "~", 0.3, 0.01) for n in NAMES], id="star"
    ),
    pytest.param(
        [Node("a", "latent"), Node("b"), Node("c")],
        [Edge("a", "b", "=~", 0.8), Edge("b", "c", "~~", 0.1)],
        id="latent",
    ),
    pytest.param([Node("a"), Node("b")], [Edge("a", "b"), Edge("b", "a")], id="cycle"),
    pytest.param([Node("alone")], [], id="alone"),
]


@pytest.mark.parametrize(("nodes", "edges"), CASES)
def test_nothing_overlaps(nodes: list[Node], edges: list[Edge]) -> None:
    placed = arrange_diagram(nodes, edges, "NEP")
    boxes = list(placed.boxes.values())
    assert len(boxes) == len(nodes)
    assert len(placed.labels) == len(edges)
    for a, b in combinations([*boxes, *placed.labels], 2):
        assert not a.overlaps(b, gap=2.0), (a, b)
    for box in [*boxes, *placed.labels]:
        assert box.left >= -0.01
        assert box.top >= -0.01
        assert box.right <= placed.width + 0.01
        assert box.bottom <= placed.height + 0.01


@pytest.mark.parametrize(("nodes", "edges"), CASES)
def test_arcs_pass_nodes_and_the_labels_of_others(nodes: list[Node], edges: list[Edge]) -> None:
    placed = arrange_diagram(nodes, edges, "NEP")
    known = {node.name: node for node in nodes}
    for k, curve in enumerate(diagram_curves(placed, edges, known)):
        ends = (edges[k].source, edges[k].target)
        foreign = [box for name, box in placed.boxes.items() if name not in ends]
        foreign += [box for j, box in enumerate(placed.labels) if j != k]
        for name in ends:  # its own nodes it may touch at the head, not run over their members
            box, head = placed.boxes[name], head_of(known[name], placed.boxes[name])
            foreign.append(Box(box.left, head.bottom + 0.1, box.width, box.bottom - head.bottom))
        for x, y in curve.points(60):
            assert -0.01 <= y <= placed.height + 0.01
            assert -0.01 <= x <= placed.width + 0.01
            for box in foreign:
                assert not box.contains(x, y), (edges[k], box, (x, y))


@pytest.mark.parametrize(("nodes", "edges"), CASES)
def test_arcs_run_forward_and_the_response_ends_the_figure(nodes: list[Node], edges: list[Edge]) -> None:
    placed = arrange_diagram(nodes, edges, "NEP")
    if "NEP" in placed.boxes:
        assert placed.boxes["NEP"].left + placed.boxes["NEP"].width >= max(
            b.left for b in placed.boxes.values()
        )
    for edge, route in zip(edges, placed.routes, strict=True):
        if not route.bow and edge.op == "~" and not route.reversed:
            assert placed.boxes[edge.source].right < placed.boxes[edge.target].left


@pytest.mark.parametrize(("nodes", "edges"), CASES)
def test_the_figure_is_xml_and_repeats(nodes: list[Node], edges: list[Edge]) -> None:
    drawn = path_diagram(nodes, edges, title="a <b> & c", response="NEP")
    assert drawn == path_diagram(nodes, edges, title="a <b> & c", response="NEP")
    root = ET.fromstring(drawn)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "Path diagram: a <b> & c"
    assert "nan" not in drawn
    assert "<style" not in drawn


def test_signs_stars_and_significance_are_drawn() -> None:
    nodes = [Node("a"), Node("b"), Node("c", r2=0.5)]
    edges = [Edge("a", "c", "~", 0.5, 1e-9), Edge("b", "c", "~", -0.25, 0.03), Edge("a", "b", "~", 0.01, 0.6)]
    drawn = path_diagram(nodes, edges, title="t", response="c")
    for words in ("0.50***", "−0.25*", "0.01", "R² = 0.50", "#0072b2", "#d55e00", "stroke-dasharray"):
        assert words in drawn


def test_a_factor_has_stars_and_no_coefficient() -> None:
    assert Edge("LUCC", "NEP", "~", None, 1e-5).label == "factor***"


def test_hostile_names_are_escaped() -> None:
    name = "<script>alert(1)</script>"
    drawn = path_diagram([Node(name), Node("y")], [Edge(name, "y", "~", 0.2, 0.01, "<i>")], title=name)
    assert "<script" not in drawn
    assert "<i>" not in drawn
    ET.fromstring(drawn)


@pytest.mark.parametrize(
    "name", ["x" * 80, "a_b " * 20, "净生态系统生产力净生态系统生产力", "NEP", "I(very_long_TEM ^ 2)"]
)
def test_fitted_text_is_no_wider_than_its_room(name: str) -> None:
    for width in (60.0, 110.0, 150.0):
        fitted = fit(name, width, 13.0, lines=2, bold=True)
        assert all(text_width(line, fitted.size, bold=True) <= width + 0.5 for line in fitted.lines)

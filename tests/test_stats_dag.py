"""Graphs: order, cycles, claims and paths, against brute force on random graphs."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.spec.graph import cycles
from drivers.stats.dag import Claim, ancestors, basis_set, directed_paths, topological_order


@st.composite
def graphs(draw: st.DrawFn, size: int = 6) -> tuple[list[str], dict[str, list[str]]]:
    """Nodes in any order, and parents along a hidden order: acyclic by construction."""
    hidden = draw(st.permutations([f"v{i}" for i in range(draw(st.integers(2, size)))]))
    parents: dict[str, list[str]] = {}
    for i, node in enumerate(hidden):
        chosen = [p for p in hidden[:i] if draw(st.booleans())]
        if chosen:
            parents[node] = draw(st.permutations(chosen))
    nodes = draw(st.permutations(hidden))
    shuffled = draw(st.permutations(list(parents)))
    return list(nodes), {node: parents[node] for node in shuffled}


def descends(parents: dict[str, list[str]], source: str, target: str) -> bool:
    return any(p == source or descends(parents, source, p) for p in parents.get(target, []))


def find_cycle(parents: dict[str, list[str]]) -> tuple[str, ...] | None:
    """A cycle that the spec's reader would tell of; it wants every node as a key."""
    nodes = sorted({*parents, *(p for above in parents.values() for p in above)})
    found = cycles({n: parents.get(n, []) for n in nodes}, {n: (n,) for n in nodes})
    return found[0] if found else None


@given(graphs())
def test_an_acyclic_graph_has_no_cycle(graph) -> None:
    assert find_cycle(graph[1]) is None


@given(graphs(), st.data())
def test_a_cycle_is_found_and_is_one(graph, data: st.DataObject) -> None:
    nodes, parents = graph
    source, target = data.draw(st.permutations(nodes))[:2]
    with_loop = {k: list(v) for k, v in parents.items()}
    with_loop.setdefault(source, []).append(target)
    cycle = find_cycle(with_loop)
    if descends(parents, source, target):
        assert cycle is not None
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(cause in with_loop[effect] for cause, effect in pairwise(cycle))
    else:
        assert cycle is None


def test_a_node_that_causes_itself_is_a_cycle() -> None:
    assert find_cycle({"a": ["a"]}) == ("a", "a")
    assert find_cycle({}) is None


def test_a_long_chain_does_not_overflow_the_stack() -> None:
    chain = {f"v{i}": [f"v{i - 1}"] for i in range(1, 5000)}
    assert find_cycle(chain) is None
    assert find_cycle({**chain, "v0": ["v4999"]}) is not None


@given(graphs())
def test_order_is_causal_and_exogenous_first(graph) -> None:
    nodes, parents = graph
    order = topological_order(nodes, parents)
    assert sorted(order) == sorted(nodes)
    for node, above in parents.items():
        assert all(order.index(p) < order.index(node) for p in above)
    endogenous = [node in parents for node in order]
    assert endogenous == sorted(endogenous)


@given(graphs(), st.data())
def test_order_does_not_depend_on_how_equations_are_typed(graph, data: st.DataObject) -> None:
    nodes, parents = graph
    typed = data.draw(st.permutations(list(parents)))
    retyped = {node: data.draw(st.permutations(parents[node])) for node in typed}
    assert topological_order(nodes, retyped) == topological_order(nodes, parents)
    order = topological_order(nodes, parents)
    assert basis_set(order, retyped, []) == basis_set(order, parents, [])


def test_ties_stand_as_the_nodes_do() -> None:
    parents = {"m": ["x"], "k": ["x"], "y": ["m", "k"]}
    assert topological_order(["y", "k", "m", "x"], parents) == ("x", "k", "m", "y")
    assert topological_order(["y", "m", "k", "x"], parents) == ("x", "m", "k", "y")


@given(graphs(), st.data())
def test_basis_set_is_every_open_pair_once(graph, data: st.DataObject) -> None:
    nodes, parents = graph
    order = topological_order(nodes, parents)
    pairs = [frozenset(p) for p in combinations(nodes, 2)]
    joined = data.draw(st.lists(st.sampled_from(pairs), max_size=3))
    want = {
        pair
        for pair in pairs
        if pair not in joined
        and not pair.isdisjoint(parents)
        and all(a not in parents.get(b, []) for a, b in permutations(pair, 2))
    }
    found = basis_set(order, parents, joined)
    assert {frozenset((c.cause, c.response)) for c in found} == want
    assert len(found) == len(want)
    for claim in found:
        assert order.index(claim.cause) < order.index(claim.response)
        assert claim.response in parents
        assert not descends(parents, claim.response, claim.cause)


@given(graphs(), st.integers(0, 1000))
def test_every_claim_holds_in_the_population(graph, seed: int) -> None:
    """In any linear world with this graph the partial correlation given both parents' sets is 0."""
    nodes, parents = graph
    order = topological_order(nodes, parents)
    place = {name: i for i, name in enumerate(order)}
    rng = np.random.default_rng(seed)
    b = np.zeros((len(order), len(order)))
    for node, above in parents.items():
        for p in above:
            b[place[node], place[p]] = rng.uniform(0.3, 0.9) * rng.choice([-1, 1])
    exogenous = [place[n] for n in order if n not in parents]
    errors = np.diag(rng.uniform(0.5, 1.5, len(order)))
    for i, j in combinations(exogenous, 2):
        errors[i, j] = errors[j, i] = 0.2
    inverse = np.linalg.inv(np.eye(len(order)) - b)
    covariance = inverse @ errors @ inverse.T
    for claim in basis_set(order, parents, []):
        given_ = {*parents.get(claim.cause, []), *parents[claim.response]}
        index = [place[claim.cause], place[claim.response], *(place[g] for g in given_)]
        precision = np.linalg.inv(covariance[np.ix_(index, index)])
        assert abs(precision[0, 1]) < 1e-8


def test_claims_of_grace_and_keeley() -> None:
    parents = {
        "age": ["distance"],
        "hetero": ["distance"],
        "abiotic": ["distance"],
        "firesev": ["age"],
        "cover": ["firesev"],
        "rich": ["distance", "hetero", "abiotic", "cover"],
    }
    order = topological_order(["distance", *parents], parents)
    assert len(basis_set(order, parents, [])) == 12
    joined = [frozenset(("abiotic", "hetero"))]
    assert Claim("hetero", "abiotic") not in basis_set(order, parents, joined)
    assert len(basis_set(order, parents, joined)) == 11


@given(graphs())
def test_ancestors_are_where_paths_come_from(graph) -> None:
    nodes, parents = graph
    for node in nodes:
        assert ancestors(node, parents) == {n for n in nodes if descends(parents, n, node)}
    assert ancestors("nobody", parents) == set()


def brute_paths(parents: dict[str, list[str]], source: str, target: str) -> list[tuple[str, ...]]:
    if source == target:
        return [(target,)]
    return [(*path, target) for p in parents.get(target, []) for path in brute_paths(parents, source, p)]


@given(graphs())
def test_every_path_once_shortest_first(graph) -> None:
    nodes, parents = graph
    for source, target in permutations(nodes, 2):
        want = sorted(brute_paths(parents, source, target), key=lambda p: (len(p), p))
        assert directed_paths(parents, source, target, 10_000) == want


def test_paths_stop_after_the_limit() -> None:
    layers = [[f"{a}{i}" for i in range(3)] for a in "bcdef"]
    parents = {n: ["a"] for n in layers[0]}
    for above, below in pairwise(layers):
        parents |= {n: list(above) for n in below}
    parents["z"] = layers[-1]
    assert len(directed_paths(parents, "a", "z", 10_000)) == 3**5
    assert len(directed_paths(parents, "a", "z", 20)) == 21


@pytest.mark.parametrize("target", ["x", "nobody"])
def test_no_path(target: str) -> None:
    assert directed_paths({"y": ["x"]}, "y", target, 10) == []

"""Catalogues at the edges of what links can be, through a whole fit."""

from typing import Any

import numpy as np
import pytest

from kindex.core.errors import DataGateError
from kindex.core.space import cross_scores, link_spaces
from tests.encoders.pairs.small import fit, made

SOME = [(int(a), int(b)) for a, b in np.argwhere(np.random.default_rng(0).random((60, 50)) < 0.15)]
EDGES = {
    "one link": made([(0, 0)]),
    "two left items and one right": made([(0, 0), (1, 0)]),
    "three links": made([(0, 0), (1, 1), (2, 1)]),
    "all to one right item": made((left, 0) for left in range(100)),
    "all from one left item": made((0, right) for right in range(100)),
    "every pair": made((left, right) for left in range(20) for right in range(15)),
    "one kind at both ends": made(SOME, kinds=("node", "node")),
    "each linked to its own": made((number, number) for number in range(100)),
    "weights near zero": made(SOME, weight=1e-30),
    "huge weights": made(SOME, weight=1e30),
    "weights far apart": made(SOME, weight=lambda number: 1e30 if number % 2 else 1e-30),
    "one weight above all": made(SOME, weight=lambda number: 3e38 if number == 5 else 1.0),
    "dates before 1970": made(SOME, time=lambda number: -number * 10**9),
    "one date": made(SOME, time=lambda number: 5),
    "dates at both ends of what can be said": made(SOME, time=lambda number: (-1) ** number * (2**63 - 1)),
    "a link twice": made([*SOME, *SOME]),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("settings", [{}, {"objective": "least_squares", "weight_power": 1.0}, {"objective": "spectral"}])
def test_odd_catalogues_have_finite_vectors_for_every_linked_item(name: str, settings: dict[str, Any]) -> None:
    spaces = fit(EDGES[name], dimensions=256, **settings).embed(EDGES[name])
    links = EDGES[name].links
    queries, answers = link_spaces(spaces, links["left_kind"][0].as_py(), links["right_kind"][0].as_py())
    for space, end in ((queries, "left"), (answers, "right")):
        assert set(space.ids) == set(links[end].to_pylist())
        assert space.vectors_ND.shape[1] == 256
        assert np.isfinite(space.vectors_ND).all()
        assert space.vectors_ND.any(1).all()
    scores = cross_scores(queries, answers)
    linked = [scores[queries.rows[a], answers.rows[b]] for a, b in zip(links["left"].to_pylist(), links["right"].to_pylist())]
    assert np.mean(linked) >= scores.mean() - 1e-6


def test_no_links_are_an_error_that_names_the_catalogue() -> None:
    with pytest.raises(DataGateError, match="the train part of made has no links to learn from"):
        fit(made([]))

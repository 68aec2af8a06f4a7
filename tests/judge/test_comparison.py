"""Two releases together: the numbers that a gate may ask, each made to move alone."""

from dataclasses import replace

import numpy as np
import pytest

from kindex.core.space import Space
from kindex.judge.compared import is_compared
from kindex.judge.comparison import Side, compare

RNG = np.random.default_rng(0)
VECTORS = RNG.normal(size=(40, 5)).astype(np.float32)
IDS = tuple(f"b{n}" for n in range(40))
LABELS = {name: "even" if n % 2 == 0 else "odd" for n, name in enumerate(IDS)}
TABLE = [
    {"kind": "book", "chosen": True, "predicted_p95_us": 100.0, "bytes_per_vector": 20.0},
    {"kind": "book", "chosen": False, "predicted_p95_us": 1.0, "bytes_per_vector": 1.0},
]
SHADOW = {"asked": 5, "overlap": 0.9, "failed": 0, "errors": []}


def space(vectors_ND=VECTORS, ids=IDS):
    return {"book": Space("book", tuple(ids), np.asarray(vectors_ND, np.float32))}


LIVE = Side("v0001", "2026-11-20", {"mrr": 0.5}, space(), {"book": LABELS}, {"links": 100}, TABLE)


def numbers(**changes):
    return compare(LIVE, replace(LIVE, version="v0002", **changes), ["b1"], SHADOW).numbers


def test_a_release_beside_itself_differs_in_nothing():
    found = numbers()
    assert found.pop("index_p95_ratio") == found.pop("index_bytes_ratio") == 1.0
    assert found.pop("shadow_overlap_at_10") == 0.9
    assert set(found.values()) == {0.0}
    assert all(is_compared(name) for name in numbers()), "what a comparison has, a gate may ask"


def test_each_number_tells_its_own_story():
    assert numbers(spaces=space(2 * VECTORS))["vectors_norm_drift"] == 1.0
    assert numbers(spaces=space(2 * VECTORS))["neighbour_churn_at_10"] == 0.0
    assert numbers(spaces=space(RNG.normal(size=(40, 5))))["neighbour_churn_at_10"] > 0.4
    assert numbers(spaces={**space(), "word": space()["book"]})["neighbour_churn_at_10"] == 1.0, "a space that was not there"
    assert numbers(spaces=space(np.full((40, 5), np.nan)))["vectors_norm_drift"] == 1.0
    slow = [{**TABLE[0], "predicted_p95_us": 250.0, "bytes_per_vector": 10.0}]
    assert numbers(index_table=slow)["index_p95_ratio"] == 2.5
    assert numbers(index_table=slow)["index_bytes_ratio"] == 0.5
    assert numbers(rows={"links": 80})["drift_rows_links"] == 0.2
    assert numbers(labels={"book": dict.fromkeys(IDS, "even")})["drift_label_psi"] > 0.25
    fewer = {"spaces": space(VECTORS[4:], IDS[4:]), "labels": {"book": {name: LABELS[name] for name in IDS[4:]}}}
    assert numbers(**fewer)["drift_items_removed"] == 0.1
    assert numbers(**fewer)["neighbour_churn_at_10_golden"] == 1.0


def test_the_worst_label_has_a_number_and_so_has_each():
    moved_ND = VECTORS.copy()
    found = numbers(spaces=space(moved_ND[::-1]))
    both = [found["neighbour_churn_at_10_label_even"], found["neighbour_churn_at_10_label_odd"]]
    assert found["neighbour_churn_at_10_label"] == max(both) > 0


@pytest.mark.parametrize(("parent", "same"), [("v0001", True), ("v0000", False)])
def test_the_class_is_said_of_the_parent(parent, same):
    refresh = {"built": "warm", "parent": {"version": parent}, "compatibility": {"class": "aligned", "residual": 0.1}}
    shown = compare(LIVE, replace(LIVE, refresh=refresh), [], SHADOW).shown
    assert shown["compatibility"] == {"class": "aligned", "residual": 0.1, "parent": parent, "with_former": same}


def test_measures_of_either_stand_side_by_side():
    shown = compare(LIVE, replace(LIVE, report={"mrr": 0.4, "auc": 0.9}), [], SHADOW).shown["measures"]
    assert {row["name"]: (row["former"], row["now"], row.get("difference")) for row in shown} == {
        "mrr": (0.5, 0.4, -0.1),
        "auc": (None, 0.9, None),
    }

"""Neighbour churn against a slow count, and what must not count as churn."""

import numpy as np
import pytest

from kindex.core.space import Space
from kindex.judge.churn import compare, neighbour_churn


def space(vectors_ND, ids=None, metric="cosine"):
    names = ids or tuple(f"item{row}" for row in range(len(vectors_ND)))
    return Space("item", tuple(names), np.asarray(vectors_ND, np.float32), metric)


def slow_churn(live, candidate, k):
    """Loops over all shared ids."""
    shared = [name for name in live.ids if name in candidate.rows]
    changed = 0.0
    for name in shared:
        near = []
        for one in (live, candidate):
            own = one.search_ND[one.rows[name]]
            scored = [(float(own @ one.search_ND[one.rows[other]]), other) for other in shared if other != name]
            near.append({other for _, other in sorted(scored, reverse=True)[:k]})
        changed += 1 - len(near[0] & near[1]) / len(near[0])
    return changed / len(shared)


@pytest.mark.parametrize("metric", ["cosine", "dot"])
def test_churn_is_the_share_of_changed_neighbours(metric):
    rng = np.random.default_rng(0)
    vectors_ND = rng.normal(size=(60, 8))
    live = space(vectors_ND, metric=metric)
    candidate = space(vectors_ND + 0.5 * rng.normal(size=(60, 8)), metric=metric)
    churn = neighbour_churn(live, candidate, k=5, sample=60)
    assert churn == pytest.approx(slow_churn(live, candidate, 5))
    assert 0.1 < churn < 0.9


def test_turning_scaling_reordering_and_other_items_are_no_churn():
    rng = np.random.default_rng(1)
    vectors_ND = rng.normal(size=(50, 6)).astype(np.float32)
    turn_DD = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    order = rng.permutation(50)
    ids = tuple(f"item{row}" for row in order)
    turned = (vectors_ND @ turn_DD * 3)[order]
    more = np.concatenate([turned, rng.normal(size=(20, 6))])
    assert neighbour_churn(space(vectors_ND), space(more, (*ids, *(f"new{row}" for row in range(20)))), k=5) == 0.0


def test_another_space_is_all_churn():
    vectors_ND = np.eye(40, 20) + np.eye(40, 20, -20)  # item n and n + 20 are twins
    other_ND = np.repeat(np.eye(20), 2, axis=0)  # item 2n and 2n + 1 are twins
    assert neighbour_churn(space(vectors_ND), space(other_ND), k=1) == 1.0
    assert neighbour_churn(space(vectors_ND), space(vectors_ND, [f"x{row}" for row in range(40)])) == 1.0
    broken = vectors_ND.copy()
    broken[3] = np.nan
    assert neighbour_churn(space(vectors_ND), space(broken)) == 1.0


def test_the_sample_is_the_same_every_time():
    rng = np.random.default_rng(2)
    live, candidate = space(rng.normal(size=(300, 4))), space(rng.normal(size=(300, 4)))
    first = neighbour_churn(live, candidate, sample=20)
    assert first == neighbour_churn(live, candidate, sample=20)
    assert first == pytest.approx(neighbour_churn(live, candidate, sample=300), abs=0.15)


def test_lost_and_gained_neighbours_have_names():
    vectors_ND = np.eye(12, 6) + np.eye(12, 6, -6)  # item n and n + 6 are twins
    other_ND = vectors_ND.copy()
    other_ND[[6, 7]] = other_ND[[7, 6]]  # 0 is now with 7, 1 with 6
    labels = {f"item{n}": "even" if n % 2 == 0 else "odd" for n in range(12)}
    found = compare(space(vectors_ND), space(other_ND), labels, labels, ["item1", "item3", "unknown"], k=1)
    assert found.churn == pytest.approx(4 / 12)
    assert found.golden == (2, 1.0)
    assert {label: churn for label, _, churn in found.labels} == {"even": 2 / 6, "odd": 2 / 6}
    by_id = {change["id"]: change for change in found.changes}
    assert list(by_id) == ["item1", "item3", "item0", "item6", "item7"], "the golden ones, then those that changed"
    assert by_id["item0"]["lost"] == [{"id": "item6", "label": "even"}]
    assert by_id["item0"]["gained"] == [{"id": "item7", "label": "odd"}]
    assert by_id["item3"] == {"id": "item3", "label": "odd", "golden": True, "churn": 0.0, "lost": [], "gained": []}


def test_a_golden_item_that_is_gone_counts_in_full():
    vectors_ND = np.random.default_rng(3).normal(size=(30, 4))
    fewer = space(vectors_ND[1:], [f"item{row}" for row in range(1, 30)])
    found = compare(space(vectors_ND), fewer, {"item0": "x"}, {}, ["item0", "item5"], k=3)
    assert found.golden == (2, 1.0)
    assert found.changes[0] == {"id": "item0", "label": "x", "golden": True, "gone": True}
    assert found.churn == 0.0, "the others keep whom they have, of those that both know"

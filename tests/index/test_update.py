"""Random sequences of nights for each kind of index, against exact search over what is there: nothing deleted is answered."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kindex.core.space import METRICS, Space
from kindex.index.build import build
from kindex.index.changes import Changes
from kindex.index.faiss_parts import faiss_one_thread
from kindex.index.index import Index
from kindex.index.kinds import swept
from kindex.index.training import Material
from kindex.index.tune import apply, ladder
from kindex.index.update import ENCODED, MARKED, UPDATED, change, tombstones, way
from tests.index.nights import Nights, again, exact, params

WAYS = {
    "Flat": ENCODED,
    "SQ8": ENCODED,
    "PQ12x4fs,RFlat": ENCODED,
    "RR64,RaBitQfs,Refine(SQ8)": ENCODED,
    "IVF16,Flat": UPDATED,
    "Pad32,IVF16,SQfp16": UPDATED,
    "IVF16,PQ12x4fs,Refine(SQ8)": UPDATED,
    "RR64,IVF16,RaBitQ,Refine(SQfp16)": UPDATED,
    "RR64,IVF16,RaBitQ4": UPDATED,
    "HNSW16": MARKED,
    "Pad32,HNSW16,SQ8": MARKED,
    "HNSW16,RFlat": MARKED,
}
EXACT = ("Flat", "IVF16,Flat")
"""Kinds that give the answers of exact search at their widest setting."""


def widest(space: Space, factory: str) -> Index:
    faiss_index = Material(space.search_ND, space.metric).of(factory)
    apply(faiss_index, ladder(faiss_index)[-1])
    return Index(faiss_index, "thing", space.metric, factory)


def night(index: Index, former: Space, space: Space) -> Index:
    fresh = again(index)
    return replace(fresh, places=change(fresh.faiss_index, fresh.places, space.search_ND, Changes.between(former, space)))


def answers_only_what_is_there(index: Index, space: Space, gone: dict[str, np.ndarray], factory: str) -> None:
    asked_QD = np.array([*gone.values(), *space.vectors_ND[:20]])[:40].reshape(-1, space.vectors_ND.shape[1])
    k = min(10, len(space.ids))
    scores_QK, rows_QK = index.search(asked_QD, k)
    assert index.count == len(space.ids)
    assert rows_QK.shape == (len(asked_QD), k) and (rows_QK >= 0).all() and (rows_QK < len(space.ids)).all()
    assert not {space.ids[row] for row in rows_QK.ravel()} & gone.keys()
    assert all(len(set(rows_K)) == k for rows_K in rows_QK.tolist())
    true_QK = np.einsum("qd,qkd->qk", unit(asked_QD) if space.metric == "cosine" else asked_QD, space.search_ND[rows_QK])
    best_QK = exact(space, asked_QD, k)
    size = float(np.abs(best_QK).max())
    if factory in EXACT:
        np.testing.assert_allclose(scores_QK, best_QK, atol=1e-5 * size)
        np.testing.assert_allclose(true_QK, best_QK, atol=1e-5 * size)
    found = (true_QK >= best_QK[:, -1:] - 1e-5 * size).mean()
    assert found >= (0.8 if "RaBitQ4" in factory else 0.9), (factory, found)


def unit(vectors_ND: np.ndarray) -> np.ndarray:
    return vectors_ND / np.linalg.norm(vectors_ND, axis=1, keepdims=True)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("factory", WAYS)
def test_nights_of_adds_changes_and_deletes_never_answer_what_is_gone(factory: str, metric: str) -> None:
    nights = Nights.of(metric=metric)
    former, index = nights.space, widest(nights.space, factory)
    assert way(index.faiss_index) == WAYS[factory]
    for number in range(5):
        space = nights.next(returning=2 * (number % 2), shuffled=number == 3)
        index = night(index, former, space)
        answers_only_what_is_there(index, space, nights.gone, factory)
        former = space
    assert (index.tombstones > 0) == (WAYS[factory] == MARKED)


SIZES = st.integers(0, 40)
STEPS = st.lists(st.tuples(SIZES, SIZES, SIZES, st.integers(0, 5), st.booleans()), min_size=1, max_size=5)


@pytest.mark.parametrize("factory", ["Flat", "IVF16,Flat", "IVF16,PQ12x4fs,Refine(SQ8)", "HNSW16"])
@settings(max_examples=8, deadline=None, derandomize=True)
@given(steps=STEPS, seed=st.integers(0, 9))
def test_any_sequence(factory: str, steps: list[tuple[int, int, int, int, bool]], seed: int) -> None:
    nights = Nights.of(150, seed=seed)
    former, index = nights.space, widest(nights.space, factory)
    for added, replaced, removed, returning, shuffled in steps:
        removed = min(removed, len(former.ids) - 1)
        space = nights.next(added, replaced, removed, returning, shuffled)
        index = night(index, former, space)
        scores_QK, rows_QK = index.search(space.vectors_ND[:10], 10)
        assert not {space.ids[row] for row in rows_QK.ravel() if row >= 0} & nights.gone.keys()
        assert index.count == len(space.ids)
        if factory in EXACT:
            np.testing.assert_allclose(scores_QK, exact(space, space.vectors_ND[:10], 10), atol=1e-4)
        former = space


@pytest.mark.slow
@pytest.mark.parametrize("factory", WAYS)
def test_thirty_nights(factory: str) -> None:
    nights = Nights.of(1000, seed=5)
    former, index = nights.space, widest(nights.space, factory)
    for number in range(30):
        space = nights.next(10, 10, 10, returning=number % 3, shuffled=number % 7 == 0)
        index = night(index, former, space)
        answers_only_what_is_there(index, space, nights.gone, factory)
        former = space


@pytest.mark.parametrize("factory", WAYS)
def test_the_same_index_and_vectors_give_the_same_bytes(factory: str) -> None:
    nights = Nights.of()
    former = nights.space
    index = widest(former, factory)
    space = nights.next()
    first, second = (night(index, former, space) for _ in range(2))
    saved = [bytes(faiss_one_thread().serialize_index(each.faiss_index)) for each in (first, second)]
    assert saved[0] == saved[1]
    if first.places:
        np.testing.assert_array_equal(first.places.row_P, second.places.row_P)


def test_a_graph_grows_the_same_whether_or_not_it_was_read_from_a_file() -> None:
    """Faiss's generator of levels has drawn before in an index that was just built, and is new in one that was read."""
    nights = Nights.of()
    former = nights.space
    built, space = widest(former, "HNSW16"), nights.next(60)
    read = night(built, former, space)
    change(built.faiss_index, None, space.search_ND, Changes.between(former, space))
    saved = [bytes(faiss_one_thread().serialize_index(each.faiss_index)) for each in (read, built)]
    assert saved[0] == saved[1]


def test_every_kind_of_a_budget_can_be_changed() -> None:
    nights = Nights.of(520)
    made = Material(nights.space.search_ND)
    former, space = nights.space, nights.next()
    for factory in swept(520, 24):
        faiss_index = made.of(factory)
        assert way(faiss_index) is not None, factory
        places = change(faiss_index, None, space.search_ND, Changes.between(former, space))
        apply(faiss_index, ladder(faiss_index)[-1])
        answers_only_what_is_there(Index(faiss_index, "thing", "cosine", factory, places=places), space, nights.gone, factory)


def test_exact_search_and_codes_have_the_bytes_of_an_index_that_was_built() -> None:
    nights = Nights.of()
    former, built = nights.space, widest(nights.space, "Flat")
    space = nights.next(shuffled=True)
    changed = night(built, former, space)
    anew = widest(space, "Flat")
    saved = [bytes(faiss_one_thread().serialize_index(each.faiss_index)) for each in (changed, anew)]
    assert saved[0] == saved[1] and changed.places is None


def test_a_graph_to_which_items_only_came_has_no_places() -> None:
    nights = Nights.of()
    former = nights.space
    index = widest(former, "HNSW16")
    grown = night(index, former, nights.next(9, 0, 0))
    assert grown.places is None and grown.count == 409
    lost = night(grown, former := nights.space, nights.next(0, 1, 2))
    assert lost.places is not None and (lost.count, lost.positions, lost.tombstones) == (407, 410, 3)
    assert tombstones(None, Changes.between(former, nights.space)) == (3, 410)


def test_a_query_among_tombstones_only_still_finds_k() -> None:
    """300 twins leave: a search that looks at its nearest 16 meets nobody else."""
    nights = Nights.of(300)
    others = nights.space
    twins_ND = np.repeat(others.vectors_ND[:1] * 3 + 1, 300, axis=0)
    both = Space("thing", (*others.ids, *(f"twin{n}" for n in range(300))), np.concatenate([others.vectors_ND, twins_ND]))
    index = widest(both, "HNSW16")
    apply(index.faiss_index, "efSearch=16")
    left = night(index, both, others)
    scores_QK, rows_QK = left.search(twins_ND[:3], 10)
    assert (rows_QK >= 0).all() and (rows_QK < 300).all() and np.isfinite(scores_QK).all()
    assert all(len(set(rows_K)) == 10 for rows_K in rows_QK.tolist())


def test_all_that_is_there_is_answered_when_all_is_wanted() -> None:
    nights = Nights.of()
    former = nights.space
    lost = night(widest(former, "HNSW16"), former, nights.next(0, 10, 20))
    assert sorted(lost.search(nights.space.vectors_ND[:1], 999)[1][0]) == list(range(380))


def test_changes_by_hand() -> None:
    eye = np.eye(4, dtype=np.float32)
    former = Space("thing", ("a", "b", "c", "d"), eye)
    space = Space("thing", ("d", "new", "a", "b"), np.stack([eye[3], eye[0], eye[0], eye[1] * 2]))
    changes = Changes.between(former, space)
    assert changes.row_F.tolist() == [2, 3, -1, 0] and changes.same_F.tolist() == [True, False, False, True]
    assert changes.kept_F.tolist() == [2, -1, -1, 0] and changes.fresh_C.tolist() == [1, 3]
    assert (changes.added, changes.replaced, changes.removed, changes.none) == (1, 1, 1, False)
    assert Changes.between(former, former).none
    turned = Space("thing", ("b", "a", "c", "d"), eye[[1, 0, 2, 3]])
    assert not Changes.between(former, turned).none and not len(Changes.between(former, turned).fresh_C)


def test_kinds_that_faiss_builds_once_cannot_be_changed() -> None:
    index = widest(Nights.of().space, "NSG16,Flat")
    assert way(index.faiss_index) is None
    with pytest.raises(ValueError, match="IndexNSGFlat cannot be changed in place"):
        change(index.faiss_index, None, np.ones((2, 24), np.float32), Changes(np.arange(2), np.ones(2, bool), 2))


def test_a_graph_that_is_re_ranked_can_be_asked() -> None:
    index = build(Nights.of().space, params("HNSW16,RFlat"))
    assert index.index_recall_at_10 >= 0.95

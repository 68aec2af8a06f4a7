"""Ranking numbers against their definitions in slow loops, and by hand."""

import math

import numpy as np
import pytest

from kindex.core.nearest import nearest, top_k
from kindex.core.watch import Silent
from kindex.judge.ranking import MISS, Ranking, pooled, rank, summary
from kindex.judge.tasks import LinkTask, link_tasks
from tests.judge.small import items, links, planted, split_of, whole


def slow_numbers(task: LinkTask, scores_QR: np.ndarray) -> tuple[dict[str, list[float]], list[list[int]]]:
    """One query at a time, by sorting Python lists."""
    numbers: dict[str, list[float]] = {}
    tops = []
    dense_LR = whole(task).toarray()
    degree = [int((dense_LR[:, item] > 0).sum()) for item in range(len(task.right_ids))]
    for query in range(task.queries):
        known = set(task.known_QR[query].indices.tolist())
        heldout = {int(i) for q, i in zip(task.heldout_query_P, task.heldout_item_P) if q == query}
        order = sorted((i for i in range(len(task.right_ids)) if i not in known), key=lambda i: (-scores_QR[query, i], i))
        place = {item: number + 1 for number, item in enumerate(order)}
        found = {f"link_recall_at_{k}": len(heldout & set(order[:k])) / len(heldout) for k in (10, 20, 50)}
        gain = sum(1 / math.log2(place[item] + 1) for item in heldout if place[item] <= 20)
        found["ndcg_at_20"] = gain / sum(1 / math.log2(n + 2) for n in range(min(20, len(heldout))))
        found["mrr"] = 1 / min(place[item] for item in heldout)
        others = [item for item in order if item not in heldout]
        found["auc"] = sum(place[a] < place[b] for a in heldout for b in others) / (len(heldout) * len(others))
        shown = sum(math.log2(1 + degree[item]) for item in order[:10]) / 10
        found["popularity_bias"] = shown - sum(math.log2(1 + degree[item]) for item in heldout) / len(heldout)
        for name, value in found.items():
            numbers.setdefault(name, []).append(value)
        tops.append(order[:10])
    return numbers, tops


@pytest.mark.parametrize("levels", [1000000, 7, 1])
def test_every_number_is_that_of_the_slow_loops(levels: int) -> None:
    """Few distinct scores: ties everywhere, broken by the order of the items."""
    split, _ = planted(readers=60, books=120, groups=6)
    (task,) = link_tasks(split, 40)
    scores_QR = np.random.default_rng(1).integers(0, levels, (40, 120)).astype(np.float32)
    ranking = rank(task, lambda queries_B: scores_QR[queries_B], Silent(), "noise")
    expected, tops = slow_numbers(task, scores_QR)
    assert ranking.values.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(ranking.values[name], values, rtol=1e-9, atol=1e-12, err_msg=name)
    assert ranking.top_QK.tolist() == tops
    coverage = len({item for top in tops for item in top}) / 120
    assert summary(ranking, np.zeros((0, 40)))["coverage_at_10"].value == pytest.approx(coverage)


def by_hand() -> LinkTask:
    """a knows b0; b1 and b4 are held out. c knows b1, b2; b0 is held out."""
    split = split_of(
        items(("reader", ["a", "c"]), ("book", [f"b{n}" for n in range(5)])),
        links([("a", "b0"), ("c", "b1"), ("c", "b2")]),
        links([("a", "b1"), ("a", "b4"), ("c", "b0")]),
    )
    (task,) = link_tasks(split, 10)
    return task


def test_two_queries_by_hand() -> None:
    task = by_hand()
    assert (task.left_ids.to_pylist(), task.right_ids.to_pylist()) == (["a", "c"], ["b0", "b1", "b2", "b3", "b4"])
    scores_QR = np.array([[9, 8, 7, 6, 5], [1, 9, 9, 3, 2]], np.float32)  # a: b1 b2 b3 b4, c: b3 b4 b0
    ranking = rank(task, lambda queries_B: scores_QR[queries_B], Silent(), "by hand")
    assert ranking.top_QK[:, :5].tolist() == [[1, 2, 3, 4, -1], [3, 4, 0, -1, -1]]
    np.testing.assert_allclose(ranking.values["mrr"], [1, 1 / 3])
    np.testing.assert_allclose(ranking.values["auc"], [1 - 2 / 4, 0])  # b4 stands behind b2 and b3; b0 behind both
    ideal = 1 + 1 / math.log2(3)
    np.testing.assert_allclose(ranking.values["ndcg_at_20"], [(1 + 1 / math.log2(5)) / ideal, 1 / math.log2(4)])


def test_the_wrong_sign_is_seen() -> None:
    split, spaces = planted()
    (task,) = link_tasks(split, 300)
    scores_QR = spaces["reader"].vectors_ND[task.query_rows_Q] @ spaces["book"].vectors_ND.T
    right, wrong = (
        summary(rank(task, lambda queries_B, s=sign: s * scores_QR[queries_B], Silent(), ""), np.zeros((0, 300)))
        for sign in (1, -1)
    )
    assert right["auc"].value > 0.7 > 0.35 > wrong["auc"].value
    assert right["link_recall_at_10"].value > 0.5 > 0.1 > wrong["link_recall_at_10"].value


def test_what_has_no_score_is_a_miss_even_among_few_candidates() -> None:
    task = by_hand()
    scores_QR = np.array([[9, -np.inf, 7, 6, 5], [-np.inf] * 5], np.float32)
    ranking = rank(task, lambda queries_B: scores_QR[queries_B], Silent(), "by hand")
    assert ranking.values["link_recall_at_50"].tolist() == [0.5, 0.0]
    assert ranking.values["mrr"][1] == pytest.approx(1 / MISS)
    assert ranking.values["auc"][1] == 0.0
    assert (ranking.top_QK[1] == -1).all() and np.isnan(ranking.values["popularity_bias"][1])


def test_a_graph_of_one_kind_masks_the_node_itself_and_its_edges_in_both_directions() -> None:
    nodes = items(("node", ["a", "b", "c", "d"]))
    edges = [links(pairs, "node", "node") for pairs in ([("a", "b"), ("c", "a")], [("a", "d")])]
    (task,) = link_tasks(split_of(nodes, *edges), 10)
    assert task.known_QR.toarray().astype(bool).tolist() == [[True, True, True, False]]
    ranking = rank(task, lambda queries_B: np.array([[9, 9, 9, 0]], np.float32), Silent(), "")
    assert ranking.top_QK[0, :2].tolist() == [3, -1] and ranking.values["mrr"].tolist() == [1.0]


def test_queries_of_several_kinds_are_pooled() -> None:
    both = items(("reader", ["a", "c"]), ("book", ["b0", "b1"]), ("film", ["f0", "f1", "f2"]))
    import pyarrow as pa

    train = pa.concat_tables([links([("a", "b0")]), links([("a", "f0")], right_kind="film")])
    heldout = pa.concat_tables([links([("a", "b1")]), links([("a", "f1"), ("c", "f0")], right_kind="film")])
    books, films = link_tasks(split_of(both, train, heldout), 10)
    assert [(task.right_kind, task.queries) for task in (books, films)] == [("book", 1), ("film", 2)]
    scores = {"book": np.array([[0, 1]]), "film": np.array([[0, 1, 2], [2, 1, 0]])}
    whole = pooled([rank(t, lambda q, s=scores[t.right_kind]: s[q].astype(np.float32), Silent(), "") for t in (books, films)])
    assert whole.candidates == 5
    assert whole.top_QK[:, :3].tolist() == [[1, -1, -1], [4, 3, -1], [2, 3, 4]]
    np.testing.assert_allclose(whole.values["mrr"], [1, 1 / 2, 1])
    assert summary(whole, np.zeros((0, 3)))["coverage_at_10"].value == pytest.approx(4 / 5)


def test_a_sample_of_queries_stays_as_the_catalogue_grows() -> None:
    split, _ = planted(readers=200)
    more, _ = planted(readers=220)
    chosen = {task.left_ids[row].as_py() for task in link_tasks(split, 50) for row in task.query_rows_Q}
    grown = {task.left_ids[row].as_py() for task in link_tasks(more, 50) for row in task.query_rows_Q}
    assert len(chosen) == len(grown) == 50 and len(chosen & grown) >= 40
    assert link_tasks(split_of(split.train.items, split.train.links, split.heldout.links.slice(0, 0)), 50) == []


def test_pooling_one_ranking_changes_nothing() -> None:
    one = Ranking({"mrr": np.array([0.5])}, np.array([[3, -1]]), 4)
    assert pooled([one]).top_QK.tolist() == [[3, -1]] and pooled([one]).candidates == 4


def test_top_k_takes_the_first_of_equal_columns() -> None:
    scores = np.array([[1, 3, 3, 2, 3], [0, 0, 0, 0, 0], [5, 4, 3, 2, 1]], np.float32)
    values, columns = top_k(scores, 2)
    assert columns.tolist() == [[1, 2], [0, 1], [0, 1]] and values.tolist() == [[3, 3], [0, 0], [5, 4]]
    assert top_k(scores, 9)[1][2].tolist() == [0, 1, 2, 3, 4] and top_k(scores, 0)[1].shape == (3, 0)


def test_nearest_leaves_out_the_query_itself() -> None:
    vectors = np.array([[1, 0], [0.9, 0], [-1, 0], [0.5, 0]], np.float32)
    scores, rows = nearest(vectors, vectors[[0, 2]], 2, np.array([0, 2]))
    assert rows.tolist() == [[1, 3], [3, 1]]
    np.testing.assert_allclose(scores, [[0.9, 0.5], [-0.5, -0.9]])
    assert nearest(vectors, vectors[:1], 9)[1].tolist() == [[0, 1, 3, 2]]
    assert nearest(vectors, vectors[:0], 3)[1].shape == (0, 3)

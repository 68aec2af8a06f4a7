"""A shadow run asks as people ask, through the index; what it counts, and what it does not."""

from dataclasses import replace

import numpy as np
import pytest

from kindex.ask.live import open_live
from kindex.ask.shadow import index_gap, shadow_run
from tests.ask.project import VECTORS, WORDS, make_stages, release

QUERIES = [("word", name) for name in WORDS]


@pytest.fixture
def live(tmp_path):
    release(make_stages(tmp_path))
    return open_live("words-pairs", root=tmp_path)


def test_the_same_release_answers_the_same(live):
    found = shadow_run(live, live, QUERIES)
    assert (found["asked"], found["compared"], found["overlap"], found["same_first"], found["failed"]) == (8, 8, 1.0, 1.0, 0)


class Broken:
    """An index that was built wrong."""

    def __init__(self, index, how):
        self.index, self.how = index, how
        self.count, self.metric = index.count, index.metric

    def search(self, queries_QD, k):
        scores_QK, rows_QK = self.index.search(queries_QD, k)
        if self.how == "raises":
            raise RuntimeError("Error in faiss")
        if self.how == "nothing":
            return np.full_like(scores_QK, -np.inf), np.full_like(rows_QK, -1)
        if self.how == "nan":
            return np.full_like(scores_QK, np.nan), rows_QK
        return scores_QK, rows_QK + 1000  # rows that no item has


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("raises", "RuntimeError: Error in faiss"),
        ("nothing", "no answer, of 7 items"),
        ("nan", "a score that is not a number"),
        ("rows", "IndexError"),
    ],
)
def test_an_index_that_does_not_answer_is_an_error_of_each_query(live, how, said):
    candidate = replace(live, indexes={**live.indexes, "word": Broken(live.indexes["word"], how)})
    found = shadow_run(live, candidate, QUERIES)
    assert (found["failed"], found["compared"], found["overlap"]) == (8, 0, None)
    assert found["errors"][0]["error"].startswith(said)


def test_what_is_gone_is_neither_an_error_nor_an_overlap_lost(live, tmp_path):
    folder = tmp_path / "other"
    release(make_stages(folder, VECTORS[::-1].copy()))
    other = open_live("words-pairs", root=folder)
    queries = [*QUERIES, ("word", "not stored"), ("nothing", "king"), ("book", "dune")]
    found = shadow_run(live, replace(other, spaces={"word": other.spaces["word"]}), queries)
    assert (found["asked"], found["gone"], found["failed"]) == (9, 1, 0)
    assert 0 < found["overlap"] <= 1


def test_an_index_is_held_against_what_it_says_of_itself(live):
    assert index_gap(live) == 0.0
    said = replace(live.indexes["word"], index_recall_at_10=0.9)
    assert index_gap(replace(live, indexes={**live.indexes, "word": said})) == 0.0, "better than it says is no gap"


class Elsewhere(Broken):
    """Answers of a good index to another question."""

    index_recall_at_10 = 0.9

    def search(self, queries_QD, k):
        if self.how == "raises":
            raise RuntimeError("Error in faiss")
        return self.index.search(queries_QD, k)[0], np.zeros((len(queries_QD), k), np.int64)


@pytest.mark.parametrize(("how", "gap"), [("raises", 0.9), ("first row only", 0.9 - 1 / 8)])
def test_an_index_that_was_written_wrong_is_seen_by_its_answers(live, how, gap):
    found = index_gap(replace(live, indexes={**live.indexes, "word": Elsewhere(live.indexes["word"], how)}))
    assert found == pytest.approx(gap, abs=1e-6)

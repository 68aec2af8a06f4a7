"""What each query scored, as a table that comes back as it was written."""

import numpy as np
import pyarrow as pa
import pytest

from kindex.core.catalogue import write_table
from kindex.core.errors import DamagedError
from kindex.core.space import Space
from kindex.judge.queries import asked_of, chosen, joined, metrics_of, queries_table, read_queries, write_queries


def test_it_is_sorted_and_comes_back(tmp_path):
    scores = {"mrr": {"reader book": (["b", "a"], np.array([0.5, 1.0]))}, "auc": {"reader book": (["a"], np.array([np.nan]))}}
    table = queries_table(scores, {"book": ["z", "y"]})
    assert table.to_pylist() == [
        {"kind": "book", "id": "y", "metric": "asked", "value": 0.0},
        {"kind": "book", "id": "z", "metric": "asked", "value": 0.0},
        {"kind": "reader book", "id": "a", "metric": "mrr", "value": 1.0},
        {"kind": "reader book", "id": "b", "metric": "mrr", "value": 0.5},
    ]
    write_queries(tmp_path / "q.parquet", table)
    again = read_queries(tmp_path / "q.parquet")
    assert again.equals(table)
    assert metrics_of(again) == ["mrr"] and asked_of(again) == [("book", "y"), ("book", "z")]
    write_queries(tmp_path / "r.parquet", joined(table.slice(2), table.slice(0, 2)))
    assert (tmp_path / "r.parquet").read_bytes() == (tmp_path / "q.parquet").read_bytes()


def test_another_table_is_refused_by_name(tmp_path):
    write_table(tmp_path / "q.parquet", pa.table({"id": ["a"]}))
    with pytest.raises(DamagedError, match=r"q\.parquet is not a table of queries: its columns are id"):
        read_queries(tmp_path / "q.parquet")


def test_the_items_of_a_shadow_run_stay_the_same_as_a_catalogue_grows():
    def space(count: int, kind: str = "book") -> Space:
        return Space(kind, tuple(f"b{n}" for n in range(count)), np.ones((count, 2), np.float32))

    small, large = (set(chosen({"book": space(count)}, [], 20)["book"]) for count in (200, 220))
    assert len(small) == len(large) == 20
    assert len(small & large) >= 14  # of 220 items 20 are new: two of them in expectation
    found = chosen({"book": space(50), "book-context": space(50, "book-context")}, ["b7", "gone"], 1)
    assert list(found) == ["book"] and "b7" in found["book"] and "gone" not in found["book"]

"""Links by row against loops over their rows."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kindex.core import tables
from kindex.core.catalogue import LINKS
from kindex.core.tables import opened, streamed
from kindex.judge.linked import Linked, occurring

KINDS = ("reader", "book")
LEFT, RIGHT = [f"r{n}" for n in range(9)], [f"b{n}" for n in range(7)]


def rows_of(count: int, seed: int) -> list[dict[str, object]]:
    """Links in no order, some twice, also of other kinds with the same ids."""
    rng = np.random.default_rng(seed)
    kinds = [KINDS, KINDS, ("reader", "film"), ("critic", "book")]
    return [
        dict(zip(("left_kind", "right_kind"), kinds[rng.integers(4)]))
        | {"left": f"r{rng.integers(12)}", "right": f"b{rng.integers(7)}", "weight": 1.0}
        for _ in range(count)
    ]


def dense(rows: list[dict[str, object]]) -> np.ndarray:
    found_LR = np.zeros((len(LEFT), len(RIGHT)))
    for row in rows:
        if (row["left_kind"], row["right_kind"]) == KINDS and row["left"] in LEFT:
            found_LR[LEFT.index(row["left"]), RIGHT.index(row["right"])] = 1
    return found_LR


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("count", [0, 1, 30, 200])
def test_links_of_rows_and_to_rows_are_those_of_the_dense_matrix(tmp_path, monkeypatch, count, in_order) -> None:
    monkeypatch.setattr(tables, "ROWS", 17)
    monkeypatch.setattr("kindex.core.scratch.ROWS", 13)
    rows = rows_of(count, count)
    if in_order:
        once = {tuple(row.values()): row for row in rows}
        names = ("left_kind", "left", "right_kind", "right")
        rows = sorted(once.values(), key=lambda row: [str(row[name]) for name in names])
    table = pa.Table.from_pylist(rows, LINKS)
    pq.write_table(table, tmp_path / "links.parquet", row_group_size=40)
    expected_LR = dense(rows)
    for links in (table, streamed(table), opened(tmp_path / "links.parquet")):
        made = Linked.read(links, KINDS, pa.array(LEFT), pa.array(RIGHT))
        assert len(made) == expected_LR.sum() and made.n_left == len(LEFT)
        assert made.popularity_R.tolist() == expected_LR.sum(0).tolist()
        for asked in (np.arange(9), np.array([4, 0, 8]), np.array([], np.int64)):
            found = made.of(asked)
            assert found.toarray().tolist() == expected_LR[asked].tolist() and found.has_sorted_indices
        for asked in (np.arange(7), np.array([5, 2]), np.array([], np.int64)):
            assert made.to(asked).toarray().tolist() == expected_LR.T[asked].tolist()


def test_texts_are_counted(monkeypatch) -> None:
    monkeypatch.setattr(tables, "ROWS", 17)
    rows = rows_of(90, 3)
    for name in ("left", "left_kind"):
        texts, count_V = occurring(pa.Table.from_pylist(rows, LINKS), name)
        assert dict(zip(texts.to_pylist(), count_V.tolist())) == Counter(row[name] for row in rows)

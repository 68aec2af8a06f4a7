"""Corrections for hubs against slow loops over the formulas of their papers; their files against damage."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kindex.core import hubs
from kindex.core.catalogue import write_table
from kindex.core.errors import DamagedError
from kindex.core.hubs import CORRECTIONS, Offsets, asking, correct, correct_space, read_offsets, write_offsets
from kindex.core.nearest import nearest
from kindex.core.space import Space


def space(count: int = 70, metric: str = "cosine") -> Space:
    rng = np.random.default_rng(4)
    vectors = (rng.normal(size=(count, 6)) + 0.7) * rng.gamma(2, 1, size=(count, 1))
    return Space("thing", tuple(f"t{n}" for n in range(count)), vectors.astype(np.float32), metric)


def cosine(a, b) -> float:
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def slow_scores(thing: Space, correction: str) -> np.ndarray:
    """score[i, j] by loops: Conneau et al. 2018, equation 4, and Smith et al. 2017, equation 4, as log mean."""
    vectors = thing.vectors_ND.astype(float)
    count = len(vectors)
    similar = [[cosine(a, b) for b in vectors] for a in vectors]
    scores = np.empty((count, count))
    for i in range(count):
        for j in range(count):
            if correction == "local_scaling":
                r_i = sum(sorted((similar[i][n] for n in range(count) if n != i), reverse=True)[:10]) / 10
                r_j = sum(sorted((similar[j][n] for n in range(count) if n != j), reverse=True)[:10]) / 10
                scores[i, j] = 2 * similar[i][j] - r_i - r_j
            else:
                mean = sum(math.exp(30 * similar[n][j]) for n in range(count) if n != j) / (count - 1)
                scores[i, j] = math.log(math.exp(30 * similar[i][j]) / mean) / 30
    return scores


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_scores_and_order_are_those_of_the_slow_loops(correction: str) -> None:
    thing = space()
    offsets = correct_space(correction, thing)
    expected = slow_scores(thing, correction)
    scores_QK, rows_QK = nearest(thing.search_ND, thing.search_ND, 69, np.arange(70))
    changed = 0
    for item in range(70):
        scores, rows = offsets.ranked(scores_QK[item], rows_QK[item])
        np.testing.assert_allclose(scores, expected[item][rows], atol=2e-6)
        assert (np.diff(scores) <= 0).all()
        changed += rows[:10].tolist() != rows_QK[item][:10].tolist()
    assert changed > 50, "a correction that changes no order corrects nothing"


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_lifted_vectors_find_the_same_neighbours_by_their_product(correction: str) -> None:
    thing = space()
    offsets = correct_space(correction, thing)
    expected = slow_scores(thing, correction)
    np.fill_diagonal(expected, -np.inf)
    _, rows_QK = nearest(offsets.lifted(thing.search_ND), asking(thing.search_ND), 10, np.arange(70))
    assert rows_QK.tolist() == np.argsort(-expected, axis=1)[:, :10].tolist()


def test_local_scaling_is_symmetric() -> None:
    thing = space()
    offsets = correct_space("local_scaling", thing)
    scores_QK, rows_QK = nearest(thing.search_ND, thing.search_ND, 69, np.arange(70))
    table = np.zeros((70, 70))
    for item in range(70):
        scores, rows = offsets.ranked(scores_QK[item], rows_QK[item])
        table[item, rows] = scores
    np.testing.assert_allclose(table, table.T, atol=2e-6)


def test_a_sample_gives_nearly_the_offsets_of_all_and_no_item_counts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    unit_ND = rng.normal(size=(900, 8)).astype(np.float32)
    unit_ND /= np.linalg.norm(unit_ND, axis=1, keepdims=True)
    whole = correct("inverted_softmax", unit_ND, np.arange(900)).offset_N
    monkeypatch.setattr(hubs, "SOFTMAX_ITEMS", 300)
    sample = correct("inverted_softmax", unit_ND, np.arange(900)).offset_N
    assert np.abs(sample - whole).mean() < 0.05
    # an item of the sample that counted itself would have an offset above 1 - log(300) / 30 = 0.81
    assert sample[:300].max() < 0.8 and abs(sample[:300].mean() - sample[300:].mean()) < 0.02


def test_another_finder_of_neighbourhoods_is_asked_in_blocks() -> None:
    thing = space()
    asked = []

    def near(block: slice) -> np.ndarray:
        asked.append(block)
        rows = np.arange(70)[block]
        return nearest(thing.search_ND, thing.search_ND[block], 10, rows)[0].mean(1)

    found = correct_space("local_scaling", thing, near)
    np.testing.assert_allclose(found.offset_N, correct_space("local_scaling", thing).offset_N, atol=1e-6)
    assert asked


@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_tiny_and_zero_spaces_have_finite_offsets(correction: str, count: int) -> None:
    thing = Space("thing", tuple(map(str, range(count))), np.zeros((count, 3), np.float32))
    assert correct_space(correction, thing).offset_N.tolist() == [0.0] * count
    assert np.isfinite(correct_space(correction, space(count)).offset_N).all()


def test_files_are_the_same_bytes_and_are_refused_when_they_are_not_of_the_space(tmp_path: Path) -> None:
    thing = space()
    offsets = correct_space("local_scaling", thing)
    write_offsets(tmp_path / "a.parquet", offsets, thing)
    write_offsets(tmp_path / "b.parquet", correct_space("local_scaling", thing), thing)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    found = read_offsets(tmp_path / "a.parquet", thing)
    assert found.correction == "local_scaling" and np.array_equal(found.offset_N, offsets.offset_N)
    other = Space("thing", (*thing.ids[:-1], "another"), thing.vectors_ND)
    with pytest.raises(DamagedError, match=r"a\.parquet is not of the space 'thing'"):
        read_offsets(tmp_path / "a.parquet", other)
    broken = offsets.offset_N.copy()
    broken[3] = np.nan
    write_offsets(tmp_path / "c.parquet", Offsets("local_scaling", broken), thing)
    with pytest.raises(DamagedError, match="not finite"):
        read_offsets(tmp_path / "c.parquet", thing)
    with_null = pa.array([None, *offsets.offset_N[1:].tolist()], pa.float32())
    table = pa.table({"id": list(thing.ids), "offset": with_null}).replace_schema_metadata(
        {"kindex.neighbours": "local_scaling"}
    )
    write_table(tmp_path / "d.parquet", table)
    with pytest.raises(DamagedError, match="not finite"):
        read_offsets(tmp_path / "d.parquet", thing)
    write_table(tmp_path / "e.parquet", table.replace_schema_metadata({"kindex.neighbours": "magic"}))
    with pytest.raises(DamagedError, match="no offsets of local_scaling or inverted_softmax"):
        read_offsets(tmp_path / "e.parquet", thing)

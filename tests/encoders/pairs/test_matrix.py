"""Links as sparse matrices against the dense ones, in one block and in many."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kindex.core.scratch import Scratch
from kindex.encoders.pairs import matrix
from kindex.encoders.pairs.matrix import Matrix, products
from kindex.encoders.parts import turning
from kindex.encoders.parts.links import Links
from tests.encoders.pairs.small import groups, links_of, table


@pytest.fixture(params=[1 << 22, 40, 1])
def _block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "BLOCK", request.param)


def with_gaps() -> np.ndarray:
    """Rows and columns without links: first, last and inside."""
    dense = groups(30, 20)
    dense[[0, 11, 12, 29]] = 0
    dense[:, [0, 5, 19]] = 0
    return dense


@pytest.mark.usefixtures("_block")
@pytest.mark.parametrize("weighted", [True, False])
def test_both_ways_round_multiply_as_the_dense_matrix(weighted: bool) -> None:
    dense = with_gaps() if weighted else (with_gaps() > 0).astype(float)
    for made, wanted in zip(Matrix.both(links_of(dense, weighted)), (dense, dense.T), strict=True):
        other_MD = table(wanted.shape[1], 6, 0)
        assert len(made) == len(wanted)
        np.testing.assert_allclose((made @ other_MD).numpy(), wanted @ other_MD.numpy(), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(made.degree_N.numpy(), wanted.sum(1), rtol=1e-5)
        rows = [torch.arange(first, end) for first, end in made.blocks()]
        assert torch.cat(rows).tolist() == list(range(len(wanted)))
        np.testing.assert_allclose(made.rows(7, 15).to_dense().numpy(), wanted[7:15], rtol=1e-6)


@pytest.mark.parametrize("rows", [3, 1 << 20])
@pytest.mark.parametrize("part", [1, 20, 1 << 22])
@pytest.mark.parametrize("weighted", [True, False])
def test_links_on_disk_are_the_same_matrices(
    weighted: bool, part: int, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turning, "PART", part)
    monkeypatch.setattr("kindex.core.scratch.ROWS", rows)
    links = links_of(with_gaps() if weighted else (with_gaps() > 0).astype(float), weighted)
    for made, wanted in zip(Matrix.both(on_disk(links, tmp_path)), Matrix.both(links), strict=True):
        assert isinstance(made.column_P, Scratch)
        np.testing.assert_array_equal(made.start_N1, wanted.start_N1)
        np.testing.assert_array_equal(made.column_P[:], wanted.column_P)
        assert (made.value_P is None) == (not weighted)
        np.testing.assert_array_equal(made.rows(0, len(made)).values().numpy(), wanted.rows(0, len(wanted)).values().numpy())


def on_disk(links: Links, folder: Path) -> Links:
    columns = []
    for values_P in (links.right_P, links.value_P):
        columns.append(None if values_P is None else Scratch(folder, values_P.dtype))
        if columns[-1] is not None:
            columns[-1].append(values_P)
    return Links(links.start_L1, columns[0], links.n_right, columns[1])


def test_a_block_has_no_more_links_than_allowed_but_one_row_at_least() -> None:
    made, _ = Matrix.both(links_of(with_gaps()))
    for first, end in made.blocks(20):
        assert end == first + 1 or made.start_N1[end] - made.start_N1[first] <= 20


def test_products_are_the_dot_products_of_linked_rows_whatever_the_links_count() -> None:
    dense = with_gaps()
    made, _ = Matrix.both(links_of(dense))
    left_LD, right_RD = table(30, 6, 1), table(20, 6, 2)
    wanted = [float(left_LD[a] @ right_RD[b]) for a, b in np.argwhere(dense)]
    np.testing.assert_allclose(products(made.rows(0, 30), left_LD, right_RD).numpy(), wanted, rtol=1e-4, atol=1e-5)

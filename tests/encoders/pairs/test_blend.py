"""Sums of scores, their spread and their compression, against dense products."""

import numpy as np
import pytest
import torch

from kindex.encoders.pairs import blend
from kindex.encoders.pairs.blend import Tables, Wide, compressed, spread, together
from tests.encoders.pairs.small import table


@pytest.fixture(params=[1 << 16, 7], ids=["one block", "blocks of 7 rows"], autouse=True)
def _block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blend, "BLOCK", request.param)


def made(dimensions: int, seed: int, scale: float = 1.0) -> Tables:
    """Right vectors with a mean, so that popular items score high with everyone."""
    return scale * table(40, dimensions, seed) + 0.5, table(30, dimensions, seed + 1) + 1


def scores(tables: Tables | tuple[Wide, Wide]) -> np.ndarray:
    left_LD, right_RD = (table.whole() if isinstance(table, Wide) else table for table in tables)
    return left_LD.double().numpy() @ right_RD.double().numpy().T


def test_the_spread_is_that_of_scores_about_each_left_items_mean() -> None:
    dense = scores(made(6, 0))
    wanted = np.sqrt(np.mean([(score - row.mean()) ** 2 for row in dense for score in row]))
    assert spread(made(6, 0)) == pytest.approx(wanted, rel=1e-6)
    assert wanted < 0.9 * dense.std()  # else the test could not tell one from the other


def test_equal_scores_have_hardly_a_spread_but_not_none() -> None:
    assert 0 < spread((torch.ones(4, 3), torch.ones(5, 3))) < 1e-6


def test_a_sum_of_parts_is_the_weighted_sum_of_their_scores_at_spread_one() -> None:
    parts, weights = [made(6, 0), made(4, 2, 100.0), made(3, 4, 0.01)], [0.5, 0.3, 0.2]
    wanted = sum(weight * scores(part) / spread(part) for part, weight in zip(parts, weights, strict=True))
    np.testing.assert_allclose(scores(together(parts, weights)), wanted, atol=1e-4)
    alone = together(parts, [0.0, 0.7, 0.0])
    assert alone[0].width == 4
    np.testing.assert_allclose(scores(alone), 0.7 * scores(parts[1]) / spread(parts[1]), atol=1e-4)


@pytest.mark.parametrize("dimensions", [1, 5, 9])
def test_compression_is_the_truncated_svd_of_the_product(dimensions: int) -> None:
    tables = together([made(6, 0), made(4, 2)], [0.5, 0.5])
    u, s, vt = np.linalg.svd(scores(tables))
    kept = compressed(*tables, dimensions)
    assert [part.shape[1] for part in kept] == [dimensions, dimensions]
    np.testing.assert_allclose(scores(kept), (u[:, :dimensions] * s[:dimensions]) @ vt[:dimensions], atol=1e-4 * s[0])
    for part in kept:  # both sides carry the root of a singular value
        np.testing.assert_allclose((part.T @ part).numpy(), np.diag(s[:dimensions]), atol=1e-3 * s[0])


def test_with_dimensions_to_spare_nothing_changes() -> None:
    tables = made(6, 0)
    kept = compressed(*map(Wide.of, tables), 8)
    np.testing.assert_array_equal(scores(kept), scores(tables))
    assert not kept[0][:, 6:].any() and not kept[1][:, 6:].any()


@pytest.mark.parametrize("seed", [0, 1])
def test_repeated_and_idle_columns_do_not_break_it(seed: int) -> None:
    left_LD, right_RD = made(6, seed)
    idle = torch.zeros(40, 5), torch.zeros(30, 5)
    left, right = (
        torch.cat([left_LD, left_LD, left_LD, idle[0]], 1),
        torch.cat([right_RD, right_RD + 1e-7, right_RD, idle[1]], 1),
    )
    np.testing.assert_allclose(scores(compressed(Wide.of(left), Wide.of(right), 6)), scores((left, right)), atol=1e-3)

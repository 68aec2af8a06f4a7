"""Folding in against slow loops, against training, and on items that training never saw."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kindex.core import aside
from kindex.core.catalogue import ITEMS, Catalogue
from kindex.core.watch import Silent
from kindex.encoders import pairs
from kindex.encoders.pairs import folding
from kindex.encoders.parts.vocabulary import Vocabulary
from tests.encoders.planted import planted_links

KINDS = {"author": 2.5, "link": 0.4}


def made(width: int = 6, regularisation: float = 0.7, unobserved: float = 0.05, **about: Any) -> pairs.Encoder:
    """30 books, 5 authors and 45 links with drawn vectors."""
    rng = np.random.default_rng(3)
    left = Vocabulary({"book": tuple(f"b{n:02}" for n in range(30))})
    right = Vocabulary({"author": tuple(f"a{n}" for n in range(5)), "link": tuple(f"l{n:02}" for n in range(45))})
    left_LD, right_RD = (rng.standard_normal((count, width)).astype(np.float32) for count in (30, 50))
    about = {
        "chosen": {"kind_weights": KINDS},
        "weights": {"unobserved": unobserved, "regularisation": regularisation},
        "mean_links": {"left": 4.0, "right": 2.5},
        **about,
    }
    return pairs.Encoder(left, right, left_LD, right_RD, about)


def slowly(other_MD: np.ndarray, weights: dict[int, float], about: dict[str, Any], side: str) -> np.ndarray:
    """The normal equations of one row, summed link by link, pair by pair."""
    unobserved, mean = about["weights"]["unobserved"], about["mean_links"][side]
    width, count = other_MD.shape[1], len(other_MD)
    normal, wanted = np.zeros((width, width)), np.zeros(width)
    for y in other_MD.astype(float):
        normal += unobserved * np.outer(y, y)
    for row, weight in weights.items():
        y = other_MD[row].astype(float)
        normal += weight * np.outer(y, y)
        wanted += weight * y
    ridge = about["weights"]["regularisation"] * (sum(weights.values()) + unobserved * count) / (mean + unobserved * count)
    return np.linalg.solve(normal + ridge * np.eye(width), wanted)


def test_new_items_at_both_ends_are_the_solutions_of_their_normal_equations() -> None:
    encoder = made()
    rng = np.random.default_rng(0)
    authors, links = ([(kind, id) for id in encoder.right.ids[kind]] for kind in ("author", "link"))
    many = [list(rng.permutation(50)[:count]) for count in (1, 3, 3, 6, 7, 50)]
    asked = [[(authors + links)[row] for row in rows] for rows in many]
    vectors, counts = encoder.fold_in([*asked, [*asked[1], *asked[1], ("link", "nobody"), ("book", "b00")], []])
    assert counts.tolist() == [1, 3, 3, 6, 7, 50, 3, 0]
    for rows, vector in zip(many, vectors):
        expected = slowly(
            encoder.right_RD, {r: KINDS["author" if r < 5 else "link"] for r in rows}, dict(encoder.about), "left"
        )
        assert vector == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert np.array_equal(vectors[6], vectors[1]), "what is given twice or unknown changes nothing"
    assert np.array_equal(vectors[7], encoder.left_LD.mean(0))
    for kind, weight in (("author", 2.5), ("link", 0.4), ("film", 1.0)):
        (vector,), _ = encoder.fold_in([[("book", "b03"), ("book", "b17")]], "right", kind)
        assert vector == pytest.approx(
            slowly(encoder.left_LD, {3: weight, 17: weight}, dict(encoder.about), "right"), rel=1e-5, abs=1e-6
        )
    with pytest.raises(ValueError, match="side is 'top'"):
        encoder.fold_in([], "top")


def test_blocks_and_sizes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = made(width=16)
    rng = np.random.default_rng(1)
    asked = [[("link", f"l{n:02}") for n in rng.permutation(45)[: rng.integers(0, 45)]] for _ in range(60)]
    together = encoder.fold_in(asked)[0]
    monkeypatch.setattr("kindex.encoders.pairs.folding.LINKS", 8)
    monkeypatch.setattr("kindex.encoders.pairs.folding.TOGETHER", 8)
    again = made(width=16).fold_in(asked)[0]
    alone = np.concatenate([encoder.fold_in([one])[0] for one in asked])
    assert again == pytest.approx(together, rel=1e-5, abs=1e-6) and alone == pytest.approx(together, rel=1e-5, abs=1e-6)
    assert encoder.fold_in([])[0].shape == (0, 16)


@pytest.mark.parametrize("unobserved", [0.0, 0.1])
def test_without_a_ridge_the_vector_is_still_finite(unobserved: float) -> None:
    encoder = made(width=40, regularisation=0.0, unobserved=unobserved)
    encoder.right_RD[:, 30:] = 0  # fewer dimensions in use than there are
    vectors, _ = encoder.fold_in([[("link", "l01"), ("link", "l02")], [("link", id) for id in encoder.right.ids["link"]]])
    assert np.isfinite(vectors).all() and np.abs(vectors).max() < 100
    if unobserved == 0:  # two links, thirty dimensions: both scores are 1
        assert (vectors @ encoder.right_RD.T)[0, [6, 7]] == pytest.approx([1, 1], abs=1e-3)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_gain_is_the_length_that_training_adds(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = made()
    rng = np.random.default_rng(2)
    right_P = np.concatenate([np.sort(rng.permutation(50)[:20]) for _ in range(30)])
    left_P = np.repeat(np.arange(30), 20)
    kinds = [kind for kind, _ in (encoder.left if side == "left" else encoder.right).rows]

    def folded(row: int) -> np.ndarray:
        ends = right_P[left_P == row] if side == "left" else left_P[right_P == row]
        return encoder.folded(np.array([0, len(ends)]), ends, side, kinds[row])[0]

    own_VD = encoder.left_LD if side == "left" else encoder.right_RD
    own_VD[:] = [3 * folded(row) for row in range(len(kinds))]
    gains = encoder.gains(np.arange(0, 601, 20), right_P)
    assert gains[side] == pytest.approx(3, rel=1e-5)
    monkeypatch.setattr("kindex.encoders.pairs.encoder.SAMPLE", 1)
    assert encoder.gains(np.arange(0, 601, 20), right_P)[side] == pytest.approx(3, rel=1e-5)
    encoder.about = {**encoder.about, "gain": gains}
    assert folded(3) == pytest.approx(own_VD[3], rel=1e-4)


def fit(links: pa.Table, **settings: Any) -> pairs.Encoder:
    config = pairs.Config(**settings)
    rng = np.random.Generator(np.random.PCG64(config.seed))
    return pairs.fit(Catalogue("books", {"items": ITEMS.empty_table(), "links": links}), config, rng=rng, watch=Silent())


def by_left(links: pa.Table) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for left, right in zip(links["left"].to_pylist(), links["right"].to_pylist()):
        found.setdefault(left, []).append(("link", right))
    return found


def test_a_trained_row_is_what_its_links_fold_in_to() -> None:
    """Least squares ends on the left side: its rows are this closed form, by conjugate gradients, up to a common length."""
    links = planted_links().split.train.links
    encoder = fit(links, dimensions=16, objective="least_squares")
    own = by_left(links)
    vectors, counts = encoder.fold_in([own[name] for name in encoder.left.ids["book"]])
    assert counts.tolist() == [len(own[name]) for name in encoder.left.ids["book"]]
    lengths = np.linalg.norm(vectors, axis=1), np.linalg.norm(encoder.left_LD, axis=1)
    assert ((vectors * encoder.left_LD).sum(1) / lengths[0] / lengths[1]).min() > 0.995
    ratio = lengths[1] / lengths[0]
    assert ratio.max() / ratio.min() < 1.25


def test_items_that_training_never_saw_are_placed_as_well_as_trained_ones() -> None:
    """A tenth of the books is left out of training: link recall@20 of their folded vectors is 95 % of a full fit's."""
    split = planted_links().split
    own, hidden = by_left(split.train.links), by_left(split.heldout.links)
    out = [name for name in sorted(own) if int(name[1:]) // 20 % 5 == 3]
    rest = split.train.links.filter(pa.array([name not in out for name in split.train.links["left"].to_pylist()]))

    def recall(encoder: pairs.Encoder, vectors_ND: np.ndarray) -> float:
        found = []
        for name, vector_D in zip(out, vectors_ND, strict=True):
            scores = dict(zip(encoder.right.rows, (encoder.right_RD @ vector_D).tolist()))
            ranked = sorted((end for end in scores if end not in own[name]), key=lambda end: -scores[end])
            found += [end in ranked[:20] for end in hidden.get(name, [])]
        assert len(found) > 50
        return float(np.mean(found))

    full, part = (fit(links, dimensions=16, epochs=6) for links in (split.train.links, rest))
    assert not set(out) & set(part.left.ids["book"])
    trained = recall(full, np.array([full.left_LD[full.left.rows["book", name]] for name in out]))
    folded = recall(part, part.fold_in([own[name] for name in out])[0])
    fallback = recall(part, part.fold_in([[] for _ in out])[0])
    assert trained > 0.8 and folded >= 0.95 * trained and fallback < 0.5 * trained


def test_many_rows_have_the_same_bits_on_any_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows with more links than dimensions among them, and rows without any."""
    rng = np.random.default_rng(2)
    links_B = rng.integers(0, 9, 200)
    start_B1 = np.concatenate([[0], np.cumsum(links_B)])
    column_P, counted_P = rng.integers(0, 50, start_B1[-1]), rng.uniform(0.1, 3, start_B1[-1])
    folder = folding.Folding(rng.standard_normal((50, 6)).astype(np.float32), 0.1)
    alone = folder.rows(start_B1, column_P, counted_P, 0.3)
    monkeypatch.setattr(folding, "LINKS", 40)
    monkeypatch.setattr(folding, "TOGETHER", 40)
    seen = []
    for cores in (1, 2, 3):
        monkeypatch.setattr(aside, "cores", lambda cores=cores: cores)
        seen.append(folder.rows(start_B1, column_P, counted_P, 0.3))
    assert np.array_equal(seen[0], seen[1]) and np.array_equal(seen[0], seen[2])
    assert not seen[0][links_B == 0].any() and seen[0][links_B > 0].any(1).all()
    np.testing.assert_allclose(seen[0], alone, rtol=1e-4, atol=1e-6)  # other rows are solved together: other roundings

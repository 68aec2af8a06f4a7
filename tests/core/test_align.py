"""Procrustes against scipy's, and what a rotation leaves as it was."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes

from kindex.core.align import align, procrustes, turned
from kindex.core.space import Space, unit

RNG = np.random.default_rng(0)


def drawn(count: int, width: int) -> np.ndarray:
    return RNG.standard_normal((count, width)).astype(np.float32)


def rotation(width: int) -> np.ndarray:
    return np.linalg.qr(RNG.standard_normal((width, width)))[0]


def space(kind: str, vectors_ND: np.ndarray, frame: str = "f", first: int = 0) -> Space:
    return Space(kind, tuple(f"{kind}{n}" for n in range(first, first + len(vectors_ND))), vectors_ND, "cosine", frame)


@pytest.mark.parametrize("width", [2, 7, 64])
def test_it_is_scipys_rotation(width: int) -> None:
    own, former = drawn(20_000 // width, width), drawn(20_000 // width, width)
    expected, _ = orthogonal_procrustes(own.astype(float), former.astype(float))
    middle = len(own) // 3
    parts = [(own[:middle], former[:middle]), (own[middle:], former[middle:])]
    np.testing.assert_allclose(procrustes(parts, width), expected, atol=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_turned_or_mirrored_space_is_turned_back(sign: int) -> None:
    vectors, turn = drawn(200, 8), rotation(8)
    turn[:, 0] *= sign
    found = align({"a": space("a", turned(vectors, turn))}, {"a": space("a", vectors)})
    assert found.compatibility.kind == "aligned"
    assert found.compatibility.shared == 200
    assert found.compatibility.residual == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(turned(turned(vectors, turn), found.rotations["f"]), vectors, atol=1e-6)


def test_dot_products_stay_to_a_millionth() -> None:
    vectors, rights = unit(drawn(500, 256)), unit(drawn(400, 256))
    turn = procrustes([(vectors, unit(drawn(500, 256)))], 256)
    before = vectors.astype(float) @ rights.T.astype(float)
    after = turned(vectors, turn).astype(float) @ turned(rights, turn).T.astype(float)
    assert np.abs(after - before).max() < 1e-6


def test_spaces_of_one_frame_turn_together_and_others_by_themselves() -> None:
    books, links, words, turn, other = drawn(60, 5), drawn(40, 5), drawn(30, 3), rotation(5), rotation(3)
    now = {"book": space("book", turned(books, turn)), "link": space("link", turned(links, turn))}
    now["word"] = space("word", turned(words, other), "w")
    former = {"book": space("book", books[:50]), "link": space("link", links), "word": space("word", words, "w")}
    found = align(now, former)
    assert set(found.rotations) == {"f", "w"}
    assert found.compatibility.shared == 120
    np.testing.assert_allclose(found.rotations["f"], turn.T, atol=1e-6)
    np.testing.assert_allclose(found.rotations["w"], other.T, atol=1e-6)


def test_the_residual_is_the_root_mean_square_distance_of_unit_vectors() -> None:
    own, former = drawn(300, 4), drawn(300, 4)
    found = align({"a": space("a", own)}, {"a": space("a", former)})
    turn, _ = orthogonal_procrustes(unit(own).astype(float), unit(former).astype(float))
    slow = np.sqrt(np.mean([np.sum((u @ turn - v) ** 2) for u, v in zip(unit(own), unit(former), strict=True)]))
    assert found.compatibility.residual == pytest.approx(slow, rel=1e-6)


def test_equal_vectors_are_not_turned() -> None:
    vectors = drawn(50, 4)
    now, former = {"a": space("a", vectors)}, {"a": space("a", vectors[5:], first=5)}
    found = align(now, former)
    assert not found.rotations
    assert found.compatibility.as_dict() == {"class": "same", "residual": 0.0, "shared": 45}


@pytest.mark.parametrize(
    "former",
    [
        {"a": space("a", drawn(9, 5))},
        {"a": space("a", drawn(9, 4), "other")},
        {"a": space("a", drawn(9, 4), first=100)},
        {"b": space("b", drawn(9, 4))},
    ],
    ids=["width", "frame", "nothing shared", "another kind"],
)
def test_what_cannot_be_turned_is_incompatible(former: dict[str, Space]) -> None:
    found = align({"a": space("a", drawn(9, 4))}, former)
    assert not found.rotations
    assert found.compatibility.as_dict() == {"class": "incompatible", "residual": None, "shared": 0}

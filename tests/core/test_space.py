"""Spaces on disk, their scores, and which two score a link."""

import numpy as np
import pytest

from kindex.core.errors import ConfigError, DamagedError
from kindex.core.space import Space, cross_scores, link_spaces, read_space, read_spaces, unit, write_space


def space(kind: str = "book", frame: str = "pairs", metric: str = "cosine", seed: int = 0) -> Space:
    vectors = np.random.default_rng(seed).standard_normal((5, 3)).astype(np.float32) * 4
    return Space(kind, tuple(f"{kind} {n}" for n in range(5)), vectors, metric, frame)


def test_what_is_written_is_read_and_equal_spaces_are_equal_bytes(tmp_path) -> None:
    write_space(tmp_path / "a.parquet", space())
    write_space(tmp_path / "b.parquet", space())
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    again = read_space(tmp_path / "a.parquet")
    assert (again.kind, again.ids, again.metric, again.frame) == ("book", space().ids, "cosine", "pairs")
    np.testing.assert_array_equal(again.vectors_ND, space().vectors_ND)


def test_a_damaged_space_is_named(tmp_path) -> None:
    path = tmp_path / "a.parquet"
    write_space(path, space())
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedError, match=r"a\.parquet"):
        read_space(path)


def test_cross_scores_are_plain_dot_products_of_one_frame() -> None:
    left, right = space(), space("link", seed=1)
    scores = cross_scores(left, right)
    assert scores[2, 3] == pytest.approx(sum(float(a) * float(b) for a, b in zip(left.vectors_ND[2], right.vectors_ND[3])))
    for other in (space("link", "another"), space("link", "")):
        with pytest.raises(ConfigError, match="no frame in common"):
            cross_scores(left, other)


def test_cosine_searches_unit_vectors_and_dot_searches_them_as_they_are() -> None:
    assert np.linalg.norm(space().search_ND, axis=1) == pytest.approx(np.ones(5))
    np.testing.assert_array_equal(space(metric="dot").search_ND, space().vectors_ND)
    assert unit(np.zeros((2, 3), np.float32)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_a_kind_at_both_ends_answers_by_its_context() -> None:
    spaces = {one.kind: one for one in (space("node"), space("node-context", seed=1))}
    assert [found.kind for found in link_spaces(spaces, "node", "node")] == ["node", "node-context"]
    spaces = {one.kind: one for one in (space("book"), space("link"))}
    assert [found.kind for found in link_spaces(spaces, "book", "link")] == ["book", "link"]
    with pytest.raises(ConfigError, match=r"no space of the kind 'lnk': did you mean link\?"):
        link_spaces(spaces, "book", "lnk")


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="float32"):
        Space("book", ("a",), np.zeros((1, 3)))
    with pytest.raises(ValueError, match="metric is 'l2'"):
        Space("book", ("a",), np.zeros((1, 3), np.float32), "l2")


def test_spaces_are_read_in_order_and_the_first_damaged_one_is_named(tmp_path) -> None:
    paths = [tmp_path / f"{kind}.parquet" for kind in ("user", "book", "film")]
    for path in paths:
        write_space(path, space(path.stem))
    assert [one.kind for one in read_spaces(iter(paths))] == ["user", "book", "film"]
    assert read_spaces([]) == []
    for path in paths[1:]:
        path.write_bytes(b"PAR1 and no more")
    with pytest.raises(DamagedError, match=r"book\.parquet"):
        read_spaces(paths)

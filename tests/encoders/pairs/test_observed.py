"""What is read of a catalogue against a slow reading row by row, and what is set aside."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kindex.core.catalogue import ITEMS, LINKS, TIME, Catalogue
from kindex.core.errors import DataGateError
from kindex.encoders.pairs.observed import Observed, observe
from kindex.encoders.pairs.setting_aside import JUDGED, set_aside, some_rows
from kindex.encoders.parts.links import rows_of
from kindex.encoders.parts.vocabulary import Vocabulary


def left_rows(observed: Observed) -> np.ndarray:
    return rows_of(observed.start_L1, slice(0, len(observed)))


def catalogue(rows: list[dict[str, Any]], batch: int = 37) -> Catalogue:
    """The links in this order, in several batches; dated when the first is."""
    schema = LINKS.append(TIME) if rows and "time" in rows[0] else LINKS
    parts = [pa.Table.from_pylist(rows[at : at + batch], schema=schema) for at in range(0, len(rows), batch)]
    links = pa.concat_tables(parts) if parts else schema.empty_table()
    return Catalogue("made", {"items": ITEMS.empty_table(), "links": links})


def link(left: str, right: str, left_kind: str = "book", right_kind: str = "link", **more: Any) -> dict[str, Any]:
    return {"left": left, "left_kind": left_kind, "right": right, "right_kind": right_kind, "weight": 1.0, **more}


def shuffled(weighted: bool, dated: bool, one_kind: bool) -> list[dict[str, Any]]:
    """Ids that stand in several kinds and at both ends, in no order; texts that sort otherwise by bytes than by case."""
    rng = np.random.default_rng(0)
    names = [f"{letter}{number}" for letter in "zAé" for number in range(9)]
    rows = []
    for a in names:
        for b in rng.permutation(names)[:7].tolist():
            kinds = (
                ("node", "node") if one_kind else ("book" if a[1] > "4" else "Film", ["link", "actor", "book"][int(b[1]) % 3])
            )
            weight, time = float(rng.integers(1, 9)) if weighted else 2.5, int(rng.integers(-(10**9), 10**9))
            rows.append({**link(a, b, *kinds), "weight": weight, **({"time": time} if dated else {})})
    return [rows[at] for at in rng.permutation(len(rows))]


@pytest.mark.parametrize("one_kind", [False, True])
@pytest.mark.parametrize(("weighted", "dated"), [(False, False), (True, False), (False, True), (True, True)])
def test_it_is_the_slow_reading(weighted: bool, dated: bool, one_kind: bool) -> None:
    rows = shuffled(weighted, dated, one_kind)
    found = observe(catalogue(rows))
    sides = []
    for end in ("left", "right"):
        ends = sorted({(row[f"{end}_kind"], row[end]) for row in rows}, key=lambda pair: (pair[0].encode(), pair[1].encode()))
        side = getattr(found, end)
        assert [(kind, name) for kind, ids in side.ids.items() for name in ids] == ends
        sides.append({pair: row for row, pair in enumerate(ends)})
    wanted = sorted(
        (sides[0][row["left_kind"], row["left"]], sides[1][row["right_kind"], row["right"]], row["weight"], row.get("time"))
        for row in rows
    )
    assert left_rows(found).tolist() == [row[0] for row in wanted]
    assert found.right_P.tolist() == [row[1] for row in wanted]
    assert (None if found.weight_P is None else found.weight_P.tolist()) == ([row[2] for row in wanted] if weighted else None)
    assert (None if found.time_P is None else found.time_P.tolist()) == ([row[3] for row in wanted] if dated else None)
    assert found.start_L1.tolist() == [sum(row[0] < left for row in wanted) for left in range(len(sides[0]) + 1)]
    kinds = list(found.right.ids)
    assert [kinds[number] for number in found.right_kind_R] == [kind for kind, _ in sides[1]]


def test_the_links_kept_are_those_and_count_what_they_did() -> None:
    found = observe(catalogue(shuffled(True, False, False)))
    kept_P = np.random.default_rng(1).random(len(found)) < 0.4
    links = found.links(found.weight_P, kept_P)
    wanted = list(zip(left_rows(found)[kept_P], found.right_P[kept_P], found.weight_P[kept_P], strict=True))
    assert list(zip(links.left_P(), links.right_P, links.value_P, strict=True)) == wanted
    assert links.n_left == len(found.left) and links.n_right == len(found.right)
    assert found.links().value_P is None and len(found.links()) == len(found)


def test_the_order_of_rows_and_the_size_of_batches_change_nothing() -> None:
    rows = shuffled(True, True, False)
    one, other = observe(catalogue(rows)), observe(catalogue(rows[::-1], batch=1000))
    assert (one.left.ids, one.right.ids) == (other.left.ids, other.right.ids)
    for name in ("start_L1", "right_P", "weight_P", "time_P"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(set_aside(one, None), set_aside(other, None))


def test_no_links_are_an_error_that_names_the_catalogue() -> None:
    with pytest.raises(DataGateError, match="the train part of made has no links to learn from"):
        observe(catalogue([]))


def numbered(pairs: np.ndarray, kinds: tuple[str, str] = ("book", "link")) -> Observed:
    """Links by the numbers of their ends (P, 2), ascending; ids are these numbers."""
    n_left, n_right = (int(pairs[:, end].max()) + 1 for end in (0, 1))
    sides = [Vocabulary({kind: tuple(f"{row:06}" for row in range(count))}) for kind, count in zip(kinds, (n_left, n_right))]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    start_L1 = np.searchsorted(pairs[:, 0], np.arange(n_left + 1))
    return Observed(*sides, start_L1, pairs[:, 1].astype(np.int32), None, None)


def test_a_tenth_of_the_links_of_some_four_thousand_left_items_is_set_aside() -> None:
    rng = np.random.default_rng(0)
    left_P = np.repeat(np.arange(20_000), 20)
    observed = numbered(np.unique(np.stack([left_P, rng.integers(0, 5000, len(left_P))], 1), axis=0))
    hidden_P = set_aside(observed, None)
    count_L = np.bincount(left_rows(observed), hidden_P)
    asked = int((count_L > 0).sum())
    wanted = JUDGED * (1 - 0.9**20)  # that an item has one of 20 links set aside
    assert abs(asked - wanted) < 4 * math.sqrt(wanted)
    assert hidden_P.sum() == pytest.approx(JUDGED * 2, rel=0.1)
    np.testing.assert_array_equal(set_aside(observed, None), hidden_P)
    half = set_aside(observed, 0.5)
    assert half.mean() == pytest.approx(0.5, abs=0.01)
    assert half[hidden_P].all()  # the smaller share is part of the larger one


@pytest.mark.parametrize("share", [None, 0.3, 0.6])
@pytest.mark.parametrize("kinds", [("book", "link"), ("node", "node")])
def test_each_row_of_both_sides_keeps_a_link(kinds: tuple[str, str], share: float | None) -> None:
    rng = np.random.default_rng(2)
    observed = numbered(np.unique(rng.integers(0, 60, (150, 2)), axis=0), kinds)
    hidden_P = set_aside(observed, share)
    assert 0 < hidden_P.sum() < len(observed)
    assert set(left_rows(observed)[~hidden_P]) == set(left_rows(observed))
    assert set(observed.right_P[~hidden_P]) == set(observed.right_P)


@pytest.mark.parametrize("share", [None, 0.3, 0.6, 0.9])
def test_in_a_graph_a_link_and_its_reverse_stay_together(share: float | None) -> None:
    rng = np.random.default_rng(3)
    once = rng.integers(0, 80, (110, 2))
    observed = numbered(np.unique(np.concatenate([once, once[:, ::-1]]), axis=0), ("node", "node"))
    hidden_P = set_aside(observed, share)
    side = dict(zip(zip(left_rows(observed).tolist(), observed.right_P.tolist()), hidden_P))
    assert any(side.values())
    assert all(side[right, left] == hidden for (left, right), hidden in side.items())


def test_some_rows_are_whole_left_items_with_about_so_many_links_and_those_that_are_asked() -> None:
    rng = np.random.default_rng(0)
    left_P = np.repeat(np.arange(20_000), 10)
    observed = numbered(np.unique(np.stack([left_P, rng.integers(0, 5000, len(left_P))], 1), axis=0))
    shown = some_rows(observed, 60_000)
    assert len(shown.observed) == pytest.approx(60_000, rel=0.03)
    ends = list(zip(left_rows(observed)[shown.at_P].tolist(), observed.right_P[shown.at_P].tolist()))
    found = shown.left_K[left_rows(shown.observed)], shown.right_K[shown.observed.right_P]
    assert list(zip(*(rows.tolist() for rows in found))) == ends
    assert np.diff(shown.observed.start_L1).tolist() == np.diff(observed.start_L1)[shown.left_K].tolist()
    for part, whole, rows in (
        (shown.observed.left, observed.left, shown.left_K),
        (shown.observed.right, observed.right, shown.right_K),
    ):
        names = list(whole.rows)
        assert list(part.rows) == [names[row] for row in rows]
    shown_P = np.isin(np.arange(len(observed)), shown.at_P)
    assert shown_P[set_aside(observed, None)].all()
    assert len(some_rows(observed, len(observed)).at_P) == len(observed)


def test_there_may_be_more_kinds_than_a_byte_can_number() -> None:
    rows = [{"left": "a", "left_kind": "x", "right": "b", "right_kind": f"k{n:03}", "weight": 1.0} for n in range(300)]
    items = [{"id": "a", "kind": "x"}] + [{"id": "b", "kind": f"k{n:03}"} for n in range(300)]
    tables = {"items": pa.Table.from_pylist(items, schema=ITEMS), "links": pa.Table.from_pylist(rows, schema=LINKS)}
    found = observe(Catalogue("many", tables))
    assert found.right_P.tolist() == list(range(300))
    assert list(found.right.ids) == [f"k{n:03}" for n in range(300)]

"""Hashes of rows and the evidence of items, against sets and slow loops."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kindex.core import delta, rowhash
from kindex.core.catalogue import CAPTIONS, IMAGES, ITEMS, LINKS, TIME, Catalogue
from kindex.core.delta import Changes, Fingerprint, read_fingerprint, touched
from kindex.core.errors import DamagedError
from kindex.core.rowhash import HASHES, Rows

Link = tuple[str, str, str, str, float]


def links_of(rows: list[Link]) -> pa.Table:
    names = LINKS.names
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=LINKS)


def catalogue(rows: list[Link]) -> Catalogue:
    return Catalogue("c", {"items": ITEMS.empty_table(), "links": links_of(rows)})


def fingerprint(catalogue: Catalogue, tables: list[str]) -> Fingerprint:
    return delta.fingerprint(catalogue, tables, Path(tempfile.gettempdir()))  # its files there have no name


def entities(catalogue: Catalogue, tables: list[str]) -> pa.Table:
    return fingerprint(catalogue, tables).entities


def hashes(rows: Rows) -> np.ndarray:
    return np.concatenate([np.zeros(0, HASHES), *rows.pieces()])


def row_hashes(table: pa.Table, kind: str) -> np.ndarray:
    return hashes(fingerprint(Catalogue("c", {kind: table}), [kind]).rows[kind])


def same(one: Fingerprint, other: Fingerprint) -> bool:
    rows = zip(one.rows.values(), other.rows.values(), strict=True)
    arrays = all(len(a) == len(b) == len(hashes(a)) and np.array_equal(hashes(a), hashes(b)) for a, b in rows)
    return arrays and one.entities.equals(other.entities)


link = st.tuples(
    st.sampled_from("abcd"), st.sampled_from(["book", "link"]), st.sampled_from("abcxyz"), st.just("link"), st.just(1.0)
)


@pytest.fixture(params=[1, 3, 1 << 20], ids=["parts of a row", "parts of three", "one part"])
def small_parts(request: pytest.FixtureRequest) -> Iterator[None]:
    """Many rows are sorted a part at a time, and read some at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rowhash, "PART", request.param)
        patch.setattr("kindex.core.scratch.ROWS", request.param)
        yield


@pytest.mark.usefixtures("small_parts")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(link, max_size=20), st.randoms(use_true_random=False))
def test_order_batches_and_repeated_rows_change_nothing(rows: list[Link], random: Any) -> None:
    distinct = list(dict.fromkeys(rows))
    shuffled = distinct + [row for row in distinct if random.random() < 0.3]
    random.shuffle(shuffled)
    middle = len(shuffled) // 2
    chunks = pa.concat_tables([links_of(shuffled[:middle]), links_of(shuffled[middle:])])
    again = Catalogue("c", {"items": ITEMS.empty_table(), "links": chunks})
    assert same(fingerprint(catalogue(distinct), ["links"]), fingerprint(again, ["links"]))


@pytest.mark.usefixtures("small_parts")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(link, max_size=15, unique=True), st.lists(link, max_size=15, unique=True), st.integers(0, 4))
def test_changes_and_touched_items_are_those_of_sets(before: list[Link], after: list[Link], heavier: int) -> None:
    changed = [(*row[:4], 2.0) if at < heavier else row for at, row in enumerate(after)]
    keys = {row[:4] for row in before}
    former, now = (fingerprint(catalogue(rows), ["links"]) for rows in (before, changed))
    weight = {row[:4]: row[4] for row in before}
    found = Changes.between(former.rows["links"], now.rows["links"])
    other = [row for row in changed if row[:4] in keys and row[4] != weight[row[:4]]]
    assert found == Changes(len(after), len({r[:4] for r in after} - keys), len(other), len(keys - {r[:4] for r in after}))
    moved = {*before} ^ {*changed}
    ends = {end for row in moved for end in ((row[1], row[0]), (row[3], row[2]))}
    left = {end for row in changed for end in ((row[1], row[0]), (row[3], row[2]))}
    made, gone = touched(former.entities, now.entities)
    assert {(kind, name) for kind, names in made.items() for name in names} == ends & left
    assert {(kind, name) for kind, names in gone.items() for name in names} == ends - left


@pytest.mark.parametrize("column", range(5))
def test_each_column_is_part_of_what_a_row_holds(column: int) -> None:
    row: Link = ("a", "book", "x", "link", 1.0)
    other = (*row[:column], 2.0 if column == 4 else "other", *row[column + 1 :])
    one, two = row_hashes(links_of([row]), "links"), row_hashes(links_of([other]), "links")
    assert one["content"] != two["content"]
    assert (one["key"] == two["key"]) == (column == 4)


def test_a_value_in_another_column_is_another_row() -> None:
    rows = [("a", "k", "b", "k", 1.0), ("b", "k", "a", "k", 1.0)]
    assert len(row_hashes(links_of(rows), "links")) == 2
    forth, back = (row_hashes(links_of([row]), "links") for row in rows)
    assert forth["key"] != back["key"]


def test_nulls_numbers_and_bytes_have_hashes_of_their_own() -> None:
    items = pa.Table.from_pylist([{"id": "a", "kind": "k"}, {"id": "b", "kind": "k", "label": ""}], schema=ITEMS)
    assert len(set(row_hashes(items, "items")["content"].tolist())) == 2
    dated = links_of([("a", "k", "b", "k", 1.0)] * 2).append_column(TIME, pa.array([None, 0], pa.int64()))
    assert len(set(np.concatenate([row_hashes(dated.slice(at, 1), "links")["content"] for at in (0, 1)]))) == 2
    zero = [row_hashes(links_of([("a", "k", "b", "k", weight)]), "links")["content"][0] for weight in (0.0, -0.0, 1e-30)]
    assert zero[0] == zero[1] != zero[2]


def test_an_image_is_touched_by_its_bytes_and_by_its_captions() -> None:
    def made(image: bytes, caption: str) -> pa.Table:
        images = pa.Table.from_pylist([{"id": "a", "image": image}, {"id": "b", "image": b"B"}], schema=IMAGES)
        captions = pa.Table.from_pylist([{"id": "a", "place": 0, "caption": caption}], schema=CAPTIONS)
        tables = {"items": ITEMS.empty_table(), "images": images, "captions": captions}
        return entities(Catalogue("c", tables), ["images", "captions"])

    plain = made(b"A", "one")
    assert plain["kind"].to_pylist() == ["image", "image"]
    assert plain["id"].to_pylist() == ["a", "b"]
    for other in (made(b"C", "one"), made(b"A", "two")):
        assert touched(plain, other) == ({"image": ["a"]}, {"image": []})
    assert touched(plain, made(b"A", "one")) == ({"image": []}, {"image": []})


def test_many_links_over_many_batches_have_the_evidence_of_a_slow_loop() -> None:
    rng = np.random.default_rng(0)
    pairs = sorted({(int(a), int(b)) for a, b in rng.integers(0, 40, (300, 2))})
    rows = [(f"b{a}", "book" if a % 3 else "rare", f"b{b}", "book", 1.0) for a, b in pairs]
    chunked = pa.concat_tables([links_of(rows[at : at + 7]) for at in range(0, len(rows), 7)])
    found = entities(Catalogue("c", {"items": ITEMS.empty_table(), "links": chunked}), ["links"])
    slow: dict[tuple[str, str], int] = {}
    for row in rows:
        content = int(row_hashes(links_of([row]), "links")["content"][0])
        for end in ((row[1], row[0]), (row[3], row[2])):
            slow[end] = (slow.get(end, 0) + content) % 2**64
    assert [(row["kind"], row["id"]) for row in found.to_pylist()] == sorted(slow)
    assert {(row["kind"], row["id"]): row["evidence"] for row in found.to_pylist()} == slow


def test_what_is_written_is_read_and_damage_is_named(tmp_path: Path) -> None:
    made = fingerprint(catalogue([("a", "k", "b", "k", 1.0), ("a", "k", "c", "k", 2.0)]), ["links"])
    made.write(tmp_path)
    assert same(made, read_fingerprint(tmp_path, ["links"]))
    empty = fingerprint(catalogue([]), ["links"])
    empty.write(tmp_path / "empty")
    assert same(empty, read_fingerprint(tmp_path / "empty", ["links"]))
    (tmp_path / "links.parquet").write_bytes((tmp_path / "entities.parquet").read_bytes())
    with pytest.raises(DamagedError, match=r"links\.parquet holds no hashes of rows"):
        read_fingerprint(tmp_path, ["links"])


def test_hashes_that_do_not_ascend_are_refused_when_they_are_read(tmp_path: Path) -> None:
    made = fingerprint(catalogue([("a", "k", "b", "k", 1.0), ("a", "k", "c", "k", 2.0)]), ["links"])
    fallen = Rows(2, lambda: iter([hashes(made.rows["links"])[::-1]]))
    twice = Rows(4, lambda: iter([hashes(made.rows["links"])] * 2))
    for rows in (fallen, twice):
        Fingerprint({"links": rows}, made.entities).write(tmp_path)
        found = read_fingerprint(tmp_path, ["links"])
        with pytest.raises(DamagedError, match=r"links\.parquet holds no ascending hashes"):
            Changes.between(found.rows["links"], made.rows["links"])

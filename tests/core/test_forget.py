"""Marks of forgotten items: kept without the id, and rows that name it are dropped, in memory and in streams."""

import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kindex.core.catalogue import CAPTIONS, IMAGES, ITEMS, LINKS, Catalogue
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.forget import FORGOTTEN, Forgotten, forget, masked, read_forgotten, without
from kindex.core.lock import Lock, read_lock, write_lock
from kindex.core.quarantine import QUARANTINE, entry
from kindex.core.tables import Stream, Tables, streamed

NOTHING = QUARANTINE.empty_table()


@pytest.fixture
def lock(tmp_path):
    path = tmp_path / "locks" / "shop.json"
    write_lock(path, Lock("files", {"files": {"links.csv": {"sha256": "0" * 64}}}))
    return path


def marks(*names: str) -> Forgotten:
    empty = Forgotten("ab" * 32, frozenset())
    return Forgotten(empty.salt, frozenset(map(empty.mark, names)))


def links(rows):
    return pa.Table.from_pylist([dict(zip(LINKS.names, (left, "l", right, "r", 1.0))) for left, right in rows], LINKS)


def test_a_mark_is_kept_without_the_id_and_a_lock_stays_a_lock(lock):
    before = read_lock(lock)
    assert read_forgotten(lock) is None
    assert forget(lock, "Łódź\ud800") and forget(lock, "apple")
    assert not forget(lock, "apple")
    assert "apple" not in lock.read_text() and len(json.loads(lock.read_text())["forgotten"]["marks"]) == 2
    known = read_forgotten(lock)
    assert "apple" in known and "Łódź\ud800" in known and "apples" not in known and None not in known
    assert read_lock(lock).digest == before.digest  # the snapshot is what it was


def test_two_locks_mark_the_same_id_unlike(lock, tmp_path):
    other = tmp_path / "other.json"
    other.write_bytes(lock.read_bytes())
    forget(lock, "apple"), forget(other, "apple")
    assert read_forgotten(lock).marks.isdisjoint(read_forgotten(other).marks)


def test_no_lock_or_damaged_marks_are_named(lock, tmp_path):
    with pytest.raises(ConfigError, match="kindex lock none"):
        forget(tmp_path / "none.json", "x")
    assert read_forgotten(tmp_path / "none.json") is None
    raw = json.loads(lock.read_text())
    lock.write_text(json.dumps({**raw, "forgotten": {"salt": "zz", "marks": ["x"]}}))
    with pytest.raises(DamagedError, match="Restore it from git"):
        read_forgotten(lock)


def test_moving_a_lock_keeps_what_was_forgotten(lock):
    forget(lock, "apple")
    write_lock(lock, Lock("files", {"files": {}}))
    assert "apple" in read_forgotten(lock)


def test_every_table_loses_the_rows_and_the_refused_ones_go_too():
    items = pa.Table.from_pylist([{"id": name, "kind": "r"} for name in ("a", "b", "c")], ITEMS)
    images = pa.Table.from_pylist([{"id": name, "image": b"x"} for name in ("a", "b")], IMAGES)
    captions = pa.Table.from_pylist(
        [{"id": "a", "place": 0, "caption": "b"}, {"id": "b", "place": 0, "caption": "t"}], CAPTIONS
    )
    parts = {"items": items, "links": links([("a", "b"), ("b", "c"), ("c", "a")]), "images": images, "captions": captions}
    rows = [
        entry("links", 0, "rule", "x", "file", {"left": "b", "n": [1]}),
        entry("links", 1, "rule", "b", "file", {}),
        entry("links", 2, "rule", "x", "file", {"left": "bb"}),
    ]
    refused = pa.Table.from_pylist(rows, QUARANTINE)
    found, left, dropped = without(marks("b"), Catalogue("shop", Tables(parts)), refused)
    assert found.items["id"].to_pylist() == ["a", "c"]
    assert found.links["left"].to_pylist() == ["c"]
    assert found.images["id"].to_pylist() == ["a"]
    assert found.captions["id"].to_pylist() == ["a"]
    assert left["row"].to_pylist() == [2] and dropped == 1 + 2 + 1 + 1 + 2
    assert found.name == "shop"


def test_without_marks_everything_is_returned_as_it_came():
    catalogue = Catalogue("shop", Tables({"links": links([("a", "b")])}))
    assert without(None, catalogue, NOTHING) == (catalogue, NOTHING, 0)
    kept, _, dropped = without(marks("z"), catalogue, NOTHING)
    assert kept.part("links") is catalogue.part("links") and dropped == 0


def test_what_people_are_shown_names_no_forgotten_item():
    told = {"changes": [{"id": "b", "label": "Bee", "n": 1, "lost": ["a"]}, {"id": "a", "lost": ["b"]}], "b": 0.5, "n": None}
    shown = masked(marks("b"), told)
    assert shown["changes"][0] == {"id": FORGOTTEN, "label": FORGOTTEN, "n": 1, "lost": ["a"]}
    assert shown["changes"][1] == {"id": "a", "lost": [FORGOTTEN]}
    assert shown[FORGOTTEN] == 0.5 and shown["n"] is None
    assert masked(None, told) is told


ids = st.sampled_from(["a", "b", "c", "d", "é", ""])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(ids, ids), max_size=30), st.sets(ids, max_size=3))
def test_a_stream_loses_the_same_rows_as_a_table(rows, gone):
    table = links(rows)
    wanted = [row for row in rows if not set(row) & gone]
    for part in (table, streamed(table)):
        found, _, dropped = without(marks(*gone), Catalogue("x", Tables({"links": part})), NOTHING)
        left = found.part("links")
        assert isinstance(left, Stream) == isinstance(part, Stream)
        assert [(one["left"], one["right"]) for one in found.links.to_pylist()] == wanted
        assert left.num_rows == len(wanted) and dropped == len(rows) - len(wanted)

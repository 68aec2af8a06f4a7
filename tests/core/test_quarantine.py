"""A quarantined row keeps everything, whatever it held."""

import json

import pytest

from kindex.core.catalogue import read_table, write_table
from kindex.core.layout import Layout
from kindex.core.quarantine import QUARANTINE, Entries, entry, keep_refused, refused_path, table, writable

HOSTILE = ["\ud800", "a\0b", "‮abc", "<script>", "=cmd()", "../../x", '"', "x" * 1_000_000, "\udcff\ud800é"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_survives_a_round_trip(tmp_path, text):
    rows = table([entry("links", 3, "rule", text, text, {"left": text, "n": 1, "x": None, "b": b"\x00\xff", "f": 1.5})])
    write_table(tmp_path / "q.parquet", rows)
    [back] = read_table(tmp_path / "q.parquet").to_pylist()
    assert back["value"] == back["origin"] == writable(text)
    assert json.loads(back["record"]) == {"left": text, "n": 1, "x": None, "b": "00ff", "f": "1.5"}


def test_entries_are_kept_in_order_however_many_there_are(monkeypatch):
    monkeypatch.setattr(Entries, "FEW", 3)
    rows = [entry("links", row, "r", row, "o", {"row": row}) for row in range(10)]
    some = Entries(rows[:4])
    some.add(rows[4:])
    assert list(some) == rows == some.table().to_pylist()
    assert table(some).schema.equals(QUARANTINE) and table(rows).equals(some.table()) and table([]).num_rows == 0


def test_writable_changes_only_what_utf8_cannot_carry():
    assert writable("é\0‮x") == "é\0‮x"
    assert writable("a\ud800b") == "a\\ud800b"


def test_the_quarantine_of_a_stopped_night(tmp_path):
    layout = Layout(tmp_path)
    keep_refused(layout, "books", table([entry("links", -1, "r", 7, "f:1", {})]))
    kept = read_table(refused_path(layout, "books"))
    assert kept.schema.equals(QUARANTINE)
    assert kept["value"].to_pylist() == ["7"] and kept["row"].to_pylist() == [-1]

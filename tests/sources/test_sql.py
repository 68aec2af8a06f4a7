"""A catalogue in a database: what is new, changed and deleted is seen, by every way; the rest is not read again."""

import json
import os
import time

import pyarrow.parquet as pq
import pytest
import yaml

from kindex.cli import catalogues
from kindex.core import files as core_files
from kindex.core.errors import ConfigError, DamagedError, DataGateError, KindexError
from kindex.core.files import pretty_json, replacing, write_atomic
from kindex.core.layout import Layout
from kindex.core.lock import read_lock
from kindex.core.params import load
from kindex.core.watch import Silent
from kindex.sources import MissingColumnError, NotAsLockedError, sql
from kindex.sources.locking import move
from kindex.sources.parts import sqlsnapshot, sqlspill, sqlstore
from kindex.stages import ingest, validate
from kindex.stages.parts.job import Job
from tests.sources.database import KEYED, MAPPING, Shop
from tests.sources.test_files import HOSTILE

ALL = {"table": "ratings"}


def test_a_first_snapshot_is_the_table(tmp_path):
    shop = Shop(tmp_path)
    shop.rate(("1", "a", 2.5, "2024-01-01"), (2, "b", 1, "2024-01-02"), ("2", "c", 4, "2024-01-02", 1))
    assert shop.night() == {"added": 2, "changed": 0, "removed": 0, "read": 3}
    assert shop.links() == [("1", "a", 2.5), ("2", "b", 1.0)]
    found = shop.read()
    assert {(row["kind"], row["id"]) for row in found.catalogue.items.to_pylist()} == {
        ("user", "1"), ("user", "2"), ("book", "a"), ("book", "b")}  # fmt: skip
    assert found.columns == {"ratings": dict.fromkeys(["user", "book", "stars", "written", "gone"], "")}
    assert shop.snapshot["tables"]["links"]["watermark"] == "2024-01-02"
    assert shop.snapshot["folder"] == "var/snapshots/shop" and shop.snapshot["uri"] == "sqlite:shop.db"
    json.dumps(shop.snapshot)


def test_a_watermark_reads_what_is_new_with_an_overlap(tmp_path):
    shop = Shop(tmp_path, {**KEYED, "overlap": 86400 * 2})
    shop.rate(*((f"u{day}", "b", 1, f"2024-01-{day:02} 12:00:00") for day in range(1, 21)))
    shop.night()
    shop.rate(("late", "b", 1, "2024-01-18 15:00:00"), ("new", "b", 1, "2024-01-21 01:00:00"))
    shop.do("UPDATE ratings SET stars = 5, written = '2024-01-21 02:00:00' WHERE \"user\" = 'u3'")
    shop.do("UPDATE ratings SET gone = '2024-01-21', written = '2024-01-21 03:00:00' WHERE \"user\" = 'u4'")
    assert shop.night() == {"added": 2, "changed": 1, "removed": 1, "read": 7}
    links = {left: weight for left, _, weight in shop.links()}
    assert len(links) == 21 and links["u3"] == 5 and {"late", "new"} <= set(links) and "u4" not in links
    assert [part["rows"] for part in shop.parts()] == [20, 4]


def test_nothing_new_leaves_the_snapshot_as_it_was(tmp_path):
    shop = Shop(tmp_path)
    shop.rate(("1", "a", 1, "2024-01-01"), ("2", "b", 1, None))
    shop.night()
    before, files = shop.snapshot, sorted((tmp_path / "var/snapshots/shop").iterdir())
    assert shop.night()["read"] == 2 and shop.snapshot == before
    shop.do("UPDATE ratings SET written = '2024-01-05'")  # touched, and nothing else
    assert shop.night()["changed"] == 0 and shop.snapshot == before
    assert sorted((tmp_path / "var/snapshots/shop").iterdir()) == files


@pytest.mark.parametrize("marks", [(1, 2, 3), (1.5, 2.5, 2.75), ("10", "20", "30")])
def test_a_watermark_may_be_a_number(tmp_path, marks):
    shop = Shop(tmp_path, {**KEYED, "overlap": 0})
    shop.rate(("1", "a", 1, marks[0]), ("2", "b", 1, marks[1]))
    shop.night()
    shop.rate(("3", "c", 1, marks[2]))
    read = shop.night()["read"]
    assert len(shop.links()) == 3
    assert read == 2 or isinstance(marks[0], str)  # of ties, none is lost: the last watermark is read again


def test_a_watermark_to_come_hides_no_rows(tmp_path):
    shop = Shop(tmp_path)
    shop.rate(("1", "a", 1, "2024-01-01"), ("2", "b", 1, "9999-12-31"), ("3", "b", 1, "soon"))
    shop.night()
    assert shop.snapshot["tables"]["links"]["watermark"] == "2024-01-01"
    shop.rate(("4", "c", 1, "2024-01-02"))
    assert shop.night()["added"] == 1 and len(shop.links()) == 4


def test_within_one_tick_the_row_that_is_there_counts(tmp_path):
    shop = Shop(tmp_path)
    for stars in (1, 2, 3, 2, 1):
        shop.do("DELETE FROM ratings")
        shop.rate(("1", "a", stars, "2024-01-01"))
        shop.night()
        assert shop.links() == [("1", "a", stars)]


def test_an_older_version_that_comes_late_changes_nothing(tmp_path):
    shop = Shop(tmp_path)
    shop.rate(("1", "a", 3, "2024-01-03"))
    shop.night()
    shop.rate(("1", "a", 2, "2024-01-02 23:00:00"))
    assert shop.night()["changed"] == 0 and shop.links() == [("1", "a", 3)]


def test_deleted_by_absence(tmp_path):
    for number, links in enumerate(({**KEYED, "compare": "keys"}, ALL, {**ALL, "compare": "full"})):
        shop = Shop(tmp_path / str(number), links)
        shop.rate(*((f"u{row}", "b", row + 1, f"2024-01-{row + 1:02}") for row in range(10)))
        shop.night()
        shop.do("DELETE FROM ratings WHERE stars IN (2, 10)")
        assert shop.night()["removed"] == 2
        assert [left for left, _, _ in shop.links()] == [f"u{row}" for row in range(10) if row not in (1, 9)]
        assert shop.night()["removed"] == 0
        shop.rate(("u1", "b", 2, "2024-01-02"))  # restored, with its watermark of then
        assert shop.night()["added"] == 1 and len(shop.links()) == 9


def test_keys_that_were_never_read_are_found(tmp_path):
    shop = Shop(tmp_path, {**KEYED, "compare": "keys", "overlap": 0})
    shop.rate(("1", "a", 1, "2024-01-05"))
    shop.night()
    shop.rate(("2", "b", 1, "2025-01-01"))  # much later than the overlap allows for
    assert shop.night()["added"] == 1 and len(shop.links()) == 2


def test_without_key_rows_that_are_alike_are_counted(tmp_path):
    shop = Shop(tmp_path, ALL)
    shop.rate(("1", "a", 1), ("1", "a", 1), ("2", "b", 1))
    shop.night()
    assert shop.links() == [("1", "a", 2.0), ("2", "b", 1.0)] and shop.read().counts == {"repeated_links": 1}
    shop.rate(("1", "a", 1), ("1", "a", 1), ("2", "b", 1), ("3", "c", 1), ("3", "c", 1))
    assert shop.night()["added"] == 5
    assert shop.links() == [("1", "a", 4.0), ("2", "b", 2.0), ("3", "c", 2.0)]
    shop.do("DELETE FROM ratings")
    shop.rate(("1", "a", 1))
    assert shop.night()["removed"] == 7 and shop.links() == [("1", "a", 1.0)]


def test_values_that_do_not_convert_are_refused_row_by_row(tmp_path):
    shop = Shop(tmp_path, ALL, date="written")
    good = ("1", "a", 1.5, "2024-01-01T00:00:00Z")
    shop.rate(good, ("2", "b", "many", 0), ("3", "c", float("inf"), 0), ("4", b"\xff\xfe", 1, 0), ("5", "e", 1, "then"),
              (None, "f", 1, 0), ("", "g", 1, 0), ("7", "h", 1e308, 0), ("8", "x\0y", 1, 0), (9.0, "i", 1, 0),
              ("10", "j", "", 0))  # fmt: skip
    shop.night()
    found = shop.read()
    assert sorted(found.catalogue.links["left"].to_pylist()) == ["1", "8", "9"]
    rules = sorted(row["rule"] for row in found.refused.to_pylist())
    assert rules == ["left is missing"] * 2 + sorted(
        [
            "stars is not a number",
            "text is not UTF-8",
            "written is not a date",
            *["weight is not a positive finite number"] * 3,
        ]
    )
    assert all(row["origin"].startswith("ratings:") for row in found.refused.to_pylist())


def test_numbers_keep_every_digit(tmp_path):
    shop = Shop(tmp_path, ALL)
    values = [0.1, 1 / 3, 2**53 + 1, 1e-300, 123456789.123456789, 5e-324]
    shop.rate(*((f"{2**62 + row}", "b", value) for row, value in enumerate(values)), (2**62 + 9, "b", 1))
    shop.night()
    found = {row["=user"]: float(row["=stars"]) for part in sqlstore.Store(tmp_path / "var/snapshots/shop").replay(
        shop.parts(), ["user", "stars"]) for row in part.to_pylist()}  # fmt: skip
    assert found == {
        **{str(2**62 + row).encode(): float(value) for row, value in enumerate(values)},
        str(2**62 + 9).encode(): 1,
    }


def test_hostile_text_goes_through_unchanged(tmp_path):
    shop = Shop(tmp_path, ALL)
    texts = [text[:1_000_000] for text in HOSTILE]
    shop.rate(*(("a", text, 1) for text in texts))
    shop.night()
    assert {right for _, right, _ in shop.links()} == set(texts)


def test_items_and_links_are_of_one_moment_and_a_query_may_give_them(tmp_path):
    shop = Shop(tmp_path, items={"query": "SELECT isbn, upper(title) AS t, genre FROM books WHERE isbn <> 'x' -- all;\n;"},
                id="isbn", label="genre", description="t")  # fmt: skip
    shop.do("CREATE TABLE books (isbn TEXT, title TEXT, genre TEXT)")
    shop.do("INSERT INTO books VALUES (?, ?, ?)", [("a", "one", "crime"), ("b", "two", None), ("x", "no", None)])
    shop.rate(("1", "a", 1, "2024-01-01"))
    shop.night()
    books = [row for row in shop.read().catalogue.items.to_pylist() if row["kind"] == "book"]
    assert sorted((row["id"], row["label"], row["description"]) for row in books) == [
        ("a", "crime", "ONE"),
        ("b", None, "TWO"),
    ]
    assert sql.tables(shop.config) == ("items", "links")


WEIRD = 'we"ird; DROP TABLE ratings; --'


def test_names_are_quoted_and_nothing_can_be_written(tmp_path):
    shop = Shop(tmp_path, {"table": WEIRD}, left=WEIRD)
    shop.rate(("1", "a", 1))
    quoted = WEIRD.replace('"', '""')
    shop.do(f'CREATE TABLE "{quoted}" ("{quoted}", book, stars)')
    shop.do(f'INSERT INTO "{quoted}" VALUES (?, ?, ?)', [("'); DROP TABLE ratings; --", "b", 1)])
    shop.night()
    assert shop.links() == [("'); DROP TABLE ratings; --", "b", 1.0)]
    for query in ("SELECT 1) AS t; DROP TABLE ratings; --", "DELETE FROM ratings RETURNING *"):
        with pytest.raises(KindexError):
            Shop(tmp_path, {"query": query}).night()
    other = Shop(tmp_path, ALL)
    other.night()
    assert other.links() == [("1", "a", 1.0)]


def test_a_damaged_watermark_in_a_lock_is_no_sql(tmp_path):
    shop = Shop(tmp_path)
    shop.rate(("1", "a", 1, "2024-01-01"))
    shop.night()
    shop.snapshot["tables"]["links"]["watermark"] = "0) OR 1 = 1; DROP TABLE ratings; --"
    assert shop.night()["read"] == 1 and len(shop.links()) == 1


def test_a_column_that_went_stops_at_ingest_and_one_that_never_was_at_once(tmp_path):
    with pytest.raises(MissingColumnError, match=r"ratings has no column 'nope'.*Edit source\.weight in params\.yaml"):
        Shop(tmp_path / "a", weight="nope").night()
    with pytest.raises(MissingColumnError, match=r"Edit source\.links\.watermark"):
        Shop(tmp_path / "a", {**KEYED, "watermark": "nope"}).night()
    shop = Shop(tmp_path / "b")
    shop.rate(("1", "a", 1, "2024-01-01"))
    shop.night()
    before = shop.snapshot
    shop.do("ALTER TABLE ratings RENAME COLUMN stars TO points")
    shop.night()
    assert shop.snapshot != before and shop.parts() == before["tables"]["links"]["parts"]
    with pytest.raises(MissingColumnError, match="ratings has no column 'stars'") as raised:
        shop.read()
    assert raised.value.columns["ratings"] == dict.fromkeys(["user", "book", "points", "written", "gone"], "")
    shop.do("ALTER TABLE ratings RENAME COLUMN points TO stars")
    shop.night()
    assert shop.snapshot == before


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"source\.uri names gone\.db, which is not a file"):
        Shop(tmp_path, uri="sqlite:gone.db").night()
    with pytest.raises(ConfigError, match=r"no such table: nowhere"):
        Shop(tmp_path, {"table": "nowhere"}).night()
    with pytest.raises(ConfigError, match="syntax error"):
        Shop(tmp_path, {"query": "SELECT FROM WHERE"}).night()
    (tmp_path / "bad.db").write_bytes(b"not a database" * 500)
    with pytest.raises(DamagedError, match=r"sqlite:bad\.db is damaged"):
        Shop(tmp_path, uri="sqlite:bad.db").night()
    empty = Shop(tmp_path / "empty", ALL)
    empty.night()
    with pytest.raises(DataGateError, match="ratings has no rows"):
        empty.read()


@pytest.mark.parametrize(
    ("links", "message"),
    [({}, "links needs a table or a query"), ({"table": "a", "query": "b"}, "either table or query"),
     ({"table": "a", "watermark": "w"}, "a watermark needs key"), ({"table": "a", "compare": "keys"}, "compare is keys"),
     ({**KEYED, "compare": "full"}, "compare is keys"), ({**KEYED, "overlap": -1.0}, "overlap is at least 0")],
)  # fmt: skip
def test_settings_that_do_not_go_together(tmp_path, links, message):
    with pytest.raises(ConfigError, match=message):
        Shop(tmp_path, links or {"table": ""})


def test_other_settings_make_a_new_base(tmp_path):
    first = Shop(tmp_path)
    first.rate(("1", "a", 1, "2024-01-01"), ("2", "b", 7, "2024-01-01"))
    first.night()
    second = Shop(tmp_path, weight="")
    second.snapshot = first.snapshot
    with pytest.raises(NotAsLockedError, match=r"of other tables, columns or keys than params\.yaml names"):
        second.read()
    assert second.night()["added"] == 2 and second.links() == [("1", "a", 1.0), ("2", "b", 1.0)]


def test_increments_become_one_base_that_says_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlsnapshot, "INCREMENTS", 3)
    shop = Shop(tmp_path, {**KEYED, "compare": "keys"})
    shop.rate(*((f"u{row}", "b", row + 1, "2024-01-01") for row in range(40)))
    shop.night()
    lengths = []
    for night in range(8):
        shop.do(f"UPDATE ratings SET stars = {100 + night} WHERE \"user\" = 'u{night}'")
        shop.do(f"DELETE FROM ratings WHERE \"user\" = 'u{night + 20}'")
        assert shop.night()["removed"] == 1
        lengths.append(len(shop.parts()))
        there = [row for row in range(40) if not 20 <= row <= night + 20]
        assert shop.links() == sorted((f"u{row}", "b", 100 + row if row <= night else row + 1) for row in there)
    assert lengths == [2, 3, 4, 1, 2, 3, 4, 1]
    monkeypatch.setattr(sqlsnapshot, "LARGE", 0.01)
    shop.do("UPDATE ratings SET stars = 9 WHERE \"user\" = 'u30'")
    shop.night()
    assert len(shop.parts()) == 1


def test_many_rows_go_through_buckets(tmp_path, monkeypatch):
    rows = [(f"u{row % 50}", f"b{row}", 1 + row % 5, f"2024-01-{1 + row % 28:02}") for row in range(800)]
    plain = Shop(tmp_path / "plain", ALL)
    plain.rate(*rows)
    plain.night()
    monkeypatch.setattr(sqlstore, "BUCKET", 100)
    monkeypatch.setattr(sqlspill.Spill.__init__, "__defaults__", (100,))
    for number, links in enumerate((ALL, {**KEYED, "compare": "keys"})):
        shop = Shop(tmp_path / str(number), links)
        shop.rate(*rows)
        shop.night()
        assert [part["buckets"] for part in shop.parts()] == [8] * 8
        assert shop.links() == plain.links()
        shop.do("DELETE FROM ratings WHERE stars = 2")
        shop.do("UPDATE ratings SET stars = 4.5, written = '2024-02-01' WHERE stars = 3")
        shop.night()
        assert sorted({weight for _, _, weight in shop.links()}) == [1, 4, 4.5, 5] and len(shop.links()) == 640


def test_lost_or_damaged_parts_stop_ingest_and_the_next_lock_mends_it(tmp_path):
    shop = Shop(tmp_path)
    shop.rate(("1", "a", 1, "2024-01-01"))
    shop.night()
    [path] = (tmp_path / "var/snapshots/shop").glob("*.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DamagedError, match=r"is damaged: its sha256 is not its name"):
        shop.read()
    path.unlink()
    with pytest.raises(NotAsLockedError, match="is missing, a part of the snapshot"):
        shop.read()
    assert shop.night()["added"] == 1 and shop.links() == [("1", "a", 1.0)]
    for folder in ("../..", "/tmp", "var/snapshots/../../x"):
        with pytest.raises(DamagedError, match="allowed: below var/snapshots"):
            sql.read(shop.config, {**shop.snapshot, "folder": folder}, tmp_path, None)


def test_leftovers_of_killed_runs_go_and_parts_of_other_locks_stay(tmp_path):
    shop = Shop(tmp_path)
    shop.rate(("1", "a", 1, "2024-01-01"))
    shop.night()
    folder = tmp_path / "var/snapshots/shop"
    old, young, other = folder / ".1.abc.tmp", folder / ".2.abc.tmp", folder / f"{'1' * 64}.parquet"
    spilled = folder / ".spill.abc.tmp"
    spilled.mkdir()
    for path in (old, young, other, spilled / "0"):
        path.write_bytes(b"")
    then = time.time() - 100 * 86_400
    for path in (old, other, spilled):
        os.utime(path, (then, then))
    shop.night()
    assert not old.exists() and not spilled.exists() and young.exists() and other.exists()


def test_a_dry_look_keeps_nothing(tmp_path):
    shop = Shop(tmp_path)
    shop.rate(("1", "a", 1, "2024-01-01"))
    found, moved = sql.advance(shop.config, tmp_path, None, "shop", dry=True)
    assert moved["links"]["added"] == 1 and not list((tmp_path / "var/snapshots/shop").iterdir())
    shop.night()
    assert shop.snapshot == found
    assert sql.advance(shop.config, tmp_path, shop.snapshot, "shop", dry=True)[0] == shop.snapshot


def test_fresh_reads_everything_and_keeps_what_is_alike(tmp_path):
    shop = Shop(tmp_path, {**KEYED, "overlap": 0})
    shop.rate(("1", "a", 1, "2024-01-05"), ("2", "b", 1, "2024-01-05"))
    shop.night()
    shop.do("UPDATE ratings SET stars = 3, written = '2020-01-01' WHERE \"user\" = '2'")
    assert shop.night()["changed"] == 0
    assert shop.night(fresh=True)["changed"] == 1 and shop.links() == [("1", "a", 1.0), ("2", "b", 3.0)]
    assert [part["rows"] for part in shop.parts()] == [2, 1]


def project(root, **changed) -> Layout:
    """A project with the shop as its one catalogue."""
    source = {"kind": "sql", "uri": "sqlite:shop.db", "links": KEYED, **MAPPING, **changed}
    blocks = {"catalogues": {"shop": {"source": source, "checks": {}, "split": {}}}, "gates": {"m": []}, "evaluate": {}}
    model = {"models": {"m": {"catalogue": "shop", "family": "pairs"}}, "indexes": {"m": {}}}
    (root / "params.yaml").write_text(yaml.safe_dump({**blocks, **model}))
    return Layout(root)


def lock(layout: Layout) -> bool:
    return move(layout, load(layout.params), "shop")[1]


def ingested(layout: Layout) -> dict[str, bytes]:
    with replacing(layout.out("ingest", "shop"), layout.work("ingest", "shop")) as out:
        ingest.run(Job(layout, load(layout.params), "shop", out, Silent()))
    return {path.name: path.read_bytes() for path in layout.out("ingest", "shop").iterdir() if path.name != "ingest.json"}


def test_another_way_to_the_same_rows_gives_the_same_bytes(tmp_path):
    rows = [(f"u{row}", f"b{row % 7}", 0.1 + row % 5, f"2024-01-{1 + row % 28:02}") for row in range(60)]
    links = {**KEYED, "overlap": 1e8}
    many, once = (Shop(tmp_path / name) for name in ("many", "once"))
    for start in (40, 20, 0):
        many.rate(*rows[start : start + 20])
        assert lock(project(many.root, links=links))
    once.rate(*rows)
    assert lock(project(once.root, links=links))
    layouts = [project(shop.root, links=links) for shop in (many, once)]
    assert ingested(layouts[0]) == ingested(layouts[1])
    locks = [read_lock(layout.lock("shop")) for layout in layouts]
    assert locks[0].digest != locks[1].digest and locks[0].moved["links"]["added"] == 20
    assert len(locks[0].snapshot["tables"]["links"]["parts"]) == 2  # the third increment made a new base


def test_a_column_that_went_stops_the_night_with_a_table(tmp_path):
    shop = Shop(tmp_path)
    shop.rate(("1", "a", 1, "2024-01-01"))
    layout = project(tmp_path)
    lock(layout)
    columns = {"ratings": dict.fromkeys(["user", "book", "stars", "written", "gone"], "")}
    validation = {"rows": {"links": {"passed": 1}}, "columns": columns}
    write_atomic(layout.out("validate", "shop") / "validation.json", pretty_json(validation))
    shop.do("ALTER TABLE ratings RENAME COLUMN stars TO points")
    assert lock(layout)
    with pytest.raises(
        DataGateError, match=r"(?s)Edit source\.weight in params\.yaml.*ratings  points  absent.*ratings  stars"
    ):
        ingested(layout)


def locked(shop: Shop, layout: Layout) -> list:
    """The links that the lock names."""
    shop.snapshot = read_lock(layout.lock("shop")).snapshot
    return shop.links()


def test_a_failure_at_any_point_leaves_a_lock_whose_rows_are_there(tmp_path, monkeypatch):
    expected, points = None, 0
    for point in range(1, 40):
        shop = Shop(tmp_path / str(point))
        shop.rate(("1", "a", 1, "2024-01-01"), ("2", "b", 1, "2024-01-01"))
        layout = project(shop.root)
        lock(layout)
        before = locked(shop, layout)
        shop.rate(("3", "c", 1, "2024-01-02"))
        monkeypatch.setattr(core_files, "_reached", 0)
        monkeypatch.setenv("KINDEX_FAULT", f"{point}:{'enospc' if point % 2 else 'eio'}")
        try:
            lock(layout)
            points = point
        except OSError:
            monkeypatch.delenv("KINDEX_FAULT")
            assert locked(shop, layout) in (before, expected or before)
        monkeypatch.delenv("KINDEX_FAULT", raising=False)
        lock(layout)
        expected = expected or locked(shop, layout)
        assert locked(shop, layout) == expected != before
        assert not [path for path in (shop.root / "var/snapshots/shop").iterdir() if path.suffix != ".parquet"]
        if points:
            break
    assert points == 9  # four of a part, four of the lock, and then none


def test_the_command_says_what_moved(tmp_path, monkeypatch, capsys):
    shop = Shop(tmp_path)
    shop.rate(("1", "a", 1, "2024-01-01"))
    monkeypatch.setenv("KINDEX_ROOT", str(project(tmp_path).root))
    catalogues.lock("shop")
    shop.do("UPDATE ratings SET stars = 2, gone = 1, written = '2024-01-02'")
    shop.rate(("2", "a", 1, "2024-01-02"))
    catalogues.lock("shop")
    told = capsys.readouterr().out
    assert "(links added 1)" in told and "(links added 1, removed 1)" in told
    catalogues.settings()
    assert "watermark" in capsys.readouterr().out


@pytest.mark.parametrize("links", [KEYED, {"table": "ratings"}])
def test_after_a_purge_no_file_holds_a_row_that_went(tmp_path, links, monkeypatch):
    shop = Shop(tmp_path, links)
    shop.rate(*((f"u{row}", "b", 1, "2024-01-01") for row in range(9)), ("forgotten", "b", 1, "2024-01-01"))
    layout = project(tmp_path, links=links)
    lock(layout)
    shop.do("UPDATE ratings SET gone = 1, written = '2024-01-01 01:00:00' WHERE \"user\" = 'forgotten'")
    if links != KEYED:
        shop.do("DELETE FROM ratings WHERE gone = 1")
    lock(layout)
    folder = tmp_path / "var/snapshots/shop"
    held = [path for path in folder.iterdir() if b"forgotten" in pq.read_table(path)["=user"].to_pylist()]
    links_before = locked(shop, layout)
    assert len(held) == 1 and len(links_before) == 9
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path))
    catalogues.lock("shop", purge=True)
    assert locked(shop, layout) == links_before
    [left] = folder.iterdir()
    assert b"forgotten" not in pq.read_table(left)["=user"].to_pylist() and not lock(layout)


@pytest.mark.slow
def test_an_added_column_stops_validation_with_a_table(tmp_path):
    def night() -> None:
        lock(layout)
        ingested(layout)
        with replacing(layout.out("validate", "shop"), layout.work("validate", "shop")) as out:
            validate.run(Job(layout, load(layout.params), "shop", out, Silent()))

    shop = Shop(tmp_path)
    shop.rate(*((f"u{row}", f"b{row % 5}", 1, "2024-01-01") for row in range(20)))
    layout = project(tmp_path)
    night()
    night()
    shop.do("ALTER TABLE ratings ADD COLUMN more integer")
    with pytest.raises(DataGateError, match=r"(?s)table +column +expected +found.*ratings +more +absent +integer"):
        night()
    assert lock(layout) is False

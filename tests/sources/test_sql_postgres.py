"""The kind `sql` against a real PostgreSQL, which the test starts: nights of inserts, updates, deletes, and no server."""

import logging
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from kindex.core.errors import ConfigError, DataGateError, KindexError, OutsideError
from kindex.core.layout import Layout
from kindex.core.lock import read_lock
from kindex.core.params import load
from kindex.core.watch import Silent
from kindex.sources import MissingColumnError, source, sql
from kindex.sources.locking import look, move
from tests.sources.postgres import BINARIES, PASSWORD, USER, Server, server

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BINARIES is None, reason="PostgreSQL is not installed")]

KEY = "shop"
KEYED = {"table": "public.ratings", "key": ["reader", "book"], "watermark": "written", "tombstone": "gone", "overlap": 3600.0}
MAPPING = {"left": "reader", "right": "book", "weight": "stars", "date": "day", "left_kind": "reader", "right_kind": "book"}


@pytest.fixture(scope="module")
def postgres():
    with server() as running:
        yield running


@pytest.fixture
def shop(postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    postgres.do(
        "DROP TABLE IF EXISTS ratings, books",
        "CREATE TABLE ratings (reader bigint, book uuid, stars numeric(4, 2), day date, written timestamptz, gone boolean)",
        "INSERT INTO ratings SELECT i, ('00000000-0000-0000-0000-' || lpad((i % 7)::text, 12, '0'))::uuid, 1 + i % 5,"
        " '2024-01-01', '2024-01-01'::timestamptz + i * interval '1 minute', false FROM generate_series(1, 500) AS i",
        "CREATE TABLE books (id uuid, title text)",
        "INSERT INTO books SELECT DISTINCT book, 'title ' || book FROM ratings",
    )
    return Catalogue(tmp_path, postgres)


class Catalogue:
    """A project whose one catalogue is in the database."""

    def __init__(self, root: Path, postgres: Server) -> None:
        self.layout, self.postgres = Layout(root), postgres
        self.settings()

    def settings(self, links: dict[str, Any] = KEYED, **settings: Any) -> None:
        uri = f"postgresql://{USER}:${{SHOP_PASSWORD}}@127.0.0.1:{self.postgres.port}/postgres"
        items = {"table": "books", "compare": "full"}
        block = {"kind": "sql", "uri": uri, "links": links, "items": items, "description": "title", **MAPPING, **settings}
        blocks: dict[str, Any] = {"catalogues": {KEY: {"source": block, "checks": {}, "split": {}}}, "gates": {"m": []}}
        model = {"models": {"m": {"catalogue": KEY, "family": "pairs"}}, "indexes": {"m": {}}, "evaluate": {}}
        self.layout.params.write_text(yaml.safe_dump({**blocks, **model}))

    def night(self, accept: bool = False) -> tuple[bool, dict[str, int]]:
        lock, moved = move(self.layout, load(self.layout.params), KEY, accept)
        return moved, (lock.moved or {}).get("links", {})

    def read(self):
        module, config = source(load(self.layout.params).catalogue(KEY), KEY)
        return module.read(config, read_lock(self.layout.lock(KEY)).snapshot, self.layout.root, Silent())

    def links(self) -> dict[str, float]:
        return {row["left"]: row["weight"] for row in self.read().catalogue.links.to_pylist()}


def test_nights_of_inserts_updates_and_deletes_by_both_ways(shop):
    assert shop.night() == (True, {"added": 500, "changed": 0, "removed": 0, "read": 500})
    assert len(shop.links()) == 500 and shop.links()["6"] == 2.0
    assert shop.night() == (False, {"added": 500, "changed": 0, "removed": 0, "read": 500})  # of the last move
    shop.postgres.do(
        "INSERT INTO ratings SELECT 1000 + i, '00000000-0000-0000-0000-000000000001', 2, '2024-02-01', '2024-02-01', NULL"
        " FROM generate_series(1, 5) AS i",
        "UPDATE ratings SET stars = 4.75, written = '2024-02-01' WHERE reader = 6",
        "UPDATE ratings SET gone = true, written = '2024-02-01' WHERE reader IN (7, 8)",
        # late, within the overlap: 500 minutes after midnight is the watermark
        "INSERT INTO ratings VALUES (2000, '00000000-0000-0000-0000-000000000002', 3, '2024-01-01', '2024-01-01 08:00', NULL)",
    )
    moved, counts = shop.night()
    assert moved and counts == {"added": 6, "changed": 1, "removed": 2, "read": 70}
    links = shop.links()
    assert len(links) == 504 and links["6"] == 4.75 and links["2000"] == 3 and not {"7", "8"} & set(links)
    assert {row["description"] for row in shop.read().catalogue.items.to_pylist() if row["kind"] == "book"} == {
        f"title 00000000-0000-0000-0000-00000000000{number}" for number in range(7)}  # fmt: skip
    shop.settings({**KEYED, "compare": "keys"})
    assert shop.night()[0]  # other settings, so a new base
    shop.postgres.do("DELETE FROM ratings WHERE reader BETWEEN 10 AND 19", "INSERT INTO ratings VALUES"
                     " (3000, '00000000-0000-0000-0000-000000000003', 3, '2020-01-01', '2020-01-01', false)")  # fmt: skip
    moved, counts = shop.night()
    assert moved and (counts["added"], counts["removed"]) == (1, 10) and "3000" in shop.links() and len(shop.links()) == 495


def test_a_full_compare_of_a_query(shop):
    shop.settings({"query": "SELECT reader, book, stars, day FROM ratings WHERE NOT coalesce(gone, false)"})
    shop.night()
    shop.postgres.do("UPDATE ratings SET stars = 5 WHERE reader <= 3 AND stars <> 5", "DELETE FROM ratings WHERE reader > 490")
    assert shop.night()[1] == {"added": 3, "changed": 0, "removed": 13, "read": 490}
    assert len(shop.links()) == 490 and shop.links()["1"] == 5


def test_both_tables_are_of_one_moment(shop, monkeypatch):
    """A row and its item come while the first table is read: neither is seen, by a transaction that began before."""
    shop.settings({"table": "ratings"})
    whole = sql.advance_table

    def advance(database, asked, *rest):
        found = whole(database, asked, *rest)
        if asked.name == "ratings":
            late = "00000000-0000-0000-0000-00000000000f"
            shop.postgres.do(f"INSERT INTO books VALUES ('{late}', 'late')", f"INSERT INTO ratings VALUES (1, '{late}', 1)")
        return found

    monkeypatch.setattr(sql, "advance_table", advance)
    shop.night()
    assert "late" not in shop.read().catalogue.items["description"].to_pylist()
    monkeypatch.undo()
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    assert shop.night()[1]["added"] == 1 and "late" in shop.read().catalogue.items["description"].to_pylist()


def test_no_server_and_a_server_that_stops_leave_the_lock(shop, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    shop.night()
    before = shop.layout.lock(KEY).read_bytes()
    shop.postgres.stop()
    try:
        with pytest.raises(
            OutsideError, match=r"postgresql://kindex@127\.0\.0\.1:\d+/postgres cannot be read: .*refused"
        ) as error:
            shop.night()
        assert error.value.exit_code == 6 and shop.layout.lock(KEY).read_bytes() == before
        assert len(shop.links()) == 500  # ingest asks no server
    finally:
        shop.postgres.start()
    shop.settings({"query": "SELECT r.*, pg_sleep(0.02) FROM ratings AS r"})
    stopping = threading.Timer(1.5, shop.postgres.stop)
    stopping.start()
    try:
        with pytest.raises(OutsideError):
            shop.night()
    finally:
        stopping.join()
        shop.postgres.start()
    assert shop.layout.lock(KEY).read_bytes() == before
    monkeypatch.setenv("SHOP_PASSWORD", f"{PASSWORD}wrong")
    with pytest.raises(OutsideError, match="password authentication failed"):
        shop.night()
    monkeypatch.delenv("SHOP_PASSWORD")
    with pytest.raises(ConfigError, match=r"catalogues\.shop\.source\.uri names \$\{SHOP_PASSWORD\}, which is not set"):
        shop.night()


def test_the_password_is_nowhere(shop, monkeypatch, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    shop.night()
    messages = []
    for links in ({"table": "nowhere"}, {"query": "SELECT 1 / 0 AS reader"}, {"query": "SELEC"}, {"table": "pg_authid"}):
        shop.settings(links)
        with pytest.raises(KindexError) as error:
            shop.night()
        messages.append(str(error.value))
    shop.settings(uri="${SHOP_URL}")
    monkeypatch.setenv("SHOP_URL", f"postgresql://{USER}:c4n%zz{PASSWORD}@127.0.0.1:1/x?bogus=1")
    with pytest.raises(KindexError) as error:
        shop.night()
    written = "".join(path.read_bytes().decode("latin-1") for path in shop.layout.root.rglob("*") if path.is_file())
    for text in (*messages, str(error.value), repr(error.value), written, caplog.text, *capfd.readouterr()):
        assert "c4n" not in text and "secret" not in text, text
    assert "${SHOP_PASSWORD}" not in shop.layout.lock(KEY).read_text()


@pytest.mark.parametrize(
    ("change", "stops_at"),
    [("ALTER TABLE ratings DROP COLUMN stars", "read"), ("ALTER TABLE ratings RENAME COLUMN written TO w", "read"),
     ("ALTER TABLE ratings ADD COLUMN more int", ""), ("ALTER TABLE ratings ALTER COLUMN stars TYPE text", ""),
     ("ALTER TABLE ratings ALTER COLUMN reader TYPE text", "")],
)  # fmt: skip
def test_schema_drift_moves_the_lock_and_shows(shop, change, stops_at):
    shop.night()
    before = shop.read().columns
    shop.postgres.do(change)
    assert shop.night()[0]
    if stops_at:
        with pytest.raises(MissingColumnError):
            shop.read()
        return
    after = shop.read().columns
    assert before["public.ratings"] != after["public.ratings"] and before["books"] == after["books"]
    assert before["public.ratings"]["stars"] == "numeric"


def test_what_does_not_convert_is_refused_and_the_rest_goes_on(shop):
    shop.settings({"table": "ratings", "key": ["reader"], "watermark": "written"})
    shop.postgres.do(
        "ALTER TABLE ratings ALTER COLUMN stars TYPE text",
        "INSERT INTO ratings VALUES (-1, NULL, '1', '2024-01-01', 'infinity')",
        "INSERT INTO ratings VALUES (-2, gen_random_uuid(), 'many', '2024-01-01', NULL)",
        "INSERT INTO ratings VALUES (-3, gen_random_uuid(), 'NaN', '2024-01-01', NULL)",
        "INSERT INTO ratings VALUES (-4, gen_random_uuid(), '1', 'infinity', NULL)",
    )
    shop.night()
    rules = sorted(row["rule"] for row in shop.read().refused.to_pylist())
    assert rules == [
        "day is not a date",
        "right is missing",
        "stars is not a number",
        "weight is not a positive finite number",
    ]
    shop.postgres.do("INSERT INTO ratings VALUES (5000, gen_random_uuid(), '1', '2024-01-01', '2024-01-02')")
    assert shop.night()[1]["added"] == 1  # the row of infinity hid nothing


def test_what_the_database_forbids_or_does_not_know(shop):
    shop.settings({"query": "SELECT 1 / 0 AS reader, 1 AS book, 1 AS stars, 1 AS day"})
    with pytest.raises(DataGateError, match="division by zero"):
        shop.night()
    shop.settings({"table": "nowhere"})
    with pytest.raises(ConfigError, match=r'relation "nowhere" does not exist.*Edit params\.yaml'):
        shop.night()
    shop.settings({"query": "INSERT INTO books VALUES (gen_random_uuid(), 'x') RETURNING id AS reader"})
    with pytest.raises(KindexError):
        shop.night()
    shop.settings()
    assert look(shop.layout, load(shop.layout.params), KEY)[0] and not shop.layout.lock(KEY).exists()

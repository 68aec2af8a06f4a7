"""Rows of a database, through ADBC: a table, view or query of PostgreSQL or SQLite, kept as a snapshot that moves on.

    uri: postgresql://kindex:${SHOP_PASSWORD}@db/shop      or sqlite:data/shop.db; passwords come from the environment
    links: {table: public.ratings, key: [user, book], watermark: updated_at, tombstone: deleted_at}
    items: {query: SELECT isbn, title FROM books}          without a watermark all rows are compared, every night

What was read is kept below `var/snapshots`, as parts that the lock names by their sha256; ingest reads those and asks no
database. All tables are read in one transaction that sees one state of them and cannot write.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from kindex.core.catalogue import Catalogue
from kindex.core.errors import DamagedError
from kindex.core.layout import Layout
from kindex.core.quarantine import Entries
from kindex.core.tables import Tables
from kindex.core.watch import Watch
from kindex.sources import Ingested, MissingColumnError, NotAsLockedError
from kindex.sources.parts import sqlplace
from kindex.sources.parts.mapping import LinkColumns, item_table, merged_links
from kindex.sources.parts.rows import Names, Role, joined, listed
from kindex.sources.parts.sqldatabase import opened, quoted
from kindex.sources.parts.sqlreading import Asked
from kindex.sources.parts.sqlrows import rows
from kindex.sources.parts.sqlsnapshot import advance as advance_table
from kindex.sources.parts.sqlsnapshot import compacted
from kindex.sources.parts.sqlstore import Store

SETTINGS = ("left", "right", "weight", "date", "id", "label", "description")


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Which rows, how new ones are seen, and how deleted ones are. Give `table` or `query`."""

    table: str = ""  # a table or view, or schema.table
    query: str = ""  # one SELECT
    key: Names = ()  # the columns that name a row, one or several; a watermark needs them
    watermark: str = ""  # a column that grows with every write, a time or a number: only rows from the last one on are read
    overlap: float = 86400.0  # how far before the last watermark is read again, for rows that come late: seconds, or units
    tombstone: str = ""  # a column that says that a row is deleted: a date, true, or a number but 0
    compare: Literal["", "full", "keys"] = (
        ""  # keys: look each night which rows are there, beside a watermark; full: without one
    )

    def __post_init__(self) -> None:
        if self.table and self.query:
            raise ValueError("give either table or query")
        if self.watermark and not self.key:
            raise ValueError("a watermark needs key: the columns that name a row, so that what is read again is known")
        if self.compare and (self.compare == "keys") != bool(self.watermark):
            raise ValueError("compare is keys beside a watermark and full without one")
        if self.overlap < 0:
            raise ValueError("overlap is at least 0")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which database, which rows, and what their columns mean."""

    uri: str  # sqlite:FILE or postgresql://user:${NAME}@host/database; ${NAME} comes from the environment
    links: Rows  # each row a tie
    left: str = "left"
    right: str = "right"
    weight: str = ""  # a positive number; without it every row weighs 1
    date: str = ""  # of a link: a date or time, or seconds since 1970; without it links have no date
    left_kind: str = "left"
    right_kind: str = "right"  # the same as left_kind for a graph of one kind of node
    items: Rows = Rows()  # what is known of the items of `items_kind`; without it items are the ends of links
    items_kind: str = ""  # left_kind or right_kind; right_kind unless said
    id: Names = "id"  # of items; several columns are joined by -
    label: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        sqlplace.check(self.uri)
        if not (self.links.table or self.links.query):
            raise ValueError("links needs a table or a query")
        if self.items_kind not in ("", self.left_kind, self.right_kind):
            raise ValueError(f"items_kind is {self.items_kind!r}, allowed: {self.left_kind} or {self.right_kind}")


def tables(config: Config) -> tuple[str, ...]:
    return ("items", "links")


def advance(
    config: Config, root: Path, former: dict[str, Any] | None, name: str, *, fresh: bool = False, dry: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The snapshot of the database as it is now, and the rows that moved since `former`. Parts are in `var/snapshots/<name>`.

    `fresh` reads all rows, whatever the watermark; `dry` keeps nothing. Raises `OutsideError` when the database does not
    answer, `ConfigError` for a table that it does not have, and `MissingColumnError`.
    """
    folder = Layout(root).var / "snapshots" / name
    store, uri = Store(folder, dry), sqlplace.shown(config.uri)
    known = former["tables"] if former and former.get("uri") == uri else {}
    now, moved = {}, {}
    with opened(sqlplace.place(config.uri, root)) as database:
        for setting, asked in _asked(config).items():
            with _naming(config):
                now[setting], counts = advance_table(database, asked, store, known.get(setting), fresh)
            moved[setting] = asdict(counts)
    if not dry:
        store.clean()
    return {"uri": uri, "folder": folder.relative_to(root).as_posix(), "tables": now}, moved


def purged(config: Config, root: Path, snapshot: dict[str, Any]) -> dict[str, Any]:
    """The same rows in one base for each table, without the values of rows that went. `tidy` removes the former parts."""
    asked = _asked(config)
    store, locked = _locked(snapshot, root, asked)
    now = {name: {**locked[name], "parts": compacted(store, locked[name]["parts"], asked[name], force=True)} for name in asked}
    return {**snapshot, "tables": now}


def tidy(root: Path, snapshot: dict[str, Any]) -> None:
    """Remove every part that this snapshot does not name."""
    Store(root / snapshot["folder"]).keep_only(part for table in snapshot["tables"].values() for part in table["parts"])


def read(config: Config, snapshot: dict[str, Any], root: Path, watch: Watch) -> Ingested:
    """Raises `NotAsLockedError` for a part that is gone, `DamagedError`, and `MissingColumnError` when a column went."""
    asked, refused = _asked(config), Entries()
    store, locked = _locked(snapshot, root, asked)
    found = {}
    for setting, one in asked.items():
        with _naming(config):
            found[setting] = rows(one, store, locked[setting], setting, _roles(config, setting), refused)
    columns = LinkColumns(config.left, config.right, config.weight, config.date)
    kinds, ids = (config.left_kind, config.right_kind), listed(config.id)
    links = merged_links([("links", found["links"], False)], columns, kinds, Layout(root).var / "scratch", False)
    described = [joined(list(found["items"]))] if "items" in found else []
    items = item_table(links, described, config.items_kind or config.right_kind, ids, config.label, config.description)
    for one_file in described:
        refused.add(one_file.refused)
    counts = {"repeated_links": links.merged.repeated}
    tables = Tables({"items": items, "links": links.stream()})
    return Ingested(
        Catalogue("", tables), refused.table(), counts, {asked[name].name: locked[name]["columns"] for name in asked}
    )


def _locked(snapshot: dict[str, Any], root: Path, asked: Mapping[str, Asked]) -> tuple[Store, dict[str, Any]]:
    """The store that the lock names, and what it says of each table."""
    try:
        folder, tables = PurePosixPath(snapshot["folder"]), {name: snapshot["tables"][name] for name in asked}
        alike = all(table["of"] == asked[name].about() and "columns" in table for name, table in tables.items())
    except (KeyError, TypeError):
        alike = False
    if not alike:
        raise NotAsLockedError("the lock is of other tables, columns or keys than params.yaml names")
    if folder.parts[:2] != ("var", "snapshots") or ".." in folder.parts:
        raise DamagedError(f"the lock's snapshot is in {folder}, allowed: below var/snapshots")
    return Store(root / folder), tables


def _asked(config: Config) -> dict[str, Asked]:
    """What is read, by setting."""
    found = {}
    for setting in ("links", "items"):
        of: Rows = getattr(config, setting)
        if not (of.table or of.query):
            continue
        # a comment at the end of a query must not swallow the bracket
        relation = f"({of.query.rstrip().rstrip(';')}\n)" if of.query else ".".join(map(quoted, of.table.split(".")))
        name, values = of.table or f"query of {setting}", tuple(_roles(config, setting))
        key = tuple(listed(of.key)) if of.watermark else ()
        found[setting] = Asked(name, relation, of.table, values, key, of.watermark, of.overlap, of.tombstone, of.compare)
    return found


def _roles(config: Config, setting: str) -> dict[str, Role]:
    """The columns whose values are kept, and what they are taken for."""
    if setting == "items":
        return {column: "text" for column in (*listed(config.id), config.label, config.description) if column}
    extras: dict[str, Role] = {config.weight: "number", config.date: "date"}
    return {config.left: "text", config.right: "text", **{column: role for column, role in extras.items() if column}}


@contextmanager
def _naming(config: Config) -> Iterator[None]:
    """Name the setting in what a missing column raises."""
    try:
        yield
    except MissingColumnError as error:
        settings = [name for name in SETTINGS if error.column in listed(getattr(config, name))]
        rows = [f"{table}.{name}" for table in ("links", "items") for name in ("key", "watermark", "tombstone")
                if error.column in listed(getattr(getattr(config, table), name))]  # fmt: skip
        error.args = (f"{error}. Edit source.{' and '.join(settings or rows)} in params.yaml",)
        raise

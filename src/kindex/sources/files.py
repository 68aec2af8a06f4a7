"""A catalogue of one's own, from files of rows: Parquet, CSV, TSV, JSON lines or JSON, plain or as .gz or .bz2.

    links: ratings.csv          each row a tie; `left` and `right` name its columns
    items: titles.csv           what is known of the items of `items_kind`; without it items are the ends of links
    images: faces.parquet       instead of links: each row an image, its id and its label
    heldout: ratings-test.csv   rows of links or images that the data themselves hold out

Paths are relative to the project; a folder, or a pattern as in/*.csv, means all files there: see `parts/patterns.py`. A link
that occurs several times becomes one, with the weights summed and the latest date.
Links are read, sorted and merged some rows at a time: what stays in memory is their ids, however many links there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from kindex.core import quarantine
from kindex.core.catalogue import Catalogue
from kindex.core.layout import Layout
from kindex.core.tables import Tables
from kindex.core.watch import Watch
from kindex.sources import ColumnError, Ingested
from kindex.sources.parts import patterns
from kindex.sources.parts.locked import as_locked, digest
from kindex.sources.parts.mapping import LinkColumns, Parts, image_tables, item_table, merged_links
from kindex.sources.parts.reading import NoRowsError, read_rows, suffix_of
from kindex.sources.parts.rows import Names, Role, Rows, joined, listed


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which files, and what their columns mean. Give `links` or `images`."""

    links: Names = ()  # one file or several, folders, or patterns with *
    left: str = "left"
    right: str = "right"
    weight: str = ""  # a positive number; without it every row weighs 1
    date: str = ""  # of a link: a date or time, ISO 8601 text, or seconds since 1970; without it links have no date
    left_kind: str = "left"
    right_kind: str = "right"  # the same as left_kind for a graph of one kind of node
    items: Names = ()
    items_kind: str = ""  # left_kind or right_kind; right_kind unless said
    images: Names = ()
    image: str = "image"  # encoded bytes (PNG, JPEG …)
    id: Names = "id"  # of items or images; several columns are joined by -
    label: str = ""
    description: str = ""
    heldout: Names = ()

    def __post_init__(self) -> None:
        if bool(self.links) == bool(self.images):
            raise ValueError("give either links or images: the files that hold them")
        if self.images and self.items:
            raise ValueError("items go with links; images bring their own ids and labels")
        if self.items_kind not in ("", self.left_kind, self.right_kind):
            raise ValueError(f"items_kind is {self.items_kind!r}, allowed: {self.left_kind} or {self.right_kind}")


def tables(config: Config) -> tuple[str, ...]:
    return ("items", "links") if config.links else ("items", "images")


def snapshot(config: Config, root: Path) -> dict[str, Any]:
    """Path, size and sha256 of each file. Raises `ConfigError` naming the setting of a file that is not there."""
    files, several = {}, {}
    for setting in ("links", "items", "images", "heldout"):
        for name in listed(getattr(config, setting)):
            names = patterns.found(root, name, setting)
            if names is None:
                suffix_of(name)
            else:
                several[name] = names
            files.update({one: digest(root, one, setting) for one in names or [name] if one not in files})
    return {"files": files, "several": several} if several else {"files": files}


def changes(former: dict[str, Any], now: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """The files that came, that hold something else, and that went."""
    before, after = former.get("files", {}), now["files"]
    changed = [name for name in after if name in before and before[name] != after[name]]
    added, removed = ([name for name in one if name not in other] for one, other in ((after, before), (before, after)))
    return {"files": {"added": sorted(added), "changed": sorted(changed), "removed": sorted(removed)}}


def read(config: Config, snapshot: dict[str, Any], root: Path, watch: Watch) -> Ingested:
    """Raises `DataGateError` for a file that is not the locked one, is empty or lacks a column; `DamagedError` for damage."""
    reader = _Reader(config, root, snapshot)
    about = (listed(config.id), config.label, config.description)
    if config.images:
        parts = reader.parts("images", {**_texts(*about[0], *about[1:]), config.image: "bytes"})
        images = [(joined(some), heldout) for _, rows, heldout in parts if (some := list(rows))] or _none("images")
        pictures = image_tables(images, config.image, *about)
        refused = [entry for rows, _ in images for entry in rows.refused]
        return Ingested(Catalogue("", pictures), quarantine.table(refused), reader.counts(), reader.described())
    extras: dict[str, Role] = {config.weight: "number", config.date: "date"}
    wanted = {**_texts(config.left, config.right), **{column: role for column, role in extras.items() if column}}
    columns = LinkColumns(config.left, config.right, config.weight, config.date)
    kinds = (config.left_kind, config.right_kind)
    links = merged_links(reader.parts("links", wanted), columns, kinds, reader.scratch, bool(config.heldout))
    parts = reader.parts("items", _texts(*about[0], *about[1:]), ("items",))
    described = [joined(some) for _, rows, _ in parts if (some := list(rows))]
    if config.items and not described:
        _none("items")
    items = item_table(links, described, config.items_kind or config.right_kind, *about)
    for entries in (links.refused, *(rows.refused for rows in described)):
        reader.refused.add(entries)
    counts = {"repeated_links": links.merged.repeated, **reader.counts()}
    found = Catalogue("", Tables({"items": items, "links": links.stream()}))
    return Ingested(found, reader.refused.table(), counts, reader.described())


class _Reader:
    """Reads files that are still as locked, some rows at a time, and remembers what it read."""

    def __init__(self, config: Config, root: Path, snapshot: dict[str, Any]) -> None:
        self.config, self.root, self.scratch = config, root, Layout(root).var / "scratch"
        self.locked, self.several = snapshot.get("files", {}), snapshot.get("several", {})
        self.columns: dict[str, dict[str, dict[str, str]]] = {}  # by name of the settings, then by file
        self.refused = quarantine.Entries()
        self.empty = 0

    def parts(self, table: str, wanted: dict[str, Role], settings: tuple[str, ...] = ()) -> Parts:
        """The files of the setting called as the table, then those held out; or those of `settings`."""
        for setting in settings or (table, "heldout"):
            seen: set[str] = set()
            for name in listed(getattr(self.config, setting)):
                for file in self.several.get(name, [name]):
                    if file not in seen or name not in self.several:  # patterns may overlap
                        yield file, self.rows(setting, name, file, table, wanted), setting == "heldout"
                    seen.add(file)

    def rows(self, setting: str, name: str, file: str, table: str, wanted: dict[str, Role]) -> Iterator[Rows]:
        """The rows of one file. When the next are asked for, what was refused of the former is taken note of."""
        folders = patterns.partition(file) if name in self.several else {}
        inside = {column: role for column, role in wanted.items() if column not in folders}
        with as_locked(self.root, file, setting, self.locked.get(file, {}).get("sha256")) as handle:
            try:
                for rows in read_rows(table, file, handle, inside, self.scratch):
                    yield patterns.filled(rows, folders, wanted)
                    self.columns.setdefault(name, {})[file] = rows.columns
                    if table == "links":
                        self.refused.add(rows.refused)
            except NoRowsError:
                if name not in self.several:
                    raise
                self.empty += 1  # a partition may have none
            except ColumnError as error:
                error.columns = {name: error.columns[file]}
                error.args = (f"{error}. Edit source.{self._setting_of(error.column)} in params.yaml",)
                raise

    def counts(self) -> dict[str, int]:
        return {"empty_files": self.empty} if self.several else {}

    def described(self) -> dict[str, dict[str, str]]:
        """The columns, by name of the settings."""
        return {
            name: patterns.together(files) if name in self.several else files[name] for name, files in self.columns.items()
        }

    def _setting_of(self, column: str) -> str:
        settings = ("left", "right", "weight", "date", "id", "label", "description", "image")
        return next(name for name in settings if column in listed(getattr(self.config, name)))


def _none(setting: str) -> NoReturn:
    raise NoRowsError(f"the files that source.{setting} names have no rows")


def _texts(*columns: str) -> dict[str, Role]:
    return {column: "text" for column in columns if column}

"""A catalogue of one's own, from files of rows: Parquet, CSV, TSV, JSON lines or JSON, plain or as .gz or .bz2.

    links: ratings.csv          each row a tie; `left` and `right` name its columns
    items: titles.csv           what is known of the items of `items_kind`; without it items are the ends of links
    images: faces.parquet       instead of links: each row an image, its id and its label
    heldout: ratings-test.csv   rows of links or images that the data themselves hold out

Paths are relative to the project. A link that occurs several times becomes one, with the weights summed and the latest date.
Links are read, sorted and merged some rows at a time: what stays in memory is their ids, however many links there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindex.core import quarantine
from kindex.core.catalogue import Catalogue
from kindex.core.layout import Layout
from kindex.core.tables import Tables
from kindex.core.watch import Watch
from kindex.sources import Ingested, MissingColumnError
from kindex.sources.parts.locked import as_locked, digest
from kindex.sources.parts.mapping import LinkColumns, Parts, image_tables, item_table, merged_links
from kindex.sources.parts.reading import read_rows, suffix_of
from kindex.sources.parts.rows import Role, Rows, joined

Names = str | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which files, and what their columns mean. Give `links` or `images`."""

    links: Names = ()  # one file or several
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


def listed(names: Names) -> tuple[str, ...]:
    """A setting that takes one name or several, as several."""
    return (names,) if isinstance(names, str) and names else tuple(names)


def tables(config: Config) -> tuple[str, ...]:
    return ("items", "links") if config.links else ("items", "images")


def snapshot(config: Config, root: Path) -> dict[str, Any]:
    """Path, size and sha256 of each file. Raises `ConfigError` naming the setting of a file that is not there."""
    files = {}
    for setting in ("links", "items", "images", "heldout"):
        for name in listed(getattr(config, setting)):
            suffix_of(name)
            files[name] = digest(root, name, setting)
    return {"files": files}


def read(config: Config, snapshot: dict[str, Any], root: Path, watch: Watch) -> Ingested:
    """Raises `DataGateError` for a file that is not the locked one, is empty or lacks a column; `DamagedError` for damage."""
    reader = _Reader(config, root, snapshot.get("files", {}))
    about = (listed(config.id), config.label, config.description)
    if config.images:
        parts = reader.parts("images", {**_texts(*about[0], *about[1:]), config.image: "bytes"})
        images = [(joined(list(rows)), heldout) for _, rows, heldout in parts]
        pictures = image_tables(images, config.image, *about)
        refused = [entry for rows, _ in images for entry in rows.refused]
        return Ingested(Catalogue("", pictures), quarantine.table(refused), {}, reader.columns)
    extras: dict[str, Role] = {config.weight: "number", config.date: "date"}
    wanted = {**_texts(config.left, config.right), **{column: role for column, role in extras.items() if column}}
    columns = LinkColumns(config.left, config.right, config.weight, config.date)
    kinds = (config.left_kind, config.right_kind)
    links = merged_links(reader.parts("links", wanted), columns, kinds, reader.scratch, bool(config.heldout))
    described = [
        joined(list(reader.rows("items", name, "items", _texts(*about[0], *about[1:])))) for name in listed(config.items)
    ]
    items = item_table(links, described, config.items_kind or config.right_kind, *about)
    for entries in (links.refused, *(rows.refused for rows in described)):
        reader.refused.add(entries)
    counts = {"repeated_links": links.merged.repeated}
    found = Catalogue("", Tables({"items": items, "links": links.stream()}))
    return Ingested(found, reader.refused.table(), counts, reader.columns)


class _Reader:
    """Reads files that are still as locked, some rows at a time, and remembers what it read."""

    def __init__(self, config: Config, root: Path, locked: dict[str, dict[str, Any]]) -> None:
        self.config, self.root, self.locked = config, root, locked
        self.scratch = Layout(root).var / "scratch"
        self.columns: dict[str, dict[str, str]] = {}
        self.refused = quarantine.Entries()

    def parts(self, setting: str, wanted: dict[str, Role]) -> Parts:
        """The files of `setting`, then those held out."""
        names = [(setting, name, False) for name in listed(getattr(self.config, setting))]
        names += [("heldout", name, True) for name in listed(self.config.heldout)]
        return [(name, self.rows(where, name, setting, wanted), heldout) for where, name, heldout in names]

    def rows(self, setting: str, name: str, table: str, wanted: dict[str, Role]) -> Iterator[Rows]:
        """The rows of one file. When the next are asked for, what was refused of the former is taken note of."""
        with as_locked(self.root, name, setting, self.locked.get(name, {}).get("sha256")) as handle:
            try:
                for rows in read_rows(table, name, handle, wanted, self.scratch):
                    yield rows
                    self.columns[name] = rows.columns
                    if table == "links":
                        self.refused.add(rows.refused)
            except MissingColumnError as error:
                error.args = (f"{error}. Edit source.{self._setting_of(error.column)} in params.yaml",)
                raise

    def _setting_of(self, column: str) -> str:
        settings = ("left", "right", "weight", "date", "id", "label", "description", "image")
        return next(name for name in settings if column in listed(getattr(self.config, name)))


def _texts(*columns: str) -> dict[str, Role]:
    return {column: "text" for column in columns if column}

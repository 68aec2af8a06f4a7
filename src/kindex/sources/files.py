"""A catalogue of one's own, from files of rows: Parquet, CSV, TSV, JSON lines or JSON, plain or as .gz or .bz2.

    links: ratings.csv          each row a tie; `left` and `right` name its columns
    items: titles.csv           what is known of the items of `items_kind`; without it items are the ends of links
    images: faces.parquet       instead of links: each row an image, its id and its label
    heldout: ratings-test.csv   rows of links or images that the data themselves hold out

Paths are relative to the project. A link that occurs several times becomes one, with the weights summed.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindex.core import quarantine
from kindex.core.catalogue import Catalogue
from kindex.core.errors import ConfigError, OutsideError
from kindex.core.watch import Watch
from kindex.sources import Ingested, MissingColumnError, NotAsLockedError
from kindex.sources.parts.mapping import image_tables, item_table, link_table
from kindex.sources.parts.reading import read_rows, suffix_of
from kindex.sources.parts.rows import Role, Rows

Names = str | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which files, and what their columns mean. Give `links` or `images`."""

    links: Names = ()  # one file or several
    left: str = "left"
    right: str = "right"
    weight: str = ""  # a positive number; without it every row weighs 1
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
            content = _bytes(root, name, setting)
            files[name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return {"files": files}


def read(config: Config, snapshot: dict[str, Any], root: Path, watch: Watch) -> Ingested:
    """Raises `DataGateError` for a file that is not the locked one, is empty or lacks a column; `DamagedError` for damage."""
    reader = _Reader(config, root, snapshot.get("files", {}))
    counts = {}
    if config.images:
        described = (*listed(config.id), config.label, config.description)
        parts = reader.parts("images", {**_texts(*described), config.image: "bytes"})
        found = image_tables(parts, config.image, listed(config.id), config.label, config.description)
    else:
        weight: dict[str, Role] = {config.weight: "number"} if config.weight else {}
        parts = reader.parts("links", {**_texts(config.left, config.right), **weight})
        kinds = (config.left_kind, config.right_kind)
        links, counts["repeated_links"] = link_table(parts, (config.left, config.right), kinds, config.weight)
        wanted = _texts(*listed(config.id), config.label, config.description)
        described_rows = [reader.rows("items", name, "items", wanted) for name in listed(config.items)]
        about = (listed(config.id), config.label, config.description)
        found = {"items": item_table(links, described_rows, config.items_kind or config.right_kind, *about), "links": links}
    refused = [entry for rows in reader.done for entry in rows.refused]
    columns = {rows.name: rows.columns for rows in reader.done}
    return Ingested(Catalogue("", found), quarantine.table(refused), counts, columns)


class _Reader:
    """Reads files that are still as locked, and remembers what it read."""

    def __init__(self, config: Config, root: Path, locked: dict[str, dict[str, Any]]) -> None:
        self.config, self.root, self.locked = config, root, locked
        self.done: list[Rows] = []

    def parts(self, setting: str, wanted: dict[str, Role]) -> list[tuple[Rows, bool]]:
        """The files of `setting`, then those held out."""
        names = [(setting, name, False) for name in listed(getattr(self.config, setting))]
        names += [("heldout", name, True) for name in listed(self.config.heldout)]
        return [(self.rows(where, name, setting, wanted), heldout) for where, name, heldout in names]

    def rows(self, setting: str, name: str, table: str, wanted: dict[str, Role]) -> Rows:
        content = _bytes(self.root, name, setting)
        locked = self.locked.get(name, {}).get("sha256")
        if hashlib.sha256(content).hexdigest() != locked:
            raise NotAsLockedError(f"{name} is not the file that is locked (its sha256 differs)")
        try:
            self.done.append(read_rows(table, name, content, wanted))
        except MissingColumnError as error:
            error.args = (f"{error}. Edit source.{self._setting_of(error.column)} in params.yaml",)
            raise
        return self.done[-1]

    def _setting_of(self, column: str) -> str:
        settings = ("left", "right", "weight", "id", "label", "description", "image")
        return next(name for name in settings if column in listed(getattr(self.config, name)))


def _texts(*columns: str) -> dict[str, Role]:
    return {column: "text" for column in columns if column}


def _bytes(root: Path, name: str, setting: str) -> bytes:
    try:
        return (root / name).read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise ConfigError(f"source.{setting} names {name}, which is not a file in the project. Edit params.yaml") from None
    except OSError as error:
        raise OutsideError(f"{name} cannot be read: {error.strerror}") from None

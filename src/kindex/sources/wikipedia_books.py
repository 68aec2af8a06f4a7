"""Books of Wikipedia and what their articles link to: from a MediaWiki XML dump, or from lines of JSON made of one.

    pages: in/enwiki-*-pages-articles-multistream*.xml-p*.bz2      parts of a dump; or .xml; or .ndjson, .jsonl
    attributes: in/books.parquet                                   author, genre … of books that have no page here

An article is a book when it has the infobox. Its wikilinks are links of the kind `link`; the values of its infobox are
columns of the item and, where `attribute_links` names their field, links of that kind. See docs/books.md.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindex.core import quarantine
from kindex.core.catalogue import ITEMS, Catalogue
from kindex.core.layout import Layout
from kindex.core.watch import Watch
from kindex.sources import Ingested, NotAsLockedError
from kindex.sources.parts.bookattributes import Described
from kindex.sources.parts.bookfiles import BookFiles, Named, describe_files, named_files
from kindex.sources.parts.booklinks import BookLinks, followed
from kindex.sources.parts.bookpages import BookPage, is_dump
from kindex.sources.parts.booktables import BOOK, LINK, attribute_links, item_table, link_table
from kindex.sources.parts.dumppart import PartJob

Names = str | tuple[str, ...]
BINDINGS = ("Hardcover", "Hardback", "Paperback", "E-book", "Ebook", "Audiobook", "Trade paperback", "Mass market paperback")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which files, and what is made of them. Paths may have wildcards: * ? [ ]."""

    pages: Names = ()  # a dump (.xml, .xml.bz2, its parts) or lines of JSON (.ndjson, .jsonl, also .gz or .bz2)
    attributes: str = ""  # a Parquet file with title and the columns of `fields`; an infobox has precedence
    infobox: Names = "book"  # Infobox book; several names for several
    fields: tuple[str, ...] = ("author", "genre", "country", "publisher")  # of the infobox, each a column of the items
    label: str = "genre"  # the field whose first value is a book's label
    attribute_links: tuple[str, ...] = ()  # fields whose values are links, too, of a kind named as the field
    min_attribute_books: int = 2  # such a value is kept when this many books have it
    lower_case: bool = True  # links that differ in case only are one
    drop: tuple[str, ...] = BINDINGS  # links that say nothing of a book; with * at the end, all that begin so
    drop_titles: tuple[str, ...] = ("Wikipedia:",)  # pages whose title begins so are no books
    categories: bool = True  # the categories of an article are links
    min_articles: int = 4  # a link is kept when this many books have it
    redirects: bool = True  # a link to a redirect is one to where it leads; only a dump knows them
    max_page_characters: int = 4_000_000  # a longer page, or line of JSON, is refused
    processes: int = 0  # that read the parts of a dump; 0: as many as cores, at most one for each part

    def __post_init__(self) -> None:
        if not self.pages and not self.attributes:
            raise ValueError("give pages, attributes or both: the files that hold them")
        if not self.pages and not self.attribute_links:
            raise ValueError("attributes alone give no links: name some of the fields in attribute_links")
        for name, least in (("min_articles", 1), ("min_attribute_books", 1), ("max_page_characters", 1000), ("processes", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: {least} or more")
        taken = sorted({*ITEMS.names, BOOK, LINK} & set(self.fields))
        if taken or len(set(self.fields)) < len(self.fields) or not all(self.fields):
            raise ValueError(f"fields are {', '.join(self.fields)}, allowed: each once, and none of {', '.join(ITEMS.names)}")
        for name, given in (("label", (self.label,) if self.label else ()), ("attribute_links", self.attribute_links)):
            if unknown := [field for field in given if field not in self.fields]:
                raise ValueError(f"{name} names {unknown[0]}, allowed: the fields, {', '.join(self.fields)}")


def tables(config: Config) -> tuple[str, ...]:
    return ("items", "links")


def snapshot(config: Config, root: Path) -> dict[str, Any]:
    """Size and sha256 of each file. Raises `ConfigError` naming the setting when there is none, or one of another format."""
    return {"files": describe_files(root, _named(config, root))}


def read(config: Config, snapshot: dict[str, Any], root: Path, watch: Watch) -> Ingested:
    """Raises `DataGateError` for a file that is not the locked one or is empty; `DamagedError` naming one that is damaged."""
    files = _files(config, root, snapshot.get("files", {}))
    files.read_dump(config.processes or len(os.sched_getaffinity(0)), watch)
    books = BookLinks(config.fields, config.drop_titles, config.categories)
    refused = []
    for page in watch.progress(files.pages(), "gather", None, "page"):
        if isinstance(page, BookPage):
            books.add(page)
        else:
            refused.append(page)
    found = books.gather(config.lower_case, config.drop, config.min_articles, followed(books.titles, files.redirects))
    described, refused_rows, columns = files.described(config.fields)
    values, counts = _completed(found.books, described, config.drop_titles)
    valued = [attribute_links(values, name, config.min_attribute_books) for name in config.attribute_links]
    tables = {
        "items": item_table(values, found.targets, valued, config.fields, config.label),
        "links": link_table(list(values), found.link_N2, found.targets, valued),
    }
    counts |= files.counts() | books.counts
    return Ingested(Catalogue("", tables), quarantine.table(refused + books.refused + refused_rows), counts, columns)


def _files(config: Config, root: Path, locked: dict[str, dict[str, Any]]) -> BookFiles:
    """Raises `NotAsLockedError` when the settings name other files than were locked."""
    named = _named(config, root)
    for name in sorted({name for _, name in named} ^ set(locked)):
        raise NotAsLockedError(f"{name} is {'locked and no longer named' if name in locked else 'not locked'}")
    names = [name for setting, name in named if setting == "pages"]
    settings = (tuple(sorted(set(listed(config.infobox)))), config.redirects, config.max_page_characters)
    parts = {name: PartJob(str(root / name), name, locked[name]["sha256"], *settings) for name in names if is_dump(name)}
    keep = Layout(root).var / "wikipedia_books"
    return BookFiles(root, keep, names, config.attributes, locked, parts, config.max_page_characters)


def _named(config: Config, root: Path) -> Named:
    return named_files(root, listed(config.pages), config.attributes)


def listed(names: Names) -> tuple[str, ...]:
    """A setting that takes one name or several, as several."""
    return (names,) if isinstance(names, str) and names else tuple(names)


def _completed(books: Described, described: Described, drop_titles: tuple[str, ...]) -> tuple[Described, dict[str, int]]:
    """Books with what the attribute table knows where their infobox is silent, then the books that only it knows."""
    kept = {title: values for title, values in described.items() if not title.startswith(drop_titles)}
    both = {title: {**kept.get(title, {}), **{k: v for k, v in values.items() if v}} for title, values in books.items()}
    counts = {"books_with_page": len(books), "books_without_page": sum(title not in books for title in kept)}
    return {**both, **{title: kept[title] for title in sorted(kept) if title not in books}}, counts

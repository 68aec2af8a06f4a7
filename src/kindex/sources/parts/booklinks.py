"""Books and what they link to, gathered page by page in little memory: a number for each title, four bytes for each link."""

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.sources.parts.bookpages import BookPage, refusal
from kindex.sources.parts.infobox import values
from kindex.sources.parts.wikititles import CATEGORY, page_title

HOPS = 3
"""Redirects that are followed one after another; the wiki's robots leave no longer chains."""

COUNTED = ("links_elsewhere", "links_repeated", "links_to_self", "links_redirected", "links_dropped", "links_rare")


@dataclass
class _Book:
    timestamp: str
    values: dict[str, list[str]]
    codes: "array[int]"
    origin: str


@dataclass
class Gathered:
    """`books` by title: the values of its fields. `links` are (book's row, link's row) and `targets` the links' ids."""

    books: dict[str, dict[str, list[str]]]
    link_N2: np.ndarray
    targets: list[str]


@dataclass
class BookLinks:
    """`fields` are the infobox fields wanted. Titles that begin with one of `drop_titles` are left out, and counted."""

    fields: tuple[str, ...]
    drop_titles: tuple[str, ...]
    categories: bool
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("titles_dropped", *COUNTED), 0))
    refused: list[dict[str, Any]] = field(default_factory=list)
    titles: dict[str, int] = field(default_factory=dict)
    books: dict[str, _Book] = field(default_factory=dict)

    def add(self, page: BookPage) -> None:
        """Of pages with one title the latest stays, by its timestamp and then the first; the others are refused."""
        if page.title.startswith(self.drop_titles):
            self.counts["titles_dropped"] += 1
            return
        former = self.books.get(page.title)
        if former is not None:
            later = page.timestamp > former.timestamp
            lost, origin = (former.timestamp, former.origin) if later else (page.timestamp, page.origin)
            self.refused.append(refusal("title is repeated, the latest page stays", f"{page.title} {lost}".strip(), origin))
            if not later:
                return
        fields = {name: values(name, page.infobox[name]) for name in self.fields if page.infobox.get(name)}
        self.books[page.title] = _Book(page.timestamp, fields, self._codes(page.links), page.origin)

    def _codes(self, links: list[str]) -> "array[int]":
        """A number for each title that is linked to, in order, repeats left in."""
        codes = array("i")
        for link in links:
            title = page_title(link)
            known = title and (self.categories or not title.startswith(CATEGORY))
            codes.append(self.titles.setdefault(title, len(self.titles)) if known else -1)
        return codes

    def gather(self, lower_case: bool, drop: Collection[str], min_articles: int, moved: dict[str, str]) -> Gathered:
        """The links that stay, each once. `moved` says where a redirect leads, by title."""
        names = sorted(self.books)
        final = [moved.get(title, title) for title in self.titles]
        changed_T = np.array([title in moved for title in self.titles], bool)
        keys = [title.lower() if lower_case else title for title in final]
        dropped_T = _dropped(keys, drop)
        targets = sorted(set(keys))
        row = {key: at for at, key in enumerate(targets)}
        target_T = np.array([row[key] for key in keys], np.int64)
        books = [self.books[name] for name in names]
        book_N = np.repeat(np.arange(len(books)), [len(book.codes) for book in books])
        code_N = np.concatenate(
            [np.frombuffer(book.codes, np.int32) for book in books if book.codes] or [np.empty(0, np.int32)]
        )
        book_N, code_N = self._only(code_N >= 0, "links_elsewhere", book_N, code_N)
        self.counts["links_redirected"] = int(changed_T[code_N].sum())
        book_N, code_N = self._only(~dropped_T[code_N], "links_dropped", book_N, code_N)
        link_N = target_T[code_N]
        own = [moved.get(page_title(name), page_title(name)) for name in names]
        own_B = np.array([row.get(title.lower() if lower_case else title, -1) for title in own], np.int64)
        book_N, link_N = self._only(link_N != own_B[book_N], "links_to_self", book_N, link_N)
        once = np.unique(book_N * max(1, len(targets)) + link_N)
        self.counts["links_repeated"] = len(link_N) - len(once)
        book_N, link_N = np.divmod(once, max(1, len(targets)))
        often_T = np.bincount(link_N, minlength=len(targets)) >= min_articles
        book_N, link_N = self._only(often_T[link_N], "links_rare", book_N, link_N)
        kept_T = np.flatnonzero(often_T)
        pairs_N2 = np.stack([book_N, np.searchsorted(kept_T, link_N)], 1)
        return Gathered({name: self.books[name].values for name in names}, pairs_N2, [targets[at] for at in kept_T])

    def _only(self, keep_N: np.ndarray, counted: str, *columns: np.ndarray) -> tuple[np.ndarray, ...]:
        self.counts[counted] = int((~keep_N).sum())
        return tuple(column[keep_N] for column in columns)


def _dropped(keys: list[str], drop: Collection[str]) -> np.ndarray:
    """Which links (N bool) are named in `drop`; a name that ends in * names every link that begins so."""
    whole = {name.lower() for name in drop if not name.endswith("*")}
    begin = tuple(name[:-1].lower() for name in drop if name.endswith("*"))
    lower = [key.lower() for key in keys]
    return np.array([key in whole or (bool(begin) and key.startswith(begin)) for key in lower], bool)


def followed(titles: Iterable[str], redirects: Callable[[], Iterator[pa.RecordBatch]]) -> dict[str, str]:
    """Where those of `titles` lead that are redirects. `redirects` gives batches of (title, target), anew at each call.

    One pass over the redirects for each hop, so that memory holds those that are asked for and not the wiki's millions.
    """
    wanted = sorted(titles)
    steps: dict[str, str] = {}
    for _ in range(HOPS):
        asked = pa.array(wanted, pa.string())
        found: dict[str, str] = {}
        for batch in redirects():
            some = batch.filter(pc.is_in(batch["title"], value_set=asked))
            found |= dict(zip(some["title"].to_pylist(), map(page_title, some["target"].to_pylist()), strict=True))
        steps |= {title: target for title, target in found.items() if target}
        wanted = sorted({target for target in found.values() if target and target not in steps})
        if not wanted:
            break
    return {title: _end(title, steps) for title in titles if title in steps}


def _end(title: str, steps: dict[str, str]) -> str:
    for _ in range(HOPS):  # redirects may go round in a circle
        title = steps.get(title, title)
    return title

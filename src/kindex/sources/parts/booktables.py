"""Items and links of a catalogue of books: from what was gathered to Arrow tables."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import ITEMS, LINKS
from kindex.core.quarantine import writable
from kindex.sources.parts.infobox import identity
from kindex.sources.parts.wikititles import CATEGORY

BOOK, LINK = "book", "link"
JOINED = "; "
DESCRIBED = 3
"""Values of a field that a description names."""

Values = Mapping[str, list[str]]


@dataclass
class Spellings:
    """The one way that a value is shown, for all its spellings: the most frequent in upper and lower case, else of all."""

    counts: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, values: Values) -> None:
        for name, found in values.items():
            for value in found:
                self.counts[name, identity(value)][value] += 1

    def shown(self, name: str, value: str) -> str:
        return self.of(name, identity(value))

    def of(self, name: str, key: str) -> str:
        spellings = self.counts[name, key]
        return min(spellings, key=lambda value: (value in (value.lower(), value.upper()), -spellings[value], value))


@dataclass(frozen=True)
class Attributes:
    """Attribute values that become items and links: `link_N2` (book's row, value's row) of one field."""

    name: str
    keys: list[str]
    books_V: np.ndarray
    link_N2: np.ndarray


def attribute_links(books: Mapping[str, Values], name: str, min_books: int) -> Attributes:
    """The values of the field `name` that at least `min_books` books have."""
    pairs = [(row, identity(value)) for row, values in enumerate(books.values()) for value in values.get(name, [])]
    often = Counter(key for _, key in pairs)
    keys = sorted(key for key, count in often.items() if count >= min_books)
    at = {key: row for row, key in enumerate(keys)}
    links = [(row, at[key]) for row, key in pairs if key in at]
    return Attributes(name, keys, np.array([often[key] for key in keys]), np.array(links, np.int64).reshape(-1, 2))


def item_table(
    books: Mapping[str, Values], targets: list[str], attributes: list[Attributes], fields: tuple[str, ...], label: str
) -> pa.Table:
    """Books with their attributes and a description; then the links, then the values that are items."""
    spellings = Spellings()
    for values in books.values():
        spellings.add(values)
    rows = [_book(title, values, spellings, fields, label) for title, values in books.items()]
    by_key = {row["id"].lower(): row for row in rows}
    rows += [_link(key, by_key.get(key.lower())) for key in targets]
    for attribute in attributes:
        for key, count in zip(attribute.keys, attribute.books_V.tolist(), strict=True):
            about = f"{spellings.of(attribute.name, key)} · {count} books"
            rows.append({"id": key, "kind": attribute.name, "description": about})
    schema = pa.schema([*ITEMS, *(pa.field(name, pa.string()) for name in fields)])
    return pa.Table.from_pylist(rows, schema=schema)


def link_table(titles: list[str], link_N2: np.ndarray, targets: list[str], attributes: list[Attributes]) -> pa.Table:
    """Every link once, with the weight 1; `right_kind` is `link`, or the field that the value is of."""
    title_B = np.array(titles, object)
    left, right, kinds = [], [], []
    for kind, keys, pairs_N2 in [(LINK, targets, link_N2), *((each.name, each.keys, each.link_N2) for each in attributes)]:
        left.append(title_B[pairs_N2[:, 0]])
        right.append(np.array(keys, object)[pairs_N2[:, 1]] if keys else np.empty(0, object))
        kinds += [kind] * len(pairs_N2)
    columns = [np.concatenate(left), [BOOK] * len(kinds), np.concatenate(right), kinds, np.ones(len(kinds), np.float32)]
    arrays = [pa.array(column, type=column_field.type) for column, column_field in zip(columns, LINKS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=LINKS)


def _book(title: str, values: Values, spellings: Spellings, fields: tuple[str, ...], label: str) -> dict[str, Any]:
    shown = {name: [spellings.shown(name, value) for value in values.get(name, [])] for name in fields}
    about = [", ".join(shown[name][:DESCRIBED]) for name in fields[:DESCRIBED] if shown[name]]
    row: dict[str, Any] = {name: writable(JOINED.join(found)) or None for name, found in shown.items()}
    first = shown[label][0] if label and shown[label] else None
    return row | {"id": title, "kind": BOOK, "label": first, "description": writable(" · ".join(about)) or None}


def _link(key: str, book: Mapping[str, Any] | None) -> dict[str, Any]:
    """A link that names a book of the catalogue is described as that book is."""
    label = BOOK if book else "category" if key.lower().startswith(CATEGORY.lower()) else "article"
    return {"id": key, "kind": LINK, "label": label, "description": book["description"] if book else None}

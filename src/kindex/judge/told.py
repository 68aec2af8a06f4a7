"""What the catalogue tells of the items of a space: its label, further columns such as genre or country, a description."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.space import Space
from kindex.core.split import Split
from kindex.judge.tasks import all_items, as_column, rows_in

PLAIN = ("id", "kind", "label", "description")
"""Columns that every catalogue has; the source may add more, see `kindex.core.catalogue.ITEMS`."""

MOST = 8
"""Further columns that are judged, the first of the table."""


@dataclass(frozen=True)
class Column:
    """One column for the items of a space: its distinct `names`, ascending, and the number of each item's (N, -1: none)."""

    title: str
    names: list[str]
    code_N: np.ndarray

    def of(self, row: int) -> str | None:
        code = int(self.code_N[row])
        return None if code < 0 else self.names[code]

    @property
    def slug(self) -> str:
        """The title as it stands in the names of numbers."""
        return re.sub(r"[^a-z0-9]+", "_", self.title.lower()).strip("_")

    @property
    def share(self) -> float:
        """Share of the items that have a value."""
        return float((self.code_N >= 0).mean()) if len(self.code_N) else 0.0


@dataclass(frozen=True)
class Told:
    """The label first among `columns`, then those that the source added; descriptions wait until they are asked for."""

    columns: list[Column]
    descriptions: pa.ChunkedArray

    @property
    def label(self) -> Column:
        return self.columns[0]

    def described(self, rows: Sequence[int] | np.ndarray) -> list[str | None]:
        """The descriptions of these items."""
        found: list[str | None] = self.descriptions.take(pa.array(rows, pa.int64())).to_pylist()
        return found


def told(split: Split, space: Space) -> Told:
    """All that is told of the items of `space`. An empty text is none; a column whose name has no letter, or that says under
    another's name the same thing, is left out."""
    items = all_items(split)
    items = items.filter(pc.equal(items["kind"], space.kind))
    row_N = rows_in(as_column(space.ids), items["id"].combine_chunks())
    rows = pa.array(row_N, mask=row_N < 0)
    further = [name for name in items.column_names if name not in PLAIN]
    columns = [_column(name, items[name].take(rows)) for name in ("label", *further)]
    kept: dict[str, Column] = {}
    for column in columns:
        if column.slug and not any(_same(column, other) for other in kept.values()):
            kept.setdefault(column.slug, column)
    return Told(list(kept.values())[: 1 + MOST], items["description"].take(rows))


def _column(title: str, texts: pa.ChunkedArray) -> Column:
    coded = texts.dictionary_encode().unify_dictionaries().combine_chunks()
    names = coded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    kept = [place for place in order if names[place]]
    number = np.full(len(names) + 1, -1, np.int64)
    number[kept] = np.arange(len(kept))
    code_N = number[pc.fill_null(coded.indices, len(names)).to_numpy()]
    return Column(title, [names[place] for place in kept], code_N)


def _same(column: Column, other: Column) -> bool:
    return bool(column.names) and column.names == other.names and np.array_equal(column.code_N, other.code_N)

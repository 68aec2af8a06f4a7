"""Links of new items, read from a file: each once, as numbers, in order of the items' ids."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.codes import Codes, coded_batches
from kindex.core.errors import ConfigError, DataGateError
from kindex.sources.parts.reading import read_rows
from kindex.sources.parts.rows import Role, absent, plain

NAMED = 5
"""Bad rows that are named; the others are counted."""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Columns of a file of links: the new item, the item it is linked to, and that one's kind ("": not said)."""

    id: str = "id"
    link: str = "link"
    link_kind: str = ""


@dataclass(frozen=True)
class LinkRows:
    """P distinct links of the N items `ids`, which ascend. `text_P` is a position in `texts` (kind or None, id of the other
    end). An item may have none. `bad` rows could not be used, of which the first are named.
    """

    ids: list[str]
    texts: list[tuple[str | None, str]]
    id_P: np.ndarray  # int64, ascending
    text_P: np.ndarray  # int64
    bad: int
    bad_rows: list[str]


def read_link_rows(path: Path, columns: Columns, scratch: Path) -> LinkRows:
    """The links in a Parquet, CSV, TSV or JSON lines file. A row without a link says only that there is such an item.

    Raises `ConfigError` when there is no such file, `DataGateError` when a column is missing or no row can be used, and
    `DamagedError`; each names the file.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is no file: give a file of links, e.g. links.csv with the columns id and link")
    bad: list[str] = []
    ids, links, kinds = Codes(), Codes(), Codes()
    batches = _batches(path, columns, scratch, bad)
    coded = [np.stack(codes) for _, codes in coded_batches(batches, [("id", ids), ("link", links), ("kind", kinds)])]
    if not sum(codes.shape[1] for codes in coded):
        raise DataGateError(f"{path} has no row that can be used: {'; '.join(bad[:NAMED])}")
    rank_V = ids.sort()
    id_P, link_P, kind_P = np.concatenate(coded, 1)
    del coded
    place_N, id_P = np.unique(rank_V[id_P], return_inverse=True)  # rows that were left out may have had ids of their own
    linked_P = link_P >= 0
    many = len(kinds) + 1
    pair_T, text_P = np.unique(link_P[linked_P].astype(np.int64) * many + kind_P[linked_P] + 1, return_inverse=True)
    link_names, kind_names = links.texts.to_pylist(), [None, *kinds.texts.to_pylist()]
    texts = [(kind_names[pair % many], link_names[pair // many]) for pair in pair_T.tolist()]
    once_P = np.unique(id_P[linked_P] * max(len(texts), 1) + text_P)
    return LinkRows(
        ids.texts.take(pa.array(place_N)).to_pylist(), texts, *np.divmod(once_P, max(len(texts), 1)), len(bad), bad[:NAMED]
    )


def _batches(path: Path, columns: Columns, scratch: Path, bad: list[str]) -> Iterator[pa.RecordBatch]:
    """id, link and kind of each row that can be used; the others are named in `bad`."""
    wanted: dict[str, Role] = {name: "text" for name in (columns.id, columns.link, columns.link_kind) if name}
    with path.open("rb") as handle:
        for rows in read_rows("links", str(path), handle, wanted, scratch):
            rows.refuse(absent(rows.values[columns.id]), f"{columns.id} is missing", columns.id)
            bad += [f"{entry['origin']}: {entry['rule']}" for entry in rows.refused]
            link = _or_null(rows.values[columns.link])
            kind = _or_null(rows.values[columns.link_kind]) if columns.link_kind else pa.nulls(len(link), pa.string())
            yield pa.record_batch({"id": rows.values[columns.id], "link": link, "kind": kind})


def _or_null(texts: pa.Array) -> pa.Array:
    """Plain texts, null for those that are empty."""
    return pc.if_else(absent(texts), pa.scalar(None, pa.string()), plain(texts))

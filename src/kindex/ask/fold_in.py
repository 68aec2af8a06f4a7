"""Vectors of many new items from a file of their links, as Parquet: each with its origin, ids ascending.

Links may stand in any order. What stays in memory is the distinct ids and a few numbers for each link; vectors are made and
written some items at a time. Equal links give equal bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kindex.ask.export_source import unwatched
from kindex.ask.export_target import check_target, writing
from kindex.ask.link_rows import NAMED, Columns, LinkRows, read_link_rows
from kindex.ask.live import FALLBACK, FOLDED, TRAINED, open_live
from kindex.ask.unseen import Standing, Unseen
from kindex.core.errors import ConfigError
from kindex.core.files import require_space
from kindex.core.layout import find

GROUP = 1 << 13
"""Items whose vectors are made and written at a time."""


@dataclass(frozen=True)
class Folded:
    """What was written: items by origin; links given and known; bad rows, the first of them named; unknown links, the same."""

    to: Path
    model: str
    version: str
    standing: Standing
    items: dict[str, int]
    links: tuple[int, int]
    unknown: list[str]
    bad: int
    bad_rows: list[str]


def fold_in(
    model: str,
    links: Path | str,
    to: Path | str,
    columns: Columns = Columns(),  # noqa: B008  frozen
    *,
    kind: str | None = None,
    side: str | None = None,
    release: str | None = None,
    root: Path | str | None = None,
    force: bool = False,
    progress: Callable[[int, int], object] = unwatched,
) -> Folded:
    """Write id, kind, origin, links_known, links_given and vector of each item in `links` to the Parquet file `to`.

    An item that the release has keeps its trained vector. Rows that cannot be read are counted and named, the rest is used.
    Raises `ConfigError` for what was asked wrongly, `DataGateError` when no row can be used, `DamagedError` naming a file.
    """
    links, to, layout = Path(links), Path(to), find(root)
    if to.suffix != ".parquet":
        raise ConfigError(f"--to is {to}, allowed: a file that ends in .parquet")
    check_target(layout, to, (), force)
    unseen = Unseen(open_live(model, root=root, release=release))
    asked = read_link_rows(links, columns, layout.var / "scratch")
    matched = {each: [table.find(text, of) for of, text in asked.texts] for each, table in unseen.linkable.items()}
    uses_T = np.bincount(asked.text_P, minlength=len(asked.texts))
    known = {each: int(uses_T[[bool(rows) for rows in found]].sum()) for each, found in matched.items()}
    standing = unseen.stand(known, kind, side)
    made = _Making(unseen, standing, asked, matched[standing.side])
    width = made.own_VD.shape[1]
    require_space(to.parent, len(asked.ids) * (64 + 4 * width), f"folding in to {to}")
    with writing(layout, to, False) as path:
        items = made.write(path, progress)
    unknown = [text if of is None else f"{of}:{text}" for (of, text), rows in zip(asked.texts, made.found) if not rows]
    totals = (int(made.given_N.sum()), int(made.known_N.sum()))
    manifest = unseen.live.manifest
    return Folded(to, model, manifest.version, standing, items, totals, unknown[:NAMED], asked.bad, asked.bad_rows)


class _Making:
    """The items and their links as rows of the release's vocabulary."""

    def __init__(self, unseen: Unseen, standing: Standing, asked: LinkRows, found: list[list[int]]) -> None:
        self.unseen, self.standing, self.asked, self.found = unseen, standing, asked, found
        encoder, count = unseen.encoder, len(asked.ids)
        left = standing.side == "left"
        self.own, self.own_VD = (encoder.left, encoder.left_LD) if left else (encoder.right, encoder.right_RD)
        found_T = np.array([len(rows) for rows in found], np.int64)
        rows_P = found_T[asked.text_P]
        self.given_N = np.bincount(asked.id_P, minlength=count)
        self.known_N = np.bincount(asked.id_P[rows_P > 0], minlength=count)
        row_F = np.array([row for rows in found for row in rows], np.int64)
        begin_P = (np.cumsum(found_T) - found_T)[asked.text_P]
        place_Q = np.arange(rows_P.sum()) - np.repeat(np.cumsum(rows_P) - rows_P - begin_P, rows_P)
        rows = max(len(unseen.linkable[standing.side].rows), 1)
        both_Q = np.unique(np.repeat(asked.id_P, rows_P) * rows + row_F[place_Q])  # two spellings may mean one item
        self.start_N1 = np.searchsorted(both_Q, np.arange(count + 1) * rows)
        self.column_Q = both_Q % rows

    def write(self, path: Path, progress: Callable[[int, int], object]) -> dict[str, int]:
        """Write the file; the number of items by origin."""
        width = self.own_VD.shape[1]
        numbers = [("links_known", pa.int32()), ("links_given", pa.int32())]
        texts = [("id", pa.string()), ("kind", pa.string()), ("origin", pa.string())]
        manifest = self.unseen.live.manifest
        about = {"model": manifest.model, "release": manifest.version, "kind": self.standing.kind, "side": self.standing.side}
        metadata = {f"kindex.{name}": value for name, value in about.items()}
        schema = pa.schema([*texts, *numbers, ("vector", pa.list_(pa.float32(), width))], metadata)
        total, items = len(self.asked.ids), dict.fromkeys((TRAINED, FOLDED, FALLBACK), 0)
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, use_dictionary=["kind", "origin"]) as out:
            for first in range(0, total, GROUP):
                part = slice(first, min(first + GROUP, total))
                origins, vectors_BD = self._group(part)
                for origin in origins:
                    items[origin] += 1
                ids, flat = self.asked.ids[part], pa.array(vectors_BD.reshape(-1))
                counts = (pa.array(numbers_N[part].astype(np.int32)) for numbers_N in (self.known_N, self.given_N))
                columns = [pa.array(ids, pa.string()), pa.array([self.standing.kind] * len(ids)), pa.array(origins), *counts]
                columns.append(pa.FixedSizeListArray.from_arrays(flat, width))
                out.write_table(pa.Table.from_arrays(columns, schema=schema), row_group_size=len(ids))
                progress(part.stop, total)
        return items

    def _group(self, part: slice) -> tuple[list[str], np.ndarray]:
        """Origins and vectors (B, D) of some items."""
        start_B1 = self.start_N1[part.start : part.stop + 1]
        column_Q = self.column_Q[start_B1[0] : start_B1[-1]]
        vectors_BD = self.unseen.encoder.folded(start_B1 - start_B1[0], column_Q, self.standing.side, self.standing.kind)
        origins = [FOLDED if count else FALLBACK for count in np.diff(start_B1).tolist()]
        for at, name in enumerate(self.asked.ids[part]):
            row = self.own.rows.get((self.standing.kind, name))
            if row is not None:
                origins[at], vectors_BD[at] = TRAINED, self.own_VD[row]
        return origins, vectors_BD

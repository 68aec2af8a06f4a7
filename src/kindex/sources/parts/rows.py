"""Columns of some rows of one file, and the rows that were refused on the way."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core import quarantine

Names = str | tuple[str, ...]
"""A setting that takes one name or several."""

Role = Literal["text", "number", "bytes", "date"]
ARROW: dict[Role, pa.DataType] = {"text": pa.string(), "number": pa.float64(), "bytes": pa.binary(), "date": pa.int64()}


@dataclass
class Rows:
    """The wanted columns of rows of one file, equally long. `lines_N` counts from 1: lines of text, or rows of Parquet.

    A file of many rows comes as several of these. Texts are dictionaries (int32 indices) or plain.
    """

    table: str  # the kind of table that they are meant for
    name: str
    columns: dict[str, str]  # every column of the file, with its type; of all rows that were read so far
    values: dict[str, pa.Array]
    lines_N: np.ndarray
    refused: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, bad: pa.Array, rule: str, column: str) -> None:
        """Take the rows where `bad` (N bool, null counts as true) out, into `refused`."""
        bad_N = pc.fill_null(bad, True).to_numpy(zero_copy_only=False)
        if not bad_N.any():
            return
        for row in np.flatnonzero(bad_N):
            record = self.record(int(row))
            origin = f"{self.name}:{self.lines_N[row]}"
            self.refused.append(quarantine.entry(self.table, -1, rule, record[column], origin, record))
        keep = pa.array(~bad_N)
        self.values = {name: values.filter(keep) for name, values in self.values.items()}
        self.lines_N = self.lines_N[~bad_N]

    def record(self, row: int) -> dict[str, Any]:
        """One row as plain values."""
        return {name: values[row].as_py() for name, values in self.values.items()}


def joined(parts: list[Rows]) -> Rows:
    """The parts of one file as one, texts plain."""
    last = parts[-1]
    values = {name: pa.concat_arrays([plain(part.values[name]) for part in parts]) for name in last.values}
    lines_N = np.concatenate([part.lines_N for part in parts])
    refused = [entry for part in parts for entry in part.refused]
    return Rows(last.table, last.name, last.columns, values, lines_N, refused)


def plain(values: pa.Array) -> pa.Array:
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def absent(values: pa.Array) -> pa.Array:
    """True where a text or bytes value is null or empty."""
    if pa.types.is_dictionary(values.type):
        empty = pc.fill_null(pc.equal(pc.binary_length(values.dictionary), 0), True)
        return pc.fill_null(empty.take(values.indices), True)
    return pc.fill_null(pc.equal(pc.binary_length(values), 0), True)


def listed(names: Names) -> tuple[str, ...]:
    """One name or several, as several; "" is none."""
    return (names,) if isinstance(names, str) and names else tuple(names)

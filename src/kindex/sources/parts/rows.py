"""Columns of one file of rows, and the rows that were refused on the way."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core import quarantine

Role = Literal["text", "number", "bytes"]
ARROW: dict[Role, pa.DataType] = {"text": pa.string(), "number": pa.float64(), "bytes": pa.binary()}


@dataclass
class Rows:
    """The wanted columns of one file, equally long. `lines_N` counts from 1: lines of text, or rows of Parquet."""

    table: str  # the kind of table that they are meant for
    name: str
    columns: dict[str, str]  # every column of the file, with its type
    values: dict[str, pa.Array]
    lines_N: np.ndarray
    refused: list[dict[str, Any]] = field(default_factory=list)

    def refuse(self, bad: pa.Array, rule: str, column: str) -> None:
        """Take the rows where `bad` (N bool, null counts as true) out, into `refused`."""
        bad_N = pc.fill_null(bad, True).to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(bad_N):
            record = {name: values[int(row)].as_py() for name, values in self.values.items()}
            origin = f"{self.name}:{self.lines_N[row]}"
            self.refused.append(quarantine.entry(self.table, -1, rule, record[column], origin, record))
        keep = pa.array(~bad_N)
        self.values = {name: values.filter(keep) for name, values in self.values.items()}
        self.lines_N = self.lines_N[~bad_N]

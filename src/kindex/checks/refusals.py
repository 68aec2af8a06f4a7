"""Quarantine entries of the rows that broke a rule."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.checks.run import Failure
from kindex.checks.text import UNWRITABLE
from kindex.core import quarantine


def entries_of(
    name: str, table: pa.Table, failure: Failure, values: Sequence[Any], origin: str, positions_N: np.ndarray | None = None
) -> Iterator[dict[str, Any]]:
    """`values` are the frame's; the table's own value is shown where it has one, for the frame's may be a stand-in.

    `positions_N` says where the table's rows are in the catalogue, when it is a part of one.
    """
    records = table.take(pa.array(failure.rows, pa.int64())).to_pylist()
    for row, value, record in zip(failure.rows, values, records, strict=True):
        shown = record.get(failure.shows, value)
        if failure.shows == UNWRITABLE:
            shown = {column: record[column] for column in value.split(", ")}
        position = row if positions_N is None else int(positions_N[row])
        yield quarantine.entry(name, position, failure.rule, shown, origin, record)

"""Numbers of many rows that are put aside on disk while a stage runs, so that memory does not grow with the rows.

A `Scratch` is read as an array is, by slices without a step or by row numbers, and written by such slices.

The files have no name: the system frees them when they are closed or their process dies, however it dies. They are read and
written, not mapped, so they are not in the process's memory.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from kindex.core.tables import ROWS


class Scratch:
    """One column of rows in a nameless file below `folder`, which is made when it is not there."""

    def __init__(self, folder: Path, dtype: npt.DTypeLike) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.dtype = folder, np.dtype(dtype)
        self.rows = 0
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed by `close`

    def __len__(self) -> int:
        return self.rows

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self.rows)
            return self.read(start, stop)
        order_K = np.argsort(rows, kind="stable")
        row_K, found_K = rows[order_K], np.empty(len(rows), self.dtype)
        for start in range(0, self.rows, ROWS):
            first, end = np.searchsorted(row_K, (start, start + ROWS))
            if end > first:
                found_K[order_K[first:end]] = self.read(start, start + ROWS)[row_K[first:end] - start]
        return found_K

    def __setitem__(self, rows: slice, values_N: np.ndarray) -> None:
        self.write(rows.start, values_N)

    def append(self, values_N: np.ndarray) -> None:
        self.write(self.rows, values_N)

    def write(self, start: int, values_N: np.ndarray) -> None:
        """Put `values_N` at the row `start`; rows before it that were never written read as zeros."""
        left = np.ascontiguousarray(values_N, self.dtype).view(np.uint8).data
        at = start * self.dtype.itemsize
        while left:
            written = os.pwrite(self._file.fileno(), left, at)
            left, at = left[written:], at + written
        self.rows = max(self.rows, start + len(values_N))

    def read(self, start: int, stop: int) -> np.ndarray:
        """The rows from `start` up to `stop`, fewer where the column ends."""
        values_N = np.empty(max(min(stop, self.rows) - start, 0), self.dtype)
        left, at = values_N.view(np.uint8).data, start * self.dtype.itemsize
        while left:
            count = os.preadv(self._file.fileno(), [left], at)
            if not count:
                raise OSError(f"a scratch file ends at {at} bytes")
            left, at = left[count:], at + count
        return values_N

    def pieces(self) -> Iterator[np.ndarray]:
        """All rows, `ROWS` at a time."""
        for part in pieces(self.rows):
            yield self[part]

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Column = np.ndarray | Scratch


def pieces(rows: int) -> Iterator[slice]:
    """`ROWS` of so many rows at a time: temporaries as long as a column would be most of the memory."""
    for start in range(0, rows, ROWS):
        yield slice(start, min(start + ROWS, rows))


def by_part(part_N: np.ndarray, parts: int) -> Iterator[tuple[int, np.ndarray]]:
    """Each of the parts 0 to `parts` - 1 that has rows, with their numbers, ascending. A narrow type of `part_N` is faster."""
    order_N = np.argsort(part_N, kind="stable")
    end_Q = np.cumsum(np.bincount(part_N, minlength=parts))
    for part in np.flatnonzero(np.diff(end_Q, prepend=0)).tolist():
        yield part, order_N[end_Q[part - 1] if part else 0 : end_Q[part]]


def occurrences(row_N: Column, rows: int) -> np.ndarray:
    """How often each of the numbers 0 to `rows` - 1 occurs (int64)."""
    found = np.zeros(rows, np.int64)
    for piece in pieces(len(row_N)):
        found += np.bincount(row_N[piece], minlength=rows)
    return found


def column(rows: int, dtype: npt.DTypeLike, folder: Path | None) -> Column:
    """So many rows, to be written: below `folder`, or in memory when there is none."""
    return np.empty(rows, dtype) if folder is None else Scratch(folder, dtype)

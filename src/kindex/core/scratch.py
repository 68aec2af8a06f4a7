"""Numbers of many rows that are put aside on disk while a stage runs, so that memory does not grow with the rows.

The files have no name: the system frees them when they are closed or their process dies, however it dies. They are read and
written, not mapped, so they are not in the process's memory.
"""

import os
import tempfile
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt


class Scratch:
    """One column of rows in a nameless file below `folder`, which is made when it is not there."""

    def __init__(self, folder: Path, dtype: npt.DTypeLike) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.dtype = np.dtype(dtype)
        self.rows = 0
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed by `close`

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

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""Links by their other end: compressed rows turned into compressed columns, in memory or on disk."""

from itertools import pairwise

import numpy as np

from kindex.core.scratch import Column, Scratch, by_part, occurrences, pieces
from kindex.encoders.parts.links import rows_of

PART = 1 << 22
"""Links that are turned at a time, on disk."""

Turned = tuple[np.ndarray, Column, Column | None]


def turned(start_N1: np.ndarray, column_P: Column, columns: int, value_P: Column | None = None) -> Turned:
    """The starts (M + 1 int64), the rows (P int32, ascending for each column) and the values of P links, row n having
    `column_P[start_N1[n]:start_N1[n + 1]]`. They lie on disk if the columns do."""
    if isinstance(column_P, Scratch):
        return _on_disk(start_N1, column_P, columns, value_P)
    from scipy.sparse import csr_matrix

    counted_P = np.ones(len(column_P), np.int8) if value_P is None else value_P[:]
    index = np.int32 if len(column_P) < 2**31 else np.int64
    made = csr_matrix((counted_P, column_P, start_N1.astype(index)), (len(start_N1) - 1, columns)).tocsc()
    return made.indptr.astype(np.int64), made.indices, None if value_P is None else made.data


def _on_disk(start_N1: np.ndarray, column_P: Scratch, columns: int, value_P: Column | None) -> Turned:
    """Links are dealt out by their columns to parts that fit in memory, and each part is sorted (Knuth, TAOCP 3, 5.4.9)."""
    start_M1 = np.concatenate([[0], np.cumsum(occurrences(column_P, columns))])
    part_M = (start_M1[:-1] // PART).astype(np.uint16)
    begins = start_M1[np.searchsorted(part_M, np.arange(int(part_M[-1]) + 2))]
    with Scratch(column_P.folder, [("column", np.int32), ("row", np.int32), ("value", np.float32)]) as dealt:
        _deal(start_N1, column_P, value_P, part_M, begins[:-1].copy(), dealt)
        row_P = Scratch(column_P.folder, np.int32)
        made_P = None if value_P is None else Scratch(column_P.folder, np.float32)
        for begin, end in pairwise(begins):
            part = dealt[begin:end]
            part = part[np.argsort(part["column"], kind="stable")]
            row_P.append(part["row"])
            if made_P is not None:
                made_P.append(part["value"])
    return start_M1, row_P, made_P


def _deal(
    start_N1: np.ndarray, column_P: Scratch, value_P: Column | None, part_M: np.ndarray, next_Q: np.ndarray, dealt: Scratch
) -> None:
    """Write each link to its part, in the order of the links; part q begins at `next_Q[q]`."""
    for piece in pieces(len(column_P)):
        column_B = column_P[piece]
        link_B = np.empty(len(column_B), dealt.dtype)
        link_B["column"] = column_B
        link_B["row"] = rows_of(start_N1, piece)
        link_B["value"] = 1 if value_P is None else value_P[piece]
        for part, row_K in by_part(part_M[column_B], len(next_Q)):
            dealt.write(int(next_Q[part]), link_B[row_K])
            next_Q[part] += len(row_K)

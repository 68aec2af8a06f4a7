"""What changed since a release is folded in from its present links; what did not keeps its vector, to the last bit.

An item that the release has keeps, beside what its links say, the part of its vector that they did not explain: with f the
fold of `kindex.encoders.pairs.folding`, x its vector then, and s the links then and now that are the same, as a share of both
together (Jaccard), it becomes f(links now) + s · (x - f(links then)). A new item has s = 0, and an unchanged one is x again.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa

from kindex.core.catalogue import Catalogue
from kindex.core.division import text_hashes
from kindex.core.errors import DamagedError
from kindex.core.scratch import column, pieces
from kindex.core.tables import Stream
from kindex.encoders.pairs.encoder import Encoder
from kindex.encoders.pairs.moved import Ids, Moved, Side, among, known, same
from kindex.encoders.pairs.observed import Observed, observe
from kindex.encoders.parts.links import rows_of

SLIGHT = 0.02
"""Links that changed, as a share of those then and now, up to which an item stays: one in a hundred says nothing new."""

SAMPLE = 1024
"""Items of each side by which the agreement is measured."""


ENDS = pa.schema([("left", pa.int32()), ("right", pa.int32())])


class Evidence:
    """The train links, read once, for folding in what changed, and for what the next night needs. Many of them are put aside
    below `scratch`."""

    def __init__(self, train: Catalogue, scratch: Path | None = None) -> None:
        self.observed: Observed = observe(train, scratch)

    @cached_property
    def _sides(self) -> dict[str, Side]:
        left = Side(self.observed.start_L1, self.observed.right_P)
        return {"left": left, "right": left.turned(len(self.observed.right))}

    def remembered(self) -> Stream:
        """The links as rows of the encoder's vocabularies: `left`, `right` (int32), ascending."""

        def batches(columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
            for part in pieces(len(self.observed)):
                ends = [rows_of(self.observed.start_L1, part), self.observed.right_P[part]]
                yield pa.RecordBatch.from_arrays([pa.array(end) for end in ends], schema=ENDS).select(columns or ENDS.names)

        return Stream(ENDS, len(self.observed), batches)

    def fold(self, parent: Encoder, remembered: Stream, touched: Ids) -> tuple[Encoder, dict[str, int]]:
        """The parent's encoder with the items of today, and how many vectors were made, by kind.

        `remembered` are the parent's links, `touched` the ids by kind that are new or have other links than then. Right items
        are made first, by left items that the parent knew. Raises `DamagedError` when the links are not the encoder's.
        """
        before = self._before(parent, remembered)
        left, right = (
            Moved.of(self.observed.left, parent.left, touched),
            Moved.of(self.observed.right, parent.right, touched),
        )
        right_RD, made_R = self._made("right", parent, parent, before, right, left)
        between = Encoder(parent.left, self.observed.right, parent.left_LD, right_RD, parent.about)
        left_LD, made_L = self._made("left", parent, between, before, left, right, by_today=True)
        folded = Encoder(self.observed.left, self.observed.right, left_LD, right_RD, parent.about)
        if not self._last(folded, right, left):
            folded.share_foldings(between, "left")
        counts: dict[str, int] = {}
        for vocabulary, made in ((folded.left, made_L), (folded.right, made_R)):
            for kind, span in vocabulary.spans().items():
                counts[kind] = counts.get(kind, 0) + int(made[span].sum())
        return folded, counts

    def _before(self, parent: Encoder, remembered: Stream) -> dict[str, Side]:
        degree_L = np.zeros(len(parent.left), np.int64)
        right_P, first = column(remembered.num_rows, np.int32, self.observed.scratch), 0
        for batch in remembered.batches(ENDS.names):
            left_B, right_B = (batch[name].to_numpy() for name in ENDS.names)
            if left_B.max() >= len(parent.left) or right_B.max() >= len(parent.right):
                raise DamagedError("rows/ends.parquet has links of items that the encoder of its release does not know")
            degree_L += np.bincount(left_B, minlength=len(degree_L))
            right_P[first : first + len(right_B)] = right_B
            first += len(right_B)
        left = Side(np.concatenate([[0], np.cumsum(degree_L)]), right_P)
        return {"left": left, "right": left.turned(len(parent.right))}

    def _made(
        self,
        side: str,
        parent: Encoder,
        towards: Encoder,
        before: dict[str, Side],
        own: Moved,
        other: Moved,
        by_today: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The table of a side (N, D) and which rows of it were made (N bool). `towards` has the other end's vectors, by the
        rows of today where `by_today`, else by the parent's."""
        former_VD = parent.left_LD if side == "left" else parent.right_RD
        table_ND = former_VD[np.maximum(own.former_N, 0)]
        made_N = own.former_N < 0
        row_T = np.flatnonzero(own.touched_N | made_N)
        start_T1, now_P = self._sides[side].of(row_T)
        known_T = own.former_N[row_T] >= 0
        then_T1, then_Q = before[side].of(np.maximum(own.former_N[row_T], 0))
        same_T = same(start_T1, now_P, then_T1, other.today(then_Q), len(other.former_N)) * known_T
        kept_T = known_T & (1 - same_T <= SLIGHT)
        made_N[row_T] = ~kept_T
        for kind, span in own.spans.items():
            some_S = np.flatnonzero((row_T >= span.start) & (row_T < span.stop) & ~kept_T)
            if not len(some_S):
                continue
            part = Side(start_T1, now_P if by_today else other.former_N[now_P])
            folded_SD = towards.folded(*known(*part.of(some_S)), side, kind)
            old_S = np.flatnonzero(known_T[some_S] & (same_T[some_S] > 0))
            then_SD = parent.folded(*Side(then_T1, then_Q).of(some_S[old_S]), side, kind)
            rest_SD = former_VD[own.former_N[row_T[some_S[old_S]]]] - then_SD
            folded_SD[old_S] += same_T[some_S[old_S], None].astype(np.float32) * rest_SD
            table_ND[row_T[some_S]] = folded_SD
        return table_ND, made_N

    def _last(self, folded: Encoder, right: Moved, left: Moved) -> int:
        """Right items whose links are all of new left items could not be made first: they follow from those. How many."""
        count = 0
        start_R1, left_P = self._sides["right"].start_N1, self._sides["right"].column_P[:]
        known_P1 = np.concatenate([[0], np.cumsum(left.former_N[left_P] >= 0)])
        for kind, span in right.spans.items():
            row_S = np.arange(span.start, span.stop)
            row_S = row_S[(right.former_N[row_S] < 0) & (known_P1[start_R1[row_S + 1]] == known_P1[start_R1[row_S]])]
            if len(row_S):
                folded.right_RD[row_S] = folded.folded(*self._sides["right"].of(row_S), "right", kind)
                count += len(row_S)
        return count

    def agreement(self, encoder: Encoder, without: Ids) -> float | None:
        """Mean cosine of vectors and what their links fold in to now, over up to `SAMPLE` items of each side, but for those of
        `without`; the items are chosen by hashes of their ids. None when there is none.

        Items with more links than dimensions are left out: they cost the most and drift the least.
        """
        total, count = 0.0, 0
        for side, vocabulary, own_VD in (("left", encoder.left, encoder.left_LD), ("right", encoder.right, encoder.right_RD)):
            links = self._sides[side]
            free_V = np.diff(links.start_N1) <= own_VD.shape[1]
            for kind, span in vocabulary.spans().items():
                ids = pa.array(vocabulary.ids[kind], pa.string())
                free_K = free_V[span] & ~among(ids, without.get(kind, ()))
                hash_K = np.where(free_K, text_hashes(ids, "agreement") >> np.uint64(1), np.uint64(2**64 - 1))
                some_S = np.argsort(hash_K, kind="stable")[: min(SAMPLE, int(free_K.sum()))]
                row_S = np.sort(some_S) + span.start
                folded_SD = encoder.folded(*links.of(row_S), side, kind)
                product_S = np.einsum("nd,nd->n", folded_SD, own_VD[row_S], dtype=np.float64)
                lengths_S = np.linalg.norm(folded_SD, axis=1) * np.linalg.norm(own_VD[row_S], axis=1)
                total, count = total + float((product_S / np.maximum(lengths_S, 1e-30)).sum()), count + len(row_S)
        return round(total / count, 6) if count else None

"""Check links partition by partition: memory holds a few million rows as small numbers, however many there are."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from kindex.checks import links as rules
from kindex.checks.ends import Ends, Repeats, repeats_anywhere
from kindex.checks.refusals import entries_of
from kindex.checks.run import ABOUT, Outcome, check, check_volume, together
from kindex.checks.text import mended
from kindex.core.errors import KindexError
from kindex.core.quarantine import Entries
from kindex.core.tables import Stream, plain
from kindex.core.watch import Watch

if TYPE_CHECKING:
    import pandas as pd

PARTITION = 1 << 21
"""Rows that the screen looks at together: with fewer its own cost shows, with more the memory."""


@dataclass
class _Partition:
    """Rows of links that are screened together."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    frames: list["pd.DataFrame"] = field(default_factory=list)
    rows: int = 0

    def add(self, batch: pa.RecordBatch, frame: "pd.DataFrame") -> None:
        self.batches.append(batch)
        self.frames.append(frame)
        self.rows += batch.num_rows


@dataclass
class _Found:
    """Of all partitions so far: the rows refused, their entries for the quarantine, and how many broke each rule."""

    refused_N: np.ndarray
    entries: Entries = field(default_factory=Entries)
    by_rule: Counter[str] = field(default_factory=Counter)


def check_links(
    links: Stream, ends: Ends, most: int, bounds: tuple[int, int] | None, origin: str, watch: Watch
) -> tuple[np.ndarray, Entries, Outcome]:
    """Screen every partition, and look closely at what the screen finds: which links are refused (N bool), and why.

    The outcome is of all partitions together, without its failures, whose rows are in the entries.
    """
    try:
        seen = Repeats(ends)
        found = _checked(links, ends, lambda codes: _in_order(seen, codes), most, origin, watch)
    except _NotSortedError:
        parts = [codes for _, codes, _ in ends.coded(links)]
        repeats_N = repeats_anywhere([np.concatenate(key) for key in zip(*parts, strict=True)])
        at = iter(np.split(repeats_N, np.cumsum([len(codes[0]) for codes in parts])))
        found = _checked(links, ends, lambda _: next(at), most, origin, watch)
    return found.refused_N, found.entries, _outcome(found, links, most, bounds)


class _NotSortedError(Exception):
    """Repeated links need not follow each other in this table."""


def _in_order(seen: Repeats, codes: list[np.ndarray]) -> np.ndarray:
    repeats_N = seen.seen(codes)
    if not seen.sorted:
        raise _NotSortedError
    return repeats_N


def _checked(
    links: Stream, ends: Ends, repeats: Callable[[list[np.ndarray]], np.ndarray], most: int, origin: str, watch: Watch
) -> _Found:
    found, start = _Found(np.zeros(links.num_rows, bool)), 0
    with_rows = (part for part in _partitions(links, ends, repeats) if part.rows)
    for part in watch.progress(with_rows, "check", -(-links.num_rows // PARTITION), "partition"):
        _look(part, start, most, origin, found)
        start += part.rows
        part.batches.clear()  # before the next is read
        part.frames.clear()
        pa.default_memory_pool().release_unused()
    return found


def _partitions(links: Stream, ends: Ends, repeats: Callable[[list[np.ndarray]], np.ndarray]) -> Iterator[_Partition]:
    part = _Partition()
    for batch, codes, flawed_N in ends.coded(links):
        left_N, right_N, left_kind_N, right_kind_N = codes
        states = [ends.states(left_kind_N, left_N), ends.states(right_kind_N, right_N)]
        part.add(batch, rules.screened(batch, states, repeats(codes), flawed_N))
        if part.rows >= PARTITION:
            yield part
            part = _Partition()
    yield part


def _look(part: _Partition, start: int, most: int, origin: str, found: _Found) -> None:
    """Screen a partition whose first row is the row `start`, and look closely at the rows that the screen refuses."""
    import pandas as pd

    screened = pd.concat(part.frames, ignore_index=True)
    failures = check(rules.screen(), screened).failures
    row_R = np.unique(np.fromiter(chain.from_iterable(failure.rows for failure in failures), np.int64))
    if not len(row_R):
        return
    links, flaws = mended(_taken(part.batches, row_R))
    frame = rules.prepare(links, flaws, screened.iloc[row_R].reset_index(drop=True))
    failures = check(rules.suite(most, "time" in links.column_names), frame).failures
    broken = set().union(*(failure.rows for failure in failures))
    if len(broken) != len(row_R):
        raise KindexError(
            f"the screen of links refuses {len(row_R)} rows of which the suite passes {len(row_R) - len(broken)}"
        )
    found.refused_N[start + row_R] = True
    for failure in failures:
        values = frame[failure.shows].iloc[list(failure.rows)].tolist()
        found.entries.add(entries_of("links", links, failure, values, origin, start + row_R))
        found.by_rule[failure.rule] += len(failure.rows)


def _taken(batches: list[pa.RecordBatch], row_R: np.ndarray) -> pa.Table:
    """The rows `row_R` (ascending) of the batches one after the other, strings plain."""
    begins = np.cumsum([0, *(batch.num_rows for batch in batches)])
    cut = np.searchsorted(row_R, begins)
    return pa.Table.from_batches(
        plain(batch.take(pa.array(row_R[cut[number] : cut[number + 1]] - begins[number])))
        for number, batch in enumerate(batches)
    )


def _outcome(found: _Found, links: Stream, most: int, bounds: tuple[int, int] | None) -> Outcome:
    results = []
    for expectation in rules.suite(most, "time" in links.schema.names).expectations:
        rule = (expectation.meta or {})[ABOUT]
        refused = found.by_rule[rule]
        told = {"rule": rule, "expectation": expectation.expectation_type, "checked": links.num_rows}
        results.append({**told, "refused": refused, "success": not refused})
    return together([Outcome(results=results), check_volume("links", links.num_rows, bounds)])

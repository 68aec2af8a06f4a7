"""Nights of change: each kind of index changed in place beside one that is built anew every night, on the same vectors.

    python -m benchmarks.index_refresh                                100,000 x 128, 1 % a night, 10 nights
    python -m benchmarks.index_refresh --count 1000000 --nights 1 --kinds IVF4096,SQfp16
    python -m benchmarks.index_refresh --vectors data/train/books-pairs/spaces/book.parquet --kinds auto budget

A night adds, replaces and removes a third of `--share` each. Seconds are CPU time of one thread, means over the nights; the
measuring of index recall (500 queries against exact search) is included on both sides. Recall is that of the last night, on
1,000 queries of its own. `answered` counts answers, to questions from where items left that night, that name one of them.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index_vectors import K, generated, read
from kindex.core.errors import ConfigError
from kindex.core.nearest import nearest
from kindex.core.params import IndexParams
from kindex.core.space import Space
from kindex.index.before import Before, Past
from kindex.index.build import build
from kindex.index.faiss_parts import faiss_one_thread
from kindex.index.index import Index
from kindex.index.refresh import Note, refresh
from kindex.index.tune import index_recall

KINDS = ("exact", "IVF1024,Flat", "IVF1024,SQfp16", "IVF1024,PQ64x4fs,RFlat", "PQ64x4fs,RFlat", "SQ8", "HNSW16,SQfp16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--vectors", type=Path, help="Parquet file of a space, instead of generated vectors")
    parser.add_argument("--kinds", nargs="*", default=KINDS, help="kinds as in params.yaml")
    parser.add_argument("--nights", type=int, default=10)
    parser.add_argument("--share", type=float, default=0.01, help="of the vectors that a night touches")
    arguments = parser.parse_args()
    vectors_ND = read(arguments.vectors) if arguments.vectors else generated(arguments.count, arguments.dimensions)
    spaces = catalogue(vectors_ND, arguments.nights, arguments.share)
    print(f"{len(spaces[0].ids):,} x {vectors_ND.shape[1]}, {arguments.nights} nights of {arguments.share:.1%}\n")
    print("| | built, CPU s | changed, CPU s | share | recall built | recall changed | tombstones | built anew | answered |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in arguments.kinds:
        show(kind, spaces)


def catalogue(vectors_ND: np.ndarray, nights: int, share: float) -> list[Space]:
    """The space of each night: some of the vectors are kept back, to come later."""
    rng = np.random.default_rng(7)
    third = max(1, round(len(vectors_ND) * share / 3))
    order = rng.permutation(len(vectors_ND))
    later = list(order[: 2 * third * nights])  # a replaced item takes the vector of one that was kept back
    ids = {f"i{row}": row for row in np.sort(order[2 * third * nights :])}
    spaces = []
    for night in range(nights + 1):
        if night:
            names = rng.permutation(list(ids))[: 2 * third].tolist()
            for name in names[:third]:
                del ids[name]
            for name in names[third:]:
                ids[name] = later.pop()
            ids |= {f"n{row}": row for row in (later.pop() for _ in range(third))}
        rows = np.fromiter(ids.values(), np.int64)
        spaces.append(Space("vector", tuple(ids), vectors_ND[rows]))
    return spaces


def show(kind: str, spaces: list[Space]) -> None:
    params = IndexParams(kind=kind)
    changed, _ = timed(partial(build, spaces[0], params))
    note: Note | None = None
    seconds: dict[str, list[float]] = {"built": [], "changed": []}
    anew = answered = 0
    for former, space in pairwise(spaces):
        built, took = timed(partial(build, space, params))
        seconds["built"].append(took)
        past = note.past if note else Past(changed.index_recall_at_10, changed.budget_excess)
        before = Before(former, reloaded(changed), changed.trials, past)
        (changed, note), took = timed(partial(refresh, space, before, params, "indexes"))
        seconds["changed"].append(took)
        anew += note.how == "built"
        answered += ghosts(changed, former, space)
    means = {name: float(np.mean(values)) for name, values in seconds.items()}
    recalls = [recall(index, spaces[-1]) for index in (built, changed)]
    figures = [f"{means['built']:.2f}", f"{means['changed']:.2f}", f"{means['changed'] / means['built']:.0%}"]
    figures += [f"{found:.3f}" for found in recalls]
    name = changed.factory if kind == changed.factory else f"{kind}: {changed.factory}"
    print(f"| {name} | " + " | ".join([*figures, str(changed.tombstones), str(anew), str(answered)]) + " |", flush=True)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and the CPU seconds that it took."""
    began = time.process_time()
    return work(), time.process_time() - began


def reloaded(index: Index) -> Index:
    """As the next night reads it from the release."""
    faiss = faiss_one_thread()
    return replace(index, faiss_index=faiss.deserialize_index(faiss.serialize_index(index.faiss_index)))


def ghosts(index: Index, former: Space, space: Space) -> int:
    """How often an item that left is answered to questions that begin where it was."""
    left = sorted(set(former.ids) - set(space.ids))[:1000]
    _, rows_QK = index.search(former.vectors_ND[[former.rows[name] for name in left]], K)
    return sum(space.ids[row] in set(left) for row in rows_QK.ravel().tolist() if row >= 0) + int(
        (rows_QK >= len(space.ids)).sum()
    )


def recall(index: Index, space: Space) -> float:
    rows_Q = np.sort(np.random.default_rng(3).permutation(len(space.ids))[:1000])
    search_ND = space.search_ND
    exact_QK, _ = nearest(search_ND, search_ND[rows_Q], K, rows_Q)
    return index_recall(search_ND, rows_Q, index.search(search_ND[rows_Q], K + 1)[1], exact_QK)


if __name__ == "__main__":
    try:
        main()
    except ConfigError as error:
        raise SystemExit(str(error)) from None

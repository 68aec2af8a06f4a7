"""Side by side in one run: what kindex chooses, faiss's kinds one by one, and other libraries, on the same vectors.

    python -m benchmarks.index                                        100,000 x 128, generated clusters
    python -m benchmarks.index --count 1000000 --only auto sweep voyager
    python -m benchmarks.index --vectors data/train/books-pairs/spaces/book.parquet --recall 0.99

Each is built once on one thread (CPU seconds), and searches with the smallest setting that reaches `--recall`. p50 and p95 are
CPU microseconds of queries asked one at a time; bytes are those of the file. Libraries that are not installed are
named and left out: `pip install -r benchmarks/requirements.txt`.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.index_peers import peers
from benchmarks.index_vectors import Case, K, Line, generated, middle_and_p95, query_us, read
from kindex.core.errors import ConfigError
from kindex.core.nearest import nearest
from kindex.core.params import IndexParams
from kindex.core.space import Space
from kindex.index.budget import preference
from kindex.index.build import build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=128)
    parser.add_argument("--vectors", type=Path, help="Parquet file of a space, instead of generated vectors")
    parser.add_argument("--recall", type=float, default=0.95, help="index recall@10 that each must reach")
    parser.add_argument("--only", nargs="*", help="contenders by name, or by the first word of it")
    arguments = parser.parse_args()
    vectors_ND = read(arguments.vectors) if arguments.vectors else generated(arguments.count, arguments.dimensions)
    rows_Q = np.sort(np.random.default_rng(1).permutation(len(vectors_ND))[:1000])
    exact_QK, _ = nearest(vectors_ND, vectors_ND[rows_Q], K, rows_Q)
    case = Case(vectors_ND, rows_Q, exact_QK, arguments.recall)
    chosen = {name: make for name, make in contenders(case).items() if wanted(name, arguments.only)}
    print(f"{len(vectors_ND):,} x {vectors_ND.shape[1]}, index recall@10 of {arguments.recall:g} wanted\n")
    print("| | setting | build CPU s | recall | p50 µs | p95 µs | predicted | bytes |\n|---|---|---|---|---|---|---|---|")
    for contender in chosen.values():
        for line in contender():
            show(line)


def wanted(name: str, only: list[str] | None) -> bool:
    return not only or any(part == name or (part.islower() and name.startswith(f"{part} ")) for part in only)


def show(line: Line) -> None:
    p50, p95 = line.us
    predicted = "" if line.predicted_us is None else f"{line.predicted_us:.0f}"
    figures = [f"{line.build_seconds:.1f}", f"{line.recall:.3f}", f"{p50:.0f}", f"{p95:.0f}", predicted]
    print("| " + " | ".join([line.name, line.setting, *figures, f"{line.bytes_per_vector:.0f}"]) + " |", flush=True)


def contenders(case: Case) -> dict[str, Callable[[], list[Line]]]:
    space = Space("vector", tuple(map(str, range(len(case.vectors_ND)))), case.vectors_ND)
    ours = {"auto": lambda: [automatic(case, space)], "sweep": lambda: sweep(case, space)}
    return ours | {name: partial(lambda make: [make()], make) for name, make in peers(case)}


def automatic(case: Case, space: Space) -> Line:
    """`kind: auto`; its build seconds are of all that it did, looking for its setting included."""
    began = time.process_time()
    index = build(space, IndexParams(index_recall_at_10=case.target, sample=len(case.rows_Q)))
    seconds = time.process_time() - began
    _, rows_QK = index.search(case.queries_QD, K + 1)
    us = middle_and_p95(query_us(index.faiss_index, case.queries_QD, K + 1))
    chosen = next(trial for trial in index.trials if trial.chosen)
    name = f"auto: {index.factory}"
    return Line(name, index.setting, seconds, case.recall(rows_QK), us, chosen.bytes_per_vector, chosen.predicted_p95_us)


def sweep(case: Case, space: Space) -> list[Line]:
    """Every kind that a budget tries, built once, and which of them some budgets choose. Times are of 100 queries."""
    half = 2.0 * space.vectors_ND.shape[1]
    budgets = {
        "(a)": IndexParams(kind="budget", index_recall_at_10=case.target),
        "(b)": IndexParams(kind="budget", index_recall_at_10=case.target, bytes_per_vector=half),
        "(c)": IndexParams(kind="budget", index_recall_at_10=case.target, p95_ms=0.2),
    }
    print(f"(a): budget without limits. (b): at most {half:g} bytes. (c): at most 0.2 ms.", file=sys.stderr)
    began = time.process_time()
    index = build(space, budgets["(a)"])
    print(f"The whole sweep: {time.process_time() - began:.0f} CPU s.", file=sys.stderr)
    chosen = {name: min(index.trials, key=lambda trial: preference(trial, params)) for name, params in budgets.items()}
    lines = []
    for factory in dict.fromkeys(trial.factory for trial in index.trials):
        trials = [trial for trial in index.trials if trial.factory == factory]
        best = min(trials, key=lambda trial: preference(trial, budgets["(a)"]))
        marks = [mark for mark, trial in chosen.items() if trial is best]
        us = (best.p50_us or 0.0, best.p95_us or 0.0)
        figures = (best.build_seconds or 0.0, best.index_recall_at_10, us, best.bytes_per_vector, best.predicted_p95_us)
        lines.append(Line(" ".join([*marks, factory]), best.setting, *figures))
    return lines


if __name__ == "__main__":
    try:
        main()
    except ConfigError as error:
        raise SystemExit(str(error)) from None

"""Fit the prices of `kindex.index.prices` on this machine and print that file; how far they are off goes to stderr.

    python -m benchmarks.index_prices                       about 1 CPU minute
    python -m benchmarks.index_prices --check               predict with the prices as they are

Every kind that a budget tries is built on generated vectors of several counts and widths, asked one query at a time with
several settings, and the medians are explained by the steps of `kindex.index.cost.work`: non-negative least squares of
relative errors.
"""

import argparse
import sys
from collections import defaultdict
from typing import Any

import numpy as np

from benchmarks.index_vectors import generated, query_us
from kindex.index.cost import STEPS, Steps, predicted_us, work
from kindex.index.faiss_parts import parts
from kindex.index.kinds import swept
from kindex.index.training import Material
from kindex.index.tune import apply, ladder

SIZES = ((4_000, 32), (10_000, 64), (20_000, 128), (40_000, 64), (100_000, 128), (200_000, 32))
QUERIES = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fit nothing: how far are the present prices off?")
    parser.add_argument("--sizes", nargs="*", default=[f"{count}x{wide}" for count, wide in SIZES], metavar="NxD")
    arguments = parser.parse_args()
    seen = [one for size in arguments.sizes for one in measured(*map(int, size.split("x")))]
    if arguments.check:
        compare([(name, seconds, float(predicted)) for name, seconds, _, predicted in seen])
        return
    columns = sorted({name for _, _, counts, _ in seen for name in counts})
    counts_MC = np.array([[counts.get(name, 0.0) for name in columns] for _, _, counts, _ in seen])
    us_M = np.array([us for _, us, _, _ in seen])
    prices = dict(zip(columns, fitted(counts_MC, us_M)))
    compare([(name, us, sum(prices[key] * n for key, n in counts.items()) / 1000) for name, us, counts, _ in seen])
    print_module(prices)


def measured(count: int, dimensions: int) -> list[tuple[str, float, dict[str, float], float]]:
    """Each kind and setting: its name, median microseconds, mean count of each step, and what is predicted now."""
    vectors_ND = generated(count, dimensions)
    queries_QD = vectors_ND[:: count // QUERIES][:QUERIES]
    material = Material(vectors_ND)
    rows = []
    for factory in swept(count, dimensions):
        faiss_index = material.of(factory)
        for setting in ladder(faiss_index)[::2]:
            apply(faiss_index, setting)
            counts = work(faiss_index, queries_QD, 11)
            if counts is None:
                raise SystemExit(f"{factory} has steps that kindex.index.cost does not know")
            us = float(np.percentile(query_us(faiss_index, queries_QD, 11), 50))
            now_Q = predicted_us(faiss_index, queries_QD, 11)
            now = float("nan") if now_Q is None else float(np.median(now_Q))
            rows.append((f"{count}x{dimensions} {factory} {setting}", us, flat(counts, faiss_index), now))
            print(f"{rows[-1][0]}: {us:.1f}", file=sys.stderr, flush=True)
    return rows


def flat(counts: Steps, faiss_index: Any) -> dict[str, float]:
    turned = sum(part.d_in * part.d_out for part in parts(faiss_index)[1] if hasattr(part, "have_bias"))
    return {"call each": 1.0, "turn each": float(turned)} | {name: float(np.mean(each)) for name, each in counts.items()}


def fitted(counts_MC: np.ndarray, us_M: np.ndarray) -> np.ndarray:
    """Nanoseconds of each step (C)."""
    from scipy.optimize import nnls

    relative_MC = counts_MC / (1000 * us_M[:, None])
    size_C = np.maximum(np.abs(relative_MC).max(0), 1e-30)
    return nnls(relative_MC / size_C, np.ones(len(us_M)), maxiter=100_000)[0] / size_C


def compare(rows: list[tuple[str, float, float]]) -> None:
    """Predicted over measured, by kind."""
    ratios = defaultdict(list)
    for name, us, predicted in rows:
        ratios[name.split()[1].translate({ord(digit): None for digit in "0123456789"})].append(predicted / us)
    ratios["all"] = [predicted / us for _, us, predicted in rows]
    for kind, found in ratios.items():
        low, middle, high = np.percentile(found, [5, 50, 95])
        print(f"{kind:32} predicted / measured {middle:.2f}, 90 % of {len(found)} in {low:.2f} to {high:.2f}", file=sys.stderr)


def print_module(prices: dict[str, float]) -> None:
    by = "printed by `python -m benchmarks.index_prices`"
    print(f'"""Nanoseconds of each step of a query; {by}. See `kindex.index.cost`."""\n')
    print(f'CALL = {prices["call each"]:.0f}.0\n"""A search from Python, before anything is compared."""\n')
    print(f'TURN = {prices["turn each"]:.3f}\n"""For each number of the matrix of a transform."""\n')
    print("PRICES: dict[str, tuple[float, float, float, float, float]] = {")
    for part in sorted({name.partition(" ")[0] for name in prices} - {"call", "turn"}):
        row = ", ".join(repr(float(f"{prices[f'{part} {step}']:.3g}")) for step in STEPS)
        print(f'    "{part}": ({row}),')
    print('}\n"""each, code, wide, far, kept."""')


if __name__ == "__main__":
    main()

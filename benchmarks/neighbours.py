"""Side by side in one run: the ten nearest of every item, and what exports cost.

    python -m benchmarks.neighbours --items 40000 --dimensions 64
    python -m benchmarks.neighbours --items 100000 --dimensions 128 --sample 10000 --repeats 1

Clustered unit vectors, one thread. The matrix product alone is the floor of everything that looks at all scores. The peers
that take long are asked about `--sample` of the items, and their seconds multiplied; where they are asked about all, the
answers are compared. Seconds are medians over `--repeats` rounds, in each of which all take their turn.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kindex.ask import export_neighbours, export_text
from kindex.ask.export_source import Source
from kindex.core.nearest import SIDE, all_pairs
from kindex.core.space import Space, unit

K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=40_000)
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--sample", type=int, default=10_000, help="items that the slow peers are asked about")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()

    import torch

    torch.set_num_threads(1)
    unit_ND = clustered(arguments.items, arguments.dimensions)
    asked_QD = unit_ND[: arguments.sample]
    scale = len(unit_ND) / len(asked_QD)
    contenders: dict[str, tuple[float, Callable[[], object]]] = {
        "matrix product alone, numpy": (1, lambda: product(unit_ND)),
        "matrix product alone, torch": (1, lambda: torch_product(unit_ND)),
        "kindex all_pairs": (1, lambda: rows_of(unit_ND)),
        "torch mm + topk": (scale, lambda: torch_topk(unit_ND, asked_QD)),
        "faiss Flat": (scale, lambda: faiss_flat(unit_ND, asked_QD)),
    }
    print(f"{arguments.items:,} x {arguments.dimensions}, the {K} nearest of all")
    print(f"{'':30}{'CPU s':>8}{'wall s':>8}{'of product':>12}")
    seconds = measured(contenders, arguments.repeats)
    floor = seconds["matrix product alone, numpy"][0]
    for name, (cpu, wall) in seconds.items():
        print(f"{name:30}{cpu:8.2f}{wall:8.2f}{cpu / floor:12.2f}")
    print(f"agreement with faiss Flat: {agreement(unit_ND, asked_QD[:2000]):.6f}")
    exports(unit_ND)


def clustered(count: int, width: int) -> np.ndarray:
    """Unit vectors (N, D) around 500 centres."""
    rng = np.random.default_rng(0)
    centres_CD = rng.standard_normal((500, width), np.float32)
    return unit(centres_CD[rng.integers(0, 500, count)] + 0.7 * rng.standard_normal((count, width), np.float32))


def measured(contenders: dict[str, tuple[float, Callable[[], object]]], repeats: int) -> dict[str, tuple[float, float]]:
    """Median CPU and wall seconds, scaled."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, (scale, run) in contenders.items():
            cpu, wall = time.process_time(), time.perf_counter()
            run()
            found[name].append(((time.process_time() - cpu) * scale, (time.perf_counter() - wall) * scale))
    return {name: tuple(statistics.median(part) for part in zip(*times)) for name, times in found.items()}  # type: ignore[misc]


def product(unit_ND: np.ndarray) -> None:
    """All scores, made in the blocks of `all_pairs` and looked at by nobody."""
    for start in range(0, len(unit_ND), SIDE):
        for other in range(0, len(unit_ND), SIDE):
            unit_ND[start : start + SIDE] @ unit_ND[other : other + SIDE].T


def torch_product(unit_ND: np.ndarray) -> None:
    import torch

    tensor_ND = torch.from_numpy(unit_ND)
    for start in range(0, len(unit_ND), SIDE):
        for other in range(0, len(unit_ND), SIDE):
            tensor_ND[start : start + SIDE] @ tensor_ND[other : other + SIDE].T


def rows_of(unit_ND: np.ndarray) -> np.ndarray:
    return np.concatenate([rows_BK for _, _, rows_BK in all_pairs(unit_ND, K)])


def torch_topk(unit_ND: np.ndarray, asked_QD: np.ndarray) -> np.ndarray:
    """As most people write it: blocks of scores, `topk`, the item itself among them."""
    import torch

    base_ND, found = torch.from_numpy(unit_ND), []
    for start in range(0, len(asked_QD), 256):
        found.append((torch.from_numpy(asked_QD[start : start + 256]) @ base_ND.T).topk(K + 1).indices)
    return torch.cat(found).numpy()


def faiss_flat(unit_ND: np.ndarray, asked_QD: np.ndarray) -> np.ndarray:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(unit_ND.shape[1])
    index.add(unit_ND)
    return index.search(asked_QD, K + 1)[1]


def agreement(unit_ND: np.ndarray, asked_QD: np.ndarray) -> float:
    """Share of `all_pairs`' answers that faiss gives too; rounding may order two equal scores differently."""
    theirs_QK, ours_QK = faiss_flat(unit_ND, asked_QD), []
    for _, _, rows_BK in all_pairs(unit_ND, K):
        ours_QK.append(rows_BK)
        if sum(map(len, ours_QK)) >= len(asked_QD):
            break
    pairs = zip(theirs_QK, np.concatenate(ours_QK))
    return float(np.mean([len(set(theirs.tolist()) & set(ours.tolist())) / len(ours) for theirs, ours in pairs]))


def exports(unit_ND: np.ndarray) -> None:
    """Items a CPU second of each format, neighbours included."""
    space = Space("item", tuple(f"item-{row:07d}" for row in range(len(unit_ND))), unit_ND)
    source = Source("benchmark", "v0001", space)
    writers: dict[str, Callable[[Path], object]] = {
        "neighbours": lambda to: export_neighbours.write_neighbours(to, source, K),
        "atlas": lambda to: export_neighbours.write_atlas(to, source, K),
        "word2vec": lambda to: export_text.write_word2vec(to, source),
        "word2vec-binary": lambda to: export_text.write_word2vec_binary(to, source),
        "projector": lambda to: (to.mkdir(), export_text.write_projector(to, source)),
    }
    print(f"\n{'export':30}{'CPU s':>8}{'items/s':>10}{'MB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name, write in writers.items():
            to, began = Path(folder) / name, time.process_time()
            write(to)
            cpu = time.process_time() - began
            size = sum(path.stat().st_size for path in ([to] if to.is_file() else to.iterdir())) / 1e6
            print(f"{name:30}{cpu:8.2f}{len(unit_ND) / cpu:10,.0f}{size:8.1f}", flush=True)


if __name__ == "__main__":
    main()

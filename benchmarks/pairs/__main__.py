"""Side by side in one run: the family `pairs` and other libraries, on the same split: seconds against link recall@20.

    python -m benchmarks.pairs                                        37,000 x 38,000, 770,000 links, generated
    python -m benchmarks.pairs --links train.parquet --test test.parquet --columns user item
    python -m benchmarks.pairs --only "spectral, 128" "implicit ALS" --csv seen.csv
    python -m benchmarks.pairs.plot seen.csv --to seen.svg

All right items are ranked, those of train left out; figures are means over left items. One thread. Seconds are medians over
`--repeats` runs; a contender that takes more than `--once-above` CPU seconds runs once. The last lines compare the best row
of each peer with the cheapest row of ours that ranks as well.
"""

import argparse
import csv
import dataclasses
import os
import statistics
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from benchmarks.pairs.cases import Case, generated, read
from benchmarks.pairs.contenders import Contender, ours, popularity
from benchmarks.pairs.peers import peers
from benchmarks.pairs.ranking import ranked
from benchmarks.pairs.seed import SEED_EPOCHS


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of the table."""

    group: str
    name: str
    cpu_s: float
    wall_s: float
    runs: int
    recall_20: float
    ndcg_20: float


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    case = read(arguments.links, arguments.test, arguments.columns) if arguments.links else generated(*arguments.sizes)
    (n_left, n_right), links = case.train_LR.shape, case.train_LR.nnz
    print(f"{n_left:,} x {n_right:,}, {links:,} train links, {case.heldout_LR.nnz:,} held out; load {_load()}")
    contenders = list(_contenders(arguments))
    width = max((len(one.name) for one in contenders), default=0) + 2
    print(f"{'':{width}}{'CPU s':>8}{'wall s':>8}{'runs':>6}{'recall@20':>11}{'NDCG@20':>9}", flush=True)
    rows, small = [], generated(300, 300, 3000, places=20)
    for contender in contenders:
        contender.run(small)  # what a library does once, imports above all, is not its speed
        row = measured(contender, case, arguments)
        rows.append(row)
        figures = f"{row.cpu_s:8.2f}{row.wall_s:8.2f}{row.runs:6}{row.recall_20:11.4f}{row.ndcg_20:9.4f}"
        print(f"{row.name:{width}}{figures}", flush=True)
    print(f"load {_load()}")
    print("\n".join(verdicts(rows)))
    if arguments.csv:
        write(Path(arguments.csv), rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", help="Parquet file of links; without it they are generated")
    parser.add_argument("--test", help="Parquet file of held-out links; without it a tenth of the links is held out")
    parser.add_argument("--columns", nargs=2, default=["left", "right"], metavar=("LEFT", "RIGHT"))
    parser.add_argument("--sizes", nargs=3, type=int, default=[37_000, 38_000, 770_000], metavar=("LEFT", "RIGHT", "LINKS"))
    parser.add_argument("--only", nargs="*", default=[], metavar="TEXT", help="contenders with one of these in their name")
    parser.add_argument("--without", nargs="*", default=[], metavar="TEXT", help="no contenders with one of these")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--once-above", type=float, default=20, help="CPU seconds")
    parser.add_argument("--asked", type=int, default=10_000, help="left items that are ranked for, at most")
    parser.add_argument("--seed-epochs", type=int, default=SEED_EPOCHS, help="run so many; seconds are multiplied")
    parser.add_argument("--csv", help="write the table to this file, too")
    return parser.parse_args()


def _contenders(arguments: argparse.Namespace) -> Iterator[Contender]:
    for one in (Contender("popularity", "popularity", popularity), *ours(), *peers(arguments.seed_epochs)):
        wanted = not arguments.only or any(text in one.name for text in arguments.only)
        if wanted and not any(text in one.name for text in arguments.without):
            yield one


def measured(contender: Contender, case: Case, arguments: argparse.Namespace) -> Row:
    seconds: list[tuple[float, float]] = []
    run = contender.prepare(case) if contender.prepare else contender.run
    while len(seconds) < arguments.repeats and (not seconds or seconds[0][0] <= arguments.once_above):
        cpu, wall = time.process_time(), time.perf_counter()
        tables = run(case)
        seconds.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpu, wall = (contender.times * statistics.median(part) for part in zip(*seconds))
    return Row(contender.group, contender.name, cpu, wall, len(seconds), *ranked(case, *tables, arguments.asked))


def verdicts(rows: list[Row]) -> Iterator[str]:
    """For each peer's best row the cheapest of ours with the same recall or more."""
    our = [row for row in rows if row.group == "pairs"]
    for group in dict.fromkeys(row.group for row in rows if row.group not in ("pairs", "popularity")):
        best = max((row for row in rows if row.group == group), key=lambda row: row.recall_20)
        enough = [row for row in our if row.recall_20 >= best.recall_20]
        line = f"{best.name}: {best.recall_20:.4f} in {best.cpu_s:.2f} CPU s; "
        if not enough:
            yield line + "none of ours ranks as well"
            continue
        won = min(enough, key=lambda row: row.cpu_s)
        yield f"{line}{won.name}: {won.recall_20:.4f} in {won.cpu_s:.2f}, 1/{best.cpu_s / won.cpu_s:.1f}"


def write(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow([field.name for field in dataclasses.fields(Row)])
        for row in rows:
            lines.writerow([round(value, 4) if isinstance(value, float) else value for value in dataclasses.astuple(row)])


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


if __name__ == "__main__":
    main()

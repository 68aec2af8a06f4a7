"""Nights of small changes by the delta policy, beside full rebuilds of the same data: what it loses, and what it costs.

    python -m benchmarks.delta                                      30 nights, 1 % of the links a night
    python -m benchmarks.delta --items 37000 --link-items 38000 --links 770000 --nights 3 --index IVF256,Flat

The links are planted: items have groups, and most of an item's links stay inside its own. Each night some links come, some go
and some change their weight, some items come with their first links and some go with all of theirs. Two projects get the same
splits: one follows the policy of `refresh`, the other is told `mode: full`. Stages run as `dvc repro` runs them, each a
process; seconds are theirs on the processor, imports too.
"""

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.delta_nights import MODEL, STAGES, Project, World
from kindex.core.files import read_json
from kindex.core.space import Space
from kindex.core.split import Split
from kindex.index.index import load

K = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=6000)
    parser.add_argument("--link-items", type=int, default=4000)
    parser.add_argument("--links", type=int, default=120_000)
    parser.add_argument("--groups", type=int, default=80)
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--share", type=float, default=0.01, help="of the links, that changes in a night")
    parser.add_argument("--dimensions", type=int, default=64)
    parser.add_argument("--index", default="IVF64,Flat", help="kind of index")
    given = parser.parse_args()
    world = World.planted(given.items, given.link_items, given.links, given.groups)
    with tempfile.TemporaryDirectory(prefix="kindex-delta-") as scratch:
        rows = compare(
            Path(scratch), world, given.nights, given.share, {"dimensions": given.dimensions}, {"kind": given.index}
        )
    summary(rows)


def compare(
    root: Path, world: World, nights: int, share: float, config: dict[str, Any], index: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row for each night after the first. Prints as it goes; raises `AssertionError` when the ids of both differ."""
    policy, full = (Project(root / name, config, index, mode) for name, mode in (("delta", "auto"), ("full", "full")))
    rows: list[dict[str, Any]] = []
    print(f"{'night':6}{'built':7}{'link recall@10':>22}{'index recall@10':>22}{'train s':>16}{'index s':>16}  ghosts")
    for night in range(nights + 1):
        if night:
            world.night(share)
        split, date = world.split(), f"2026-{1 + night // 28:02}-{1 + night % 28:02}"
        row: dict[str, Any] = {"night": night}
        for name, project in (("delta", policy), ("full", full)):
            seconds = project.night(split, date)
            recall, ghosts = index_recall(project, world.gone)
            row[name] = {**seconds, "link": link_recall(project.spaces(), split), "index": recall, "ghosts": ghosts}
        row["built"], row["drift"] = policy.refresh()["built"], policy.refresh()["drift"]
        ids = [{kind: sorted(space.ids) for kind, space in project.spaces().items()} for project in (policy, full)]
        assert ids[0] == ids[1], "the delta has other items than the full build"
        rows.append(row)
        show(row)
    return rows[1:]


def show(row: dict[str, Any]) -> None:
    pair = [f"{row['delta'][name]:.4f} / {row['full'][name]:.4f}" for name in ("link", "index")]
    pair += [f"{row['delta'][stage]:.2f} / {row['full'][stage]:.2f}" for stage in STAGES]
    print(
        f"{row['night']:<6}{row['built']:7}{pair[0]:>22}{pair[1]:>22}{pair[2]:>16}{pair[3]:>16}  {row['delta']['ghosts']}",
        flush=True,
    )


def summary(rows: list[dict[str, Any]]) -> None:
    """Means over nights; seconds of delta nights are held against full builds of the same nights."""
    for name, words in (("link", "link recall@10"), ("index", "index recall@10")):
        differences = np.array([row["delta"][name] - row["full"][name] for row in rows])
        print(f"{words}: delta - full {differences.mean():+.4f} in the mean, {differences.min():+.4f} at the least")
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_kind[row["built"]].append(row)
    for built, some in by_kind.items():
        shares = [
            f"{stage} {sum(r['delta'][stage] for r in some) / sum(r['full'][stage] for r in some):.1%}" for stage in STAGES
        ]
        print(f"{len(some)} {built} nights cost, of a full build: {', '.join(shares)}")
    print(f"items that went and were answered: {sum(row['delta']['ghosts'] for row in rows)}")


def link_recall(spaces: dict[str, Space], split: Split) -> float:
    """Held-out links in the first 10 of their left item, train links left out; the mean over left items."""
    queries, answers = spaces["book"], spaces["link"]
    known, wanted = (_by_left(part, queries, answers) for part in (split.train.links, split.heldout.links))
    recalls = []
    for left, rights in wanted.items():
        scores_R = answers.vectors_ND @ queries.vectors_ND[left]
        scores_R[list(known.get(left, ()))] = -np.inf
        top = set(np.argpartition(-scores_R, K)[:K].tolist())
        recalls.append(len(top & rights) / len(rights))
    return float(np.mean(recalls))


def _by_left(links: pa.Table, queries: Space, answers: Space) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for left, right in zip(links["left"].to_pylist(), links["right"].to_pylist(), strict=True):
        if left in queries.rows and right in answers.rows:
            found.setdefault(queries.rows[left], set()).add(answers.rows[right])
    return found


def index_recall(project: Project, gone: set[str], queries: int = 500) -> tuple[float, int]:
    """Overlap of the index's first 10 with exact search over the spaces, and answers that are items which went."""
    index, recalls, ghosts = project.layout.out("index", MODEL), [], 0
    for kind, space in project.spaces().items():
        about = read_json(index / f"{kind}.json")
        places = index / "places" / f"{kind}.parquet"
        found = load(index / f"{kind}.faiss", about, places if places.is_file() else None)
        rows_Q = np.random.default_rng(1).permutation(len(space.ids))[:queries]
        exact_QK = np.argsort(-(space.search_ND[rows_Q] @ space.search_ND.T), axis=1)[:, :K]
        _, answer_QK = found.search(space.search_ND[rows_Q], K)
        recalls += [len(set(a.tolist()) & set(b.tolist())) / K for a, b in zip(exact_QK, answer_QK, strict=True)]
        ghosts += sum(space.ids[row] in gone for row in np.unique(answer_QK[answer_QK >= 0]).tolist())
    return float(np.mean(recalls)), ghosts


if __name__ == "__main__":
    main()

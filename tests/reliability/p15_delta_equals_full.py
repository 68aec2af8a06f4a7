"""Nights of adds, changes and deletes, one percent of a planted catalogue's links each, for two projects: one follows the
policy of `refresh` (deltas, and a training when a limit is crossed), the other is built anew every night. With an inverted
file, with a graph, and exactly. Each night both must have the same ids; each answer's score must be the product of the
query and the answered item's vector, so that an answer is the item that it says; and no item that ever went may be
answered, asked also with the last vector that it had, where it would be the nearest.

An index is tuned each night to the cheapest setting that reaches the index recall asked for, so what two of them have above
that is chance. They are therefore compared at equal effort: both with the dearer setting of the two, 1,000 queries of
today. The difference is judged in the mean over nights; on a single night, where the luck of a clustering shows, an index
with more than that must at least reach the index recall that was asked for.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.delta import link_recall
from benchmarks.delta_nights import Project, World
from kindex.core.space import Space
from tests.reliability import Say, Seen
from tests.reliability.twins import ASKED, QUERIES, K, Nights, at_equal_effort, in_this_process, luck, opened, recall, told

NUMBER = 15
PROMISE = "delta equals full: simulated nights of adds, changes and deletes against a rebuild"
WANTED = "30 nights; same ids; index recall@10 differs ≤ 0.01; deleted ids never answered"
LONG, SMALL, SLOW = 30, 2, True
MOST = 0.01
KINDS = {"IVF64,Flat": (3000, 2000, 50_000, 50), "HNSW16,Flat": (1500, 1000, 25_000, 25), "exact": (600, 400, 8_000, 20)}
"""By kind of index: left items, right items, links, groups."""


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` nights with each kind of index; ids, answers, ghosts and index recall of a night are a try each."""
    seen = Seen()
    with mock.patch.object(Project, "stage", in_this_process):
        for kind, size in KINDS.items():
            lefts, rights, links, groups = size if count >= LONG else (200, 120, 3000, 8)
            world = World.planted(lefts, rights, links, groups)
            chosen = kind if count >= LONG else kind.replace("64", "4")
            config = {"dimensions": 48} if count >= LONG else {"dimensions": 12, "objective": "spectral", "popularity": 0.25}
            nights = compare(scratch / kind.replace(",", "-"), world, chosen, config, count, seen, say)
            asked = f"{nights.asked:,} items that went, each asked for with its last vector, were never answered"
            built = ", ".join(f"{many} {what}" for what, many in sorted(nights.built.items()))
            seen.notes.append(f"{chosen}, {lefts + rights:,} items, {links:,} links, {count} nights ({built}); {asked}")
            for name, values in (("index recall@10 at equal effort", nights.index), ("as tuned", nights.tuned)):
                seen.notes.append(f"{chosen}: {name}: {told(values)}")
            seen.notes.append(
                f"{chosen}: the least index recall@10 of a delta project on any night, as tuned: {nights.least:.4f}"
            )
            seen.notes.append(f"{chosen}: link recall@10: {told(nights.link)}")
            if nights.luck:
                apart = f"ten clusterings of the same vectors, by their seed alone, lie {nights.luck:.4f} apart"
                seen.notes.append(f"{chosen}: {apart} in index recall@10")
            mean = float(np.mean(nights.index))
            seen.expect(mean <= MOST, f"{chosen}: index recall of deltas is {mean:.4f} lower in the mean over nights")
    return seen


def compare(
    root: Path, world: World, kind: str, config: dict[str, Any], count: int, seen: Seen, say: Callable[[str], None]
) -> Nights:
    """Night 0 builds both in full and counts for nothing."""
    index = {"kind": kind, "index_recall_at_10": ASKED, "sample": 500 if count >= LONG else 100}
    delta, full = (Project(root / name, config, index, mode) for name, mode in (("delta", "auto"), ("full", "full")))
    nights, last = Nights(), dict[str, dict[str, np.ndarray]]()
    for night in range(count + 1):
        if night:
            world.night(0.01)
        split, date = world.split(), f"2026-{1 + night // 28:02}-{1 + night % 28:02}"
        for project in (delta, full):
            project.night(split, date)
        spaces = [project.spaces() for project in (delta, full)]
        if night:
            where = f"{kind}, night {night} ({delta.refresh()['built']})"
            nights.built[delta.refresh()["built"]] = nights.built.get(delta.refresh()["built"], 0) + 1
            same = [{name: sorted(space.ids) for name, space in both.items()} for both in spaces]
            seen.expect(same[0] == same[1], f"{where}: other ids")
            nights.link.append(link_recall(spaces[1], split) - link_recall(spaces[0], split))
            judge(delta, full, spaces, where, nights, seen)
            ghosts(delta, spaces[0], last, world.gone, where, nights, seen)
            if night % 10 == 0:
                say(f"{where}: index recall@10 {told(nights.index)}; link recall@10 {told(nights.link)}")
        for name, space in spaces[0].items():
            last.setdefault(name, {}).update(zip(space.ids, space.search_ND, strict=True))
    nights.luck = max(luck(full, name, space) for name, space in full.spaces().items())
    return nights


def judge(delta: Project, full: Project, spaces: list[dict[str, Space]], where: str, nights: Nights, seen: Seen) -> None:
    """Both indexes of each kind against exact search, as tuned and at equal effort; and that answers are what they say."""
    equal, tuned, served = [], [], []
    for name in spaces[0]:
        indexes = [opened(project, name) for project in (delta, full)]
        lost = [1 - recall(index, both[name]) for index, both in zip(indexes, spaces, strict=True)]
        tuned.append(lost[0] - lost[1])
        served.append(1 - lost[0])
        space = spaces[0][name]
        scores_QK, rows_QK = indexes[0].search(space.search_ND[:QUERIES], K)
        true_QK = np.einsum("qd,qkd->qk", space.search_ND[:QUERIES], space.search_ND[rows_QK])
        right = np.allclose(scores_QK[rows_QK >= 0], true_QK[rows_QK >= 0], atol=1e-4)
        seen.expect(right, f"{where}: scores of {name} are not those of the items that are answered")
        at_equal_effort(indexes)
        lost = [1 - recall(index, both[name]) for index, both in zip(indexes, spaces, strict=True)]
        equal.append(lost[0] - lost[1])
    nights.index.append(float(np.mean(equal)))
    nights.tuned.append(float(np.mean(tuned)))
    nights.least = min(nights.least, *served)
    well = nights.index[-1] <= MOST or min(served) >= ASKED
    seen.expect(well, f"{where}: index recall@10 is {min(served):.4f}, at equal effort lower by {nights.index[-1]:.4f}")


def ghosts(
    delta: Project,
    spaces: dict[str, Space],
    last: dict[str, dict[str, np.ndarray]],
    gone: set[str],
    where: str,
    nights: Nights,
    seen: Seen,
) -> None:
    """Ask for every item that ever went, with the last vector that it had."""
    for name, space in spaces.items():
        left = sorted(gone & set(last.get(name, ())))
        if left:
            _, rows_QK = opened(delta, name).search(np.stack([last[name][one] for one in left]), K)
            answered = {space.ids[row] for row in np.unique(rows_QK[rows_QK >= 0]).tolist()}
            seen.expect(not answered & gone, f"{where}: {len(answered & gone)} items that went were answered")
            nights.asked += len(left)

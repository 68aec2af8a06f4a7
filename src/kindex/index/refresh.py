"""When an index is changed in place, and when it is built anew: the policy, and what it costs to hold it.

A delta night (see docs/refresh.md) leaves most vectors as they are, to the last bit. Its index is the parent release's,
changed (`kindex.index.update`), and then measured on today's sample as any other. It is built anew when

- the space or the settings are others, or faiss cannot change this kind;
- more than `MOST_TOMBSTONES` of its positions would be tombstones, or more than `MOST_CHANGED` of its vectors were added or
  replaced since it was built: lists and code words are of what was there then;
- index recall@10 is below what is asked, also at a wider setting; or a budget that was kept is not kept any more.

A budget looks at other kinds only in a full build; here it builds the same kind once more, and sweeps if that is not enough.
"""

import math
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from kindex.core.params import IndexParams
from kindex.core.space import Space
from kindex.index.before import Before, Past
from kindex.index.budget import excess, frontier
from kindex.index.build import build, check_vectors, choose
from kindex.index.changes import Changes
from kindex.index.index import Index, Trial
from kindex.index.tune import Truth, exact, measured, tune
from kindex.index.update import MARKED, change, tombstones, way

MOST_TOMBSTONES = 0.10
MOST_CHANGED = 0.25
SLACK = 0.01
"""How far below itself, as built, index recall may fall where it never reached what is asked."""

BUILT, COPIED = "built", "copied"


@dataclass(frozen=True)
class Note:
    """What this night did to an index, and why it was built anew or searches more broadly."""

    how: str
    why: str
    past: Past
    added: int = 0
    replaced: int = 0
    removed: int = 0
    tombstones: int = 0

    def row(self) -> dict[str, Any]:
        """As it stands in `<kind>.json`."""
        return asdict(self)


def refresh(space: Space, before: Before, params: IndexParams, where: str) -> tuple[Index, Note]:
    """An index of `space` from the parent's, in place if it can be. `before.index` is used up. Raises as `build` does."""
    check_vectors(space)
    began = time.perf_counter()
    if why := _other(space, before, params):
        return _anew(space, before, params, where, why, None)
    changes = Changes.between(before.space, space)
    if changes.none:
        return replace(before.index, trials=before.trials), Note(COPIED, "", before.past, tombstones=before.index.tombstones)
    if why := _worn(before, changes):
        return _anew(space, before, params, where, why, changes)
    how = way(before.index.faiss_index) or ""
    places = change(before.index.faiss_index, before.index.places, space.search_ND, changes)
    index, why = _measured(space, replace(before.index, places=places), before.past, params)
    if index is None:
        return _anew(space, before, params, where, why, changes)
    nights, changed = before.past.nights + 1, before.past.changed + len(changes.fresh_C)
    past = replace(before.past, nights=nights, changed=changed)
    index = replace(index, build_seconds=time.perf_counter() - began)
    return index, Note(how, why, past, changes.added, changes.replaced, changes.removed, index.tombstones)


def _other(space: Space, before: Before, params: IndexParams) -> str:
    """Why the former index cannot become one of this space at all; "" when it can."""
    was, now = ((len(each.ids), each.vectors_ND.shape[1], each.metric) for each in (before.space, space))
    if was[1:] != now[1:]:
        return f"the space has {now[1]} numbers by {now[2]}, and had {was[1]} by {was[2]}"
    grown = [choose(params, count, width, metric)[0] == "Flat" for count, width, metric in (was, now)]
    if params.kind == "auto" and grown == [True, False]:
        return f"{now[0]} vectors are more than the {params.exact_below} up to which search is exact"
    return "" if way(before.index.faiss_index) else f"faiss cannot change {before.index.factory} in place"


def _worn(before: Before, changes: Changes) -> str:
    """Why the former index is not worth changing; "" when it is."""
    how, factory = way(before.index.faiss_index), before.index.factory
    changed = before.past.changed + len(changes.fresh_C)
    if factory != "Flat" and changed > MOST_CHANGED * changes.count:
        return f"{changed} of {changes.count} vectors came since it was built, allowed: {MOST_CHANGED:.0%}"
    dead, positions = tombstones(before.index.places, changes)
    if how == MARKED and dead > MOST_TOMBSTONES * positions:
        return f"{dead} of {positions} positions would be tombstones, allowed: {MOST_TOMBSTONES:.0%}"
    return ""


def _measured(space: Space, index: Index, past: Past, params: IndexParams) -> tuple[Index | None, str]:
    """The changed index with its trials, at a wider setting if it needs one; None and why, when that is not enough."""
    trials, why = _tried(space, index, past, params)
    chosen = next(trial for trial in trials if trial.chosen)
    if lost := _lost(chosen, past, params):
        return None, lost
    found = excess(chosen, params) if params.kind == "budget" else None
    recall, table = chosen.index_recall_at_10, frontier(trials)
    return replace(index, setting=chosen.setting, index_recall_at_10=recall, budget_excess=found, trials=table), why


def _tried(space: Space, index: Index, past: Past, params: IndexParams) -> tuple[tuple[Trial, ...], str]:
    """The lines of the table, exact search first for comparison, and why the index is asked more broadly, if it is."""
    if index.factory == "Flat":
        return (exact(index),), ""
    truth = Truth.of(space, params.sample)
    first = measured(index, truth)
    if not (lost := _lost(first, past, params)):
        return (truth.trial, first), ""
    most_us = (truth.trial.predicted_p95_us or math.inf) if params.kind == "auto" else math.inf
    trials = tune(index.faiss_index, index.factory, truth, _asked(past, params), most_us, index.places)
    best = next(trial for trial in trials if trial.chosen)
    return (truth.trial, *trials), f"{lost}: searched with {best.setting} instead of {index.setting}"


def _asked(past: Past, params: IndexParams) -> float:
    """What is asked, or what it had when it was built, if that was less."""
    reached = past.index_recall_at_10 >= params.index_recall_at_10
    return params.index_recall_at_10 if reached else past.index_recall_at_10 - SLACK


def _lost(trial: Trial, past: Past, params: IndexParams) -> str:
    """What the index no longer keeps; "" when nothing."""
    if trial.index_recall_at_10 < (asked := _asked(past, params)):
        return f"index recall@10 is {trial.index_recall_at_10:.4f}, asked: {asked:.4g}"
    now, was = excess(trial, params), past.budget_excess or 0.0
    if params.kind == "budget" and now > (was + SLACK if was else 0):
        return f"it misses its budget by {now:.1%}, and missed it by {was:.1%} when it was built"
    return ""


def _anew(
    space: Space, before: Before, params: IndexParams, where: str, why: str, changes: Changes | None
) -> tuple[Index, Note]:
    """Build. Of a budget the same kind first, for a sweep takes twenty times as long."""
    index = None
    if params.kind == "budget" and changes is not None:
        pinned = replace(params, kind=before.index.factory, p95_ms=None, bytes_per_vector=None)
        index = build(space, pinned, where)
        chosen = next(trial for trial in index.trials if trial.chosen)
        index = None if _lost(chosen, before.past, params) else replace(index, budget_excess=excess(chosen, params))
    index = index or build(space, params, where)
    past = Past(index.index_recall_at_10, index.budget_excess)
    return index, Note(BUILT, why, past, *((changes.added, changes.replaced, changes.removed) if changes else ()))

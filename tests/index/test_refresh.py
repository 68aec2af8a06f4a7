"""The policy: when an index is changed in place, when it is built anew, and that it says so."""

from dataclasses import replace

import numpy as np
import pytest

from kindex.core.errors import DataGateError, MetricGateError
from kindex.core.params import IndexParams
from kindex.core.space import Space
from kindex.index.before import Past
from kindex.index.build import build
from kindex.index.faiss_parts import faiss_one_thread
from kindex.index.refresh import BUILT, COPIED, refresh
from kindex.index.update import ENCODED, MARKED, UPDATED
from tests.index.nights import Nights, before, params


def one_night(kind: str, **night: int):
    nights, wanted = Nights.of(), params(kind)
    index = build(nights.space, wanted)
    former = before(nights.space, index)
    return refresh(nights.next(**night), former, wanted, "indexes.a")


@pytest.mark.parametrize(("kind", "how"), [("exact", ENCODED), ("IVF16,Flat", UPDATED), ("SQ8", ENCODED), ("HNSW16", MARKED)])
def test_a_quiet_night_changes_the_index_in_place_and_measures_it(kind: str, how: str) -> None:
    index, note = one_night(kind)
    assert (note.how, note.why) == (how, "")
    assert (note.added, note.replaced, note.removed) == (6, 6, 6)
    assert (note.past.nights, note.past.changed) == (1, 12)
    assert note.tombstones == index.tombstones == (12 if kind == "HNSW16" else 0)
    chosen = [trial for trial in index.trials if trial.chosen]
    assert len(chosen) == 1 and chosen[0].index_recall_at_10 == index.index_recall_at_10 >= 0.95
    assert index.trials[0].setting == "exact" and len(index.trials) == (1 if kind == "exact" else 2)
    assert index.setting == chosen[0].setting and any(trial.frontier for trial in index.trials)


def test_nothing_new_is_the_parents_index_to_the_last_byte() -> None:
    nights = Nights.of()
    index = build(nights.space, params("IVF16,Flat"))
    same, note = refresh(nights.space, before(nights.space, index), params("IVF16,Flat"), "indexes.a")
    saved = [bytes(faiss_one_thread().serialize_index(each.faiss_index)) for each in (index, same)]
    assert saved[0] == saved[1] and same.trials == index.trials
    assert note.how == COPIED and note.past == Past(index.index_recall_at_10, None)


def test_exact_search_that_was_changed_says_what_it_says_when_it_was_built() -> None:
    index, _ = one_night("exact")
    nights = Nights.of()
    built = build(nights.next(), params("exact"))
    assert [trial.row() for trial in index.trials] == [trial.row() for trial in built.trials]
    assert index.about() == built.about()


def test_exact_search_that_grew_out_of_its_budget_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    nights = Nights.of()
    wanted = params("budget", p95_ms=0.2)
    flat = replace(build(nights.space, params("exact")), budget_excess=0.0)
    former = before(nights.space, flat)
    assert refresh(nights.next(), former, wanted, "indexes.a")[1].how == ENCODED
    slow = params("budget", p95_ms=0.0001)
    former = before(nights.space, flat)
    monkeypatch.setattr("kindex.index.build.sweep", lambda space, params, where: flat)
    assert refresh(nights.next(), former, slow, "indexes.a")[1].why.startswith("it misses its budget by")


def test_tombstones_are_swept_away_when_they_are_too_many() -> None:
    """Ten in a hundred stay; one more, and the graph is built anew."""
    index, note = one_night("HNSW16", added=0, replaced=0, removed=40)
    assert (note.how, index.tombstones) == (MARKED, 40)
    index, note = one_night("HNSW16", added=0, replaced=0, removed=41)
    assert (note.how, index.tombstones, index.places) == (BUILT, 0, None)
    assert note.why == "41 of 400 positions would be tombstones, allowed: 10%"
    assert note.past == Past(index.index_recall_at_10, None) and index.positions == 359


def test_tombstones_of_many_nights_are_counted_together() -> None:
    nights, wanted = Nights.of(), params("HNSW16")
    index, note, hows = build(nights.space, wanted), None, []
    for _ in range(6):
        former = before(nights.space, index, note)
        index, note = refresh(nights.next(3, 4, 6), former, wanted, "indexes.a")
        hows.append(note.how)
        assert index.count == len(nights.space.ids) and index.tombstones == note.tombstones <= 0.1 * index.positions
    assert hows == [MARKED] * 4 + [BUILT, MARKED]


def test_an_index_of_which_a_quarter_came_since_is_built_anew() -> None:
    nights, wanted = Nights.of(), params("IVF16,Flat")
    index, note, hows = build(nights.space, wanted), None, []
    for _ in range(4):
        former = before(nights.space, index, note)
        index, note = refresh(nights.next(30, 10, 10), former, wanted, "indexes.a")
        hows.append((note.how, note.past.changed))
    assert hows[:2] == [(UPDATED, 40), (UPDATED, 80)] and (BUILT, 0) in hows
    assert one_night("exact", added=300)[1].how == ENCODED  # exact search has nothing that could be worn


def test_all_vectors_new_is_another_version_and_never_mixed() -> None:
    nights, wanted = Nights.of(), params("IVF16,Flat")
    former = before(nights.space, build(nights.space, wanted))
    turned = Space("thing", nights.space.ids, np.ascontiguousarray(nights.space.vectors_ND[:, ::-1]))
    index, note = refresh(turned, former, wanted, "indexes.a")
    assert note.how == BUILT and note.why.startswith("400 of 400 vectors came since it was built")
    saved = [bytes(faiss_one_thread().serialize_index(each.faiss_index)) for each in (index, build(turned, wanted))]
    assert saved[0] == saved[1]


def test_index_recall_below_what_is_asked_searches_more_broadly_then_builds() -> None:
    nights = Nights.of()
    index = build(nights.space, params("IVF64,Flat", index_recall_at_10=0.5))
    assert index.setting != "nprobe=64"
    asked = params("IVF64,Flat", index_recall_at_10=0.99)
    former = replace(before(nights.space, index), past=Past(0.99, None))
    wider, note = refresh(nights.next(), former, asked, "indexes.a")
    assert note.how == UPDATED and wider.index_recall_at_10 >= 0.99
    assert note.why.startswith("index recall@10 is 0.") and note.why.endswith(f"{wider.setting} instead of {index.setting}")
    assert wider.faiss_index.nprobe == int(wider.setting.removeprefix("nprobe="))


def test_an_index_that_no_setting_makes_faithful_is_built_anew() -> None:
    """Codes of vectors that are a hundred times as long as those that the code words were made for."""
    nights, wanted = Nights.of(metric="dot"), params("SQ8", index_recall_at_10=0.8)
    former = before(nights.space, build(nights.space, wanted))
    longer = nights.space.vectors_ND.copy()
    longer[::5] *= 100
    _, note = refresh(Space("thing", nights.space.ids, longer, "dot"), former, wanted, "indexes.a")
    assert note.how == BUILT and "asked: 0.8" in note.why
    assert (note.added, note.replaced, note.removed) == (0, 80, 0) and note.past.nights == 0


def test_what_never_reached_what_is_asked_is_not_built_every_night() -> None:
    nights, wanted = Nights.of(), params("SQ4", index_recall_at_10=1.0)
    index = build(nights.space, wanted)
    assert index.index_recall_at_10 < 1
    former = before(nights.space, index)
    _, note = refresh(nights.next(1, 1, 1), former, wanted, "indexes.a")
    assert note.how == ENCODED and note.past.index_recall_at_10 == index.index_recall_at_10


def test_auto_leaves_exact_search_when_the_space_has_grown() -> None:
    nights, wanted = Nights.of(), params("auto", exact_below=402)
    former = before(nights.space, build(nights.space, wanted))
    index, note = refresh(nights.next(2, 0, 0), former, wanted, "indexes.a")
    assert (note.how, index.factory) == (ENCODED, "Flat")
    former = before(nights.space, index, note)
    index, note = refresh(nights.next(1, 0, 0), former, wanted, "indexes.a")
    assert (note.how, note.why) == (BUILT, "403 vectors are more than the 402 up to which search is exact")
    assert any(trial.factory.startswith("IVF") for trial in index.trials)


def test_a_budget_keeps_its_kind_and_is_not_swept_again(monkeypatch: pytest.MonkeyPatch) -> None:
    nights, wanted = Nights.of(520), params("budget", bytes_per_vector=70)
    index = build(nights.space, wanted)
    assert index.budget_excess == 0 and len({trial.factory for trial in index.trials}) > 3
    monkeypatch.setattr("kindex.index.build.sweep", lambda *_: pytest.fail("swept"))
    former = before(nights.space, index)
    changed, note = refresh(nights.next(), former, wanted, "indexes.a")
    assert note.how not in (BUILT, COPIED) and changed.factory == index.factory and changed.budget_excess == 0
    worn = replace(before(nights.space, changed, note), past=replace(note.past, changed=400))
    again, note = refresh(nights.next(), worn, wanted, "indexes.a")
    assert note.how == BUILT and again.factory == index.factory and again.budget_excess == 0


def test_a_budget_that_is_not_kept_any_more_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    nights = Nights.of(520)
    wanted = params("budget", bytes_per_vector=70)
    index = build(nights.space, wanted)
    size = next(trial for trial in index.trials if trial.chosen).bytes_per_vector
    tight = params("budget", bytes_per_vector=size - 1)
    swept = []
    monkeypatch.setattr("kindex.index.build.sweep", lambda space, params, where: swept.append(1) or index)
    former = before(nights.space, index)
    _, note = refresh(nights.next(), former, tight, "indexes.a")
    assert note.how == BUILT and swept == [1] and note.why.startswith("it misses its budget by ")


def test_another_width_another_metric_and_kinds_that_cannot_change_are_built() -> None:
    nights, wanted = Nights.of(), params("IVF16,Flat")
    index = build(nights.space, wanted)
    narrow = Space("thing", nights.space.ids, np.ascontiguousarray(nights.space.vectors_ND[:, :20]))
    _, note = refresh(narrow, before(nights.space, index), wanted, "indexes.a")
    assert (note.how, note.why) == (BUILT, "the space has 20 numbers by cosine, and had 24 by cosine")
    dot = Space("thing", nights.space.ids, nights.space.vectors_ND, "dot")
    assert refresh(dot, before(nights.space, index), wanted, "indexes.a")[1].why.endswith("had 24 by cosine")
    _, note = one_night("NSG16,Flat")
    assert note.why == "faiss cannot change NSG16,Flat in place"


def test_broken_and_empty_spaces_are_refused_here_too() -> None:
    nights = Nights.of()
    former = before(nights.space, build(nights.space, IndexParams()))
    space = nights.next()
    space.vectors_ND[3, 1] = np.inf
    with pytest.raises(MetricGateError, match="1 vectors with NaN or infinity"):
        refresh(space, former, IndexParams(), "indexes.a")
    with pytest.raises(DataGateError, match="has no vectors"):
        refresh(Space("thing", (), np.empty((0, 24), np.float32)), former, IndexParams(), "indexes.a")

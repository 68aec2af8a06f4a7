"""What a night should cost, and how it will probably build: from nights that were."""

import pytest

from kindex.core.files import pretty_json
from kindex.core.layout import STAGES, Layout
from kindex.core.nights import History, Night
from kindex.core.params import RefreshParams
from kindex.core.pointer import promote
from kindex.morning.building import expected, typical_share
from kindex.morning.estimates import LATEST, costed, estimated, of_stage
from kindex.morning.told import spell
from tests.tasks.test_releases import MODEL, night, publish

POLICY = RefreshParams()


def told(built: str, train: float, share: float = 0.0, outcome: str = "live") -> dict:
    stages = [{"stage": "train", "key": MODEL, "outcome": "ran", "seconds": train}]
    entry = {"outcome": outcome, "built": built, "stages": stages, "refresh": {"share": share}}
    return {"outcome": "done", "total": train + 5.0, "models": {MODEL: entry}}


def history(*runs: dict) -> History:
    return History(tuple(Night(f"2026-01-{place + 1:02d}", (run,)) for place, run in enumerate(runs)))


def forecast(*busy: str, judged: bool = True) -> dict:
    stages = [
        {"stage": stage, "key": "words" if stage in STAGES[:3] else MODEL, "state": "stale" if stage in busy else "current"}
        for stage in STAGES
    ]
    return {"night": "2026-01-10", "catalogues": {}, "stages": stages, "judged": {MODEL: judged}}


def test_an_estimate_is_the_median_of_the_newest_with_their_range():
    found = estimated([1000.0] * 5 + [float(n) for n in range(LATEST)], "run")
    assert (found.low, found.median, found.high, found.of) == (0.0, 14.5, 29.0, LATEST)
    assert estimated([], "run") is None


def test_nights_of_the_same_kind_come_first_and_failures_never():
    nights = history(told("full", 100.0), told("delta", 4.0), told("delta", 6.0))
    nights.nights[0].runs[0]["models"][MODEL]["stages"].append({"stage": "train", "outcome": "failed", "seconds": 1.0})
    assert of_stage(nights, "train", MODEL, "delta").median == 5.0
    assert of_stage(nights, "train", MODEL, "full").high == 100.0
    assert of_stage(nights, "train", MODEL, "warm").like == "other" and of_stage(nights, "train", MODEL, "warm").of == 3
    assert of_stage(nights, "index", MODEL, "delta") is None


def test_the_sum_is_of_its_parts_and_says_what_it_does_not_know():
    nights = history(told("delta", 4.0), told("delta", 6.0), {"outcome": "unchanged", "total": 2.0})
    found = costed(forecast("train", "index"), {MODEL: "delta"}, nights)
    assert found["total"] == {"low": 4.0 + 5.0, "median": 5.0 + 5.0, "high": 6.0 + 5.0}
    assert found["unknown"] == [f"index@{MODEL}"] and found["around"]["median"] == 5.0
    assert costed(forecast(), {}, nights)["total"]["median"] == 2.0  # as a night with nothing new
    assert costed(forecast(judged=False), {}, nights)["total"]["median"] == 5.0  # the gate alone
    assert costed(forecast("train"), {}, history())["total"] is None


@pytest.fixture
def layout(tmp_path) -> Layout:
    """A live release that says how it was built."""
    layout, params = night(tmp_path)
    publish(layout, params, "2026-01-01")
    return layout


def built(layout: Layout, refresh: dict | None, policy: RefreshParams = POLICY, why: str = "", nights: History | None = None):
    path = layout.releases(MODEL) / "v0001" / "refresh.json"
    if refresh is not None:
        path.write_bytes(pretty_json({"built": "delta", "full": {"version": "v0000", "night": "2026-01-01"}, **refresh}))
    return expected(layout, nights or history(), MODEL, policy, why, "2026-01-10")


@pytest.mark.parametrize(
    ("refresh", "policy", "why", "kind", "said"),
    [
        (None, POLICY, "", "full", "without deltas"),
        ({}, POLICY, "data/split/words changed", "delta", "max_change is 5%"),
        ({"untrained": 0.06, "share": 0.06}, POLICY, "", "warm", "max_warm_change is 25%"),
        ({"untrained": 0.06, "share": 0.3}, POLICY, "", "full", "above max_warm_change"),
        ({"untrained": 0.3, "share": 0.3, "built": "full"}, POLICY, "", "delta", "max_change"),
        ({}, RefreshParams(mode="full"), "", "full", "refresh.mode is full"),
        ({}, POLICY, "models.words-pairs.seed changed", "full", "models.words-pairs.seed changed"),
        ({}, POLICY, "data/split/words and src/kindex/encoders/pairs changed", "full", "src/kindex/encoders/pairs"),
        ({"generation": 30}, POLICY, "", "full", "max_nights is 30"),
        ({"full": {"night": "2025-12-01"}}, POLICY, "", "full", "40 days old"),
        ({"drift": 0.5}, POLICY, "", "full", "drift is 0.500"),
    ],
)
def test_how_the_next_release_will_be_built(layout, refresh, policy, why, kind, said):
    found, reason = built(layout, refresh, policy, why)
    assert found == kind and said in reason


def test_a_night_usually_adds_what_nights_have_added(layout):
    nights = history(told("full", 9, 0.7), told("delta", 1, 0.01), told("delta", 1, 0.03), told("delta", 1, 0.04, "held"))
    assert typical_share(nights, MODEL) == pytest.approx(0.015)
    assert built(layout, {"untrained": 0.04, "share": 0.04}, nights=nights)[0] == "warm"
    assert built(layout, {"untrained": 0.03, "share": 0.03}, nights=nights)[0] == "delta"


def test_without_a_live_release_the_model_is_built_anew(tmp_path):
    layout, _ = night(tmp_path)
    assert built(layout, None) == ("full", "there is no live release to start from")
    publish(layout, night(tmp_path)[1])
    (layout.releases(MODEL) / "CURRENT").write_text("{")
    assert built(layout, None)[0] == "full"
    (layout.releases(MODEL) / "CURRENT").unlink()
    promote(layout.releases(MODEL), "v0001", None)
    assert built(layout, None)[1].endswith("without deltas")


def test_durations_are_said_as_people_say_them():
    assert [spell(x) for x in (0.04, 8.25, 59.96, 75, 3725)] == ["0.0 s", "8.2 s", "1 min 00 s", "1 min 15 s", "1 h 02 min"]

"""The policy: each limit by itself, at it and beyond it."""

from typing import Any

import pytest

from kindex.core.delta import Changes
from kindex.core.errors import DamagedError
from kindex.core.params import RefreshParams
from kindex.core.parent import Parent
from kindex.core.refresh import Since, decide

LOCK = Parent("v0007", "0" * 64, "2026-03-31")
SINCE = Since("v0003", "2026-03-27", 3, 0.02, 0.01, 0.004, 0.9)


def changes(added: int = 0, changed: int = 0, removed: int = 0, before: int = 1000) -> dict[str, Changes]:
    return {"links": Changes(before + added - removed, added, changed, removed)}


@pytest.mark.parametrize(
    ("built", "given", "since", "tonight", "says"),
    [
        (
            "delta",
            {},
            {},
            changes(removed=40),
            "4.00% of the rows changed, 5.00% since the last training, 6.00% since the full",
        ),
        ("warm", {}, {}, changes(removed=41), "max_change is 5%"),
        ("warm", {"max_change": 0.0}, {"untrained": 0.0}, changes(changed=1), "max_change is 0%"),
        ("delta", {"max_change": 0.0}, {"untrained": 0.0}, changes(), "0.00% of the rows"),
        ("warm", {}, {}, changes(changed=229), "max_change is 5%"),
        ("full", {}, {}, changes(changed=231), "25.10% since the full build: max_change is 5%, max_warm_change 25%"),
        ("full", {"max_warm_change": 0.0}, {}, changes(removed=41), "max_warm_change 0%"),
        ("delta", {}, {"generation": 29}, changes(), "0.00%"),
        ("full", {}, {"generation": 30}, changes(), "31 nights since the full build, max_nights is 30"),
        ("delta", {}, {"night": "2026-03-01"}, changes(), "0.00%"),
        ("full", {}, {"night": "2026-02-28"}, changes(), "the full build is 31 days old, max_age_days is 30"),
        ("delta", {}, {"night": None}, changes(), "0.00%"),
        ("delta", {}, {"drift": 0.02}, changes(), "0.00%"),
        ("full", {}, {"drift": 0.0201}, changes(), "the drift of v0007 is 0.0201, max_drift is 0.02"),
        ("delta", {}, {"drift": None}, changes(), "0.00%"),
        ("delta", {}, {}, changes(before=0), "0.00%"),
    ],
)
def test_each_limit(built: str, given: dict[str, Any], since: dict[str, Any], tonight: dict[str, Changes], says: str) -> None:
    plan = decide(RefreshParams(**given), LOCK, Since(**{**vars(SINCE), **since}), tonight, True)
    assert plan.built == built
    assert says in "; ".join(plan.reasons)


def test_a_family_that_cannot_warm_up_is_trained_anew() -> None:
    assert decide(RefreshParams(), LOCK, SINCE, changes(removed=41), False).built == "full"


def test_every_limit_that_is_crossed_is_said() -> None:
    since = Since("v0003", "2026-01-01", 40, 0.3, 0.1, 0.5)
    assert len(decide(RefreshParams(), LOCK, since, changes(changed=9), True).reasons) == 4


def test_what_changed_is_a_share_of_the_larger_night_over_all_tables() -> None:
    tables = {"images": Changes(110, 10, 0, 0), "captions": Changes(80, 0, 5, 20)}
    plan = decide(RefreshParams(), LOCK, Since(), tables, True)
    assert plan.share == plan.untrained == pytest.approx(35 / 200)  # 100 images and 100 captions before, 110 and 80 now


def test_how_far_the_parent_is_comes_from_its_own_words() -> None:
    full = {"version": None, "night": None, "agreement": 0.9}
    first = {"built": "full", "full": full, "agreement": 0.9}
    assert Since.of(first, LOCK) == Since("v0007", "2026-03-31", agreement=0.9)
    full = {"version": "v0003", "night": "2026-03-27", "agreement": 0.9}
    later = {
        "built": "delta",
        "full": full,
        "generation": 3,
        "share": 0.02,
        "untrained": 0.01,
        "drift": 0.004,
        "agreement": 0.896,
    }
    assert Since.of(later, LOCK) == SINCE
    with pytest.raises(DamagedError, match=r"refresh\.json of release v0007 is not one: KeyError\('share'\)"):
        Since.of({name: value for name, value in later.items() if name != "share"}, LOCK)

"""How the next night will probably build a model: fold in what changed, train on from the live vectors, or build it anew.

It is an expectation. The night decides by what has really changed, which is known only after the source was read; see
`kindex.core.refresh` and docs/refresh.md.
"""

from collections.abc import Mapping
from datetime import date
from statistics import median
from typing import Any

from kindex.core import release
from kindex.core.errors import KindexError
from kindex.core.files import read_json
from kindex.core.layout import Layout
from kindex.core.nights import History, is_number, mapping
from kindex.core.params import RefreshParams

CODE = ("src/", "the command in dvc.yaml", "models.")
"""How the reasons of a stale train stage begin that no delta can answer: other code, or other settings."""


def expected(layout: Layout, history: History, model: str, policy: RefreshParams, why: str, night: str) -> tuple[str, str]:
    """`full`, `warm` or `delta` for the next release, and the reason. `why` is why train is stale ("" when it is not yet).

    `night` is its logical date.
    """
    live = live_refresh(layout, model)
    if live is None:
        return "full", "there is no live release to start from"
    if policy.mode == "full":
        return "full", f"models.{model}.refresh.mode is full"
    if changed := [word for word in why.replace(",", " ").split() if word.startswith(CODE)]:
        return "full", f"{changed[0]} changed"
    if "built" not in live:
        return "full", "the live release is of a version without deltas"
    generation = int(live["generation"]) if is_number(live.get("generation")) else 0
    if generation + 1 > policy.max_nights:
        return "full", f"{generation} releases were made from the last full build, max_nights is {policy.max_nights}"
    began = mapping(live.get("full")).get("night") or live.get("night")
    if (days := between(began, night)) is not None and days > policy.max_age_days:
        return "full", f"the last full build is {days} days old, max_age_days is {policy.max_age_days}"
    if is_number(live.get("drift")) and live["drift"] > policy.max_drift:
        return "full", f"drift is {live['drift']:.3f}, max_drift is {policy.max_drift}"
    return by_share(live, typical_share(history, model), policy)


def by_share(live: Mapping[str, Any], step: float, policy: RefreshParams) -> tuple[str, str]:
    """What the shares of changed rows say, as `kindex.core.refresh` weighs them, if tonight adds what a night usually adds."""
    before = {} if live["built"] == "full" else live
    share, untrained = (step + (before[name] if is_number(before.get(name)) else 0.0) for name in ("share", "untrained"))
    told = f"a night changes about {step:.2%} of the rows: {untrained:.2%} since the last training"
    if untrained <= policy.max_change:
        return "delta", f"{told}, max_change is {policy.max_change:.0%}"
    told = f"{told}, above max_change {policy.max_change:.0%}; {share:.2%} since the full build"
    if share <= policy.max_warm_change:
        return "warm", f"{told}, max_warm_change is {policy.max_warm_change:.0%}"
    return "full", f"{told}, above max_warm_change {policy.max_warm_change:.0%}"


def typical_share(history: History, model: str) -> float:
    """By how much the share of changed rows grew in a night: the median of the nights that were no full build; 0 without."""
    steps, before = [], 0.0
    for night in history.nights:
        entry = night.model(model)
        share = mapping(entry.get("refresh")).get("share")
        if entry.get("outcome") != "live" or not is_number(share):
            continue
        full = entry.get("built") == "full"
        steps += [] if full else [max(0.0, float(share) - before)]
        before = 0.0 if full else float(share)
    return median(steps) if steps else 0.0


def live_refresh(layout: Layout, model: str) -> dict[str, Any] | None:
    """refresh.json of the live release with its night; {} of one that has none, None without a live release."""
    folder = layout.releases(model)
    try:
        pointer = release.current(folder)
        if pointer is None:
            return None
        night = release.read_manifest(folder, pointer.version).about.get("night")
    except KindexError:
        return None
    try:
        return {**mapping(read_json(folder / pointer.version / "refresh.json")), "night": night}
    except KindexError:
        return {}


def between(first: Any, last: Any) -> int | None:
    """Days from one date to another; None when either is none."""
    try:
        return (date.fromisoformat(str(last)) - date.fromisoformat(str(first))).days
    except ValueError:
        return None

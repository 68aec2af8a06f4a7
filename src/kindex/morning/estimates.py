"""What a night should cost, from earlier nights: medians of runs of the same kind, with the range that they had."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from kindex.core.layout import CATALOGUE_STAGES
from kindex.core.nights import Entry, History, entries, is_number, part, stages

LATEST = 30
"""Runs of a stage that an estimate looks at: the newest ones, for machines and data change."""


@dataclass(frozen=True)
class Estimate:
    """Seconds. `of` is how many runs it is from; `like` says of which kind they were."""

    median: float
    low: float
    high: float
    of: int
    like: str


def estimated(samples: Sequence[float], like: str) -> Estimate | None:
    """The estimate from the newest samples (seconds, oldest first); None without any."""
    newest = list(samples)[-LATEST:]
    if not newest:
        return None
    low, middle, high = (round(value, 3) for value in (min(newest), median(newest), max(newest)))
    return Estimate(middle, low, high, len(newest), like)


def of_stage(history: History, stage: str, key: str, built: str = "") -> Estimate | None:
    """One stage's cost: from nights when its model was built in the same way, else from any night when it ran."""
    ran = list(_ran(history, stage, key))
    if stage in CATALOGUE_STAGES or not built:
        return estimated([seconds for _, seconds in ran], "run")
    same = [seconds for how, seconds in ran if how == built]
    return estimated(same, built) or estimated([seconds for _, seconds in ran], "other")


def _ran(history: History, stage: str, key: str) -> Iterator[tuple[str, float]]:
    """How the model was built, and seconds, of every run of the stage that ended well; oldest first."""
    section = "catalogues" if stage in CATALOGUE_STAGES else "models"
    for _, run in history.runs():
        entry = part(run, section, key)
        for one in entries(entry.get("stages")):
            if one.get("stage") == stage and one.get("outcome") == "ran" and is_number(one.get("seconds")):
                yield str(entry.get("built") or ""), float(one["seconds"])


def around(history: History) -> Estimate | None:
    """What a night that works spends beside its stages: the gate and releases, Prefect, MLflow, starting up."""
    spent = [beside(run) for _, run in history.runs() if run.get("outcome") in ("done", "held")]
    return estimated([seconds for seconds in spent if seconds is not None], "night")


def beside(run: Entry) -> float | None:
    """Seconds of a run outside its stages; None when it does not say how long it took."""
    if not is_number(run.get("total")):
        return None
    return max(0.0, float(run["total"]) - sum(float(one["seconds"]) for one in stages(run)))


def idle(history: History) -> Estimate | None:
    """A night with nothing new."""
    told = [run["total"] for _, run in history.runs() if run.get("outcome") == "unchanged" and is_number(run.get("total"))]
    return estimated(told, "unchanged")


def costed(forecast: Mapping[str, Any], builds: Mapping[str, str], history: History) -> dict[str, Any]:
    """The forecast with an estimate for each stage that runs or may run, and the sum.

    `builds` says by model how it will be built. The range of the sum is that of all its parts at their least and at their
    most, so that it is wide. `unknown` are the stages that no night has run yet: the sum is without them.
    """
    listed, unknown, total = [], [], [0.0, 0.0, 0.0]
    busy = [one for one in forecast["stages"] if one["state"] != "current"]
    rejudged = [model for model, settled in forecast["judged"].items() if not settled]
    for one in forecast["stages"]:
        found = of_stage(history, one["stage"], one["key"], builds.get(one["key"], "")) if one in busy else None
        listed.append({**one, "seconds": asdict(found) if found else None})
        if one in busy and found is None:
            unknown.append(f"{one['stage']}@{one['key']}")
        if found:
            total = [a + b for a, b in zip(total, (found.low, found.median, found.high))]
    rest = around(history) if busy or rejudged else idle(history)
    if rest:
        total = [a + b for a, b in zip(total, (rest.low, rest.median, rest.high))]
    sums = {name: round(value, 3) for name, value in zip(("low", "median", "high"), total)}
    known = rest is not None or any(one["seconds"] for one in listed)
    return {
        "night": forecast["night"],
        "catalogues": dict(forecast["catalogues"]),
        "stages": listed,
        "judged": dict(forecast["judged"]),
        "around": asdict(rest) if rest else None,
        "total": sums if known else None,
        "unknown": unknown,
    }

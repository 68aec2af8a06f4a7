"""Nights that never were: any number of them, with releases, held candidates, failures, gaps and a rollback."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from kindex.core.files import pretty_json
from kindex.core.layout import STAGES, Layout
from kindex.core.nights import History, read_history

FIRST = date(2025, 10, 18)
MODELS = {"modules-pairs": "modules", "digits-autoencoder": "digits", "scenes-captions": "scenes"}
HOSTILE = "</title><script>alert(1)</script>\u202e\x00'\"=1+1"
FULL = {"ingest": 40.0, "validate": 12.0, "split": 4.0, "train": 900.0, "index": 60.0, "evaluate": 200.0}


def write(root: Path, count: int, seed: int = 7) -> Layout:
    """`count` dates with a journal each, but for one in 23 of them, which has none; the last has one."""
    layout, random = Layout(root), np.random.default_rng(seed)
    layout.nights.mkdir(parents=True, exist_ok=True)
    live = dict.fromkeys(MODELS, 0)
    for number in range(count):
        day = (FIRST + timedelta(days=number)).isoformat()
        runs = night(day, number, live, random)
        if number % 23 != 22 or number == count - 1:
            (layout.nights / f"{day}.json").write_bytes(pretty_json({"night": day, "runs": runs}))
    return layout


def history(root: Path, count: int, seed: int = 7) -> History:
    return read_history(write(root, count, seed).nights)


def night(day: str, number: int, live: dict[str, int], random: np.random.Generator) -> list[dict[str, Any]]:
    """The runs of one date; `live` is what answers, by model, and is moved on."""
    if number % 9 == 4:
        return [run(day, "unchanged", {model: unchanged(live[model]) for model in MODELS}, 2.1)]
    built = "full" if number % 30 == 0 else "delta"
    models = {model: entry(model, number, built, live, random) for model in MODELS}
    outcomes = {part["outcome"] for part in models.values()}
    outcome = "failed" if "failed" in outcomes else "held" if "held" in outcomes else "done"
    spent = sum(stage["seconds"] for part in models.values() for stage in part["stages"])
    made = run(day, outcome, models, spent + 25.0 + float(random.random()) * 4)
    if outcome == "failed":
        made["troubles"] = [[3, f"ingest@digits: images.parquet is not a Parquet file, row {number}"]]
    return [made]


def run(day: str, outcome: str, models: dict[str, Any], total: float, **more: Any) -> dict[str, Any]:
    """One run of the nightly flow."""
    number = (date.fromisoformat(day) - FIRST).days
    factor = 0.0 if outcome == "unchanged" else 0.3 if number % 30 else 1.0
    catalogues = {
        catalogue: {
            "moved": outcome != "unchanged",
            "stopped": "",
            "stages": [ran(stage, catalogue, factor) for stage in STAGES[:3] if factor],
            "rows": {"items": 9000 + 11 * number, "links": 60_000 + 70 * number},
            "refused": {"items": number % 7, "links": (number * 13) % 90},
        }
        for catalogue in MODELS.values()
    }
    total += 3 * factor * sum(FULL[stage] for stage in STAGES[:3])
    code = {"held": 4, "failed": 3}.get(outcome, 0)
    facts = {"started": f"{day}T02:00:03+00:00", "finished": f"{day}T02:20:00+00:00", "flow": "nightly", "exit_code": code}
    told = {"outcome": outcome, "total": total, "seconds": {"DVC": 3.0}, "troubles": [], "notices": []}
    return {**facts, **told, "models": models, "catalogues": catalogues, **more}


def ran(stage: str, key: str, factor: float) -> dict[str, Any]:
    return {"stage": stage, "key": key, "outcome": "ran", "why": "its source has changed", "seconds": FULL[stage] * factor}


def unchanged(live: int) -> dict[str, Any]:
    return {"outcome": "unchanged", "live": f"v{live:04d}", "version": f"v{live:04d}", "withdrawn": [], "stages": []}


def entry(model: str, number: int, built: str, live: dict[str, int], random: np.random.Generator) -> dict[str, Any]:
    """What became of one model."""
    place = list(MODELS).index(model)
    factor = (1.0 if built == "full" else 0.06) * (1 - 0.3 * place)
    stages = [ran(stage, model, factor) for stage in STAGES[3:]]
    if number % 37 == 20 and place == 1:
        stages[0] |= {"outcome": "failed", "seconds": 1.0}
        return {"outcome": "failed", "live": f"v{live[model]:04d}", "withdrawn": [], "stages": stages[:1]}
    fall = 0.12 if number % 29 == 17 and place != 2 else 0.0
    value = 0.41 + 0.0002 * number + 0.01 * float(random.normal()) - fall - 0.05 * place
    version, back = live[model] + 1, number % 41 == 30 and place == 0
    if not fall:
        live[model] = version
    lines = [
        line("link_recall_at_10", "beats popularity_link_recall_at_10 by 0.05", value, 0.33 - 0.05 * place),
        line("link_recall_at_10", "not worse than live by more than 0.02", value, 0.385 - 0.05 * place),
        line("index_recall_at_10", "at least 0.95", 0.97 + 0.01 * float(random.random()), 0.95),
        line("vectors_nan", "health: at most 0", 0.0, 0.0),
    ]
    churn = 0.9 if built == "full" else 0.05 + 0.02 * float(random.random())
    return {
        "outcome": "held" if fall else "live",
        "version": f"v{version:04d}",
        "digest": f"{number:064x}",
        "live": f"v{live[model]:04d}",
        "withdrawn": [f"v{version - 1:04d}"] if back else [],
        "stages": stages,
        "verdict": {"passed": not fall, "lines": lines},
        "headline": {"metric": "link_recall_at_10", "value": value},
        "numbers": {"link_recall_at_10": value, "neighbour_churn_at_10": churn},
        "churn": churn,
        "built": built,
        "refresh": {
            "generation": number % 30,
            "share": 0.001 * (number % 30),
            "untrained": 0.001 * (number % 30),
            "drift": 0.0,
            "compatibility": {"class": "first" if number == 0 else "same" if built == "delta" else "aligned"},
        },
    }


def line(metric: str, rule: str, value: float, limit: float) -> dict[str, Any]:
    passed = value <= limit if "most" in rule else value >= limit
    reason = "" if passed else f"{value:.4g} misses {limit:g}"
    return {"metric": metric, "rule": rule, "value": value, "limit": limit, "passed": passed, "reason": reason}

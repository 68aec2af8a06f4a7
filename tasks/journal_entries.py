"""Entries of the journal: what one catalogue and one model did in a run, read from what the run left behind.

A file that is missing or damaged costs its figures and nothing else.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kindex.core import nights, release
from kindex.core.errors import KindexError
from kindex.core.files import read_json
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout
from kindex.core.params import Params
from kindex.core.quarantine import refused_path
from kindex.judge.compared import NUMBERS
from tasks.releases import Published
from tasks.stages import StageRun

LONGEST = 2000
"""Characters of one message that are kept."""

ALWAYS = ("index_recall_at_10", *NUMBERS)
"""Numbers that are kept, gate line or not, beside the gate's and the headline's: index recall, and those against live."""

REFRESH = ("generation", "share", "untrained", "drift", "reasons", "compatibility")
"""What is kept of refresh.json."""

_CREDENTIALS = re.compile(r"//[^/@\s]+@")


def of_catalogue(layout: Layout, name: str, runs: Mapping[str, StageRun], moved: bool) -> dict[str, Any]:
    """Whether its lock moved, and rows passed and refused by table; of a stopped validation only what it refused is known."""
    stopped = [run.target for run in runs.values() if run.key == name and run.outcome == "failed"]
    about = {
        "moved": moved,
        "brought": brought_by(layout, name) if moved else "",
        "stopped": stopped[0] if stopped else "",
        "stages": stages_of(runs, name, CATALOGUE_STAGES),
    }
    if stopped:
        return {**about, "rows": {}, "refused": _refused(layout, name) if "validate" in stopped[0] else {}}
    try:
        rows = read_json(layout.out("validate", name) / "validation.json")["rows"]
        counts = {part: {table: int(count[part]) for table, count in rows.items()} for part in ("passed", "refused")}
    except (KindexError, KeyError, TypeError, ValueError, AttributeError):
        counts = {"passed": {}, "refused": {}}
    return {**about, "rows": counts["passed"], "refused": counts["refused"]}


def brought_by(layout: Layout, catalogue: str) -> str:
    """What the last move of the lock brought, as far as its source tells: "files added 2, removed 1"."""
    from kindex.core.lock import read_lock
    from kindex.sources.locking import brought

    try:
        return plain(brought(read_lock(layout.lock(catalogue)).moved))
    except KindexError:
        return ""


def _refused(layout: Layout, catalogue: str) -> dict[str, int]:
    """Refused rows by table that a stopped validation left."""
    path = refused_path(layout, catalogue)
    if not path.is_file():
        return {}
    import pyarrow.parquet as pq

    counted = pq.ParquetFile(path).read(["table"])["table"].value_counts().to_pylist()
    return {str(pair["values"]): int(pair["counts"]) for pair in sorted(counted, key=lambda pair: str(pair["values"]))}


def of_model(
    layout: Layout, params: Params, model: str, runs: Mapping[str, StageRun], published: Published | None
) -> dict[str, Any]:
    """What became of one model. Without a candidate only its stages, and which release answers, are known."""
    mine = {"stages": stages_of(runs, model, STAGES[3:]), **pointed(layout, model)}
    if published is None:
        broken = any(run.outcome == "failed" for run in runs.values() if run.key in (model, params.models[model].catalogue))
        return {**mine, "outcome": "failed" if broken else "none"}
    folder = layout.releases(model) / published.version
    report, refresh = _json(folder / "report.json"), _json(folder / "refresh.json")
    headline = _json(folder / "evidence.json").get("headline") or {}
    lines = [line for line in published.verdict.get("lines", []) if isinstance(line, Mapping)]
    numbers = wanted_numbers({**report, **published.numbers}, lines, str(headline.get("metric", "")))
    return {
        **mine,
        "outcome": published.outcome,
        "version": published.version,
        "digest": published.digest,
        "parent": published.parent,
        "live": published.live,
        "new": published.new,
        "trouble": plain(published.trouble),
        "verdict": {"passed": published.verdict.get("passed"), "lines": [_line(line) for line in lines]},
        "headline": {name: headline[name] for name in ("metric", "value", "low", "high", "better") if name in headline},
        "numbers": numbers,
        "churn": numbers.get("neighbour_churn_at_10"),
        "built": refresh.get("built"),
        "refresh": {name: refresh.get(name) for name in REFRESH},
    }


def stages_of(runs: Mapping[str, StageRun], key: str, stages: Sequence[str]) -> list[dict[str, Any]]:
    """The runs of one catalogue's or model's stages, in the order of work."""
    mine = [run for stage in stages for run in runs.values() if (run.stage, run.key) == (stage, key)]
    return [
        {"stage": run.stage, "key": run.key, "outcome": run.outcome, "why": plain(run.why), "seconds": round(run.seconds, 3)}
        for run in mine
    ]


def pointed(layout: Layout, model: str) -> dict[str, Any]:
    """The version that answers, and those that a person took back: by these a later page sees a rollback."""
    try:
        pointer = release.current(layout.releases(model))
    except KindexError:
        pointer = None
    return {"live": pointer.version if pointer else None, "withdrawn": list(pointer.withdrawn) if pointer else []}


def wanted_numbers(report: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], headline: str) -> dict[str, float]:
    """The finite numbers that trends are drawn of: the gate's, the headline's, and those that are always kept."""
    judged = {str(line["metric"]): line.get("value") for line in lines if "metric" in line}
    found = {name: report.get(name, judged.get(name)) for name in sorted({*judged, headline, *ALWAYS})}
    return {name: float(value) for name, value in found.items() if nights.is_number(value)}


def plain(text: str) -> str:
    """A message as it may be kept: without the credentials of a URL, and cut."""
    shown = _CREDENTIALS.sub("//***@", text)
    shown = shown.encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    """One line of a verdict, its numbers finite or None: JSON has no NaN."""
    kept = {name: line.get(name) for name in ("metric", "rule", "passed", "reason")}
    return {**kept, **{name: line.get(name) if nights.is_number(line.get(name)) else None for name in ("value", "limit")}}


def _json(path: Path) -> dict[str, Any]:
    """The parsed file, or {} when it is missing or damaged: history goes on without it."""
    try:
        found = read_json(path)
    except KindexError:
        return {}
    return found if isinstance(found, dict) else {}

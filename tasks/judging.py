"""A candidate before its gate: its report, and what it is beside the live release, which answers meanwhile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kindex.core import release
from kindex.core.files import read_json
from kindex.core.forget import masked, read_forgotten
from kindex.core.layout import Layout
from kindex.core.params import Params


@dataclass(frozen=True)
class Judged:
    """The gate's verdict; `compared` is what the report page and `notes/comparison.json` show of the comparison with the live
    release, {} when nothing is live; `numbers` are those of it that a gate may ask."""

    verdict: dict[str, Any]
    compared: Mapping[str, Any] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)


def judged(layout: Layout, params: Params, model: str, folder: Path, manifest: release.Manifest) -> Judged:
    """Judge the candidate whose content lies in `folder`. Raises `DamagedError` naming a file of either that is not whole."""
    from kindex.judge.gate import judge

    report = read_json(folder / "report.json")
    releases = layout.releases(model)
    if release.current(releases) is None:
        return Judged(judge(report, None, params.gates[model]).as_dict())
    from kindex.ask.comparing import compare_releases, opened_both

    live = release.live(releases)
    former, now = opened_both((releases / live.version, live), (folder, manifest))
    found = compare_releases(former, now, params.evaluate.golden.get(model, ()))
    verdict = judge(report, former.report, params.gates[model], found.numbers, found.pairs)
    forgotten = read_forgotten(layout.lock(params.model(model).catalogue))  # who lost an item that is to be forgotten
    return Judged(verdict.as_dict(), masked(forgotten, found.shown), found.numbers)

"""What becomes of a model after evaluation: gate → release → promote. Each is idempotent, so a killed night goes on here."""

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import relpath
from pathlib import Path
from typing import Any

from kindex.core import outbox, release
from kindex.core.costs import read_costs
from kindex.core.errors import KindexError, MetricGateError
from kindex.core.files import canonical_json, read_json, sha256_file, write_atomic
from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout
from kindex.core.params import Params
from tasks.reasons import read_yaml


@dataclass(frozen=True)
class Published:
    """What became of a model's candidate. `outcome`: live, held (by the gate, or by a person's rollback) or unchanged."""

    model: str
    outcome: str
    version: str
    digest: str
    parent: str | None
    live: str | None  # the version that answers now
    new: bool  # the release was made just now
    verdict: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = ""  # why it was held, beside the gate

    @property
    def failures(self) -> list[str]:
        """The gate's failed lines, for people."""
        lines = [line for line in self.verdict.get("lines", []) if not line["passed"]]
        return [f"{line['metric']} {line['rule']}: {line['reason']}" for line in lines]


@dataclass(frozen=True)
class Provenance:
    """What a release and a night say of where they come from. `night` is the logical date, UTC."""

    night: str
    git: str
    dvc_lock_sha256: str


def provenance(layout: Layout, night: str) -> Provenance:
    """The night with the hashes of the code and of dvc.lock; an empty string where there is none."""
    lock = layout.root / "dvc.lock"
    try:
        asked = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        git = subprocess.run(asked, cwd=layout.root, capture_output=True, text=True, check=False, timeout=30).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        git = ""
    return Provenance(night, git, sha256_file(lock) if lock.exists() else "")


def settled(layout: Layout, params: Params, model: str) -> Published | None:
    """The release that was judged for exactly these stage outputs and thresholds, or None when publishing has work to do.

    It looks at dvc.lock and the manifest, not at the vectors: a night with nothing new costs milliseconds here.
    """
    try:
        record = read_json(_record(layout, model))
        manifest = release.read_manifest(layout.releases(model), record["version"])
        if record["inputs"] != _inputs(layout, params, model) or manifest.digest != record["digest"]:
            return None
        outcome, verdict, trouble = "unchanged", record["verdict"], record["trouble"]
    except (KindexError, KeyError, TypeError):
        return None
    live = live_version(layout, model)
    return Published(model, outcome, manifest.version, manifest.digest, manifest.parent, live, False, verdict, trouble)


def publish(layout: Layout, params: Params, model: str, made: Provenance) -> Published:
    """Judge the stage outputs of `model` against the live release, make a release of them, and promote it if they passed.

    Raises `BusyError` when another run publishes at the same time, `OutsideError` without room on the disk, and
    `DamagedError` naming a stage output or a live release that is not whole.
    """
    from kindex.core.contents import contents
    from kindex.core.publish import build, promote

    releases = layout.releases(model)
    pointer = release.current(releases)
    verdict = _verdict(layout, params, model)
    files, notes = contents(layout, params, model)
    about = {**vars(made), "passed": verdict["passed"], "verdict": verdict}
    notes["notes/report.html"] = _page(layout, params, model, files, verdict, made.night)
    manifest, new = build(releases, model, files, notes, about)
    outcome, trouble = "held", ""
    if verdict["passed"]:
        try:
            promote(releases, manifest.version, pointer.version if pointer else None)
            outcome = "live"
        except MetricGateError as error:
            trouble = str(error)
    _tell(layout, params, model, manifest)
    record = {"inputs": _inputs(layout, params, model), "version": manifest.version, "digest": manifest.digest}
    write_atomic(_record(layout, model), canonical_json({**record, "verdict": verdict, "trouble": trouble}))
    live = live_version(layout, model)
    return Published(model, outcome, manifest.version, manifest.digest, manifest.parent, live, new, verdict, trouble)


def tell_night(layout: Layout, made: Provenance, started: str, outcome: Mapping[str, str]) -> None:
    """Leave a message about the whole night; `outcome` is one line for each model."""
    payload = {**vars(made), "started": started, "outcome": dict(outcome)}
    outbox.put(layout.outbox, "night", payload, made.night)


def _verdict(layout: Layout, params: Params, model: str) -> dict[str, Any]:
    """The gate's verdict on the stage outputs, held against the live release if there is one."""
    from kindex.judge.gate import judge

    report = read_json(layout.out("evaluate", model) / "report.json")
    releases = layout.releases(model)
    if release.current(releases) is None:
        return judge(report, None, params.gates[model]).as_dict()
    live = release.live(releases)
    return judge(report, release.report(releases, live), params.gates[model], _churn(layout, model, live)).as_dict()


def _churn(layout: Layout, model: str, live: release.Manifest) -> float:
    """The largest neighbour churn of the model's spaces against the live ones; 1 for a space that was not there."""
    from kindex.core.space import read_space
    from kindex.judge.churn import neighbour_churn

    folder = layout.releases(model) / live.version
    churns = [0.0]
    for path in sorted((layout.out("train", model) / "spaces").glob("*.parquet")):
        name = f"vectors/{path.name}"
        if name in live.files:
            release.check_files(folder, live, [name])
            churns.append(neighbour_churn(read_space(folder / name), read_space(path)))
        else:
            churns.append(1.0)
    return max(churns)


def _page(
    layout: Layout, params: Params, model: str, files: Mapping[str, Path | bytes], verdict: dict[str, Any], night: str
) -> bytes:
    """The report page with what evaluation could not know: the verdict and the release that it becomes."""
    from kindex.core.publish import next_version
    from kindex.judge.page import render

    releases = layout.releases(model)
    version = next_version(releases)  # nobody else makes one: we hold the night
    about = {
        "model": model,
        "version": version,
        "digest": release.content_digest(model, {name: _sha256(part) for name, part in files.items()}),
        "parent": live_version(layout, model),
        "night": night,
    }
    evidence = read_json(layout.out("evaluate", model) / "evidence.json")
    catalogue = params.model(model).catalogue
    data_docs = relpath(layout.data_docs(catalogue), releases / version / "notes")
    return render(evidence, read_costs(layout, catalogue, model), verdict, about, data_docs).encode()


def _sha256(part: Path | bytes) -> str:
    return hashlib.sha256(part).hexdigest() if isinstance(part, bytes) else sha256_file(part)


def _tell(layout: Layout, params: Params, model: str, manifest: release.Manifest) -> None:
    """Messages for MLflow: the release (of the night that made it, so that telling it again changes nothing), the aliases."""
    night, passed = manifest.about.get("night"), manifest.about.get("passed")
    catalogue = params.model(model).catalogue
    payload = {"night": night, "model": model, "catalogue": catalogue, "version": manifest.version, "passed": passed}
    outbox.put(layout.outbox, "model", payload, f"{night}/{model}/{manifest.version}")
    aliases = {"model": model, "candidate": manifest.version, "champion": live_version(layout, model)}
    outbox.put(layout.outbox, "aliases", aliases, model)


def live_version(layout: Layout, model: str) -> str | None:
    """The version that answers now. Raises `DamagedError` when CURRENT is not a pointer."""
    pointer = release.current(layout.releases(model))
    return pointer.version if pointer else None


def _targets(params: Params, model: str) -> list[tuple[str, str]]:
    catalogue = params.model(model).catalogue
    return [(stage, catalogue if stage in CATALOGUE_STAGES else model) for stage in STAGES]


def _inputs(layout: Layout, params: Params, model: str) -> str:
    """Hex sha256 over what a release and its verdict follow from: outputs and parameters in dvc.lock, the lock, the gate."""
    stages = read_yaml(layout.root / "dvc.lock")["stages"]
    entries = [stages[f"{stage}@{key}"] for stage, key in _targets(params, model)]
    made = [{part: entry.get(part) for part in ("params", "outs")} for entry in entries]
    lock = sha256_file(layout.lock(params.model(model).catalogue))
    return hashlib.sha256(canonical_json([made, lock, [vars(line) for line in params.gates[model]]])).hexdigest()


def _record(layout: Layout, model: str) -> Path:
    return layout.var / "published" / f"{model}.json"

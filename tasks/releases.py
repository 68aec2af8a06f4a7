"""What becomes of a model after evaluation: gate → release → promote. Each is idempotent, so a killed night goes on here."""

import hashlib
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kindex.core import outbox, release
from kindex.core.costs import read_costs
from kindex.core.errors import KindexError, MetricGateError
from kindex.core.files import canonical_json, pretty_json, read_json, sha256_file, write_atomic
from kindex.core.layout import Layout, keys_of
from kindex.core.params import Params
from tasks import supplies
from tasks.dvclock import recorded

if TYPE_CHECKING:
    from tasks.judging import Judged


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
    numbers: Mapping[str, float] = field(default_factory=dict)  # against the live release, see `kindex.judge.compared`

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
        numbers = record.get("numbers", {})
    except (KindexError, KeyError, TypeError):
        return None
    live = live_version(layout, model)
    known = (manifest.version, manifest.digest, manifest.parent)
    return Published(model, outcome, *known, live, False, verdict, trouble, numbers)


def publish(layout: Layout, params: Params, model: str, made: Provenance) -> Published:
    """Judge the stage outputs of `model` against the live release, make a release of them, and promote it if they passed.

    Raises `BusyError` when another run publishes at the same time, `OutsideError` without room on the disk, and
    `DamagedError` naming a stage output or a live release that is not whole.
    """
    from kindex.core.contents import contents
    from kindex.core.pointer import promote
    from kindex.core.publish import candidate
    from tasks.judging import judged

    releases = layout.releases(model)
    pointer = release.current(releases)
    files, notes = contents(layout, params, model)
    with candidate(releases, model, files) as draft:
        found = judged(layout, params, model, draft.folder, draft.manifest)
        passed = found.verdict["passed"]
        notes["notes/comparison.json"] = pretty_json(found.compared)
        notes["notes/report.html"] = _page(layout, params, model, draft.manifest, found, made.night)
        notes |= supplies.notes(layout)
        manifest = draft.finish(notes, {**vars(made), "passed": passed, "verdict": found.verdict})
        new = draft.new
    outcome, trouble = "held", ""
    if passed or (pointer and pointer.version == manifest.version):  # what a person approved stays live
        try:
            promote(releases, manifest.version, pointer.version if pointer else None)
            outcome = "live"
        except MetricGateError as error:
            trouble = str(error)
    _tell(layout, params, model, manifest)
    record = {"inputs": _inputs(layout, params, model), "version": manifest.version, "digest": manifest.digest}
    judged_as = {"verdict": found.verdict, "trouble": trouble, "numbers": dict(found.numbers)}
    write_atomic(_record(layout, model), canonical_json({**record, **judged_as}))
    live, known = live_version(layout, model), (manifest.version, manifest.digest, manifest.parent)
    return Published(model, outcome, *known, live, new, found.verdict, trouble, found.numbers)


def tell_night(layout: Layout, made: Provenance, started: str, outcome: Mapping[str, str]) -> None:
    """Leave a message about the whole night; `outcome` is one line for each model."""
    payload = {**vars(made), "started": started, "outcome": dict(outcome)}
    outbox.put(layout.outbox, "night", payload, made.night)


def _page(layout: Layout, params: Params, model: str, manifest: release.Manifest, found: "Judged", night: str) -> bytes:
    """The report page with what evaluation could not know: the verdict, the live release, and the release that it becomes."""
    from kindex.judge.page import render

    releases = layout.releases(model)
    about = {name: getattr(manifest, name) for name in ("model", "version", "digest", "parent")} | {"night": night}
    evidence = read_json(layout.out("evaluate", model) / "evidence.json")
    catalogue = params.model(model).catalogue
    data_docs = relpath(layout.data_docs(catalogue), releases / manifest.version / "notes")
    costs = read_costs(layout, catalogue, model)
    return render(evidence, costs, found.verdict, about, data_docs, found.compared).encode()


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


def _inputs(layout: Layout, params: Params, model: str) -> str:
    """Hex sha256 over what a release and its verdict follow from: outputs and parameters in dvc.lock, the lock, the gate."""
    stages = recorded(layout)
    keys = keys_of(params.model(model).catalogue, model)
    entries = [stages[f"{stage}@{key}"] for stage, key in keys.items()]
    made = [{part: entry.get(part) for part in ("params", "outs")} for entry in entries]
    lock = sha256_file(layout.lock(params.model(model).catalogue))
    return hashlib.sha256(canonical_json([made, lock, [vars(line) for line in params.gates[model]]])).hexdigest()


def _record(layout: Layout, model: str) -> Path:
    return layout.var / "published" / f"{model}.json"

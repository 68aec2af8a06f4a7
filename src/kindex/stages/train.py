"""Fit a model's family on the train part of its catalogue, and place every item of the catalogue with it; or, where little
changed since the parent release, place what changed and leave the rest as it was. See docs/refresh.md."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kindex.core.align import Compatibility
from kindex.core.errors import ConfigError
from kindex.core.files import pretty_json, sha256_file, write_atomic
from kindex.core.former import open_former
from kindex.core.refresh import Plan
from kindex.core.space import Space, write_space
from kindex.core.split import read_split
from kindex.core.writer import write_stream
from kindex.encoders import configure, family, require
from kindex.stages.keeping import aligned, embedded, keep_encoder, keep_history, unturned
from kindex.stages.parts.job import Job
from kindex.stages.refreshing import ENDS, Refreshing, told


def run(job: Job) -> dict[str, Any]:
    """Write `encoder/` (its `config.json` has every setting), `spaces/<kind>.parquet`, `history.jsonl`, `rows/` and
    `refresh.json`: what was done about the parent release, and what the next night needs to go on from this one.

    Raises `ConfigError` when the catalogue lacks a table that the family needs, `MetricGateError` when training diverges,
    `DamagedError` when the parent release is locked and not here, or not what the lock says.
    """
    params = job.params.model(job.key)
    module, config = family(params, job.key), configure(params, job.key)
    split = read_split(job.layout.out("split", params.catalogue), params.catalogue)
    require(params, job.key, split.train.tables)
    night = Refreshing(params, module, config, split, open_former(job.layout, job.key), job.out)
    began = time.perf_counter()
    plan = night.plan()
    encoder, spaces, compatibility, plan = _delta(job, night, plan) if plan.built == "delta" else (None, {}, None, plan)
    folded = time.perf_counter()
    if compatibility is None:
        encoder, spaces, compatibility = _fitted(job, night, plan)
    if encoder is not None:
        encoder.save(job.out / "encoder")
    write_atomic(job.out / "encoder" / "config.json", pretty_json(asdict(config)))
    for kind, space in spaces.items():
        write_space(job.out / "spaces" / f"{_file_name(kind)}.parquet", space)
    night.now.write(job.out / "rows")
    if night.evidence is not None:
        links = night.evidence.remembered()
        write_stream(job.out / ENDS, links.schema, links.batches(None))
    about = night.about(plan, compatibility)
    write_atomic(job.out / "refresh.json", pretty_json(about))
    print(told(job.key, about), flush=True)
    return {
        "built": plan.built,
        "delta_seconds": round(folded - began, 3),
        "fit_seconds": round(time.perf_counter() - folded, 3),
        **{f"train_{kind}": split.train.rows(kind) for kind in module.NEEDS},
    }


Made = tuple[Any, dict[str, Space], Compatibility]


def _delta(job: Job, night: Refreshing, plan: Plan) -> tuple[Any, dict[str, Space], Compatibility | None, Plan]:
    """What changed, by the parent's encoder; no compatibility where the vectors that stay have drifted too far for it."""
    assert night.former
    if night.inductive:
        _fix_threads(night.config.threads)
        keep_encoder(night.former, job.out)
        keep_history(night.former, job.out)
        spaces = embedded(night, night.former)
        return None, spaces, unturned(night.former, spaces), plan
    encoder = night.folded()
    night.measure(encoder, plan.since)
    if (night.drift or 0.0) > (most := night.params.refresh.max_drift):
        return None, {}, None, plan.instead("full", f"the drift would be {night.drift:.4f}, max_drift is {most}")
    keep_history(night.former, job.out)
    spaces = encoder.embed(night.whole)
    return encoder, spaces, unturned(night.former, spaces), plan


def _fitted(job: Job, night: Refreshing, plan: Plan) -> Made:
    """A fit from nothing, or from the parent's vectors, turned onto the parent."""
    config = night.config
    _fix_threads(config.threads)
    lock = night.former.lock if night.former else None
    job.watch.bind(
        {
            "data": _digests(job.layout.out("split", night.params.catalogue) / "train"),
            "config": asdict(config),
            "family": night.params.family,
            "code": _code(night.module),
            "start": [lock.digest, plan.built] if lock else None,
        }
    )
    rng = np.random.Generator(np.random.PCG64(config.seed))
    start = night.folded() if plan.built == "warm" else None
    night.let_go()
    if start is not None:
        encoder = night.module.warm(start, night.split.train, config, rng=rng, watch=job.watch)
    else:
        encoder = night.module.fit(night.split.train, config, rng=rng, watch=job.watch)
    if not (job.out / "history.jsonl").exists():
        job.watch.record(epoch=1)  # a fit without epochs has a history, too
    spaces, compatibility = aligned(night, encoder, encoder.embed(night.whole))
    night.made, night.drift = {kind: len(space.ids) for kind, space in spaces.items()}, None
    night.measure(encoder, plan.since if plan.built == "warm" else None)
    return encoder, spaces, compatibility


def _fix_threads(threads: int) -> None:
    import torch  # seconds, which a night that folds a few links in does not need

    torch.set_num_threads(threads)


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256_file(path) for path in sorted(folder.iterdir())}


def _code(module: Any) -> dict[str, str]:
    """Digests of the family's files and of the parts: a checkpoint of other code must not be resumed from."""
    family = Path(module.__file__).parent
    files = [*sorted(family.rglob("*.py")), *sorted((family.parent / "parts").rglob("*.py"))]
    return {path.relative_to(family.parent).as_posix(): sha256_file(path) for path in files}


def _file_name(kind: str) -> str:
    """The kind itself. Raises `ConfigError` when it cannot be a file's name."""
    if not kind.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"the kind of item {kind!r} is not a name: use letters, digits, - and _ for kinds in params.yaml")
    return kind

"""Fit a model's family on the train part of its catalogue, and place every item of the catalogue with it."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kindex.core.errors import ConfigError
from kindex.core.files import pretty_json, sha256_file, write_atomic
from kindex.core.space import write_space
from kindex.core.split import read_split, together
from kindex.encoders import configure, family, require
from kindex.stages import Job


def run(job: Job) -> dict[str, Any]:
    """Write `encoder/` (its `config.json` has every setting), `spaces/<kind>.parquet` and, by the watch, `history.jsonl`.

    Raises `ConfigError` when the catalogue lacks a table that the family needs, `MetricGateError` when training diverges.
    """
    import torch

    params = job.params.model(job.key)
    module, config = family(params, job.key), configure(params, job.key)
    folder = job.layout.out("split", params.catalogue)
    split = read_split(folder, params.catalogue)
    require(params, job.key, split.train.tables)

    torch.set_num_threads(config.threads)
    job.watch.bind(
        {"data": _digests(folder / "train"), "config": asdict(config), "family": params.family, "code": _code(module)}
    )
    began = time.perf_counter()
    rng = np.random.Generator(np.random.PCG64(config.seed))
    encoder = module.fit(split.train, config, rng=rng, watch=job.watch)
    fitted = time.perf_counter()
    encoder.save(job.out / "encoder")
    write_atomic(job.out / "encoder" / "config.json", pretty_json(asdict(config)))
    for kind, space in encoder.embed(together(split)).items():
        write_space(job.out / "spaces" / f"{_file_name(kind)}.parquet", space)
    return {
        "fit_seconds": round(fitted - began, 3),
        "embed_seconds": round(time.perf_counter() - fitted, 3),
        **{f"train_{kind}": split.train.rows(kind) for kind in module.NEEDS},
    }


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

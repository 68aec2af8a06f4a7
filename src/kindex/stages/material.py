"""What evaluate judges a model by: its spaces and indexes, and what its family can do beyond placing items."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kindex.core.files import read_json
from kindex.core.hubs import read_offsets
from kindex.core.space import Space, read_spaces
from kindex.core.split import Split, together
from kindex.core.watch import Silent
from kindex.judge.captions.material import Material as Captioned
from kindex.judge.material import Material
from kindex.stages.former import read_before
from kindex.stages.parts.job import Job

SIDE = 48
"""Pixels that images of different sizes are made to, to be shown on the page and compared by their pixels."""


def material(job: Job, split: Split) -> Material:
    """Read the outputs of train and index. Raises `DamagedError` naming a file that is missing or damaged."""
    train, index = job.layout.out("train", job.key), job.layout.out("index", job.key)
    spaces = {space.kind: space for space in read_spaces(sorted((train / "spaces").glob("*.parquet")))}
    about = {kind: read_json(index / f"{kind}.json") for kind in sorted(spaces)}
    before = read_before(job.layout, job.key)
    # what a delta night carries over needs neither the encoder nor other settings of it
    carries = before is not None and before.delta
    said = before is not None and (before.has("captioned_images") or before.has("reconstruction_mse"))
    encoder, images = None if said else _encoder(job, split), _images(split)
    rivals = {} if carries else _rivals(job, split)
    captions = hasattr(encoder, "captions")
    rebuild = getattr(encoder, "reconstruct", None)
    golden = job.params.evaluate.golden.get(job.key, ())
    return Material(
        split,
        spaces,
        index_recall={kind: float(found["index_recall_at_10"]) for kind, found in about.items()},
        index_figures=_index_figures(read_json(index / "table.json")),
        before=before,
        index_excess={kind: float(found["budget_excess"]) for kind, found in about.items() if "budget_excess" in found},
        images=images,
        rebuilt_NHWC=rebuild(split.heldout) if rebuild and split.heldout.images.num_rows else None,
        offsets={
            space.kind: read_offsets(path, space)
            for stem, space in spaces.items()
            if (path := index / "offsets" / f"{stem}.parquet").is_file()
        },
        rivals={} if captions else _placed(rivals, split),
        golden=golden,
        captioner=_captioned(encoder, spaces, split, images, golden) if captions else None,
        rival_captioners={
            name: _captioned(other, other.embed(together(split)), split, images) for name, other in rivals.items() if captions
        },
    )


def _index_figures(table: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The worst of the chosen indexes of all kinds: predicted microseconds of a slow query, and bytes for each vector."""
    columns = {"index_p95_us": "predicted_p95_us", "index_bytes_per_vector": "bytes_per_vector"}
    found = {
        name: [float(row[column]) for row in table if row.get("chosen") and row.get(column) is not None]
        for name, column in columns.items()
    }
    return {name: max(values) for name, values in found.items() if values}


def _captioned(
    encoder: Any, spaces: Mapping[str, Space], split: Split, images: Mapping[str, np.ndarray], golden: Sequence[str] = ()
) -> Captioned:
    from kindex.encoders.parts.images import rgb

    return Captioned(
        split=split,
        image=spaces["image"],
        word=spaces["word"],
        encoder=encoder,
        tokens=encoder.tokens,
        rgb=rgb,
        thumbnails=images,
        golden=golden,
    )


def _encoder(job: Job, split: Split) -> Any:
    """The fitted encoder of a family that sees images, None of another: what it can do beyond placing them is judged, too."""
    if "images" not in split.train.tables:
        return None
    import torch

    from kindex.encoders import configure, family

    model = job.params.model(job.key)
    torch.set_num_threads(configure(model, job.key).threads)
    return family(model, job.key).Encoder.load(job.layout.out("train", job.key) / "encoder")


def _images(split: Split) -> dict[str, np.ndarray]:
    """All images (H, W, C) by id, values in 0..1, of one shape; where captions allow any shape they are made squares."""
    if "images" not in split.train.tables:
        return {}
    from kindex.encoders.parts.images import decode, rgb, squared

    images: dict[str, np.ndarray] = {}
    for side in (split.train, split.heldout):
        ids = side.images["id"].to_pylist()
        if "captions" in split.train.tables:
            encoded = zip(ids, side.images["image"].to_pylist(), strict=True)
            images |= {name: squared(rgb(image), SIDE).astype(np.float32) / np.float32(255) for name, image in encoded}
        elif ids:
            images |= dict(zip(ids, decode(side.images), strict=True))
    return images


def _rivals(job: Job, split: Split) -> dict[str, Any]:
    """Encoders of other settings of the family, by name, where it says so (`rivals`), fitted on the same train side from the
    same seed: so that the report can say how far behind, or ahead, these settings are.

    `rivals(config)` are the configurations to compare with, e.g. the defaults when `config` has others.
    """
    from kindex.encoders import configure, family

    model = job.params.model(job.key)
    module = family(model, job.key)
    config = configure(model, job.key)
    others = module.rivals(config) if hasattr(module, "rivals") else {}
    found: dict[str, Any] = {}
    for name, other in others.items():
        import torch

        torch.set_num_threads(config.threads)
        fair = replace(other, seed=config.seed, threads=config.threads)
        rng = np.random.Generator(np.random.PCG64(config.seed))
        found[name] = module.fit(split.train, fair, rng=rng, watch=Silent())
    return found


def _placed(rivals: Mapping[str, Any], split: Split) -> dict[str, dict[str, Space]]:
    return {name: encoder.embed(together(split)) for name, encoder in rivals.items()}

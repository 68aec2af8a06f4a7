"""What a night of training keeps of the parent release: vectors, encoder, history, or the orientation of its spaces."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.align import Alignment, Compatibility, align, turned
from kindex.core.catalogue import Catalogue
from kindex.core.former import Former
from kindex.core.space import Space
from kindex.stages.refreshing import Refreshing


def embedded(night: Refreshing, former: Former) -> dict[str, Space]:
    """The parent's spaces with new and changed items embedded by its encoder, which is loaded only when there are any."""
    spaces = dict(former.spaces)
    for kind in set(night.whole.items["kind"].unique().to_pylist()) & spaces.keys():
        ids = night.whole.images["id"]
        wanted = set(night.touched.get(kind, ()))
        some = night.whole.images.filter(pa.array([name in wanted for name in ids.to_pylist()], pa.bool_()))
        before = spaces[kind]
        made: dict[str, np.ndarray] = {}
        if some.num_rows:
            part = Catalogue(night.whole.name, {**dict(night.whole.tables), "images": some})
            space = night.folded().embed(part)[kind]
            made = dict(zip(space.ids, space.vectors_ND, strict=True))
        rows = [made[name] if name in made else before.vectors_ND[before.rows[name]] for name in ids.to_pylist()]
        spaces[kind] = Space(kind, tuple(ids.to_pylist()), np.array(rows, np.float32), before.metric, before.frame)
        night.made[kind] = len(made)
    return spaces


def keep_encoder(former: Former, out: Path) -> None:
    """The parent's encoder, byte for byte."""
    (out / "encoder").mkdir(parents=True)
    for path in former.files("encoder").iterdir():
        shutil.copyfile(path, out / "encoder" / path.name)


def keep_history(former: Former, out: Path) -> None:
    """What was recorded of the training that the encoder comes from."""
    shutil.copyfile(former.file("history.jsonl"), out / "history.jsonl")


def aligned(night: Refreshing, encoder: Any, spaces: dict[str, Space]) -> tuple[dict[str, Space], Compatibility]:
    """`spaces`, and `encoder` with them, turned onto the parent's where the family can be turned."""
    if night.former is None:
        return spaces, Compatibility("first")
    found: Alignment = align(spaces, night.former.spaces)
    if not found.rotations:
        return spaces, found.compatibility
    if not hasattr(encoder, "turn"):
        return spaces, Compatibility("incompatible")
    encoder.turn(found.rotations)
    if not night.inductive:
        return encoder.embed(night.whole), found.compatibility
    made = {}
    for kind, space in spaces.items():
        vectors_ND = turned(space.vectors_ND, found.rotations[space.frame or kind])
        made[kind] = Space(space.kind, space.ids, vectors_ND, space.metric, space.frame)
    return made, found.compatibility


def unturned(former: Former, spaces: dict[str, Space]) -> Compatibility:
    """Of a delta, where what was not touched is what it was."""
    known = {kind: former.ids[kind].combine_chunks() for kind in spaces if kind in former.ids}
    shared = (pc.sum(pc.is_in(pa.array(spaces[kind].ids, pa.string()), ids)).as_py() or 0 for kind, ids in known.items())
    return Compatibility("same", 0.0, sum(shared))

"""What an export is made from: the vectors of one kind of a release, and what is known of its items."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.ask.spelling import meant_kind
from kindex.core import release as releases
from kindex.core.catalogue import read_table
from kindex.core.errors import ConfigError, DamagedError, choices
from kindex.core.files import read_json
from kindex.core.layout import Layout
from kindex.core.release import Manifest
from kindex.core.space import CONTEXT, Space, read_space


def unwatched(*_: int) -> None:
    """For a writer whose progress nobody wants to know."""


@dataclass(frozen=True)
class Source:
    """A space of one release. `about` has a string column for each thing known of its items (label, description …), in the
    order of its ids, those without any value left out; `places` are t-SNE places by id, for the items of the report's map.
    """

    model: str
    version: str
    space: Space
    about: dict[str, pa.Array] = field(default_factory=dict)
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def metadata(self) -> dict[str, str]:
        """What a Parquet file says of where it is from."""
        of = {"model": self.model, "release": self.version, "kind": self.space.kind, "metric": self.space.metric}
        return {f"kindex.{name}": value for name, value in of.items()}


def read_source(layout: Layout, model: str, kind: str | None = None, version: str | None = None) -> Source:
    """The vectors of `kind` (by default the one the model is about) in a release of `model` (by default the live one).

    The files are held against the manifest first; the index is not read. Raises `ConfigError` with near spellings for an
    unknown model, kind or version, `DamagedError` naming the file.
    """
    folder = layout.releases(model)
    if not releases.names(folder):
        published = [path.name for path in folder.parent.glob("*") if releases.names(path)]
        raise ConfigError(f"no release of {model!r}: {choices(model, published)}. `make nightly` publishes")
    manifest = releases.live(folder, version)
    kind = _kind(folder, manifest, kind)
    vectors = f"vectors/{kind}.parquet"
    evidence = [name for name in ("evidence.json",) if name in manifest.files]
    _check(folder, manifest, [vectors, "items.parquet", *evidence])
    release = folder / manifest.version
    space = read_space(release / vectors)
    if not np.isfinite(space.vectors_ND.sum(1, dtype=np.float64)).all():
        row = int(np.flatnonzero(~np.isfinite(space.vectors_ND).all(1))[0])
        raise DamagedError(f"{release / vectors}: the vector of {space.ids[row]!r} is not finite, and no program expects that")
    shown = read_json(release / evidence[0]) if evidence else {}
    return Source(model, manifest.version, space, _about(release / "items.parquet", space), _places(shown, space))


def _kind(folder: Path, manifest: Manifest, kind: str | None) -> str:
    kinds = sorted(Path(name).stem for name in manifest.files if name.startswith("vectors/"))
    if kind is None:
        _check(folder, manifest, ["lineage.json"])
        first = read_json(folder / manifest.version / "lineage.json")["kinds"]
        return next((each for each in (*first, *kinds) if each in kinds), "")
    meant = meant_kind(kind, kinds)
    if meant is None:
        raise ConfigError(f"{manifest.model} has no kind {kind!r}: {choices(kind, kinds)}")
    return meant


def _check(folder: Path, manifest: Manifest, names: list[str]) -> None:
    for name in names:
        if name not in manifest.files:
            raise DamagedError(f"release {manifest.version} of {manifest.model} has no {name}")
    releases.check_files(folder / manifest.version, manifest, names)


def _about(path: Path, space: Space) -> dict[str, pa.Array]:
    items = read_table(path)
    items = items.filter(pc.equal(items["kind"], space.kind.removesuffix(CONTEXT)))
    rows = pc.index_in(pa.array(space.ids, pa.string()), items["id"].combine_chunks())
    about = {}
    for name in items.column_names:
        if name in ("id", "kind") or not pa.types.is_string(items.schema.field(name).type):
            continue
        values = items[name].combine_chunks().take(rows)
        if values.null_count < len(values):
            about[name] = values
    return about


def _places(evidence: Mapping[str, Any], space: Space) -> dict[str, tuple[float, float]]:
    shown = evidence.get("map") or {}
    if shown.get("kind") != space.kind:
        return {}
    found = {item["id"]: tuple(item["tsne"]) for item in shown["items"] if "tsne" in item and item["id"] in space.rows}
    return found if all(len(place) == 2 and np.isfinite(place).all() for place in found.values()) else {}

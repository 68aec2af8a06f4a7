"""What a release answers from, file by file: each is held against the manifest before it is loaded."""

import importlib
import json
from pathlib import Path
from typing import Any

from kindex.core import release as releases_
from kindex.core.catalogue import read_table
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.hubs import Offsets, read_offsets
from kindex.core.release import Manifest
from kindex.core.space import Space, read_space
from kindex.index.index import Index, load

Told = dict[tuple[str, str], tuple[str | None, str | None]]
"""Label and description by (kind, id)."""

Parts = tuple[dict[str, float], dict[str, Space], dict[str, Index], Told, dict[str, Offsets]]


def read_parts(folder: Path, manifest: Manifest) -> Parts:
    """Report, spaces, indexes, what is known of items, offsets; kinds in the order of the lineage.

    Raises `DamagedError` naming the file that is damaged, missing or of another release.
    """
    lineage = read_lineage(folder, manifest)
    kinds = [Path(name).stem for name in manifest.files if name.startswith("vectors/")]
    parts = {kind: (f"vectors/{kind}.parquet", f"index/{kind}.faiss", f"index/{kind}.json") for kind in sorted(kinds)}
    ranked_anew = lineage.get("settings", {}).get("index", {}).get("neighbours", "cosine") != "cosine"
    corrected = {kind: f"offsets/{kind}.parquet" for kind in parts if ranked_anew}
    wanted = ["items.parquet", "report.json", *(name for names in parts.values() for name in names), *corrected.values()]
    check(folder, manifest, wanted)
    items = read_table(folder / "items.parquet").to_pylist()
    known = {(item["kind"], item["id"]): (item["label"], item["description"]) for item in items}
    spaces, indexes, offsets = {}, {}, {}
    for stem, (vectors, index, about) in parts.items():
        space = read_space(folder / vectors)
        indexes[space.kind] = load(folder / index, json.loads((folder / about).read_bytes()))
        if indexes[space.kind].count != len(space.ids) or indexes[space.kind].metric != space.metric:
            raise DamagedError(f"{folder / index} is not of {folder / vectors}: their counts or metrics differ")
        spaces[space.kind] = space
        if stem in corrected:
            offsets[space.kind] = read_offsets(folder / corrected[stem], space)
    first = lineage["kinds"]
    order = [kind for kind in first if kind in spaces] + [kind for kind in spaces if kind not in first]
    report = json.loads((folder / "report.json").read_bytes())
    return report, {kind: spaces[kind] for kind in order}, indexes, known, offsets


def read_encoder(folder: Path, manifest: Manifest) -> Any:
    """The encoder of the release, which can fold items in. Raises `ConfigError` when its family cannot."""
    from kindex.encoders import families

    name = read_lineage(folder, manifest).get("settings", {}).get("model", {}).get("family")
    if name not in families():
        raise DamagedError(f"{folder / 'lineage.json'} names the family {name!r}, which this kindex does not have")
    encoder = importlib.import_module(f"kindex.encoders.{name}").Encoder
    if not hasattr(encoder, "folded"):
        able = [each for each in families() if hasattr(importlib.import_module(f"kindex.encoders.{each}").Encoder, "folded")]
        raise ConfigError(
            f"{manifest.model} is of the family {name}, which folds no item in: families that can: {', '.join(able)}"
        )
    check(folder, manifest, ["encoder/encoder.json", "encoder/encoder.safetensors"])
    return encoder.load(folder / "encoder")


def read_lineage(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """What the release was made from."""
    check(folder, manifest, ["lineage.json"])
    lineage: dict[str, Any] = json.loads((folder / "lineage.json").read_bytes())
    return lineage


def check(folder: Path, manifest: Manifest, names: list[str]) -> None:
    """Raises `DamagedError` naming a file that the release does not have, or that is not the manifest's."""
    for name in names:
        if name not in manifest.files:
            raise DamagedError(f"release {manifest.version} of {manifest.model} has no {name}")
    releases_.check_files(folder, manifest, names)

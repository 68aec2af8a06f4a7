"""What a release answers from, file by file: each is held against the manifest before it is loaded."""

import ast
import importlib
from functools import cache
from pathlib import Path
from typing import Any

from kindex.core import release as releases_
from kindex.core.catalogue import read_table
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.files import read_json
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
    places = {kind: name for kind in parts if (name := f"index/places/{kind}.parquet") in manifest.files}
    check(folder, manifest, [*wanted, *places.values()])
    items = read_table(folder / "items.parquet").to_pylist()
    known = {(item["kind"], item["id"]): (item["label"], item["description"]) for item in items}
    spaces, indexes, offsets = {}, {}, {}
    for stem, (vectors, index, about) in parts.items():
        space = read_space(folder / vectors)
        placed = folder / places[stem] if stem in places else None
        indexes[space.kind] = load(folder / index, read_json(folder / about), placed)
        found = indexes[space.kind]
        if (found.kind, found.count, found.metric) != (space.kind, len(space.ids), space.metric):
            raise DamagedError(f"{folder / index} is not of {folder / vectors}: their kinds, counts or metrics differ")
        spaces[space.kind] = space
        if stem in corrected:
            offsets[space.kind] = read_offsets(folder / corrected[stem], space)
    first = lineage["kinds"]
    order = [kind for kind in first if kind in spaces] + [kind for kind in spaces if kind not in first]
    report = read_json(folder / "report.json")
    return report, {kind: spaces[kind] for kind in order}, indexes, known, offsets


ABILITIES = {
    "folded": "folds no item in",
    "captions": "captions no image",
    "text_vectors": "searches by no description",
}
"""Methods of an encoder that only some families have, and what a family does without."""


def check_able(folder: Path, manifest: Manifest, ability: str) -> None:
    """Raises `ConfigError`, naming the families that can, when the encoder of the release has no method `ability`.

    It is decided by the families' source, since importing one costs seconds.
    """
    from kindex.encoders import families

    name = _family(folder, manifest)
    if not _has(name, ability):
        able = ", ".join(each for each in families() if _has(each, ability)) or "none"
        lacks = f"{manifest.model} is of the family {name}, which {ABILITIES[ability]}"
        raise ConfigError(f"{lacks}: families that can: {able}")


def read_encoder(folder: Path, manifest: Manifest) -> Any:
    """The encoder of the release."""
    name = _family(folder, manifest)
    check(folder, manifest, ["encoder/encoder.json", "encoder/encoder.safetensors"])
    return importlib.import_module(f"kindex.encoders.{name}").Encoder.load(folder / "encoder")


def _family(folder: Path, manifest: Manifest) -> str:
    from kindex.encoders import families

    name = read_lineage(folder, manifest).get("settings", {}).get("model", {}).get("family")
    if name not in families():
        raise DamagedError(f"{folder / 'lineage.json'} names the family {name!r}, which this kindex does not have")
    return str(name)


@cache
def _has(family: str, ability: str) -> bool:
    """Whether the class `Encoder` of a family has this method."""
    from kindex import encoders

    sources = sorted(Path(encoders.__path__[0]).joinpath(family).glob("*.py"))
    bodies = (node for source in sources for node in ast.parse(source.read_bytes()).body)
    methods = (part for node in bodies if isinstance(node, ast.ClassDef) and node.name == "Encoder" for part in node.body)
    return any(isinstance(part, ast.FunctionDef) and part.name == ability for part in methods)


def read_lineage(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """What the release was made from."""
    check(folder, manifest, ["lineage.json"])
    lineage: dict[str, Any] = read_json(folder / "lineage.json")
    return lineage


def check(folder: Path, manifest: Manifest, names: list[str]) -> None:
    """Raises `DamagedError` naming a file that the release does not have, or that is not the manifest's."""
    for name in names:
        if name not in manifest.files:
            raise DamagedError(f"release {manifest.version} of {manifest.model} has no {name}")
    releases_.check_files(folder, manifest, names)

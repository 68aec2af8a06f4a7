"""What a tag says of its releases: `locks/released/<model>/<version>.dvc`, by which `dvc pull` brings one into a clone.

A clone has no CURRENT, which is of one machine; what was pulled is held against the digest that git keeps.
"""

from dataclasses import dataclass
from pathlib import Path

from kindex.core.errors import DamagedError
from kindex.core.files import sha256_file
from kindex.core.layout import Layout
from kindex.core.manifest import MANIFEST, SHA256, Manifest


@dataclass(frozen=True)
class Restored:
    """A release by what the tag keeps of it."""

    model: str
    version: str
    digest: str
    manifest_sha256: str


def restored(layout: Layout, model: str | None = None) -> list[Restored]:
    """The releases that the tag checked out here names, oldest first; none outside a tag.

    Raises `DamagedError` naming a file that is not one.
    """
    import yaml

    found = []
    for path in sorted((layout.root / "locks" / "released").glob(f"{model or '*'}/*.dvc")):
        try:
            one = Restored(**yaml.safe_load(path.read_text(encoding="utf-8"))["meta"]["kindex"])
            whole = SHA256.fullmatch(one.digest) and (one.model, one.version) == (path.parent.name, path.stem)
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            raise DamagedError(f"{path} does not name a release: {error!r}") from None
        if not whole:
            raise DamagedError(f"{path} does not name the release that its own name says")
        found.append(one)
    return found


def check(releases: Path, manifest: Manifest, wanted: Restored) -> None:
    """Raise `DamagedError` when the release on the disk is not the one that the tag means."""
    path = releases / manifest.version / MANIFEST
    if manifest.digest != wanted.digest or sha256_file(path) != wanted.manifest_sha256:
        raise DamagedError(f"{path} is not of the release that locks/released/{wanted.model}/{wanted.version}.dvc names")

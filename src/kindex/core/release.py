"""A release: an immutable folder of vectors, indexes, encoder and report, described by one manifest with one digest.

    releases/<model>/v0001/manifest.json     what is in the folder, by sha256
    releases/<model>/v0001/...               content (in the digest) and notes/ (checked, but outside the digest)
    releases/<model>/CURRENT                 the one pointer that says which version is live

A reader goes from the pointer to the manifest to the files, checking sha256 at each step, so that it never answers from
a mixture. `kindex.core.publish` writes what this module reads.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from kindex.core.errors import ConfigError, DamagedError, choices
from kindex.core.files import read_json, sha256_file
from kindex.core.manifest import MANIFEST, SHA256, FileEntry, Manifest, content_digest, read

__all__ = [
    "CURRENT",
    "MANIFEST",
    "Decision",
    "FileEntry",
    "Manifest",
    "Pointer",
    "check_files",
    "check_sizes",
    "content_digest",
    "current",
    "inside",
    "live",
    "names",
    "number",
    "read_manifest",
    "report",
    "verify",
    "versions",
]

CURRENT = "CURRENT"
_VERSION = re.compile(r"v\d{4,}")


@dataclass(frozen=True)
class Decision:
    """What a person decided of a version: `approved`, to be live whatever its gate said, or `rejected`; `at` is UTC."""

    version: str
    decision: str
    by: str
    because: str
    at: str


@dataclass(frozen=True)
class Pointer:
    """What CURRENT holds.

    `former` are the versions that were live before, the last one last; `withdrawn` those that a person rolled back or
    rejected, which no night may publish again; `decisions` what people decided, the last one last.
    """

    version: str
    digest: str
    manifest_sha256: str
    former: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    decisions: tuple[Decision, ...] = ()


def names(releases: Path) -> list[str]:
    """The versions that have a folder, oldest first, whether or not they can be read."""
    if not releases.is_dir():
        return []
    found = [path.name for path in releases.iterdir() if _VERSION.fullmatch(path.name)]
    return sorted(found, key=number)


def number(version: str) -> int:
    """v0012 → 12."""
    return int(version[1:])


def versions(releases: Path) -> list[Manifest]:
    """The manifests, oldest first. A version whose manifest is damaged is left out here; `verify` names the damage."""
    manifests = []
    for version in names(releases):
        try:
            manifests.append(read_manifest(releases, version))
        except DamagedError:
            continue
    return manifests


def current(releases: Path) -> Pointer | None:
    """The pointer, or None when nothing was promoted yet. Raises `DamagedError` when it is not one."""
    path = releases / CURRENT
    if not path.exists():
        return None
    try:
        raw = read_json(path)
        lists = {name: tuple(raw.get(name, ())) for name in ("former", "withdrawn")}
        decisions = tuple(Decision(**one) for one in raw.get("decisions", ()))
        pointer = Pointer(raw["version"], raw["digest"], raw["manifest_sha256"], **lists, decisions=decisions)
        whole = _VERSION.fullmatch(pointer.version) and SHA256.fullmatch(pointer.manifest_sha256)
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{path} is not a pointer to a release: {error!r}") from None
    if not whole:
        raise DamagedError(f"{path} is not a pointer to a release: version {pointer.version!r}")
    return pointer


def read_manifest(releases: Path, version: str) -> Manifest:
    """The manifest of one version, checked by itself; its files are not read.

    Raises `ConfigError` when there is no such version and `DamagedError` naming the manifest that is not one.
    """
    if version not in names(releases):
        raise ConfigError(f"{releases.name} has no release {version!r}: {choices(version, names(releases))}")
    manifest = read(releases / version / MANIFEST)
    if manifest.version != version:
        raise DamagedError(f"{releases / version / MANIFEST} is the manifest of {manifest.version}")
    return manifest


def live(releases: Path, version: str | None = None) -> Manifest:
    """The manifest of `version`, or of the live one, held against CURRENT. Raises `DamagedError` when they disagree."""
    pointer = current(releases)
    if version is None and pointer is None:
        known = f"its versions are {', '.join(names(releases))}" if names(releases) else "nothing was published"
        raise ConfigError(f"{releases.name} has no live release: {known}. Run `make nightly`, or `kindex rollback --to`")
    wanted = version or (pointer.version if pointer else "")
    if pointer and wanted == pointer.version and wanted not in names(releases):
        raise DamagedError(f"{releases / wanted} is missing, and {releases / CURRENT} points to it")
    manifest = read_manifest(releases, wanted)
    if pointer and wanted == pointer.version:
        path = releases / wanted / MANIFEST
        if sha256_file(path) != pointer.manifest_sha256 or manifest.digest != pointer.digest:
            raise DamagedError(f"{path} is not the one that {releases / CURRENT} points to: its sha256 differs")
    return manifest


def verify(releases: Path, version: str | None = None) -> Manifest:
    """Check one version (the live one by default) to the last byte, and that nothing is missing or too many.

    Raises `DamagedError` naming the file, `ConfigError` when there is no such version.
    """
    manifest = live(releases, version)
    folder = releases / manifest.version
    check_files(folder, manifest, manifest.entries)
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()}
    if extra := present - manifest.entries.keys() - {MANIFEST}:
        raise DamagedError(f"{folder / min(extra)} does not belong to the release: its manifest does not name it")
    return manifest


def check_files(folder: Path, manifest: Manifest, paths: Iterable[str]) -> None:
    """Hold these files against the manifest. Raises `DamagedError` naming the first that differs."""
    for name in sorted(paths):
        path, entry = inside(folder, name), manifest.entries[name]
        if not path.is_file():
            raise DamagedError(f"{path} is missing from release {manifest.version} of {manifest.model}")
        if path.stat().st_size != entry.bytes or sha256_file(path) != entry.sha256:
            raise DamagedError(f"{path} is damaged, or of another release: its sha256 is not the manifest's")


def check_sizes(folder: Path, manifest: Manifest) -> None:
    """The quick form of `check_files`: presence and size only."""
    for name, entry in manifest.entries.items():
        path = inside(folder, name)
        if not path.is_file() or path.stat().st_size != entry.bytes:
            raise DamagedError(f"{path} is missing or has another size than release {manifest.version} says")


def inside(folder: Path, name: str) -> Path:
    """`folder / name`. Raises `DamagedError` when a symbolic link lies on the way, for it may lead anywhere."""
    path = folder
    for part in PurePosixPath(name).parts:
        path = path / part
        if path.is_symlink():
            raise DamagedError(f"{path} is a symbolic link, which a release never holds")
    return path


def report(releases: Path, manifest: Manifest) -> dict[str, float]:
    """The numbers that this release was judged by. Raises `DamagedError` when the file is missing or damaged."""
    folder = releases / manifest.version
    if "report.json" not in manifest.files:
        raise DamagedError(f"release {manifest.version} of {manifest.model} has no report.json")
    check_files(folder, manifest, ["report.json"])
    numbers: dict[str, float] = read_json(folder / "report.json")
    return numbers

"""A release as a commit and an annotated tag, `modules-pairs@2026-11-21.1`: code, settings, locks, and where its bytes are.

The commit holds the tracked files as they are in the working tree, with what the night wrote (locks, params.yaml, dvc.lock),
and `locks/released/<model>/<version>.dvc`, by which `dvc pull` brings the release. It is made beside the user's branch, index
and files, with a temporary index. CURRENT is not in it: git would overwrite, and later remove, the pointer of this project.
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kindex.core.errors import DamagedError
from kindex.core.files import fault_point, sha256_file
from kindex.core.layout import Layout
from kindex.core.manifest import MANIFEST, Manifest
from kindex.core.params import Params
from tasks import cache
from tasks.dvclock import recorded
from tasks.git import Git, repository

_TRAILER = re.compile(r"^(Release|Digest|Night): (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Tagged:
    """A tag as its message tells it."""

    name: str
    version: str
    digest: str
    night: str


def tag(layout: Layout, params: Params, model: str, manifest: Manifest, night: str) -> str | None:  # noqa: ARG001
    """Tag the release as made on `night`; returns the tag's name, or None where there is no git or no DVC.

    A release that has a tag keeps it. Killed anywhere, running again ends in the same state: the tag comes last. Raises
    `OutsideError` when git refuses and `DamagedError` when the release is not on the disk.
    """
    git = repository(layout.root)
    if git is None or not (layout.root / ".dvc").is_dir():
        return None
    known = tags(git, model)
    if found := [one for one in known if (one.version, one.digest) == (manifest.version, manifest.digest)]:
        return found[-1].name
    pointer = _pointer(layout, model, manifest)
    commit = _commit(git, layout, model, manifest, pointer, night)
    name = f"{model}@{night}.{_number(git, f'{model}@{night}.')}"
    fault_point(f"tag {name}")
    git.run("tag", "-a", "-m", _message(model, manifest, night), name, commit, author=True)
    return name


def tags(git: Git, model: str) -> list[Tagged]:
    """The model's release tags, by night and number. A tag of that form that a person made for other things is left out."""
    shape = re.compile(rf"{re.escape(model)}@(\S+)\.(\d+)")
    listed = git.run("for-each-ref", "--format=%(refname:strip=2)%00%(contents)%00%00", f"refs/tags/{model}@*")
    found: list[tuple[str, int, Tagged]] = []
    for entry in listed.decode(errors="replace").split("\0\0"):
        name, _, message = entry.lstrip("\n").partition("\0")
        told = dict(_TRAILER.findall(message))
        if (parts := shape.fullmatch(name)) and {"Release", "Digest"} <= told.keys():
            tagged = Tagged(name, told["Release"], told["Digest"], told.get("Night") or str(parts[1]))
            found.append((parts[1], int(parts[2]), tagged))
    return [tagged for _, _, tagged in sorted(found, key=lambda one: one[:2])]


def tag_of(git: Git, model: str, version: str, digest: str | None = None) -> Tagged | None:
    """The newest tag of this version (of this content, when a digest is given)."""
    found = [one for one in tags(git, model) if one.version == version and digest in (None, one.digest)]
    return found[-1] if found else None


def _number(git: Git, start: str) -> int:
    """One more than the tags of that name, whoever made them."""
    names = git.text("for-each-ref", "--format=%(refname:strip=2)", f"refs/tags/{start}*").split()
    return 1 + max((int(end) for name in names if (end := name.removeprefix(start)).isdigit()), default=0)


def release_entry(git: Git, tag: str) -> dict[str, Any] | None:
    """What the tag's tree says of its release's bytes (md5, size, nfiles), or None when there is no such tag."""
    name = tag.partition("@")[0]
    version = dict(_TRAILER.findall(git.text("for-each-ref", "--format=%(contents)", f"refs/tags/{tag}"))).get("Release")
    if version is None:
        return None
    found = yaml.safe_load(git.run("show", f"refs/tags/{tag}:{git.inside(lock_path(name, version))}"))
    entry: dict[str, Any] = found["outs"][0]
    return entry


def lock_path(model: str, version: str) -> str:
    """Where a tag's tree names the bytes of a release, relative to the project; not below a `releases/`, which git ignores."""
    return f"locks/released/{model}/{version}.dvc"


def _message(model: str, manifest: Manifest, night: str) -> str:
    passed = manifest.about.get("passed")
    verdict = "" if passed is None else f"\nIt {'passed' if passed else 'did not pass'} its gate.\n"
    return (
        f"{model} {manifest.version}, released on {night}\n{verdict}\n"
        f"Release: {manifest.version}\nDigest: {manifest.digest}\nNight: {night}\n"
    )


def _pointer(layout: Layout, model: str, manifest: Manifest) -> bytes:
    """The release in DVC's cache, and the .dvc file that names it there. `meta` lets a clone check what was pulled."""
    folder = layout.releases(model) / manifest.version
    if not (folder / MANIFEST).is_file():
        raise DamagedError(f"{folder} is missing: the release cannot be tagged")
    kept = cache.keep(cache.place(layout.root), folder, [*manifest.entries, MANIFEST])
    about = {"model": model, "version": manifest.version, "digest": manifest.digest}
    out = {"md5": kept.md5, "size": kept.size, "nfiles": kept.files, "hash": "md5", "path": manifest.version}
    wdir = f"../../../{layout.releases(model).relative_to(layout.root).as_posix()}"
    meta = {"kindex": {**about, "manifest_sha256": sha256_file(folder / MANIFEST)}}
    return yaml.safe_dump({"wdir": wdir, "outs": [out], "meta": meta}, sort_keys=False).encode()


def _commit(git: Git, layout: Layout, model: str, manifest: Manifest, pointer: bytes, night: str) -> str:
    """The commit on top of HEAD, by an index of its own."""
    head = git.text("rev-parse", "--verify", "-q", "HEAD^{commit}", fails=True)
    with tempfile.TemporaryDirectory(prefix="kindex-tag-") as folder:
        index = Path(folder) / "index"
        # from the user's index, so that git need not hash every file again; what is staged is tracked
        own = Path(git.text("rev-parse", "--git-path", "index"))
        own = own if own.is_absolute() else git.root / own
        if own.is_file():
            index.write_bytes(own.read_bytes())
        elif head:
            git.run("read-tree", head, index=index)
        git.run("add", "-u", "--", ":/", index=index)
        git.run("add", "-f", "--", *_written(layout), index=index)
        if unknown := _unknown(git, layout, index):
            git.run("add", "--", *unknown, index=index)
        blob = git.run("hash-object", "-w", "--stdin", stdin=pointer).decode().strip()
        entry = f"100644,{blob},{git.inside(lock_path(model, manifest.version))}"
        git.run("update-index", "--add", "--cacheinfo", entry, index=index)
        tree = git.text("write-tree", index=index)
    fault_point(f"commit {tree}")
    parents = ["-p", head] if head else []
    message = f"{model} {manifest.version} of {night}"
    return git.run("commit-tree", tree, *parents, "-m", message, author=True).decode().strip()


def _written(layout: Layout) -> list[str]:
    """What a release is made from and a night writes, whether or not git knows it yet."""
    names = ("params.yaml", "dvc.yaml", "dvc.lock")
    found = [layout.root / name for name in names] + sorted((layout.root / "locks").rglob("*.json"))
    return [path.relative_to(layout.root).as_posix() for path in found if path.is_file()]


def _unknown(git: Git, layout: Layout, index: Path) -> list[str]:
    """Files that git neither ignores nor knows yet, without which nothing can be made again: code that dvc.lock names."""
    stages = recorded(layout).values()
    paths = {dep["path"] for stage in stages for dep in stage.get("deps", []) if not dep["path"].startswith("data/")}
    paths |= {".dvc/config", ".dvc/.gitignore", ".dvcignore", ".gitignore", "constraints.txt"}
    there = sorted(path for path in paths if (layout.root / path).exists())
    listed = git.run("ls-files", "-z", "--others", "--exclude-standard", "--", *there, index=index)
    return [name for name in listed.decode(errors="surrogateescape").split("\0") if name]

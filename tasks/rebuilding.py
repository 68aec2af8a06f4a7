"""`python -m tasks.rebuilding MODEL VERSION`: make a release again from its tag, elsewhere, and compare byte by byte.

The tag's tree is unpacked below var/rebuild, so that nothing of git, of DVC or of the project's outputs changes. Its stages
run there as processes, by the tag's own code and not through DVC, whose run cache would give the old bytes back.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import yaml

from kindex.core import mutex, release
from kindex.core.errors import ConfigError, DamagedError, KindexError, OutsideError, choices
from kindex.core.layout import Layout, find, keys_of
from kindex.core.manifest import MANIFEST, Manifest
from tasks import cache, remote, supplies
from tasks.elsewhere import content, run, unpack
from tasks.git import Git, repository
from tasks.origins import bring_parent, bring_source, ingested
from tasks.tags import Tagged, lock_path, tags


@dataclass(frozen=True)
class Rebuilt:
    """What came of it. `differing`: each file that is not as released, and how. `origin`: what the data were read from."""

    tag: str
    version: str
    files: int
    differing: dict[str, str]
    origin: str
    seconds: float

    @property
    def same(self) -> bool:
        return not self.differing


def rebuild(layout: Layout, model: str, version: str, say: Callable[[str], None], *, keep: bool = False) -> Rebuilt:
    """Make `version` again and compare it. What it was made in is removed unless `keep`.

    Raises `ConfigError` for a release without a tag, `OutsideError` when git or the remote is down or a stage fails, and
    `DamagedError` when what it was made from is nowhere.
    """
    git, tagged = _tag(layout, model, version)
    began = time.monotonic()
    with mutex.hold(layout.mutex(f"rebuild-{model}-{version}"), f"the rebuilding of {model} {version}"):
        place = Layout(layout.var / "rebuild" / f"{model}-{version}")
        shutil.rmtree(place.root, ignore_errors=True)
        try:
            unpack(git, tagged.name, place.root)
            wanted = _wanted(layout, git, tagged, model)
            origin = _stages(layout, place, git, tagged, model, say)
            made = content(place, model)
            differing = compare({name: entry.sha256 for name, entry in wanted.files.items()}, made)
        finally:
            if not keep:
                shutil.rmtree(place.root, ignore_errors=True)
    return Rebuilt(tagged.name, version, len(wanted.files), differing, origin, time.monotonic() - began)


def compare(released: Mapping[str, str], made: Mapping[str, str]) -> dict[str, str]:
    """Each path that is not the same in both, sorted, and how."""
    found = dict.fromkeys(released.keys() - made.keys(), "was not made")
    found |= dict.fromkeys(made.keys() - released.keys(), "was not in the release")
    found |= {name: "differs" for name in released.keys() & made.keys() if released[name] != made[name]}
    return dict(sorted(found.items()))


def _tag(layout: Layout, model: str, version: str) -> tuple[Git, Tagged]:
    git = repository(layout.root)
    if git is None:
        raise ConfigError(f"{layout.root} is not under git: a release is rebuilt from its tag")
    known = tags(git, model)
    if found := [one for one in known if version in (one.version, one.name)]:
        return git, found[-1]
    names = {one.version for one in known}
    raise ConfigError(f"{model} {version} has no tag: {choices(version, names)}. Releases are tagged by nights, under git")


def _wanted(layout: Layout, git: Git, tagged: Tagged, model: str) -> Manifest:
    """The manifest of the release as it was: here, in the cache, or at the remote; always of the digest that the tag says."""
    folder = layout.releases(model)
    if tagged.version in release.names(folder):
        manifest = release.read_manifest(folder, tagged.version)
        if manifest.digest == tagged.digest:
            return manifest
    entry = yaml.safe_load(git.run("show", f"refs/tags/{tagged.name}:{git.inside(lock_path(model, tagged.version))}"))
    md5, home = entry["outs"][0]["md5"], cache.place(layout.root)
    if not cache.object_path(home, md5).is_file():
        remote.pull(layout, tagged.name, md5)
    target = layout.var / "rebuild" / f"{model}-{tagged.version}" / ".wanted"
    if not cache.restore(home, md5, target):
        raise DamagedError(
            f"{model} {tagged.version} is neither here nor in DVC's cache nor at its remote: nothing to compare with"
        )
    from kindex.core.manifest import read

    manifest = read(target / MANIFEST)
    if manifest.digest != tagged.digest:
        raise DamagedError(f"the release that {tagged.name} brings is not the one it names: its digest differs")
    return manifest


def _stages(layout: Layout, place: Layout, git: Git, tagged: Tagged, model: str, say: Callable[[str], None]) -> str:
    """Run the six stages in `place`; returns what the data were read from."""
    params = yaml.safe_load(place.params.read_text(encoding="utf-8"))
    catalogue = params["models"][model]["catalogue"]
    bring_parent(layout, place, git, model)
    bring_source(layout, place, catalogue)
    origin = "the source, as locked"
    for stage, key in keys_of(catalogue, model).items():
        say(f"{stage}@{key}")
        try:
            run(place, "-m", "kindex.stages", stage, key)
        except OutsideError as error:
            if stage != "ingest":
                raise
            say(f"        {str(error).splitlines()[-1]}")
            origin = ingested(layout, place, git, tagged.name, catalogue)
            say(f"        {origin} instead")
    return origin


def main(arguments: list[str]) -> int:
    """Exit 0 when every byte is the same, 3 when not, else as the error says."""
    parser = argparse.ArgumentParser("python -m tasks.rebuilding", description=__doc__)
    parser.add_argument("model")
    parser.add_argument("version", help="v0003, or the name of a tag")
    parser.add_argument("--root", help="the project's folder")
    parser.add_argument("--keep", action="store_true", help="leave what was made in var/rebuild")
    asked = parser.parse_args(arguments)
    try:
        layout = find(asked.root)
        found = rebuild(layout, asked.model, asked.version, lambda line: print(line, flush=True), keep=asked.keep)
    except KindexError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"{asked.model} {found.version} from {found.tag} and {found.origin}, in {found.seconds:.0f} s")
    if found.same:
        print(f"all {found.files} files are the same, byte by byte")
        return 0
    for name, how in found.differing.items():
        print(f"  {name} {how}")
    print(f"{len(found.differing)} of {found.files} files are not as released", file=sys.stderr)
    for line in _installation(layout, asked.model, found.version):
        print(f"  {line}", file=sys.stderr)
    return DamagedError.exit_code


def _installation(layout: Layout, model: str, version: str) -> list[str]:
    """What was installed otherwise when the release was made, which is what mostly explains other bytes."""
    note = layout.releases(model) / version / supplies.CONSTRAINTS
    return supplies.differences(note.read_bytes())[:20] if note.is_file() else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Each installed distribution must be in constraints.txt at its version; each of its files must have the sha256 that its
wheel's RECORD says; and RECORD itself must be the one in `infra/hashes.txt`, which was written where the tests passed (on
another platform, where wheels differ, only the first two). Code that came with no distribution is a failure, and so is a
changed byte that is not noticed, tried on a copy. A release is published, and its bill of materials (CycloneDX) and
constraints must name every distribution.

Not shown: that no known vulnerability is of high severity. That needs a database of them, which is not there without a
network; `notes/sbom.cdx.json` of a release is what such a scanner reads. Nor does `make setup` use pip's `--require-hashes`:
it refuses a project that is installed from its folder, and wants a hash of each wheel of each platform, where ours are of the
files of one.
"""

import importlib.util
import json
import shutil
from importlib import metadata
from pathlib import Path
from types import ModuleType

from kindex.core import release
from tasks import supplies
from tests.projects import ROOT
from tests.reliability import Say, Seen
from tests.tasks import test_releases

NUMBER = 21
PROMISE = "the supply chain is pinned"
WANTED = "every distribution pinned with a hash over its files, SBOM with each release (known vulnerabilities: not tried)"
LONG, SMALL, SLOW = 1000, 40, True


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` distributions at most, those with the fewest files first."""
    seen = Seen()
    hashes = load()
    found = hashes.installed()
    asked = sorted(found, key=lambda name: len(found[name].files or ()))[:count]
    files = size = 0
    for name in asked:
        trouble = hashes.troubles(name, found[name])
        seen.expect(not trouble, "; ".join(trouble[:3]))
        own = [path for file in found[name].files or () if file.hash and (path := Path(file.locate())).is_file()]
        files, size = files + len(own), size + sum(path.stat().st_size for path in own)
    say(f"{len(asked)} distributions, {files:,} files")
    foreign = hashes.unowned(found)
    seen.expect(not foreign, f"code of no distribution: {foreign[:5]}")
    missing = sorted(hashes.pins().keys() - found.keys())
    seen.expect(not missing, f"pinned and not installed: {missing}")
    for what, noticed in tampered(hashes, found["packaging"], scratch):
        seen.expect(noticed, f"not noticed: {what}")
    for what, trouble in of_release(scratch, found):
        seen.expect(not trouble, f"{what}: {trouble}")
    seen.notes.append(
        f"{len(asked)} of {len(found)} distributions, {files:,} files, {size / 1e9:.2f} GB held against their sha256"
    )
    same = hashes.known()[0] == hashes.platform()
    seen.notes.append(f"infra/hashes.txt is of {'this platform' if same else 'another platform: only RECORD was compared'}")
    seen.notes.append("known vulnerabilities: not tried, for want of a database")
    return seen


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hashes", ROOT / "infra" / "hashes.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tampered(hashes: ModuleType, dist: metadata.Distribution, scratch: Path) -> list[tuple[str, bool]]:
    """A copy of a distribution changed in several ways, and whether each is noticed."""
    site = scratch / "site"
    for file in dist.files or ():
        if file.parts[0] != ".." and Path(file.locate()).is_file():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.locate(), site / file)
    (copy,) = metadata.distributions(path=[str(site)])
    found = [("nothing changed, which is no trouble", list(hashes.damaged(copy)) == [])]
    module = site / "packaging" / "version.py"
    whole, (record,) = module.read_bytes(), site.glob("*.dist-info/RECORD")
    for what, content in (("a byte", b"%" + whole[1:]), ("a line", whole + b"import os\n"), ("nothing left", b"")):
        module.write_bytes(content)
        found.append((what, list(hashes.damaged(copy)) != []))
    module.unlink()
    found.append(("a file is gone", list(hashes.damaged(copy)) != []))
    module.write_bytes(whole)
    before = hashes.fingerprint(copy)
    record.write_text(record.read_text().replace("packaging/version.py,sha256=", "packaging/version.py,sha256=A"))
    (copy,) = metadata.distributions(path=[str(site)])
    found.append(("RECORD is changed with the file", hashes.fingerprint(copy) != before))
    return found


def of_release(scratch: Path, found: dict[str, metadata.Distribution]) -> list[tuple[str, str]]:
    """What is wrong with the bill of materials and the constraints of a release that was just published."""
    layout, params = test_releases.night(scratch / "project")
    test_releases.publish(layout, params)
    releases = layout.releases(test_releases.MODEL)
    manifest = release.verify(releases)
    folder = releases / manifest.version
    if absent := {supplies.BILL, supplies.CONSTRAINTS} - manifest.notes.keys():
        return [("the release", f"has no {', '.join(sorted(absent))}")]
    bill = json.loads((folder / supplies.BILL).read_bytes())
    parts = [*bill["components"], bill["metadata"]["component"]]
    named = {(part["name"], part["version"]) for part in parts}
    wanted = {(name, dist.version) for name, dist in found.items()}
    pinned = supplies.differences((folder / supplies.CONSTRAINTS).read_bytes())
    unaddressed = [part["name"] for part in parts if part.get("purl") != f"pkg:pypi/{part['name']}@{part['version']}"]
    return [
        ("the bill of materials names what is installed", ", ".join(f"{name} {version}" for name, version in named ^ wanted)),
        ("every component has its address", ", ".join(name for name in unaddressed if "+" not in str(dict(named)[name]))),
        ("the constraints are of this installation", ", ".join(pinned)),
    ]

"""Write infra/hashes.txt: of each pinned distribution one sha256 over its files. Or hold an installation against it.

    python infra/hashes.py > infra/hashes.txt           after constraints.txt, where the whole test suite passes
    python infra/hashes.py check [NAME ...]             every file by its sha256, or those of some; 14 s, 1.8 GB

A distribution's RECORD has the sha256 of each file that came in its wheel; ours is over these lines, without what the
installer adds (scripts, bytecode, its own notes). So equal wheels give equal hashes in any environment, and pip need not be
asked. Wheels differ between platforms: elsewhere, and with another Python, only the files are held against their RECORD.
"""

import base64
import csv
import hashlib
import re
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HASHES, CONSTRAINTS = ROOT / "infra" / "hashes.txt", ROOT / "constraints.txt"
UNPINNED = {"kindex", "pip"}
"""The project itself, and what installs it: both are there before constraints.txt is read."""

_INSTALLERS = {"INSTALLER", "REQUESTED", "RECORD", "RECORD.jws", "direct_url.json", "uv_cache.json"}
_CODE = (".py", ".so", ".pth", ".pyd")
_EDITABLE = "__editable__"  # how an installation with -e is imported


def platform() -> str:
    return f"cp{sys.version_info[0]}{sys.version_info[1]} {sysconfig.get_platform()}"


def installed() -> dict[str, metadata.Distribution]:
    """By canonical name, sorted; of two of one name the first, which is what is imported."""
    found: dict[str, metadata.Distribution] = {}
    for dist in metadata.distributions():
        found.setdefault(re.sub(r"[-_.]+", "-", dist.metadata["Name"]).lower(), dist)
    return dict(sorted(found.items()))


@cache
def pins() -> dict[str, str]:
    """Version by name, as constraints.txt has them."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", CONSTRAINTS.read_text(), re.M))


@cache
def known() -> tuple[str, dict[str, str]]:
    """The platform that hashes.txt was written on, and its hashes by `name==version`."""
    text = HASHES.read_text()
    where = re.search(r"^# platform: (.+)$", text, re.M)
    return (where[1] if where else ""), dict(re.findall(r"^(\S+==\S+) sha256:([0-9a-f]{64})$", text, re.M))


def fingerprint(dist: metadata.Distribution) -> str:
    """One sha256 over what the wheel brought, as its RECORD says."""
    lines = [f"{file.as_posix()} {file.hash.mode}={file.hash.value}\n" for file in dist.files or () if _of_wheel(file)]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _of_wheel(file: metadata.PackagePath) -> bool:
    noted = file.name in _INSTALLERS and file.parent.name.endswith(".dist-info")
    return file.hash is not None and file.parts[0] != ".." and not noted


def damaged(dist: metadata.Distribution) -> Iterator[str]:
    """The files that are missing or whose sha256 is not RECORD's."""
    for file, written, *_ in csv.reader((dist.read_text("RECORD") or "").splitlines()):  # `dist.files` leaves out missing ones
        mode, _, wanted = written.partition("=")
        if not wanted:
            continue
        try:
            content = Path(dist.locate_file(file)).read_bytes()
        except OSError as error:
            yield f"{file}: {error.strerror}"
            continue
        if base64.urlsafe_b64encode(hashlib.new(mode, content).digest()).rstrip(b"=").decode() != wanted:
            yield f"{file}: another sha256 than when it was installed"


def unowned(found: dict[str, metadata.Distribution]) -> list[str]:
    """Code among the installed packages that came with none of them."""
    site = Path(sysconfig.get_path("purelib"))
    owned = {Path(file.locate()).resolve() for dist in found.values() for file in dist.files or ()}
    code = (path for path in site.rglob("*") if path.name.endswith(_CODE) and not path.name.startswith(_EDITABLE))
    return [path.relative_to(site).as_posix() for path in sorted(code) if path.resolve() not in owned]


def troubles(name: str, dist: metadata.Distribution) -> list[str]:
    """What is wrong with one distribution: not pinned, another version, another wheel, or changed files."""
    if name in UNPINNED:
        return []
    version = dist.version.partition("+")[0]
    pinned = pins().get(name)
    if pinned is None:
        return [f"{name} is installed and not in constraints.txt"]
    if version != pinned:
        return [f"{name} is {version}, constraints.txt says {pinned}"]
    where, hashes = known()
    key = f"{name}=={dist.version}"
    found = list(damaged(dist))
    if where == platform() and hashes.get(key) != fingerprint(dist):
        found.append(
            f"{key} has other files than infra/hashes.txt knows" if key in hashes else f"infra/hashes.txt lacks {key}"
        )
    return found


def main(arguments: list[str]) -> int:
    """Exit code 0, or 3 when something differs."""
    found = installed()
    if arguments[:1] == ["check"]:
        wrong = [line for name, dist in found.items() if name in (arguments[1:] or found) for line in troubles(name, dist)]
        print("\n".join(wrong) or f"{len(arguments[1:] or found)} distributions are what was pinned")
        return 3 if wrong else 0
    print("# One sha256 over the files of each distribution in constraints.txt. Written by infra/hashes.py.")
    print(f"# platform: {platform()}")
    for name, dist in found.items():
        if name in pins():
            print(f"{name}=={dist.version} sha256:{fingerprint(dist)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

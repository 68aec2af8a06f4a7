"""What a release was made with: a bill of materials (CycloneDX 1.6, JSON) and the constraints, as notes of the release.

They are outside the digest, for another machine may make the same bytes; but equal installations write equal notes: no time,
no host, and a serial number that is derived from the content (RFC 9562, version 5).
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from typing import Any

from kindex.core.errors import DamagedError
from kindex.core.files import canonical_json, pretty_json, read_json, write_atomic
from kindex.core.layout import Layout

_FORMAT = 1  # of the bill, so that a new one is made when this file makes another
BILL, CONSTRAINTS = "notes/sbom.cdx.json", "notes/constraints.txt"
_SPDX = re.compile(r"[A-Za-z0-9.+() -]{1,200}")


def notes(layout: Layout) -> dict[str, bytes]:
    """Path in the release → bytes. The bill is kept in var/ and made anew only when the installation has changed."""
    found = installed()
    key = hashlib.sha256(canonical_json([found, _FORMAT])).hexdigest()
    return {BILL: _kept(layout, key), CONSTRAINTS: constraints(found)}


@cache
def installed() -> Mapping[str, str]:
    """Version of each installed distribution, by its canonical name, sorted; as it was when this process first asked."""
    told = (dist.metadata for dist in metadata.distributions())  # each reading parses the file
    return dict(sorted({_canonical(about["Name"]): about["Version"] for about in told}.items()))


def _kept(layout: Layout, key: str) -> bytes:
    kept = layout.var / "supplies.json"
    try:
        known = read_json(kept)
        if known["key"] == key:
            return str(known["bill"]).encode()
    except (DamagedError, KeyError, TypeError):
        pass  # not there, or not readable: it is made again
    content = bill()
    write_atomic(kept, canonical_json({"key": key, "bill": content.decode()}))
    return content


def constraints(found: Mapping[str, str]) -> bytes:
    """Exactly what is installed, for `pip install -c`; local parts of versions (`+cpu`) are of an index, and left out."""
    lines = [f"{name}=={version.partition('+')[0]}" for name, version in found.items() if name != "kindex"]
    return ("\n".join(["# Installed where this release was made.", *lines]) + "\n").encode()


def differences(then: bytes) -> list[str]:
    """Distributions that were of another version, or not there, when `constraints` were written."""
    pairs = (line.partition("==") for line in then.decode().splitlines() if "==" in line)
    before = {name: version.split()[0] for name, _, version in pairs}
    now = {name: version.partition("+")[0] for name, version in installed().items()}
    changed = sorted(name for name in before if now.get(name) != before[name])
    return [f"{name} {before[name]} then, {now.get(name, 'not installed')} now" for name in changed]


@cache
def bill() -> bytes:
    """The bill of materials of what is installed: components with package URLs, licences, and who needs whom."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    bom, components = Bom(), {}
    for dist in sorted(metadata.distributions(), key=_name):
        name = _name(dist)
        if name not in components:
            kind = ComponentType.APPLICATION if name == "kindex" else ComponentType.LIBRARY
            purl = PackageURL("pypi", name=name, version=dist.version)
            components[name] = Component(
                name=name,
                version=dist.version,
                type=kind,
                bom_ref=f"{name}@{dist.version}",
                purl=purl,
                licenses=_licences(dist),
            )
    if own := components.get("kindex"):
        bom.metadata.component = own
    bom.components.update(one for name, one in components.items() if name != "kindex")
    for name, needed in _needs(components).items():
        bom.register_dependency(components[name], [components[other] for other in needed])
    raw: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    raw.get("metadata", {}).pop("timestamp", None)
    raw.pop("serialNumber", None)
    raw["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(canonical_json(raw)).hexdigest())}"
    return pretty_json(raw)


def _needs(components: dict[str, Any]) -> dict[str, list[str]]:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    needs: dict[str, list[str]] = {}
    for name in components:
        found = set()
        for line in metadata.requires(name) or []:
            try:
                wanted = Requirement(line)
            except InvalidRequirement:
                continue
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                found.add(str(canonicalize_name(wanted.name)))
        needs[name] = sorted(found & components.keys() - {name})
    return needs


def _licences(dist: metadata.Distribution) -> list[Any]:
    """What the distribution says of its licence, in SPDX where it does; a whole text in that field is left out."""
    from cyclonedx.factory.license import LicenseFactory

    told = dist.metadata.json
    said = str(told.get("license_expression") or told.get("license") or "")
    if not _SPDX.fullmatch(said.strip()):
        classifiers = dist.metadata.get_all("Classifier") or []
        said = next((line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")), "")
    return [LicenseFactory().make_from_string(said.strip())] if _SPDX.fullmatch(said.strip()) else []


def _name(dist: metadata.Distribution) -> str:
    return _canonical(dist.metadata["Name"])


def _canonical(name: str | None) -> str:
    return re.sub(r"[-_.]+", "-", name or "").lower()

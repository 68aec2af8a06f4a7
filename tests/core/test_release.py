"""Reading releases: the digest, and the refusal of every kind of damage, by the name of the file."""

import hashlib
import json

import pytest

from kindex.core import release
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.files import pretty_json
from kindex.core.pointer import promote
from kindex.core.publish import build

FILES = {"vectors/a.parquet": b"vectors", "report.json": b'{"x": 1}'}
NOTES = {"notes/costs.json": b"{}"}


@pytest.fixture
def releases(tmp_path):
    folder = tmp_path / "releases" / "m"
    manifest, _ = build(folder, "m", FILES, NOTES, {"night": "2024-05-01"})
    promote(folder, manifest.version, None)
    return folder


def edit(releases, change):
    """Rewrite the live manifest; CURRENT still has the sha256 of the former one."""
    path = releases / "v0001" / "manifest.json"
    raw = json.loads(path.read_bytes())
    change(raw)
    path.write_bytes(pretty_json(raw))


def test_the_digest_is_of_the_model_and_its_files_and_of_nothing_else(releases):
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}
    canonical = '{"files":{"report.json":"%s","vectors/a.parquet":"%s"},"model":"m"}'
    expected = hashlib.sha256((canonical % (hashes["report.json"], hashes["vectors/a.parquet"])).encode()).hexdigest()
    assert release.verify(releases).digest == expected
    assert release.content_digest("m", dict(reversed(hashes.items()))) == expected
    assert release.content_digest("n", hashes) != expected


def test_a_manifest_reads_back_as_it_was_written(releases):
    manifest = release.verify(releases)
    assert (manifest.version, manifest.parent, manifest.about) == ("v0001", None, {"night": "2024-05-01"})
    assert manifest.entries["report.json"].bytes == 8
    assert json.loads((releases / "v0001/manifest.json").read_bytes()) == manifest.as_dict()
    assert release.report(releases, manifest) == {"x": 1}
    pointer = release.current(releases)
    assert pointer is not None and pointer.digest == manifest.digest
    assert pointer.manifest_sha256 == hashlib.sha256((releases / "v0001/manifest.json").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", [*FILES, *NOTES])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "link"])
def test_each_damaged_file_is_named(releases, name, damage):
    path = releases / "v0001" / name
    content = path.read_bytes()
    path.unlink()
    if damage == "flip":
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    elif damage == "truncate":
        path.write_bytes(content[:-1])
    elif damage == "link":
        elsewhere = releases.parent / "elsewhere"
        elsewhere.write_bytes(content)
        path.symlink_to(elsewhere)
    with pytest.raises(DamagedError, match=name):
        release.verify(releases)


def test_an_extra_file_and_a_linked_folder_are_named(releases):
    (releases / "v0001" / "vectors" / "extra.pkl").write_bytes(b"")
    with pytest.raises(DamagedError, match=r"extra\.pkl does not belong"):
        release.verify(releases)
    (releases / "v0001" / "vectors" / "extra.pkl").unlink()
    (releases / "v0001" / "vectors").rename(releases / "moved")
    (releases / "v0001" / "vectors").symlink_to(releases / "moved")
    with pytest.raises(DamagedError, match="symbolic link"):
        release.verify(releases)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../x", "a/../../x", "./report.json", "a//b", "", ".", "manifest.json", "a\0b"]
)
def test_a_path_that_leads_astray_is_refused(releases, path):
    edit(releases, lambda raw: raw["files"].update({path: {"sha256": "0" * 64, "bytes": 1}}))
    with pytest.raises(DamagedError, match="not a plain path"):
        release.read_manifest(releases, "v0001")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.update(format=2), "format 2; this kindex reads format 1"),
        (lambda raw: raw.pop("format"), "format None"),
        (lambda raw: raw.pop("digest"), "'digest'"),
        (lambda raw: raw.update(files=["x"]), "is not a manifest"),
        (lambda raw: raw.update(version="v0002"), "is the manifest of v0002"),
        (lambda raw: raw.update(digest="0" * 64), "was edited"),
        (lambda raw: raw["files"]["report.json"].update(sha256="0" * 64), "was edited"),
        (lambda raw: raw["files"]["report.json"].update(sha256="../x"), "no sha256 and size for report.json"),
        (lambda raw: raw["notes"].update(raw["files"]), "report.json twice"),
        (lambda raw: raw.update(about={"night": "forged"}), "is not the one that .*CURRENT points to"),
        (lambda raw: raw.update(parent="v0009"), "is not the one that .*CURRENT points to"),
    ],
)
def test_an_edited_manifest_is_refused(releases, change, message):
    edit(releases, change)
    with pytest.raises(DamagedError, match=message):
        release.verify(releases)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"version": 1, "digest": "", "manifest_sha256": ""}', b"\xff"])
def test_a_damaged_pointer_is_named(releases, content):
    (releases / "CURRENT").write_bytes(content)
    with pytest.raises(DamagedError, match="CURRENT"):
        release.verify(releases)


def test_a_pointer_cannot_lead_out_of_the_folder(releases):
    raw = json.loads((releases / "CURRENT").read_bytes())
    (releases / "CURRENT").write_bytes(pretty_json({**raw, "version": "../m/v0001"}))
    with pytest.raises(DamagedError, match="CURRENT"):
        release.verify(releases)


def test_unknown_and_missing_versions(releases, tmp_path):
    with pytest.raises(ConfigError, match=r"no release 'v0002': .*v0001"):
        release.verify(releases, "v0002")
    (releases / "v0001").rename(tmp_path / "away")
    with pytest.raises(DamagedError, match="v0001 is missing"):
        release.verify(releases)
    with pytest.raises(ConfigError, match="nothing was published"):
        release.verify(tmp_path / "releases" / "other")
    assert release.current(tmp_path / "nowhere") is None
    assert release.versions(tmp_path / "nowhere") == []


def test_versions_are_in_order_of_number_and_leave_out_the_damaged(tmp_path):
    for number in range(3):
        build(tmp_path / "m", "m", {"a": str(number).encode()}, {}, {})
    (tmp_path / "m" / "v0003").rename(tmp_path / "m" / "v10000")
    (tmp_path / "m" / "v0001" / "manifest.json").write_bytes(b"{")
    assert release.names(tmp_path / "m") == ["v0001", "v0002", "v10000"]
    assert [manifest.version for manifest in release.versions(tmp_path / "m")] == ["v0002"]

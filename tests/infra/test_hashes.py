"""infra/hashes.py: one sha256 over what a wheel brought, whatever installed it and wherever."""

import base64
import hashlib
from importlib import metadata
from pathlib import Path

import pytest

from tests.reliability.p21_supply_chain import load


@pytest.fixture(scope="module")
def hashes():
    return load()


def install(site: Path, content: bytes = b"one = 1\n", **installer: bytes) -> metadata.Distribution:
    """A distribution `thing` of one module, and whatever an installer adds."""
    files = {"thing.py": content, "thing-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: Thing\nVersion: 1.0\n"}
    files |= {f"thing-1.0.dist-info/{name.replace('_json', '.json')}": text for name, text in installer.items()}
    lines = []
    for name, text in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(text)}")
    script = f"../../bin/thing,sha256={base64.urlsafe_b64encode(str(site).encode()).decode()},9"
    lines += [script] * bool(installer) + ["__pycache__/thing.cpython-311.pyc,,", "thing-1.0.dist-info/RECORD,,"]
    (site / "thing-1.0.dist-info" / "RECORD").write_text("\n".join(lines) + "\n")
    (found,) = metadata.distributions(path=[str(site)])
    return found


def test_what_the_installer_adds_makes_no_difference_and_a_file_does(hashes, tmp_path):
    plain = hashes.fingerprint(install(tmp_path / "a"))
    assert hashes.fingerprint(install(tmp_path / "b", INSTALLER=b"pip\n", REQUESTED=b"", direct_url_json=b"{}")) == plain
    assert hashes.fingerprint(install(tmp_path / "c", b"one = 2\n")) != plain


def test_a_changed_file_and_a_missing_one_are_named(hashes, tmp_path):
    dist = install(tmp_path)
    assert list(hashes.damaged(dist)) == []
    (tmp_path / "thing.py").write_bytes(b"one = 2\n")
    assert list(hashes.damaged(dist)) == ["thing.py: another sha256 than when it was installed"]
    (tmp_path / "thing.py").unlink()
    assert list(hashes.damaged(dist)) == ["thing.py: No such file or directory"]


def test_what_is_wrong_is_said(hashes, tmp_path, monkeypatch):
    dist = install(tmp_path)
    known = {"thing==1.0": hashes.fingerprint(dist)}
    monkeypatch.setattr(hashes, "known", lambda: (hashes.platform(), known))
    for pins, said in (
        ({"thing": "1.0"}, []),
        ({}, ["thing is installed and not in constraints.txt"]),
        ({"thing": "2.0"}, ["thing is 1.0, constraints.txt says 2.0"]),
    ):
        monkeypatch.setattr(hashes, "pins", lambda pins=pins: pins)
        assert hashes.troubles("thing", dist) == said
    monkeypatch.setattr(hashes, "pins", lambda: {"thing": "1.0"})
    known["thing==1.0"] = "0" * 64
    assert hashes.troubles("thing", dist) == ["thing==1.0 has other files than infra/hashes.txt knows"]
    known.clear()
    assert hashes.troubles("thing", dist) == ["infra/hashes.txt lacks thing==1.0"]
    monkeypatch.setattr(hashes, "known", lambda: ("cp311 another machine", known))
    assert hashes.troubles("thing", dist) == []


def test_every_pin_has_a_hash(hashes):
    """Else: python infra/hashes.py > infra/hashes.txt, where the tests pass."""
    where, known = hashes.known()
    assert where
    assert {key.partition("+")[0] for key in known} == {f"{name}=={version}" for name, version in hashes.pins().items()}

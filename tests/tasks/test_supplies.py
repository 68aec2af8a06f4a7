"""The bill of materials and the constraints of a release."""

import json
import os
import subprocess
import sys
from importlib import metadata

import pytest

from kindex.core.layout import Layout
from tasks import supplies


def test_the_bill_names_what_is_installed_and_is_valid_cyclonedx(tmp_path):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    made = supplies.notes(Layout(tmp_path))[supplies.BILL]
    raw = json.loads(made)
    found = {part["name"]: part for part in raw["components"]}
    assert found["numpy"]["version"] == metadata.version("numpy")
    assert found["pyarrow"]["purl"] == f"pkg:pypi/pyarrow@{metadata.version('pyarrow')}"
    assert raw["metadata"]["component"]["name"] == "kindex"
    needs = {entry["ref"]: entry.get("dependsOn", []) for entry in raw["dependencies"]}
    own = next(ref for ref in needs if ref.startswith("kindex@"))
    assert f"numpy@{metadata.version('numpy')}" in needs[own]
    licensed = [part for part in raw["components"] if part.get("licenses")]
    assert len(licensed) > 0.8 * len(raw["components"])
    try:
        trouble = JsonStrictValidator(SchemaVersion.V1_6).validate_str(made.decode())
    except Exception as error:  # the validator wants a package that is not among ours
        assert type(error).__name__ == "MissingOptionalDependencyException"
    else:
        assert trouble is None


@pytest.mark.slow
def test_equal_installations_write_equal_notes_in_any_process_and_at_any_time(tmp_path, monkeypatch):
    first = supplies.notes(Layout(tmp_path / "one"))
    code = "import sys; from tasks import supplies; sys.stdout.buffer.write(supplies.bill())"
    environment = {**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    assert done.stdout == first[supplies.BILL]
    monkeypatch.setattr(supplies, "bill", lambda: b"another")
    assert supplies.notes(Layout(tmp_path / "one")) == first  # kept
    (tmp_path / "one" / "var" / "supplies.json").write_text("{")
    assert supplies.notes(Layout(tmp_path / "one"))[supplies.BILL] == b"another"


def test_a_change_of_the_installation_makes_another_bill(tmp_path, monkeypatch):
    layout = Layout(tmp_path)
    monkeypatch.setattr(supplies, "bill", lambda: b"one")
    assert supplies.notes(layout)[supplies.BILL] == b"one"
    monkeypatch.setattr(supplies, "installed", lambda: {"numpy": "1.0", "torch": "2.13.0+cpu", "kindex": "0.1.0"})
    monkeypatch.setattr(supplies, "bill", lambda: b"another")
    made = supplies.notes(layout)
    assert made[supplies.BILL] == b"another"
    assert made[supplies.CONSTRAINTS].decode().splitlines()[1:] == ["numpy==1.0", "torch==2.13.0"]


def test_what_differs_from_the_constraints_of_a_release_is_named(monkeypatch):
    monkeypatch.setattr(supplies, "installed", lambda: {"numpy": "2.4.0", "torch": "2.13.0+cpu"})
    then = b"# made\nnumpy==2.3.9\ntorch==2.13.0\nscipy==1.17.0  # for kindex\n"
    assert supplies.differences(then) == ["numpy 2.3.9 then, 2.4.0 now", "scipy 1.17.0 then, not installed now"]

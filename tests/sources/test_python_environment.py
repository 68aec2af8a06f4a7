"""The installed code as a catalogue, on small distributions that are installed into temporary folders."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pytest

from kindex.core.errors import ConfigError, DataGateError
from kindex.core.watch import Silent
from kindex.sources import NotAsLockedError, python_environment
from kindex.sources.parts import installed

FILES = {
    "kin/__init__.py": '"""Kin of things."""\nfrom .near import hit\nfrom . import far\n',
    "kin/near.py": '"""Near."""\nimport os\nfrom typing import Any\nfrom kin.far import away\n',
    "kin/far.py": "import os\nimport sys\nfrom typing import Any\nfrom .near import hit\n",
    "kin/broken.py": "def f(:\n",
    "kin/not-importable.py": "import os\n",
}


def install(site: Path, name: str, files: dict[str, str], version: str = "1.0", extra: str = "") -> None:
    """Lay a wheel's files and its RECORD below `site`."""
    lines = []
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_bytes(text.encode())
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text)}")
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,"]) + "\n" + extra)


@pytest.fixture
def no_stdlib(monkeypatch):
    monkeypatch.setattr(python_environment, "standard_library", lambda skip: [])


@pytest.fixture
def site(tmp_path, monkeypatch, no_stdlib):
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "site").mkdir()
    install(tmp_path / "site", "kindred", FILES)
    return tmp_path / "site"


def config(**changed):
    return python_environment.Config(**{"distributions": ("kindred",), "min_modules": 1, "workers": 1, **changed})


def read(settings, root=Path()):
    return python_environment.read(settings, python_environment.snapshot(settings, root), root, Silent())


def test_items_and_links_by_hand(site):
    found = read(config())
    links = {(row["left"], row["right"]) for row in found.catalogue.links.to_pylist()}
    assert links == {
        ("kin", "kin.near.hit"),
        ("kin", "kin.far"),
        ("kin.near", "os"),
        ("kin.near", "typing.Any"),
        ("kin.near", "kin.far.away"),
        ("kin.far", "os"),
        ("kin.far", "sys"),
        ("kin.far", "typing.Any"),
        ("kin.far", "kin.near.hit"),
    }
    items = {(row["kind"], row["id"]): row for row in found.catalogue.items.to_pylist()}
    assert [name for kind, name in items if kind == "module"] == ["kin", "kin.far", "kin.near"]
    assert items["module", "kin"] == {
        "id": "kin", "kind": "module", "label": "kindred", "description": "Kin of things.", "package": "kin",
    }  # fmt: skip
    assert items["link", "kin.near.hit"]["label"] == "kindred"  # by its longest prefix that is a module
    assert items["link", "sys"]["label"] == "python"
    [refused] = found.refused.to_pylist()
    assert (refused["origin"], refused["rule"]) == ("kin/broken.py", "module does not parse")
    assert "SyntaxError" in refused["value"] and json.loads(refused["record"])["id"] == "kin.broken"


def test_a_link_is_kept_when_enough_modules_have_it(site):
    links = read(config(min_modules=2)).catalogue.links
    assert set(links["right"].to_pylist()) == {"os", "typing.Any", "kin.near.hit"}


def test_the_snapshot_does_not_depend_on_the_environment_around_the_files(site, tmp_path, monkeypatch):
    here = python_environment.snapshot(config(), tmp_path)
    other = tmp_path / "other" / "venv"
    other.mkdir(parents=True)
    scripts = "../../../bin/kin,sha256=abc,12\nkin/__pycache__/near.cpython-311.pyc,,\n../../../bin/tool.py,sha256=abc,1\n"
    install(other, "kindred", FILES, extra=scripts)
    monkeypatch.syspath_prepend(str(other))
    assert python_environment.snapshot(config(), tmp_path) == here
    assert str(tmp_path) not in json.dumps(here)


def test_an_edited_file_is_named(site):
    snapshot = python_environment.snapshot(config(), site)
    (site / "kin/near.py").write_text("import os  # patched by hand\n")
    assert python_environment.snapshot(config(), site) == snapshot  # RECORD says what was installed
    with pytest.raises(DataGateError, match=r"kindred: kin/near\.py is not the file that was installed"):
        python_environment.read(config(), snapshot, site, Silent())


def test_another_version_is_named(site, monkeypatch, tmp_path):
    snapshot = python_environment.snapshot(config(), site)
    newer = tmp_path / "newer"
    newer.mkdir()
    install(newer, "kindred", {**FILES, "kin/more.py": "import os\n"}, version="1.1")
    monkeypatch.syspath_prepend(str(newer))
    with pytest.raises(
        NotAsLockedError, match=r"kindred is not the one that is locked: locked 1\.0, 4 files.*installed 1\.1, 5"
    ):
        python_environment.read(config(), snapshot, site, Silent())


def test_an_unknown_distribution_is_a_mistake_with_near_spellings(site):
    with pytest.raises(ConfigError, match=r"'kindrad' is not installed: did you mean kindred"):
        python_environment.snapshot(config(distributions=("kindrad",)), site)


def test_a_distribution_without_a_record_is_refused(site):
    (site / "kindred-1.0.dist-info/RECORD").unlink()
    with pytest.raises(ConfigError, match="has no RECORD"):
        python_environment.snapshot(config(), site)


def test_of_two_files_with_one_name_the_one_that_import_takes_is_kept(site):
    install(site, "twofold", {"two.py": "import os\n", "two/__init__.py": "import sys\n"})
    found = read(config(distributions=("twofold",)))
    assert found.catalogue.links["right"].to_pylist() == ["sys"]
    assert found.refused["origin"].to_pylist() == ["two.py"]


def test_names_that_clash_between_distributions(site):
    install(site, "zother", {"kin/near/__init__.py": "import json\n"})
    found = read(config(distributions=("zother", "kindred")))
    taken = [(row["origin"], row["value"]) for row in found.refused.to_pylist() if row["rule"] == "module name is taken"]
    assert taken == [("kin/near.py", "by kin/near/__init__.py")]
    assert {"left": "kin.near", "right": "json"}.items() <= found.catalogue.links.to_pylist()[-1].items()


def test_workers_do_not_change_the_result(site):
    install(site, "many", {f"many/m{i:03d}.py": f"import os\nfrom .m{i // 2:03d} import x\n" for i in range(80)})
    one, two = (read(config(distributions=("many", "kindred"), workers=workers)) for workers in (1, 2))
    assert one.catalogue.links.equals(two.catalogue.links)
    assert one.catalogue.items.equals(two.catalogue.items)
    assert one.refused.equals(two.refused)


@pytest.mark.slow
def test_the_hash_seed_does_not_change_the_result(site):
    program = (
        "import sys; from pathlib import Path; from kindex.core.watch import Silent\n"
        "from kindex.sources import python_environment as pe\n"
        "pe.standard_library = lambda skip: []\n"
        "c = pe.Config(distributions=('kindred',), min_modules=1, workers=1)\n"
        "r = pe.read(c, pe.snapshot(c, Path('.')), Path('.'), Silent())\n"
        "print(r.catalogue.items.to_pylist(), r.catalogue.links.to_pylist(), r.refused.to_pylist())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(site)},
            check=True, capture_output=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(said) == 1 and b"kin.near.hit" in said.pop()


def test_the_standard_library_is_found_without_its_tests():
    files = {file.module: file for file in installed.standard_library(("test", "tests", "idle_test"))}
    assert {"json.decoder", "typing", "asyncio", "xml.etree.ElementTree"} <= set(files)
    assert not [name for name in files if "test" in name.split(".") or name.startswith("site-packages")]
    assert files["asyncio"].path == "asyncio/__init__.py" and files["asyncio"].is_package
    with_tests = {file.module for file in installed.standard_library(())}
    assert with_tests >= set(files)  # Debian's Python comes without its tests


def test_digests_are_over_path_and_content_in_order(site):
    _, files = installed.distribution("kindred")
    lines = "".join(
        f"{path},{hashlib.sha256(FILES[path].encode()).hexdigest()}\n" for path in sorted(FILES) if "-" not in path
    )
    assert installed.digest_of(files) == hashlib.sha256(lines.encode()).hexdigest()


def test_settings_are_checked():
    with pytest.raises(ValueError, match="min_modules is 0"):
        python_environment.Config(min_modules=0)


def test_every_link_has_enough_modules_and_both_ends_are_items(site):
    found = read(config(min_modules=2)).catalogue
    ids = set(found.items.filter(pc.equal(found.items["kind"], "link"))["id"].to_pylist())
    assert ids == set(found.links["right"].to_pylist())

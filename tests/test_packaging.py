"""What an installation that is not editable would carry."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
TOOL = PROJECT["tool"]["setuptools"]


def test_every_package_is_named():
    folders = {path.parent for base in ("src/kindex", "flows", "tasks") for path in (ROOT / base).rglob("*.py")}
    found = {folder.relative_to(ROOT).as_posix().removeprefix("src/").replace("/", ".") for folder in folders}
    assert found | set(TOOL["package-data"]) == set(TOOL["packages"])


def test_every_other_file_of_a_package_is_package_data():
    code = {".py", ".pyc"}
    others = {path.parent for path in (ROOT / "src").rglob("*") if path.is_file() and path.suffix not in code}
    named = {ROOT / "src" / package.replace(".", "/") for package in TOOL["package-data"]}
    assert {folder for folder in others if "egg-info" not in folder.name} == named


def test_every_pin_of_a_direct_dependency_is_in_the_constraints():
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")}
    wanted = {part.split("=")[0].split(">")[0].split("<")[0].lower() for part in PROJECT["project"]["dependencies"]}
    assert wanted <= pinned

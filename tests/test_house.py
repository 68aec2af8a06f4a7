"""The layering is a file one can run, and dvc.yaml says what the stages really depend on."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
import yaml

from kindex.core.layout import CATALOGUE_STAGES, STAGES, Layout
from kindex.encoders import families
from kindex.sources import kinds

ROOT = Path(__file__).parent.parent
GRAPH = grimp.build_graph("kindex", cache_dir=None)
STEPS = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
LOADED_BY_NAME = {
    "ingest": [f"kindex.sources.{kind}" for kind in kinds()],
    "train": [f"kindex.encoders.{family}" for family in families()],
    "evaluate": [f"kindex.encoders.{family}" for family in families()],
}
"""Modules that a stage loads by a name in params.yaml, which a static import graph cannot see."""

RUNNER = ["kindex.stages.__main__"]


def closure(module: str) -> set[str]:
    """Files of `module` and of all that it imports from kindex, relative to the root."""
    modules = GRAPH.find_upstream_modules(module) | {module}
    # a package's own file runs when any module in it is imported
    modules |= {".".join(name.split(".")[:depth]) for name in modules for depth in range(2, name.count(".") + 1)}
    return {file for file in map(path, modules - {"kindex"}) if has_code(ROOT / file)}


def has_code(file: Path) -> bool:
    """Whether a change to the file can change what runs: a package's file may be a docstring only."""
    return len(ast.parse(file.read_text()).body) > 1


def path(module: str) -> str:
    stem = "src/" + module.replace(".", "/")
    return f"{stem}/__init__.py" if (ROOT / stem).is_dir() else f"{stem}.py"


def declared(stage: str, **item: str) -> set[str]:
    """The code files that dvc.yaml names for a stage, folders opened."""
    files = set()
    for dep in STEPS[stage]["do"]["deps"]:
        name = re.sub(r"\$\{(?:item\.)?([\w.]+)\}", lambda found: item.get(found[1], found[0]), dep)
        if not name.startswith("src/"):
            continue
        found = ROOT / name
        files |= {str(f.relative_to(ROOT)) for f in found.rglob("*.py")} if found.is_dir() else {name}
    return files


def items(stage: str) -> list[dict[str, str]]:
    if stage == "ingest":
        return [{"source.kind": kind} for kind in kinds()]
    if stage in ("train", "evaluate"):
        return [{"family": family} for family in families()]
    return [{}]


@pytest.mark.parametrize("stage", STAGES)
def test_dvc_declares_the_real_import_closure_of_each_stage(stage):
    own = set().union(*(closure(module) for module in [f"kindex.stages.{stage}", *RUNNER]))
    loaded = {"ingest": "kindex.sources.{source.kind}", "train": "kindex.encoders.{family}"}
    loaded["evaluate"] = loaded["train"]
    of_any_item = set().union(own, *(closure(name) for name in LOADED_BY_NAME.get(stage, [])))
    for item in items(stage):
        needed = set(own)
        for word, value in item.items():
            needed |= closure(loaded[stage].replace("{" + word + "}", value))
        missing = needed - declared(stage, **item)
        assert not missing, f"dvc.yaml, {stage} {item}: add to deps {sorted(missing)}"
        needless = {file for file in declared(stage, **item) - of_any_item if has_code(ROOT / file)}
        assert not needless, f"dvc.yaml, {stage}: drop from deps {sorted(needless)}"


@pytest.mark.parametrize("stage", STAGES)
def test_dvc_stages_write_where_the_layout_says(stage):
    step = STEPS[stage]
    catalogue = stage in CATALOGUE_STAGES
    assert step["foreach"] == ("${catalogues}" if catalogue else "${models}")
    assert step["do"]["cmd"] == f"python -m kindex.stages {stage} ${{key}}"
    out = str(Layout(Path("/x")).out(stage, "${key}").relative_to("/x"))
    written = [o for kind in ("outs", "metrics", "plots") for o in step["do"].get(kind, [])]
    names = [next(iter(o)) if isinstance(o, dict) else o for o in written]
    assert names and all(name == out or name.startswith(f"{out}/") for name in names)


def test_imports_go_one_way():
    found = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout


def test_light_paths_stay_light():
    heavy = ["torch", "faiss", "pandas", "sklearn", "great_expectations", "mlflow", "prefect", "dvc", "scipy"]
    for module in (
        "kindex",
        "kindex.cli",
        "kindex.core.params",
        "kindex.stages.__main__",
        "kindex.stages.parts.running",
        "kindex.core.release",
    ):
        code = f"import sys, {module}; print(*[name for name in {heavy} if name in sys.modules])"
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert found.stdout.split() == [], module


def test_no_source_file_reads_code_from_data():
    forbidden = re.compile(r"^\s*(import pickle|from pickle)|pickle\.load|allow_pickle=True|torch\.load\(|joblib\.load", re.M)
    for folder in ("src", "flows", "tasks"):
        for file in (ROOT / folder).rglob("*.py"):
            assert not forbidden.search(file.read_text()), file

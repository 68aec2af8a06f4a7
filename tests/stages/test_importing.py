"""What the fork server imports before it is asked for it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from kindex.core.layout import STAGES
from kindex.stages import importing


def test_every_stage_has_its_own_file_and_what_it_imports_later_in_the_order_of_a_night(tmp_path, monkeypatch):
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path))
    coming = list(importing.ahead())
    assert [one for one in coming if one.startswith("kindex.stages.")] == [f"kindex.stages.{stage}" for stage in STAGES]
    assert set(importing.HEAVY) == set(STAGES) and "torch" not in coming
    assert importing.modules("splt") == []


@pytest.mark.parametrize("family, last", [("pairs", "jinja2"), ("autoencoder", "torch")])
def test_torch_comes_last_and_only_where_every_night_needs_it(family, last, tmp_path, monkeypatch):
    blocks = {
        "catalogues": {"c": {"source": {"kind": "digits"}, "checks": {}, "split": {}}},
        "models": {"m": {"catalogue": "c", "family": family}},
        "indexes": {"m": {}},
        "gates": {"m": []},
        "evaluate": {},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(blocks))
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path))
    assert list(importing.ahead())[-1] == last


def test_the_names_are_those_of_modules():
    names = [name for stage in STAGES for name in importing.HEAVY[stage]]
    code = "import importlib.util, sys; print(*[name for name in sys.argv[1:] if not importlib.util.find_spec(name)])"
    found = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []
    importing.bring("kindex.no_such_module")


def test_code_that_was_edited_after_it_had_been_imported_is_seen():
    assert Path(importing.__file__).exists()
    assert not importing.edited_since(time.time() + 60)
    assert importing.edited_since(0.0)

"""`kindex forget` with real stages: the night after it publishes without the item, and then nothing holds it."""

import shutil
import subprocess
import sys

import pytest

from kindex.core import release
from kindex.core.catalogue import read_table
from kindex.core.space import read_space
from tests import projects
from tests.projects import LINKED

pytestmark = [pytest.mark.slow, pytest.mark.long]
ITEM = "basket-3"


def forget(root) -> subprocess.CompletedProcess[str]:
    return projects.run(root, sys.executable, "-m", "tasks.forgetting", "shop", ITEM)


def test_a_night_after_it_the_item_is_nowhere(tmp_path):
    layout = projects.make(tmp_path / "project")
    first = projects.nightly(layout.root)
    assert first.returncode == 0, first.stdout + first.stderr
    marked = forget(layout.root)
    assert marked.returncode == 3, marked.stderr
    assert "marked in locks/shop.json" in marked.stdout
    assert f"holds  releases/{LINKED}/v0001 (" in marked.stdout and "it is live: run `make nightly`" in marked.stdout
    assert "holds  links.csv (text): the source itself" in marked.stdout
    second = projects.nightly(layout.root)
    assert second.returncode == 0, second.stdout + second.stderr
    live = release.verify(layout.releases(LINKED))
    assert live.version == "v0002"
    ids = read_space(layout.releases(LINKED) / "v0002" / "vectors" / "basket.parquet").ids
    assert ITEM not in ids and len(ids) == 39
    assert ITEM not in read_table(layout.out("ingest", "shop") / "links.parquet")["left"].to_pylist()
    left = forget(layout.root)
    assert f"gone   releases/{LINKED}/v0001" in left.stdout
    holding = {line.split()[1] for line in left.stdout.splitlines() if line.startswith("holds")}
    assert holding == {"links.csv", "var/mlflow"}, left.stdout
    lines = (layout.root / "links.csv").read_text().splitlines()
    (layout.root / "links.csv").write_text("\n".join(line for line in lines if not line.startswith(f"{ITEM},")) + "\n")
    shutil.rmtree(layout.var / "mlflow")
    proved = forget(layout.root)
    assert proved.returncode == 0, proved.stdout
    assert "nothing here holds it" in proved.stdout

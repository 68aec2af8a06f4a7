"""What a person who knows DVC expects of this repository: status, metrics, parameters, plots, experiments."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import projects

pytestmark = pytest.mark.slow
COMMANDS = Path(sys.executable).parent
GIT = ("git", "-c", "user.name=k", "-c", "user.email=k@example.invalid")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A tiny project under git, its stages made and committed."""
    layout = projects.make(tmp_path_factory.mktemp("dvc") / "project")
    shutil.rmtree(layout.root / ".dvc")
    for name in (".gitignore", ".dvcignore"):
        shutil.copy(projects.ROOT / name, layout.root)
    with (layout.root / ".gitignore").open("a") as ignored:
        ignored.write(".site/\n")
    run(layout.root, "git", "init", "-q")
    run(layout.root, "dvc", "init", "-q")
    run(layout.root, "kindex", "lock", "--all")
    run(layout.root, "dvc", "repro", "-q")
    run(layout.root, "git", "add", "-A")
    run(layout.root, *GIT, "commit", "-qm", "made")
    return layout.root


def run(root: Path, *command: str) -> str:
    program = str(COMMANDS / command[0]) if (COMMANDS / command[0]).exists() else command[0]
    author = {f"GIT_{who}_{what}": "k@example.invalid" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{COMMANDS}:/usr/bin:/bin"
    done: subprocess.CompletedProcess[str] = projects.run(root, program, *command[1:], PATH=path, **author)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def test_git_is_clean_and_dvc_up_to_date_after_a_repro(root):
    assert json.loads(run(root, "dvc", "status", "--json")) == {}
    assert run(root, "git", "status", "--porcelain") == ""


def test_metrics_show_the_flat_report(root):
    shown = json.loads(run(root, "dvc", "metrics", "show", "--json"))[""]["data"]
    report = shown["data/evaluate/shop-pairs/report.json"]["data"]
    assert report == json.loads((root / "data" / "evaluate" / "shop-pairs" / "report.json").read_text())
    assert {"link_recall_at_10", "popularity_link_recall_at_10", "index_recall_at_10"} <= report.keys()
    assert "reconstruction_mse" in shown["data/evaluate/stamps-autoencoder/report.json"]["data"]


def test_plots_show_draws_every_plot(root, tmp_path):
    run(root, "dvc", "plots", "show", "--out", str(tmp_path / "plots"))
    page = (tmp_path / "plots" / "index.html").read_text()
    for name, axis in (("history", "validation"), ("headline", "value"), ("index", "index_recall_at_10")):
        assert f"#data_evaluate_shop-pairs_plots_{name}_csv" in page, name
        assert f'"field": "{axis}"' in page, axis
    assert "shop-pairs, against baselines" in page


def test_an_experiment_changes_one_setting_and_retrains_one_model(root):
    done = run(root, "dvc", "exp", "run", "-S", "models.shop-pairs.dimensions=6")
    assert "Running stage 'train@shop-pairs'" in done
    assert "Running stage 'train@stamps-autoencoder'" not in done
    assert "Running stage 'split@shop'" not in done
    changed = json.loads(run(root, "dvc", "params", "diff", "--json"))
    assert changed == {"params.yaml": {"models.shop-pairs.dimensions": {"old": 4, "new": 6, "diff": 2}}}
    assert "6" in run(root, "dvc", "exp", "show", "--csv", "--drop", ".*", "--keep", "models.shop-pairs.dimensions")

"""A wrong sign must turn a test red: each plant below is one that a handsome library once shipped, or could have."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PLANTS = {
    "a loss that pushes links apart": (
        "encoders/parts/losses.py",
        "torch.log(sum_B))[place_P] - positive_P",
        "torch.log(sum_B))[place_P] + positive_P",
        "tests/encoders/parts/test_losses.py",
    ),
    "a derivative that pushes links apart": (
        "encoders/parts/losses.py",
        "share_B[place_P] * own_P - counted_P",
        "share_B[place_P] * own_P + counted_P",
        "tests/encoders/parts/test_losses.py",
    ),
    "a ranking loss that prefers the negative": (
        "encoders/parts/losses.py",
        "-pull_BN.sum(1), pull_BN",
        "pull_BN.sum(1), -pull_BN",
        "tests/encoders/parts/test_losses.py",
    ),
    "negatives that may be known links": (
        "encoders/pairs/unlinked.py",
        "self.end_R[right_P] - own_P - (",
        "self.end_R[right_P] - (",
        "tests/encoders/test_pairs_sampled.py",
    ),
    "a cosine that is learnt as a dot product": (
        "encoders/pairs/sampled.py",
        "(gradient_ND - (gradient_ND * unit_ND).sum(1, keepdim=True) * unit_ND)",
        "(gradient_ND + (gradient_ND * unit_ND).sum(1, keepdim=True) * unit_ND)",
        "tests/encoders/test_pairs_sampled.py",
    ),
    "an optimiser that climbs": (
        "encoders/parts/adagrad.py",
        "self.table_VD[rows_U] -= rate",
        "self.table_VD[rows_U] += rate",
        "tests/encoders/parts/test_adagrad.py",
    ),
    "a metric that ranks the worst first": (
        "judge/ranking.py",
        "np.count_nonzero(scores_R > own)",
        "np.count_nonzero(scores_R < own)",
        "tests/judge/test_ranking.py",
    ),
    "a metric that forgets to mask train links": (
        "judge/ranking.py",
        "scores_BR[known.row, known.col] = -np.inf",
        "pass",
        "tests/judge/test_ranking.py",
    ),
    "a cosine that is a plain dot": (
        "index/index.py",
        "asked_QD = unit(asked_QD)",
        "asked_QD = asked_QD",
        "tests/index/test_index.py",
    ),
    "an index that answers the farthest first": (
        "index/index.py",
        "np.lexsort((rows_QK, -scores_QK), axis=1)",
        "np.lexsort((rows_QK, scores_QK), axis=1)",
        "tests/index/test_index.py",
    ),
    "a gate that lets the worse pass": (
        "judge/gate.py",
        "sign * (value - other)",
        "sign * (other - value)",
        "tests/judge/test_gate.py",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_error_turns_a_test_red(name, tmp_path):
    file, right, wrong, tests = PLANTS[name]
    shutil.copytree(ROOT / "src" / "kindex", tmp_path / "kindex", ignore=shutil.ignore_patterns("__pycache__"))
    source = (tmp_path / "kindex" / file).read_text()
    assert right in source, f"{file} no longer has {right!r}: plant the error anew"
    (tmp_path / "kindex" / file).write_text(source.replace(right, wrong))
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow", tests]
    planted = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"}
    run = subprocess.run(command, cwd=ROOT, env=planted, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout[-2000:] + run.stderr[-2000:]

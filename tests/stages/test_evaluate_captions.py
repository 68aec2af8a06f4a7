"""A captioner is judged by its four uses, beside other tunings of its backbone, all from a project on disk."""

import json
from pathlib import Path

import pytest

from kindex.core.files import replacing, sha256_file
from kindex.core.layout import Layout
from kindex.core.params import load
from kindex.stages import evaluate, index
from kindex.stages.parts.job import Job
from kindex.stages.parts.terminal import TerminalWatch
from tests.encoders.captioner.networks import npz
from tests.encoders.planted import planted_captions
from tests.encoders.project import MODEL, project, run_train

pytestmark = pytest.mark.slow  # three small fits, each judged

USES = ("bleu_4", "cider", "greedy_bleu_4", "nearest_bleu_4", "caption_overlap_at_10", "text_recall_at_10")
USES += ("text_median_rank", "inversion_recall_at_10", "inversion_median_rank", "chance_text_recall_at_10")


def run(stage: str, layout: Layout) -> Path:
    module = {"index": index, "evaluate": evaluate}[stage]
    with replacing(layout.out(stage, MODEL), layout.work(stage, MODEL)) as out:
        watch = TerminalWatch(stage, out / "history.jsonl", layout.checkpoint(MODEL))
        module.run(Job(layout, load(layout.params), MODEL, out, watch))
    return layout.out(stage, MODEL)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("captions")
    weights = npz(root / "narrow.npz")
    case = planted_captions(80)
    given = {"backbone": "mobilenet_v2", "weights": str(weights), "weights_sha256": sha256_file(weights), "side": 32}
    config = {**case.config, **given, "epochs": 2, "compare": ["frozen", "head", "fine_tuned"]}
    layout = project(root, case.split, "captioner", config)
    run_train(layout)
    run("index", layout)
    return run("evaluate", layout)


def test_every_use_has_its_figure(judged: Path) -> None:
    report = json.loads((judged / "report.json").read_text())
    assert set(USES) <= report.keys()
    assert 0 <= report["bleu_4"] <= 1 and report["text_median_rank"] >= 1


def test_other_tunings_stand_beside_the_models_own(judged: Path) -> None:
    report = json.loads((judged / "report.json").read_text())
    for tuning in ("frozen", "fine_tuned"):
        assert {f"{tuning}_bleu_4", f"{tuning}_text_recall_at_10"} <= report.keys()
    assert not any(name.startswith("head_") for name in report), "the model's own tuning is no rival"
    beside = json.loads((judged / "evidence.json").read_text())["headline"]["baselines"]
    assert beside["frozen backbone"] == report["frozen_text_recall_at_10"]
    assert beside["fine-tuned backbone"] == report["fine_tuned_text_recall_at_10"]


def test_the_page_shows_captions_and_searches(judged: Path) -> None:
    page = (judged / "report.html").read_text()
    assert all(f'id="{section}"' in page for section in ("captions", "search", "map"))

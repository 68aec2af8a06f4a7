"""The whole judgement of a captioner whose answers can be told by hand."""

import math

import pyarrow.compute as pc
import pytest

from kindex.core.catalogue import Catalogue
from kindex.core.space import Space
from kindex.core.split import Split
from kindex.judge.captions.bleu import corpus_bleu
from kindex.judge.captions.judged import judge_captions
from kindex.judge.captions.material import Sizes
from kindex.judge.measures import is_name
from tests.judge.captions.planted import COLOURS, material, text

SETTINGS = {"bootstrap": 30, "seed": 7}


@pytest.fixture(scope="module")
def judged():
    return judge_captions(material(), **SETTINGS)


def test_every_number_is_known_to_the_gate_and_finite(judged) -> None:
    report, _ = judged
    assert [name for name in report if not is_name(name)] == []
    expected = {
        "bleu_1",
        "bleu_4_low",
        "cider",
        "greedy_bleu_4",
        "nearest_cider",
        "text_recall_at_10",
        "text_median_rank_high",
    }
    expected |= {"inversion_recall_at_1", "chance_text_median_rank", "caption_overlap_at_10", "raw_caption_overlap_at_10"}
    expected |= {"inflection_accuracy", "inflection_coverage", "number_accuracy"}
    assert expected <= report.keys()


def test_captions_are_scored_against_all_their_references(judged) -> None:
    report, _ = judged
    said = [f"a {COLOURS[n % 8]} dog on the grass".split(" ") for n in range(96, 144)]
    people = [[one.split(" ") for one in text(n)] for n in range(96, 144)]
    assert [report[f"bleu_{k}"] for k in (1, 2, 3, 4)] == pytest.approx(corpus_bleu(said, people), abs=1e-6)
    assert report["bleu_4_low"] <= report["bleu_4"] <= report["bleu_4_high"]
    assert report["greedy_bleu_4"] == 0 and report["cider"] > report["greedy_cider"]
    assert report["nearest_bleu_4"] == 1, "train has an image of the same colour and shape, whose first caption is the same"
    assert report["captioned_images"] == 48


def test_descriptions_find_their_image_and_chance_does_not(judged) -> None:
    report, _ = judged
    assert report["text_recall_at_1"] == pytest.approx(1.0) and report["text_queries"] == 96
    assert report["inversion_recall_at_5"] > report["chance_text_recall_at_5"] == pytest.approx(5 / 48, abs=1e-6)
    assert report["caption_overlap_at_10"] > report["raw_caption_overlap_at_10"]


def test_the_examples_are_shown_with_their_pictures(judged) -> None:
    shown = judged[1]
    assert [one["place"] for one in shown["captions"]] == ["best"] * 3 + ["median"] * 3 + ["worst"] * 3
    best, worst = shown["captions"][0], shown["captions"][-1]
    assert best["cider"] > worst["cider"] and best["caption"] in best["references"]
    assert best["image"].startswith("data:image/jpeg;base64,") and best["greedy"] == "a grass"
    search = shown["search"][0]
    assert len(search["ways"]["text"]["hits"]) == len(search["ways"]["inversion"]["hits"]) == 5
    assert search["ways"]["text"]["rank"] == 1 and search["ways"]["text"]["hits"][0]["right"]
    assert shown["words"]["similar"][0]["word"] == "three", "golden words come first"
    assert "three" not in [hit["word"] for hit in shown["words"]["similar"][0]["hits"]]
    placed = shown["words"]["map"]
    assert len({one["word"] for one in placed}) == len(placed) > 10 and all(math.isfinite(sum(one["at"])) for one in placed)
    assert placed[0]["count"] == max(one["count"] for one in placed)


def test_the_same_material_gives_the_same_judgement(judged) -> None:
    assert judge_captions(material(), **SETTINGS) == judged


def test_only_what_is_asked_for_is_computed(judged) -> None:
    given = material()
    report, shown = judge_captions(given, only=("text_recall_at_10",), **SETTINGS)
    assert set(report) == {"text_recall_at_10", "text_recall_at_10_low", "text_recall_at_10_high"} and shown == {}
    assert given.encoder.calls == ["tower"]
    assert report["text_recall_at_10"] == judged[0]["text_recall_at_10"]
    given = material()
    report, _ = judge_captions(given, only=("bleu_4", "cider"), **SETTINGS)
    assert given.encoder.calls == ["beam"] and {"bleu_4", "cider"} <= report.keys() and "bleu_3" not in report


def test_other_tunings_stand_beside(judged) -> None:
    report, _ = judge_captions(material(), only=("cider",), beside={"frozen": {"bleu_4": 0.1}}, **SETTINGS)
    assert report["frozen_bleu_4"] == 0.1 and is_name("frozen_bleu_4")


def test_a_sample_is_judged_when_there_is_too_much() -> None:
    sizes = Sizes(images=10, queries=20, inverted=5, shown=2)
    report, shown = judge_captions(material(), sizes=sizes, **SETTINGS)
    counts = ("captioned_images", "text_queries", "inversion_queries")
    assert [report[name] for name in counts] == [10, 20, 5]
    assert report["chance_text_recall_at_1"] == pytest.approx(1 / 48, abs=1e-6), "asked among all held-out images"
    assert len(shown["search"]) == 2


def test_captions_without_a_known_word_are_no_queries_and_images_without_captions_none_at_all() -> None:
    whole = material()
    captions = whole.split.heldout.captions
    held = Catalogue(
        "planted", {**whole.split.heldout.tables, "captions": captions.filter(pc.not_equal(captions["id"], "i100"))}
    )
    short = Space("word", whole.word.ids[:2], whole.word.vectors_ND[:2], "cosine", "captioner-words")
    given = material(split=Split(whole.split.train, held), word=short, thumbnails={}, golden=())
    given.encoder.understood = lambda said: ([], said.split()) if "red" in said else (said.split(), [])
    report, _ = judge_captions(given, **SETTINGS)
    assert report["captioned_images"] == 47 and report["text_queries"] == 2 * (47 - 6)
    assert "raw_caption_overlap_at_10" not in report and "number_accuracy" not in report


def test_nothing_held_out_gives_no_numbers_and_nothing_to_show() -> None:
    whole = material()
    empty = Catalogue("planted", {name: table.slice(0, 0) for name, table in whole.split.heldout.tables.items()})
    report, shown = judge_captions(material(split=Split(whole.split.train, empty)), **SETTINGS)
    assert not [name for name in report if "bleu" in name or "recall" in name or "overlap" in name]
    assert shown["captions"] == [] and shown["search"] == []


def test_each_image_has_its_value_and_their_mean_is_the_number():
    taken = {}

    def record(name, ids, values):
        taken[name] = (list(ids), values)

    report, _ = judge_captions(material(), **SETTINGS, record=record)
    ids, values = taken["text_recall_at_1"]
    assert len(ids) == len(set(ids)) == len(values)
    assert report["text_recall_at_1"] == pytest.approx(float(values.mean()), abs=0.05)

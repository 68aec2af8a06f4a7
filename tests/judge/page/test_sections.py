import pytest

from kindex.judge.page import account, quality
from kindex.judge.page.text import number
from tests.judge.page.made_up import COSTS, evidence, png, verdict

BASELINES = {"popularity": 0.1, "SVD": 0.3}


@pytest.mark.parametrize(
    ("value", "low", "high", "better", "said"),
    [
        (0.4, 0.35, 0.45, "higher", "0.100 better than the best baseline, SVD, and so is the whole interval."),
        (0.31, 0.25, 0.4, "higher", "0.0100 better than the best baseline, SVD, which lies within the interval."),
        (0.2, 0.1, 0.25, "higher", "0.100 worse than the best baseline, SVD, and so is the whole interval."),
        (0.05, 0.01, 0.09, "lower", "0.0500 better than the best baseline, popularity, and so is the whole interval."),
        (0.2, None, None, "lower", "0.100 worse than the best baseline, popularity."),
        (0.3, 0.2, 0.4, "higher", "The same as the best baseline, SVD."),
    ],
)
def test_the_comparison_says_which_side_and_whether_the_interval_agrees(value, low, high, better, said):
    assert quality.comparison(value, low, high, better, BASELINES) == said


def test_the_headline_stands_over_its_baselines_from_best_to_worst():
    head = quality.headline(evidence())
    assert (head["title"], head["value"], head["interval"]) == ("Link recall@10", "0.400", "0.350 to 0.450")
    assert [(row["name"], row["value"], row["own"]) for row in head["rows"]] == [
        ("this model", "0.400", True),
        ("SVD", "0.300", False),
        ("popularity", "0.100", False),
    ]
    assert 'width="88.89%"' in head["rows"][0]["bar"], "0.4 of the 0.45 that the interval reaches"
    assert quality.headline({}) is None
    assert quality.headline({"headline": {"value": float("nan")}}) is None


def test_the_best_of_a_row_is_marked_by_the_direction_of_its_measure():
    recall, error = quality.measures(evidence())
    assert recall["best"] and not any(one["best"] for one in recall["beside"])
    assert error["best"], "0.0123 is below 0.0191, and lower is better"
    assert [(one["name"], one["value"]) for one in error["beside"]] == [("PCA", "0.0191")]
    measure = {"name": "m", "value": 0.4, "baselines": {"b": 0.3}}
    (turned,) = quality.measures({"measures": [{**measure, "better": "lower"}]})
    assert not turned["best"] and turned["beside"][0]["best"]
    (neither,) = quality.measures({"measures": [{**measure, "better": "none"}]})
    assert not neither["best"] and not neither["beside"][0]["best"]


def test_missed_lines_of_the_gate_stand_first():
    judged = quality.gate(verdict())
    assert (judged["passed"], judged["met"]) == (False, 1)
    assert [(line["metric"], line["passed"]) for line in judged["lines"]] == [("mse", False), ("link recall@10", True)]
    assert quality.gate(None) is None


def test_each_number_of_the_history_has_its_chart():
    small = quality.training({"history": [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "valid_mse": 0.5}]})
    assert [(one["name"], one["last"]) for one in small] == [("loss", "1.000"), ("valid mse", "0.500")]
    assert "over 2 epochs, from 2.00 to 1.000" in small[0]["chart"]


def test_the_models_own_line_of_the_recall_curve_stands_first():
    curve = quality.recall_curve(evidence())
    assert curve["ks"] == [10, 20, 50]
    assert [(row["name"], row["own"], row["cells"]) for row in curve["rows"]] == [
        ("modules-pairs", True, ["0.100", "0.200", "0.500"]),
        ("SVD", False, ["0.0500", "0.100", "0.250"]),
    ]
    assert quality.recall_curve({"recall_curve": []}) is None


def test_rates_of_this_machine_come_from_the_costs():
    table = account.index_table(evidence(), COSTS)
    assert [(row["setting"], row["rate"]) for row in table["rows"]] == [("Flat · exact", "41,234"), ("IVF · nprobe=4", "")]
    assert not account.index_table(evidence(), {})["measured"]


def test_costs_stand_in_the_order_of_the_night_with_their_sum():
    table = account.cost_table({**COSTS, "ingest": {"seconds": 5.0}, "broken": {"seconds": None}, "own": {"seconds": 1.0}})
    assert [row["stage"] for row in table["rows"]] == ["ingest", "train", "index", "own"]
    assert table["sums"] == ["46.0", "38.5"]
    assert [row["memory"] for row in table["rows"]] == ["", "512", "", ""]
    assert account.cost_table({}) is None


def test_a_hit_with_another_label_is_marked():
    labelled = [{"id": "a", "label": "x", "score": 1.0}, {"id": "b", "label": "y", "score": 0.5}, {"id": "c", "score": 0.1}]
    query = account.neighbours({"examples": [{"id": "q", "label": "x", "hits": labelled}]})[0]
    assert [hit["differs"] for hit in query["hits"]] == [False, True, False]
    assert query["differs"]


def test_small_pictures_keep_their_pixels():
    assert account.picture(png(3)) == {"uri": png(3), "pixels": True}
    assert account.picture(None) is None


def test_quarantine_and_lineage_are_flat_and_unrounded():
    shown = account.quarantine(evidence())
    assert shown["rows"] == [{"table": "items", "came": "12,003", "passed": "12,000", "refused": "3", "share": "0.03%"}]
    assert shown["refused"] == [{"table": "items", "rule": "unique id", "count": "3"}]
    split = {"train": {"x": 1}, "salt": None}
    made_from = {"rows": {"a": 1, "b": 20_000}, "seed": 0.123456, "split": split, "versions": {"py": "3"}}
    groups = {group["title"]: group["pairs"] for group in account.lineage({"lineage": made_from}, {"version": 3})}
    lines = [("rows", "a: 1, b: 20,000"), ("seed", "0.123456"), ("split · train", "x: 1"), ("split · salt", "none")]
    assert groups == {"Release": [("version", "3")], "Made from": lines, "Versions": [("py", "3")]}


def test_hubs_stand_before_and_after_with_the_best_marked():
    shown = quality.hubs(evidence())
    assert shown["served"] == "local scaling"
    assert [(way["name"], way["served"]) for way in shown["ways"]] == [
        ("cosine", False),
        ("local scaling", True),
        ("inverted softmax", False),
    ]
    assert [(row["title"], row["better"]) for row in shown["rows"]] == [("Hubness", "lower is better")]
    assert shown["rows"][0]["cells"] == [
        {"value": "2.50", "best": False},
        {"value": "0.500", "best": True},
        {"value": "–", "best": False},
    ]
    assert quality.hubs({})["rows"] == []


def test_the_headline_says_how_far_the_default_settings_are():
    head = {"value": 0.3, "better": "higher", "baselines": {"default settings": 0.4, "SVD": 0.1}}
    assert quality.behind(head) == f"{number(0.1)} (25%) behind the family's default settings."
    assert quality.behind({**head, "better": "lower"}).startswith(f"{number(0.1)} (25%) ahead of")
    assert quality.behind({**head, "baselines": {"SVD": 0.1}}) == ""


def test_golden_items_are_marked_and_further_columns_stand_beside():
    first, second = account.neighbours(evidence())
    assert (first["golden"], second["golden"]) == (True, False)
    assert first["about"] == "module · torch · BSD" and first["hits"][0]["more"] == "MIT"

import json

import pytest

from kindex.judge.page.points import SIDE, TOP, columns, grouped, script_json, view


def test_a_view_keeps_distances_and_turns_y_downwards():
    placed = view([{"pca": [0, 0]}, {"pca": [10, 0]}, {"pca": [0, 5]}], "pca")
    assert (placed["width"], placed["height"]) == (SIDE, round(SIDE / 2))
    (ax, ay), (bx, by), (cx, cy) = zip(placed["xy"][::2], placed["xy"][1::2])
    assert (ax, bx, cx) == (0, SIDE, 0)
    assert ay == by > cy == 0


def test_an_item_without_a_place_is_left_out_of_that_view_only():
    items = [{"pca": [0, 0], "tsne": None}, {"pca": [float("nan"), 1]}, {"pca": ["x", 1]}, {"pca": [1, 1]}]
    assert view(items, "pca")["xy"] == [0, SIDE, -1, -1, -1, -1, SIDE, 0]
    assert view(items, "tsne") is None
    assert columns({"items": [{"id": "a"}]}) is None
    assert columns({}) is None


def test_one_place_for_all_does_not_divide_by_zero():
    assert view([{"pca": [3, 3]}, {"pca": [3, 3]}], "pca") == {"width": 1, "height": 1, "xy": [0, 0, 0, 0]}


def test_the_largest_labels_have_their_own_group_and_the_rest_shares_one():
    labels = [f"label {n:02d}" for n in range(TOP + 2)]
    label_N = [n for n in range(TOP + 2) for _ in range(TOP + 2 - n)] + [-1]
    groups, group_N = grouped(label_N, labels)
    assert [group["count"] for group in groups] == [*range(TOP + 2, 2, -1), 2 + 1, 1]
    assert [group["mark"] for group in groups] == [*range(TOP), -1, -1]
    assert [group["name"] for group in groups[-2:]] == ["2 others", "no label"]
    assert group_N[-4:] == [TOP, TOP, TOP, TOP + 1]


def test_equal_counts_stand_in_order_of_name_and_classes_in_order_of_number():
    assert [group["name"] for group in grouped([1, 0, 2, 2], ["b", "a", "c"])[0]] == ["c", "a", "b"]
    assert [group["name"] for group in grouped([0, 0, 1, 2], ["10", "9", "1"])[0]] == ["1", "9", "10"]


@pytest.mark.parametrize("index", [None, -1, 2, 1.0, "0"])
def test_a_label_that_is_none_of_the_labels_is_no_label(index):
    made = columns({"labels": ["a", "b"], "items": [{"id": "x", "label": index, "pca": [0, 0]}]})
    assert made["by"][0]["label"] == [-1]
    assert made["by"][0]["groups"] == [{"name": "no label", "count": 1, "mark": -1}]


def test_the_map_is_coloured_by_every_column_whose_values_repeat():
    items = [{"id": f"i{n}", "pca": [n, n]} for n in range(200)]
    genre = {"title": "genre", "labels": ["crime", "poems"], "label": [0] * 150 + [1] * 30 + [None] * 20}
    unique = {"title": "isbn", "labels": [f"n{n}" for n in range(200)], "label": [0, 0, 0] + [None] * 197}
    short = {"title": "country", "labels": ["UK"], "label": [0]}
    (one,) = columns({"items": items, "columns": [genre, unique, short]})["by"]
    assert one["title"] == "genre", "there is no label, isbn hardly repeats, country is not of these items"
    assert one["groups"] == [
        {"name": "crime", "count": 150, "mark": 0},
        {"name": "poems", "count": 30, "mark": 1},
        {"name": "no genre", "count": 20, "mark": -1},
    ]
    labelled = columns({"items": [{**item, "label": 0} for item in items], "labels": ["a"], "columns": [genre]})
    assert [by["title"] for by in labelled["by"]] == ["label", "genre"]


def test_json_in_a_script_cannot_end_it_and_says_the_same():
    value = {"</script><!--": ["\u2028 & <b>", 1.5, None]}
    text = script_json(value)
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json(float("nan"))

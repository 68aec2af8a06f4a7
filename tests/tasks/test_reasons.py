import pytest

from tasks.reasons import FIRST_TIME, changed_inputs, changed_leaves, reason, settings_named, value_at


@pytest.mark.parametrize(
    ("changes", "settings", "line"),
    [
        ([{"changed deps": {"params.yaml": "new", "x": "new"}}, {"changed outs": {"y": "deleted"}}], [], FIRST_TIME),
        ([{"changed deps": {"a": "modified", "b": "deleted"}}], [], "a and b changed"),
        ([{"changed deps": {"a": "modified"}}, {"changed outs": {"y": "deleted"}}], [], "a changed"),
        ([{"changed deps": {"params.yaml": {"models.m": "modified"}}}], ["models.m.seed"], "models.m.seed changed"),
        ([{"changed deps": dict.fromkeys("abcde", "modified")}], [], "a, b, c and 2 more changed"),
        ([{"changed outs": {"y": "modified"}}], [], "y is not what was recorded"),
        ([{"changed outs": {"y": "modified", "z": "not in cache"}}], [], "y and z are not what was recorded"),
        ([{"changed outs": {"y": "not in cache", "z": "not in cache"}}], [], FIRST_TIME),
        (["changed command"], [], "the command in dvc.yaml changed"),
        (["always changed"], [], "always changed"),
    ],
)
def test_reasons(changes, settings, line):
    assert reason(changes, settings) == line


def test_changed_leaves_name_what_came_and_went():
    old, new = {"a": 1, "b": {"c": 2, "d": 3}, "gone": 0}, {"a": 1, "b": {"c": 5, "d": 3}, "come": 4}
    assert changed_leaves(old, new, "m") == ["m.b.c", "m.come", "m.gone"]
    assert changed_leaves(None, {"a": 1}, "m") == ["m"]


def test_settings_are_found_by_their_names():
    changes = ["changed command", {"changed deps": {"params.yaml": {"models.m": "modified"}, "a": "modified"}}]
    assert settings_named(changes) == ["models.m"]
    assert settings_named([{"changed deps": {"params.yaml": "new"}}]) == []
    assert value_at({"models": {"m": {"seed": 7}}}, "models.m") == {"seed": 7}
    assert value_at({"models": 3}, "models.m.seed") == {}


def test_inputs_that_changed_are_not_those_that_are_missing():
    deps = {"params.yaml": {"models.m": "modified"}, "a": "new", "b": "deleted", "c": "modified"}
    assert changed_inputs(["changed command", {"changed deps": deps}, {"changed outs": {"y": "modified"}}]) == [
        "params.yaml",
        "a",
        "c",
        "the command in dvc.yaml",
    ]
    assert changed_inputs([{"changed outs": {"y": "deleted"}}]) == []

"""A lock moves when the source does, and carries what validation will expect."""

import pytest

from kindex.core.errors import ConfigError
from kindex.core.files import pretty_json, write_atomic
from kindex.core.lock import read_lock
from kindex.sources import kinds, named
from kindex.sources.locking import move
from tests.stages.catalogue_project import KEY, params, project


def test_it_moves_only_with_the_source(tmp_path):
    layout = project(tmp_path)
    first, moved = move(layout, params(layout), KEY)
    assert moved and read_lock(layout.lock(KEY)) == first and first.expected_rows is None
    before = layout.lock(KEY).stat().st_mtime_ns
    assert move(layout, params(layout), KEY) == (first, False)
    assert layout.lock(KEY).stat().st_mtime_ns == before
    (tmp_path / "links.csv").write_text("user,book,stars\nu,b,1\n")
    second, moved = move(layout, params(layout), KEY)
    assert moved and second.digest != first.digest


def test_it_carries_what_last_passed(tmp_path):
    layout = project(tmp_path)
    move(layout, params(layout), KEY)
    validation = {"rows": {"links": {"passed": 7}, "items": {"passed": 3}}, "columns": {"links": {"left": "string"}}}
    write_atomic(layout.out("validate", KEY) / "validation.json", pretty_json(validation))
    (tmp_path / "links.csv").write_text("user,book,stars\nu,b,1\n")
    lock, _ = move(layout, params(layout), KEY)
    assert lock.expected_rows == {"links": 7, "items": 3} and lock.expected_columns == {"links": {"left": "string"}}
    (layout.out("validate", KEY) / "validation.json").unlink()
    (tmp_path / "links.csv").write_text("user,book,stars\nu,c,1\n")
    assert move(layout, params(layout), KEY)[0].expected_rows == {"links": 7, "items": 3}  # from the former lock
    accepted, moved = move(layout, params(layout), KEY, accept=True)
    assert (accepted.expected_rows, accepted.expected_columns, moved) == (None, None, False)
    assert read_lock(layout.lock(KEY)) == accepted


@pytest.mark.parametrize("content", ["", "{", "[]", '{"source": "files"}'])
def test_a_damaged_lock_is_replaced(tmp_path, content):
    layout = project(tmp_path)
    layout.lock(KEY).parent.mkdir()
    layout.lock(KEY).write_text(content)
    assert move(layout, params(layout), KEY)[1]
    assert read_lock(layout.lock(KEY)).source == "files"


def test_errors_name_the_catalogue_and_the_setting(tmp_path):
    layout = project(tmp_path)
    (tmp_path / "links.csv").unlink()
    with pytest.raises(ConfigError, match=r"catalogues\.books\.source\.links names links\.csv, which is not a file"):
        move(layout, params(layout), KEY)
    with pytest.raises(ConfigError, match=r"no catalogue named 'bocks': did you mean books\?"):
        move(layout, params(layout), "bocks")


def test_kinds_are_the_sources_only():
    assert kinds() == ["captioned_images", "digits", "files", "python_environment", "scenes", "sql", "wikipedia_books"]


def test_other_errors_pass_through_unnamed():
    with pytest.raises(RuntimeError, match=r"^as it was$"), named("books"):
        raise RuntimeError("as it was")

"""The parent release: nothing of it is used that is not what the lock and the manifest say."""

from pathlib import Path

import pytest

from kindex.core import publish
from kindex.core.errors import DamagedError
from kindex.core.former import Former, open_former
from kindex.core.layout import Layout
from kindex.core.parent import Parent, write_parent


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    files = {"lineage.json": b'{"settings": {"model": {"family": "pairs"}}}', "rows/a": b"A", "rows/b": b"B"}
    made, _ = publish.build(layout.releases("m"), "m", files, {}, {})
    write_parent(layout.parent("m"), Parent(made.version, made.digest, "2026-01-02"))
    return layout


def opened(layout: Layout) -> Former:
    former = open_former(layout, "m")
    assert former
    return former


def test_no_lock_and_a_lock_of_nothing_are_no_parent(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert open_former(layout, "m") is None
    write_parent(layout.parent("m"), None)
    assert open_former(layout, "m") is None


def test_its_files_are_checked_and_given(layout: Layout) -> None:
    former = opened(layout)
    assert former.settings == {"family": "pairs"}
    assert former.refresh is None
    assert sorted(path.name for path in former.files("rows").iterdir()) == ["a", "b"]
    with pytest.raises(DamagedError, match=r"release v0001 of m has no vectors/"):
        former.files("vectors")


def test_a_damaged_file_is_named(layout: Layout) -> None:
    (layout.releases("m") / "v0001" / "rows" / "b").write_bytes(b"C")
    former = opened(layout)
    assert former.file("rows/a").read_bytes() == b"A"
    for use in (lambda: former.file("rows/b"), lambda: former.files("rows")):
        with pytest.raises(DamagedError, match=r"rows/b is damaged"):
            use()


def test_a_parent_that_is_not_here_names_the_lock_the_release_and_the_cures(layout: Layout) -> None:
    (layout.releases("m") / "v0001").rename(layout.root / "gone")
    with pytest.raises(DamagedError, match=r"parents/m\.json names v0001 .*git tag -l 'm@\*'.*remove m\.json"):
        open_former(layout, "m")


def test_another_release_of_the_same_name_is_refused(layout: Layout) -> None:
    write_parent(layout.parent("m"), Parent("v0001", "0" * 64, "2026-01-02"))
    with pytest.raises(DamagedError, match=r"names v0001 with the digest 000000000000, and .* is another release"):
        open_former(layout, "m")

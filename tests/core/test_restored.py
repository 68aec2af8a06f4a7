"""What a tag says of its releases, and that another release is not taken for the one it means."""

import shutil

import pytest
import yaml

from kindex.core import release
from kindex.core.errors import DamagedError
from kindex.core.files import sha256_file
from kindex.core.publish import build
from kindex.core.restored import check, restored
from tests.commands import runner
from tests.tasks.lasting_project import MODEL, make_stages


@pytest.fixture
def layout(tmp_path):
    """A clone into which a release was pulled: no CURRENT, and the tag's file."""
    layout = make_stages(tmp_path)
    manifest, _ = build(layout.releases(MODEL), MODEL, {"x": b"1"}, {}, {})
    path = layout.releases(MODEL) / "v0001" / "manifest.json"
    about = {"model": MODEL, "version": "v0001", "digest": manifest.digest, "manifest_sha256": sha256_file(path)}
    tag = layout.root / "locks" / "released" / MODEL / "v0001.dvc"
    tag.parent.mkdir(parents=True)
    tag.write_text(yaml.safe_dump({"outs": [], "meta": {"kindex": about}}))
    return layout


def test_a_pulled_release_is_held_against_its_tag(layout, monkeypatch, capsys):
    (one,) = restored(layout)
    assert restored(layout, MODEL) == [one] and restored(layout, "other") == []
    manifest = release.read_manifest(layout.releases(MODEL), "v0001")
    check(layout.releases(MODEL), manifest, one)
    monkeypatch.setenv("KINDEX_ROOT", str(layout.root))
    kindex = runner(monkeypatch, capsys)
    code, out, _ = kindex("verify")
    assert code == 0 and "v0001 is whole" in out and "as its tag says" in out
    shutil.rmtree(layout.releases(MODEL))
    build(layout.releases(MODEL), MODEL, {"x": b"2"}, {}, {})  # whole, but another one
    code, _, err = kindex("verify", MODEL)
    assert code == 3 and "is not of the release that locks/released/words-pairs/v0001.dvc names" in err
    shutil.rmtree(layout.releases(MODEL))
    code, _, err = kindex("verify")
    assert code == 3 and "`dvc pull` brings it" in err


@pytest.mark.parametrize("text", ["", "meta: {}", "meta: {kindex: {model: a}}", "{", "meta: {kindex: [1]}"])
def test_a_tags_file_that_is_none_is_named(layout, text):
    path = layout.root / "locks" / "released" / MODEL / "v0001.dvc"
    path.write_text(text)
    with pytest.raises(DamagedError, match=r"v0001\.dvc does not name a release"):
        restored(layout)


def test_a_tags_file_of_another_release_is_refused(layout):
    path = layout.root / "locks" / "released" / MODEL / "v0001.dvc"
    path.rename(path.with_name("v0002.dvc"))
    with pytest.raises(DamagedError, match="its own name"):
        restored(layout)

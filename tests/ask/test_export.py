"""Exports from a published release: what lands in the files, what is refused, and that a kill leaves nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from kindex import cli
from kindex.ask.export import FORMATS, export
from kindex.core.errors import BusyError, ConfigError, DamagedError
from kindex.core.layout import Layout
from kindex.core.mutex import hold
from kindex.core.pointer import rollback
from kindex.core.space import Space, write_space
from tests.ask.project import VECTORS, WORDS, make_stages, release

TARGETS = {
    "neighbours": "n.parquet",
    "word2vec": "v.txt",
    "word2vec-binary": "v.bin",
    "projector": "points",
    "atlas": "points.atlas.parquet",
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """Two releases, the second one live, with the vectors the other way round."""
    layout = make_stages(tmp_path_factory.mktemp("published"))
    release(layout)
    make_stages(layout.root, VECTORS[::-1].copy(), recall=0.625)
    release(layout, night="2024-05-02")
    return layout


@pytest.fixture
def own(published, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(published.root, tmp_path / "own")
    return Layout(tmp_path / "own")


def tree(path):
    files = [path] if path.is_file() else sorted(path.iterdir())
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("name", FORMATS)
def test_the_ending_says_the_format_and_two_exports_are_the_same_bytes(published, tmp_path, name):
    seen = []
    written = export("words-pairs", tmp_path / TARGETS[name], root=published.root, progress=lambda *at: seen.append(at))
    assert written.format == name and seen[-1] == (len(WORDS), len(WORDS))
    assert written.bytes == sum(len(content) for content in tree(written.to).values())
    assert TARGETS[name] in written.opens
    again = export("words-pairs", tmp_path / "again", name, root=published.root)
    assert list(tree(again.to).values()) == list(tree(written.to).values())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([TARGETS[name], "again"])


def test_neighbours_are_the_cosines_in_order(published, tmp_path):
    written = export("words-pairs", tmp_path / "n.parquet", k=3, release="v0001", root=published.root)
    table = pq.read_table(written.to)
    assert written.rows == table.num_rows == 3 * len(WORDS)
    assert table.schema.metadata[b"kindex.release"] == b"v0001" and table.schema.metadata[b"kindex.kind"] == b"word"
    unit = VECTORS.astype(np.float64) / np.linalg.norm(VECTORS, axis=1, keepdims=True)
    rows = table.to_pylist()
    for row, word in enumerate(WORDS):
        mine = [each for each in rows if each["id"] == word]
        assert [each["rank"] for each in mine] == [1, 2, 3]
        expected = sorted((float(unit[row] @ unit[other]) for other in range(len(WORDS)) if other != row), reverse=True)[:3]
        assert [each["score"] for each in mine] == pytest.approx(expected, abs=1e-6)
        for each in mine:
            assert each["score"] == pytest.approx(float(unit[row] @ unit[WORDS.index(each["neighbour"])]), abs=1e-6)
    assert {each["neighbour"] for each in rows if each["id"] == "torch.optim.adam"} >= {"torch.optim.sgd", "json"}


def test_a_kind_with_dot_products_and_k_above_its_items(published, tmp_path):
    export("words-pairs", tmp_path / "n.parquet", kind="book", k=99, root=published.root)
    expected = [("king", 1, "dune", 0.0), ("dune", 1, "king", 0.0)]
    assert [tuple(row.values()) for row in pq.read_table(tmp_path / "n.parquet").to_pylist()] == expected


def test_the_live_release_is_exported_by_default(own, tmp_path):
    export("words-pairs", tmp_path / "new.bin", root=own.root)
    rollback(own.releases("words-pairs"))
    export("words-pairs", tmp_path / "old.bin", root=own.root)
    assert (tmp_path / "old.bin").read_bytes().split(b"\n", 1)[1].startswith(b"king " + VECTORS[0].tobytes())
    assert (tmp_path / "new.bin").read_bytes().split(b"\n", 1)[1].startswith(b"king " + VECTORS[-1].tobytes())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"model": "words-pear"}, "did you mean words-pairs"),
        ({"kind": "wort"}, "did you mean word"),
        ({"format": "word2vec-bin"}, "did you mean word2vec-binary"),
        ({"release": "v0009"}, "no release 'v0009'"),
        ({"to": "x.csv"}, "'.csv' says no format"),
        ({"to": "x.txt", "k": 3}, "-k has no meaning: it goes with neighbours and atlas"),
        ({"k": 0}, "k is 0, allowed: 1"),
        ({"to": "nowhere/x.txt"}, "nowhere is no folder"),
        ({"to": "x.txt.gz", "format": "word2vec"}, "compress it afterwards"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(published, tmp_path, asked, said):
    asked = {"model": "words-pairs", "to": "x.parquet"} | asked
    with pytest.raises(ConfigError, match=said):
        export(asked.pop("model"), tmp_path / asked.pop("to"), root=published.root, **asked)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_replaced_only_by_force_and_only_what_an_export_made(published, tmp_path):
    file, folder, other = tmp_path / "v.txt", tmp_path / "points", tmp_path / "mine"
    export("words-pairs", folder, root=published.root)
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    file.write_text("mine")
    for to in (file, folder):
        with pytest.raises(ConfigError, match="exists: --force"):
            export("words-pairs", to, root=published.root)
    assert file.read_text() == "mine"
    (folder / "vectors.tsv").write_text("old")
    for to in (file, folder):
        export("words-pairs", to, root=published.root, force=True)
    assert file.read_text().startswith("8 4\nking ") and len((folder / "vectors.tsv").read_text().splitlines()) == 8
    with pytest.raises(ConfigError, match="holds other things than vectors"):
        export("words-pairs", other, root=published.root, force=True)
    with pytest.raises(ConfigError, match="is a folder"):
        export("words-pairs", folder, "word2vec", root=published.root, force=True)
    with pytest.raises(ConfigError, match="is a file"):
        export("words-pairs", file, "projector", root=published.root, force=True)
    assert (other / "thesis.tex").read_text() == "years of work"
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(ConfigError, match="--force does not replace it"):
        export("words-pairs", tmp_path / "link", "projector", root=published.root, force=True)


def test_a_release_never_takes_an_export(own, tmp_path, monkeypatch):
    inside = own.releases("words-pairs") / "v0001" / "n.parquet"
    monkeypatch.chdir(own.releases("words-pairs"))
    for to in (inside, Path("v0001/../v0001/n.parquet"), own.root / "data" / "n.parquet"):
        with pytest.raises(ConfigError, match="keeps its own"):
            export("words-pairs", to, root=own.root)
    assert not inside.exists()


def test_a_damaged_file_of_the_release_is_named(own, tmp_path):
    path = own.releases("words-pairs") / "v0002" / "vectors" / "word.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DamagedError, match=r"word\.parquet is damaged"):
        export("words-pairs", tmp_path / "v.txt", root=own.root)
    assert not (tmp_path / "v.txt").exists()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_candidate_with_a_broken_vector_is_refused_by_name(tmp_path, name, value):
    make_stages(tmp_path / "project")
    release(Layout(tmp_path / "project"))
    spaces = tmp_path / "project" / "data" / "train" / "words-pairs" / "spaces"
    broken = np.where(np.arange(VECTORS.size).reshape(VECTORS.shape) == 9, value, VECTORS).astype(np.float32)
    write_space(spaces / "word.parquet", Space("word", WORDS, broken))
    release(Layout(tmp_path / "project"), night="2024-05-02", live=False)
    with pytest.raises(DamagedError, match="the vector of 'man' is not finite"):
        export("words-pairs", tmp_path / "x", name, release="v0002", root=tmp_path / "project")
    assert [path.name for path in tmp_path.iterdir()] == ["project"]


def test_scores_beyond_float32_end_in_a_message(own, tmp_path):
    spaces = own.root / "data" / "train" / "words-pairs" / "spaces"
    write_space(spaces / "book.parquet", Space("book", ("king", "dune"), np.full((2, 2), 1e30, np.float32), metric="dot"))
    version = release(own, night="2024-05-03", live=False).version
    with pytest.raises(DamagedError, match="cannot be compared: scores would not be finite"):
        export("words-pairs", tmp_path / "n.parquet", kind="book", release=version, root=own.root)
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


def test_two_exports_to_one_place_do_not_mix(published, tmp_path):
    import hashlib

    digest = hashlib.sha256(str(tmp_path / "v.txt").encode()).hexdigest()[:16]
    with hold(published.mutex(f"export-{digest}"), "the other"), pytest.raises(BusyError, match="is busy"):
        export("words-pairs", tmp_path / "v.txt", root=published.root)


@pytest.mark.parametrize("to", ["v.txt", "points"])
def test_a_kill_before_the_rename_leaves_the_former_file_and_the_next_run_cleans_up(own, tmp_path, to):
    export("words-pairs", tmp_path / to, root=own.root)
    before = tree(tmp_path / to)
    rollback(own.releases("words-pairs"))
    code = "import sys; from kindex.ask.export import export; export('words-pairs', sys.argv[1], root=sys.argv[2], force=True)"
    command = [sys.executable, "-c", code, str(tmp_path / to), str(own.root)]
    killed = subprocess.run(command, env=os.environ | {"KINDEX_FAULT": "1:kill"}, check=False)
    assert killed.returncode == -9
    assert tree(tmp_path / to) == before and (tmp_path / f".{to}.part").is_dir()
    export("words-pairs", tmp_path / to, root=own.root, force=True)
    assert tree(tmp_path / to) != before and not (tmp_path / f".{to}.part").exists()


def test_neither_faiss_nor_torch_is_needed(published, tmp_path):
    code = (
        "import sys; from kindex.ask.export import export; export('words-pairs', sys.argv[1], root=sys.argv[2])\n"
        "sys.exit(bool({'faiss', 'torch', 'openTSNE'} & sys.modules.keys()))"
    )
    for to in ("n.parquet", "n.atlas.parquet"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / to), str(published.root)], check=True)


def test_the_command_says_what_was_written_and_how_to_open_it(published, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("KINDEX_ROOT", str(published.root))
    monkeypatch.chdir(tmp_path)

    def kindex(*arguments):
        monkeypatch.setattr(sys, "argv", ["kindex", "export", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code or 0, *capsys.readouterr()

    code, out, err = kindex("words-pairs", "--to", "n.parquet", "-k", "2")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "words-pairs v0002: 8 x 4 of the kind word"
    assert out.splitlines()[1].startswith("neighbours: n.parquet, 16 rows, ")
    assert out.splitlines()[2] == "open: duckdb -c \"from 'n.parquet' where rank = 1 limit 10\""
    code, out, err = kindex("words-pairs", "--to", "n.parquet")
    assert (code, out) == (2, "") and err == "kindex: n.parquet exists: --force replaces it\n"
    assert kindex("words-pairs", "--to", "it's $x.parquet", "--as", "atlas")[1].splitlines()[2] == (
        """open: embedding-atlas 'it'"'"'s $x.parquet' --x projection_x --y projection_y"""
        " --neighbors __neighbors --text description"
    )
    assert json.loads((published.root / "releases/words-pairs/CURRENT").read_text())["version"] == "v0002"

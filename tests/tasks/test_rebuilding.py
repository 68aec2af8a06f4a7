"""`kindex rebuild`: the same bytes from the tag, and the name of every file that is not the same."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kindex.core import release
from kindex.core.errors import ConfigError, DamagedError
from kindex.core.files import read_json
from kindex.core.layout import Layout
from kindex.core.params import load
from kindex.core.parent import Parent, write_parent
from tasks import cache, rebuilding
from tasks.git import repository
from tasks.origins import bring_parent, bring_source
from tests import projects
from tests.projects import LINKED, PICTURED
from tests.tasks.lasting_project import MODEL, another, git, make, tagged

COMMANDS = Path(sys.executable).parent


def test_every_file_that_differs_is_named():
    released, made = {"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"}
    assert rebuilding.compare(released, made) == {"b": "differs", "c": "was not made", "d": "was not in the release"}
    assert rebuilding.compare(released, released) == {}


def test_a_release_without_a_tag_cannot_be_rebuilt(tmp_path):
    layout = make(tmp_path / "project")
    tagged(layout, release.live(layout.releases(MODEL)))
    with pytest.raises(ConfigError, match=r"v0007 has no tag: .*v0001"):
        rebuilding.rebuild(layout, MODEL, "v0007", print)
    shutil.rmtree(layout.root / ".git")
    with pytest.raises(ConfigError, match="not under git"):
        rebuilding.rebuild(layout, MODEL, "v0001", print)


def test_a_parent_comes_from_here_or_the_cache_or_is_said_to_be_nowhere(tmp_path):
    layout = make(tmp_path / "project")
    first = release.live(layout.releases(MODEL))
    tagged(layout, first)
    another(layout, 0.5)
    found = repository(layout.root)
    for round_, lost in enumerate(["nothing", "the folder", "the cache"]):
        if lost == "the folder":
            shutil.rmtree(layout.releases(MODEL) / "v0001")
        if lost == "the cache":
            shutil.rmtree(cache.place(layout.root))
        place = Layout(tmp_path / f"place{round_}")
        write_parent(place.parent(MODEL), Parent("v0001", first.digest, "2026-11-21"))
        if lost == "the cache":
            with pytest.raises(DamagedError, match="made from v0001"):
                bring_parent(layout, place, found, MODEL)
        else:
            bring_parent(layout, place, found, MODEL)
            assert release.verify(place.releases(MODEL), "v0001") == first


def test_source_files_that_a_lock_names_are_brought_and_none_from_outside(tmp_path):
    layout, place = Layout(tmp_path / "here"), Layout(tmp_path / "there")
    (layout.root / "raw").mkdir(parents=True)
    (layout.root / "raw" / "links.csv").write_text("a,b\n")
    (tmp_path / "secret").write_text("x")
    (layout.var / "snapshots" / "shop").mkdir(parents=True)
    (layout.var / "snapshots" / "shop" / "part.parquet").write_bytes(b"PAR1")
    place.lock("shop").parent.mkdir(parents=True)
    place.lock("shop").write_text('{"snapshot": {"files": {"raw/links.csv": {}, "../secret": {}, "/etc/passwd": {}, "": 1}}}')
    bring_source(layout, place, "shop")
    brought = sorted(path.relative_to(place.root).as_posix() for path in place.root.rglob("*") if path.is_file())
    assert brought == ["locks/shop.json", "raw/links.csv", "var/snapshots/shop/part.parquet"]


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Layout:
    """A project of real stages under git, with one release and its tag; the source is not in git."""
    layout = projects.make(tmp_path_factory.mktemp("rebuild") / "project")
    shutil.rmtree(layout.root / ".dvc")
    (layout.root / ".gitignore").write_text(".site/\ndata/\nreleases/\nvar/\nlinks.csv\nstamps.parquet\n")
    git(layout.root, "init", "-q")
    path = f"{COMMANDS}:/usr/bin:/bin"
    for model in (LINKED, PICTURED):
        write_parent(layout.parent(model), None)
    for command in ("dvc init -q", "kindex lock --all", f"dvc repro -q evaluate@{LINKED}"):
        name, *arguments = command.split()
        done = projects.run(layout.root, str(COMMANDS / name), *arguments, PATH=path)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    git(layout.root, "add", "-A")
    git(layout.root, "commit", "-qm", "made")
    code = (
        "import sys\nfrom kindex.core.layout import find\nfrom kindex.core.params import load\n"
        "from kindex.core import release\n"
        "from tasks import releases, tags\nlayout = find()\nparams = load(layout.params)\n"
        "done = releases.publish(layout, params, sys.argv[1], releases.provenance(layout, '2026-11-21'))\n"
        "manifest = release.read_manifest(layout.releases(sys.argv[1]), done.version)\n"
        "print(tags.tag(layout, params, sys.argv[1], manifest, '2026-11-21'))"
    )
    done = projects.run(layout.root, sys.executable, "-c", code, LINKED)
    assert done.stdout.strip() == f"{LINKED}@2026-11-21.1", done.stderr
    return layout


def rebuild(layout: Layout, *more: str) -> subprocess.CompletedProcess[str]:
    return projects.run(layout.root, sys.executable, "-m", "tasks.rebuilding", LINKED, "v0001", *more)


@pytest.mark.slow
def test_a_release_is_made_again_byte_by_byte(project):
    before = git(project.root, "status", "--porcelain"), git(project.root, "worktree", "list")
    done = rebuild(project)
    assert done.returncode == 0, done.stdout + done.stderr
    files = len(release.read_manifest(project.releases(LINKED), "v0001").files)
    assert f"all {files} files are the same, byte by byte" in done.stdout
    assert "the source, as locked" in done.stdout
    assert (git(project.root, "status", "--porcelain"), git(project.root, "worktree", "list")) == before
    assert list((project.var / "rebuild").iterdir()) == []


@pytest.mark.slow
def test_the_source_gone_what_ingest_made_of_it_is_taken(project, tmp_path):
    layout = projects.copy(project, tmp_path / "copy")
    (layout.root / "links.csv").write_text("basket,fruit\nnone,none\n")
    shutil.rmtree(layout.root / "data")
    done = rebuild(layout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "from DVC's cache" in done.stdout
    shutil.rmtree(layout.root / ".dvc" / "cache")
    lost = rebuild(layout)
    assert lost.returncode == 3 and "neither in DVC's cache nor remote" in lost.stderr


@pytest.mark.slow
def test_code_that_makes_other_bytes_is_found_out(project, tmp_path):
    layout = projects.copy(project, tmp_path / "copy")
    params = load(layout.params)
    text = layout.params.read_text()
    layout.params.write_text(
        text.replace(
            "shop-pairs: {catalogue: shop, family: pairs, dimensions: 4, epochs: 3, seed: 7",
            "shop-pairs: {catalogue: shop, family: pairs, dimensions: 4, epochs: 3, seed: 8",
        )
    )
    assert layout.params.read_text() != text
    git(layout.root, "tag", "-d", f"{LINKED}@2026-11-21.1")
    from tasks.tags import tag

    tag(layout, params, LINKED, release.read_manifest(layout.releases(LINKED), "v0001"), "2026-11-21")
    done = rebuild(layout)
    assert done.returncode == 3, done.stdout
    assert "lineage.json differs" in done.stdout and "vectors/basket.parquet differs" in done.stdout
    assert "files are not as released" in done.stderr


@pytest.mark.slow
@pytest.mark.long
def test_nights_tag_what_they_release_and_a_delta_is_made_again_from_its_parent(tmp_path):
    layout = projects.make(tmp_path / "project")
    shutil.rmtree(layout.root / ".dvc")
    (layout.root / ".gitignore").write_text(".site/\ndata/\nreleases/\nvar/\nlinks.csv\nstamps.parquet\n")
    git(layout.root, "init", "-q")
    assert projects.run(layout.root, str(COMMANDS / "dvc"), "init", "-q").returncode == 0
    git(layout.root, "add", "-A")
    git(layout.root, "commit", "-qm", "made")
    head = git(layout.root, "rev-parse", "HEAD")
    nights = [projects.nightly(layout.root, "--only", LINKED)]
    with (layout.root / "links.csv").open("a") as links:
        links.write("basket-0,fruit-1\nbasket-new,fruit-2\nbasket-new,fruit-4\n")
    nights.append(projects.nightly(layout.root, "--only", LINKED))
    assert [night.returncode for night in nights] == [0, 0], [night.stdout + night.stderr for night in nights]
    names = git(layout.root, "tag").split()
    assert len(names) == 2 and all(name.startswith(f"{LINKED}@") for name in names)
    assert git(layout.root, "rev-parse", "HEAD") == head and git(layout.root, "diff", "--cached", "--name-only") == ""
    made = read_json(layout.releases(LINKED) / "v0002" / "refresh.json")
    assert made["parent"]["version"] == "v0001"
    for version, origin in (("v0002", "the source, as locked"), ("v0001", "from DVC's cache")):
        done = projects.run(layout.root, sys.executable, "-m", "tasks.rebuilding", LINKED, version)
        assert done.returncode == 0, (made["built"], done.stdout, done.stderr)
        assert "files are the same, byte by byte" in done.stdout and origin in done.stdout

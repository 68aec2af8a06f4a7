"""Images as files and rows: what is found, what the lock says of it, and that nothing but the locked is read."""

import hashlib
import json
import os
import time

import pytest

from kindex.core.errors import ConfigError, DamagedError
from kindex.core.watch import Silent
from kindex.sources import NotAsLockedError, captioned_images
from kindex.sources.parts import captionimages, captiontables
from kindex.sources.parts.captionfolder import listed
from kindex.sources.parts.captionnames import ABSENT, AMBIGUOUS, Names
from tests.sources.captioned import IMAGES, captions_of, folder, jpeg, parquet, put, read, refusals, tokens


def snapshot(root, **settings):
    return captioned_images.snapshot(captioned_images.Config(**settings), root)


def test_a_folder_is_searched_for_images_and_hidden_files_are_left_out(tmp_path):
    files = {"x/y/1.JPG": jpeg(1), "2.png": jpeg(2), "x/3.tiff": jpeg(3), "notes.txt": b"", ".4.jpg": b"", "x/._5.jpg": b""}
    folder(tmp_path, {**files, ".hidden/6.jpg": b"", "7.jpg.part": b""})
    put(tmp_path, "c.txt", tokens([("x/y/1.JPG", 0, "one"), ("2", 0, "two"), ("3.tiff", 0, "three"), ("y/1.JPG", 0, "no")]))
    found = read(tmp_path, images="pictures", captions="c.txt")
    assert found.catalogue.images["id"].to_pylist() == ["2.png", "x/3.tiff", "x/y/1.JPG"]
    assert captions_of(found) == [("2.png", 0, "two"), ("x/3.tiff", 0, "three"), ("x/y/1.JPG", 0, "one")]
    assert refusals(found) == [("captions", "image is not there", "c.txt:4")]


def test_the_lock_of_a_folder_is_what_sha256sum_writes_of_it(tmp_path):
    put(tmp_path, "c.txt", tokens())
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(IMAGES.items())]
    whole = hashlib.sha256("".join(lines).encode()).hexdigest()
    size = sum(map(len, IMAGES.values()))
    locked = snapshot(tmp_path, images=folder(tmp_path), captions="c.txt")
    assert locked["folders"] == {"pictures": {"images": 3, "bytes": size, "sha256": whole}}
    assert list(locked["files"]) == ["c.txt"] and locked["files"]["c.txt"]["bytes"] == len(tokens().encode())


def test_the_digest_follows_names_and_contents_whatever_the_times(tmp_path):
    about = listed(tmp_path, folder(tmp_path)).about()
    folder(tmp_path, age=500)
    assert listed(tmp_path, "pictures").about() == about
    (tmp_path / "pictures/a.jpg").rename(tmp_path / "pictures/d.jpg")
    renamed = listed(tmp_path, "pictures").about()
    assert renamed["sha256"] != about["sha256"] and renamed["bytes"] == about["bytes"]
    folder(tmp_path, {"b.jpg": IMAGES["b.jpg"][:-1] + b"x"}, age=60)
    assert listed(tmp_path, "pictures").about()["sha256"] != renamed["sha256"]


def test_files_that_did_not_change_are_not_read_again(tmp_path, monkeypatch):
    folder(tmp_path)
    about = listed(tmp_path, "pictures").about()
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert listed(tmp_path, "pictures").about() == about


def test_a_file_that_has_just_changed_is_read_again_next_time(tmp_path):
    """Twice written within one tick of the clock, with one size: nothing but the content says so."""
    folder(tmp_path)
    path = tmp_path / "pictures/a.jpg"
    now = time.time_ns()
    os.utime(path, ns=(now, now))
    before = listed(tmp_path, "pictures").about()
    path.write_bytes(IMAGES["a.jpg"][:-1] + b"x")
    os.utime(path, ns=(now, now))
    assert listed(tmp_path, "pictures").about() != before


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"a.jpg": 3}', b"\xff", b"[" * 100_000])
def test_what_is_kept_of_last_time_may_be_damaged(tmp_path, content):
    about = listed(tmp_path, folder(tmp_path)).about()
    (kept,) = (tmp_path / "var/captioned_images").iterdir()
    kept.write_bytes(content)
    assert listed(tmp_path, "pictures").about() == about
    assert set(json.loads(kept.read_bytes())) == set(IMAGES)


def test_nothing_but_the_locked_is_read(tmp_path):
    put(tmp_path, "c.txt", tokens())
    config = captioned_images.Config(images=folder(tmp_path), captions="c.txt")
    locked = captioned_images.snapshot(config, tmp_path)

    def said() -> str:
        with pytest.raises(NotAsLockedError) as caught:
            captioned_images.read(config, locked, tmp_path, Silent())
        return str(caught.value)

    folder(tmp_path, {"d.jpg": jpeg(9)})
    assert "pictures is not the folder that is locked: it has 4 images" in said()
    (tmp_path / "pictures/d.jpg").unlink()
    times = (tmp_path / "pictures/a.jpg").stat()
    put(tmp_path, "pictures/a.jpg", IMAGES["a.jpg"][:-1] + b"x")  # the same size and, below, the same time
    os.utime(tmp_path / "pictures/a.jpg", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert said() == "pictures/a.jpg is not the file that is locked (its sha256 differs)"
    folder(tmp_path)
    put(tmp_path, "c.txt", tokens() + "a.jpg#7\tmore\n")
    assert "c.txt is not the file that is locked" in said()
    locked["files"]["other.txt"] = {}
    assert said() == "other.txt is locked and no longer named"


def test_names_that_are_no_files_are_refused_and_so_are_their_captions(tmp_path):
    folder(tmp_path)
    (tmp_path / "pictures/link.jpg").symlink_to("nowhere")
    (tmp_path / "pictures/loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "pictures/folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pictures/pipe.jpg")
    (tmp_path / "pictures/up").symlink_to("..", target_is_directory=True)
    try:
        (tmp_path / "pictures" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(jpeg(1))
        strange = [("images", "name is not UTF-8", "pictures/caf\\udce9.jpg")]
    except OSError:  # a file system that takes UTF-8 names only
        strange = []
    put(tmp_path, "c.txt", tokens([("a.jpg", 0, "fine"), ("link.jpg", 0, "x")]))
    found = read(tmp_path, images="pictures", captions="c.txt")
    broken = "image is not a file that can be read"
    assert refusals(found) == [
        *strange, *(("images", broken, f"pictures/{name}.jpg") for name in ("link", "loop", "pipe")),
        ("captions", "image is not there", "c.txt:2"),
    ]  # fmt: skip


def test_images_too_large_are_refused_with_their_captions(tmp_path, monkeypatch):
    monkeypatch.setattr(captionimages, "MOST_BYTES", 1 << 20)
    large = bytes((1 << 20) + 1)
    put(tmp_path, "c.txt", tokens([("a.jpg", 0, "fine"), ("large.jpg", 0, "x")]))
    of_folder = read(tmp_path, images=folder(tmp_path, {"a.jpg": jpeg(1), "large.jpg": large}), captions="c.txt")
    parquet(tmp_path, "i.parquet", image=["large.jpg", "a.jpg"], content=[large, jpeg(1)])
    of_rows = read(tmp_path, images="i.parquet", captions="c.txt")
    rule = "image file is larger than 1 MiB"
    assert refusals(of_folder) == [("images", rule, "pictures/large.jpg"), ("captions", "image is not there", "c.txt:2")]
    assert refusals(of_rows) == [("images", rule, "i.parquet:1"), ("captions", "its image was refused", "c.txt:2")]
    for found in (of_folder, of_rows):
        assert captions_of(found) == [("a.jpg", 0, "fine")]
        assert found.catalogue.items.num_rows == found.catalogue.images.num_rows == 1


def test_an_image_name_that_occurs_again_is_refused(tmp_path):
    put(tmp_path, "c.txt", tokens())
    names = [folder(tmp_path), folder(tmp_path, {"b.jpg": jpeg(7)}, "more")]
    parquet(tmp_path, "i.parquet", image=["c.jpg", None, "", "e.jpg"], content=[jpeg(1), jpeg(2), jpeg(3), None])
    found = read(tmp_path, images=[*names, "i.parquet"], captions="c.txt")
    assert refusals(found) == [
        ("images", "image name is not unique", "more/b.jpg"),
        ("images", "image has no name", "i.parquet:2"),
        ("images", "image has no name", "i.parquet:3"),
        ("images", "image name is not unique", "i.parquet:1"),
    ]
    kept = dict(zip(*(found.catalogue.images[column].to_pylist() for column in ("id", "image")), strict=True))
    assert kept == {**IMAGES, "e.jpg": b""}  # of the first folder; validation refuses the one without bytes


def test_many_images_in_many_batches_keep_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(captiontables, "CHUNK", 1000)
    names = [f"{number * 37 % 300:03d}.jpg" for number in range(300)]
    parquet(tmp_path, "i.parquet", image=names, content=[name.encode() * 5 for name in names])
    put(tmp_path, "c.txt", tokens([(name, 0, name) for name in names]))
    put(tmp_path, "train.txt", "\n".join(sorted(names)[::3]))
    found = read(tmp_path, images="i.parquet", captions="c.txt", train="train.txt")
    assert [(row["id"], row["image"]) for row in found.catalogue.images.to_pylist()] == [
        (name, name.encode() * 5) for name in names if int(name[:3]) % 3 == 0
    ]


def test_a_damaged_file_of_images_is_named(tmp_path):
    put(tmp_path, "c.txt", tokens())
    put(tmp_path, "i.parquet", b"PAR1 and nothing more")
    with pytest.raises(DamagedError, match=r"i\.parquet is damaged"):
        read(tmp_path, images="i.parquet", captions="c.txt")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"images": "nowhere"}, r"source\.images names nowhere"),
        ({"images": "c.csv"}, r"source\.images names c\.csv, allowed: a folder, or \.parquet"),
        ({"captions": "c.doc"}, r"source\.captions names c\.doc, allowed: \.txt, \.token"),
        ({"captions": "c.txt"}, r"source\.captions names c\.txt, which is not a file"),
        ({"heldout": "dev.txt"}, r"source\.heldout names dev\.txt, which is not a file"),
    ],
)
def test_what_is_not_there_is_named_with_its_setting(tmp_path, settings, said):
    put(tmp_path, "c.csv", "image,caption\na.jpg,x\n")
    with pytest.raises(ConfigError, match=said):
        snapshot(tmp_path, **{"images": folder(tmp_path), "captions": "c.csv", **settings})


def test_names_are_found_by_their_last_part_and_without_extension_but_never_in_another_folder():
    names = Names(["a/1.jpg", "b/1.jpg", "b/2.jpeg", "3.v2.png", "cafe\u0301.jpg", "4.jpg", "4.png"])
    assert names.find("b/1.jpg") == ("b/1.jpg", "") and names.find("./b\\1.jpg") == ("b/1.jpg", "")
    assert names.find("1.jpg") == names.find("1") == names.find("4") == ("", AMBIGUOUS)
    assert names.find("2.jpeg") == names.find("2") == names.find("b/2") == ("b/2.jpeg", "")
    assert names.find("a/2.jpeg") == names.find("2.jpg") == names.find("3") == ("", ABSENT)
    assert names.find("3.v2") == ("3.v2.png", "") and names.find("caf\u00e9") == ("cafe\u0301.jpg", "")
    assert names.find("4.png") == ("4.png", "")

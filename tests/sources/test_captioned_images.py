"""Captioned images in every format that they come in, their official divisions, and what is refused with its reason."""

import bz2
import csv
import gzip
import io
import json
import random

import pyarrow as pa
import pytest

from kindex.core.catalogue import CAPTIONS as SCHEMA
from kindex.core.catalogue import IMAGES as IMAGE_SCHEMA
from kindex.core.catalogue import ITEMS
from kindex.core.errors import ConfigError, DamagedError, DataGateError, KindexError
from kindex.sources import MissingColumnError
from tests.sources.captioned import CAPTIONS, IMAGES, captions_of, folder, parquet, put, read, refusals, tokens

ROWS = [{"image": image, "number": place, "caption": caption} for image, place, caption in CAPTIONS]


def table(delimiter: str) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(ROWS[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return text.getvalue()


def coco() -> dict:
    numbers = {image: 100 + at for at, image in enumerate(IMAGES)}
    return {
        "images": [{"id": number, "file_name": image} for image, number in numbers.items()],
        "annotations": [{"image_id": numbers[image], "id": 7, "caption": caption} for image, _, caption in CAPTIONS],
    }


def karpathy(sides: dict[str, str]) -> dict:
    sentences = {image: [{"raw": said} for name, _, said in CAPTIONS if name == image] for image in IMAGES}
    return {"images": [{"filename": name, "split": sides[name], "sentences": said} for name, said in sentences.items()]}


def by_name() -> dict:
    return {image: [said for name, _, said in CAPTIONS if name == image] for image in IMAGES}


SIDES = {"a.jpg": "train", "b.jpg": "val", "c.jpg": "restval"}
FORMATS = {
    "Flickr8k.token.txt": tokens(),
    "with-a-mark.token": "\ufeff" + tokens().replace("\n", "\r\n"),
    "without-numbers.txt": "".join(f"{image}\t{caption}\n" for image, _, caption in CAPTIONS),
    "captions.txt": table(","),
    "tabs.txt": table("\t"),
    "captions.csv": table(","),
    "captions.tsv": table("\t"),
    "captions.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    "rows.json": json.dumps(ROWS),
    "coco.json": json.dumps(coco()),
    "dataset_flickr8k.json": json.dumps(karpathy(SIDES)),
    "names.json": json.dumps(by_name()),
}


@pytest.mark.parametrize("pack", ["", ".gz", ".bz2"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_captions(tmp_path, name, pack):
    content = FORMATS[name].encode()
    put(tmp_path, name + pack, {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress}[pack](content))
    found = read(tmp_path, images=folder(tmp_path), captions=name + pack)
    assert captions_of(found) == CAPTIONS and refusals(found) == []
    assert found.catalogue.captions.schema.equals(SCHEMA)
    items = found.catalogue.items
    assert items.schema.equals(ITEMS) and items["description"].to_pylist() == ["A dog runs .", "Ein Mädchen 👩‍🚀", "A boat"]
    assert found.catalogue.images.schema.equals(IMAGE_SCHEMA)
    assert dict(zip(items["id"].to_pylist(), found.catalogue.images["image"].to_pylist(), strict=True)) == IMAGES


def test_parquet_of_images_and_captions_with_sides_labels_and_numbers(tmp_path):
    names = list(IMAGES)
    for part in (0, 1):
        rows = slice(2 * part, 2 * part + 2)
        parquet(
            tmp_path, f"images-{part}.parquet", file=names[rows], jpeg=list(IMAGES.values())[rows],
            side=["train", "dev", "unused"][rows], scene=["dog", None, "sea"][rows],
        )  # fmt: skip
    parquet(
        tmp_path, "captions.parquet", file=[row["image"] for row in ROWS], said=[row["caption"] for row in ROWS],
        number=pa.array([5, 3, 0, 0], pa.int64()),
    )  # fmt: skip
    found = read(
        tmp_path, images=["images-0.parquet", "images-1.parquet"], captions="captions.parquet", image="file", content="jpeg",
        caption="said", place="number", label="scene", split="side", heldout_split="dev",
    )  # fmt: skip
    assert captions_of(found) == [("a.jpg", 5, CAPTIONS[0][2]), ("a.jpg", 3, CAPTIONS[1][2]), ("b.jpg", 0, CAPTIONS[2][2])]
    assert found.catalogue.images.to_pylist() == [
        {"id": "a.jpg", "image": IMAGES["a.jpg"], "heldout": False},
        {"id": "b.jpg", "image": IMAGES["b.jpg"], "heldout": True},
    ]
    assert found.catalogue.items.to_pylist() == [
        {"id": "a.jpg", "kind": "image", "label": "dog", "description": CAPTIONS[1][2]},  # 3 comes before 5
        {"id": "b.jpg", "kind": "image", "label": None, "description": CAPTIONS[2][2]},
    ]
    assert found.counts == {"left_out_images": 1, "left_out_captions": 1, "images_without_captions": 0}
    assert found.columns["images-0.parquet"] == {"file": "string", "jpeg": "binary", "side": "string", "scene": "string"}


def heldout_of(found):
    return {row["id"]: row.get("heldout") for row in found.catalogue.images.to_pylist()}


def test_official_lists_divide_and_what_is_in_neither_is_left_out(tmp_path):
    put(tmp_path, "captions.txt", tokens())
    put(tmp_path, "train.txt", "\ufeffb.jpg\r\n\r\n")
    put(tmp_path, "dev.txt", "a\n")  # without the extension
    settings = {"images": folder(tmp_path), "captions": "captions.txt"}
    found = read(tmp_path, **settings, train="train.txt", heldout="dev.txt")
    assert heldout_of(found) == {"a.jpg": True, "b.jpg": False} and refusals(found) == []
    assert found.counts == {"left_out_images": 1, "left_out_captions": 1, "images_without_captions": 0}
    assert heldout_of(read(tmp_path, **settings, heldout="dev.txt")) == {"a.jpg": True, "b.jpg": False, "c.jpg": False}
    assert heldout_of(read(tmp_path, **settings, train=["train.txt", "dev.txt"])) == {"a.jpg": None, "b.jpg": None}


def test_lines_of_a_list_that_mean_no_image_are_refused(tmp_path):
    put(tmp_path, "captions.txt", tokens())
    put(tmp_path, "train.txt", b"a.jpg\nzzz.jpg\nb.jpg\ncaf\xe9.jpg\n")
    put(tmp_path, "dev.txt", "b.jpg\nc.jpg\nc\n")
    found = read(tmp_path, images=folder(tmp_path), captions="captions.txt", train="train.txt", heldout="dev.txt")
    assert heldout_of(found) == {"a.jpg": False, "b.jpg": False, "c.jpg": True}
    assert refusals(found) == [
        ("images", "text is not UTF-8", "train.txt:4"),
        ("images", "in an official list: image is not there", "train.txt:2"),
        ("images", "held-out image is also a train image", "dev.txt:1"),
    ]


def test_karpathys_sides(tmp_path):
    put(tmp_path, "dataset.json", json.dumps(karpathy(SIDES)))
    settings = {"images": folder(tmp_path), "captions": "dataset.json", "split": "split"}
    found = read(tmp_path, **settings, train_split=["train", "restval"], heldout_split="val")
    assert heldout_of(found) == {"a.jpg": False, "b.jpg": True, "c.jpg": False}
    with pytest.raises(ConfigError, match=r"heldout_split names 'vall', which no image has: did you mean val\?"):
        read(tmp_path, **settings, heldout_split="vall")


def test_a_side_and_a_label_in_a_table_of_captions_are_those_of_the_image(tmp_path):
    put(
        tmp_path,
        "captions.csv",
        "image,caption,side,scene\na.jpg,one,,\na.jpg,two,train,dog\nb.jpg,three,test,\nc.jpg,four,,\n",
    )
    found = read(tmp_path, images=folder(tmp_path), captions="captions.csv", split="side", heldout_split="test", label="scene")
    assert heldout_of(found) == {"a.jpg": False, "b.jpg": True}
    assert found.catalogue.items["label"].to_pylist() == ["dog", None]


def test_captions_that_cannot_be_of_an_image_are_refused_with_their_line(tmp_path):
    lines = [
        b"a.jpg#0\tgood", b"", b"no tab", b"gone.jpg#0\tof nothing", b"a.jpg#1\tcaf\xe9", b"#3\tno name", b"a.jpg#2\t",
        b"a.jpg#99999999999\tfar", b"b.jpg#0\tgood\ttoo",
    ]  # fmt: skip
    put(tmp_path, "captions.token", b"\n".join(lines))
    found = read(tmp_path, images=folder(tmp_path), captions="captions.token")
    assert captions_of(found) == [("a.jpg", 0, "good"), ("a.jpg", 2, ""), ("b.jpg", 0, "good\ttoo")]
    assert refusals(found) == [
        ("captions", "row does not parse: no image and caption with a tab between", "captions.token:3"),
        ("captions", "image is not there", "captions.token:4"),
        ("captions", "text is not UTF-8", "captions.token:5"),
        ("captions", "image is not there", "captions.token:6"),
        ("captions", "image is not there", "captions.token:8"),
    ]
    assert found.counts["images_without_captions"] == 1  # an image without a caption stays


def test_quotes_tabs_and_lines_inside_a_caption(tmp_path):
    said = ['He said, "run"', "one\ntwo", "a\tb", " spaces ", "'", "a,b"]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["image", "caption"], *(["a.jpg", one] for one in said), ["b.jpg", ""]])
    put(tmp_path, "captions.csv", text.getvalue() + 'c.jpg,"never closed\n')
    found = read(tmp_path, images=folder(tmp_path), captions="captions.csv")
    assert [caption for _, _, caption in captions_of(found)] == [*said, None]  # validation refuses the one without
    assert [rule for _, rule, _ in refusals(found)] == ["row does not parse: unexpected end of data"]


def test_json_of_any_kind_is_refused_row_by_row_and_never_a_traceback(tmp_path):
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "gone.jpg"}, {"id": []}, None, {"id": 3, "file_name": 5}]
    annotations = [
        {"image_id": 1, "caption": "good"}, {"image_id": 2, "caption": "x"}, {"image_id": 9, "caption": "x"}, 7,
        {"image_id": {}, "caption": "x"}, {"image_id": 1}, {"image_id": 1, "caption": ["x"]},
        {"image_id": 1, "caption": "\ud800"},
    ]  # fmt: skip
    put(tmp_path, "coco.json", json.dumps({"images": images, "annotations": annotations}).replace('"good"', '"caf\\u00e9"'))
    found = read(tmp_path, images=folder(tmp_path), captions="coco.json")
    assert captions_of(found) == [("a.jpg", 0, "café")]
    assert refusals(found) == [
        ("captions", "image has no id and file_name", "coco.json: image 3"),
        ("captions", "image has no id and file_name", "coco.json: image 4"),
        ("captions", "file_name is not text", "coco.json: image 5"),
        ("captions", "image is not there", "coco.json: annotation 2"),
        ("captions", "image_id is of no image", "coco.json: annotation 3"),
        ("captions", "annotation has no image_id and caption", "coco.json: annotation 4"),
        ("captions", "annotation has no image_id and caption", "coco.json: annotation 5"),
        ("captions", "annotation has no image_id and caption", "coco.json: annotation 6"),
        ("captions", "caption is not text", "coco.json: annotation 7"),
        ("captions", "text is not UTF-8", "coco.json: annotation 8"),
    ]


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"", DataGateError, "is empty"),
        (b'{"images": [', DamagedError, "is damaged"),
        (b"[" * 100_000, DamagedError, "is damaged: RecursionError"),
        (b'"caf\xe9', DamagedError, "is damaged"),
        (b'{"captions": 3}', DataGateError, "holds a JSON dict with captions, allowed: an array of rows"),
        (b"7", DataGateError, "holds a JSON int"),
    ],
)
def test_a_json_file_that_holds_no_captions_is_named(tmp_path, content, error, said):
    put(tmp_path, "c.json", content)
    with pytest.raises(error, match=f"c.json {said}"):
        read(tmp_path, images=folder(tmp_path), captions="c.json")


def test_latin_1_is_refused_where_it_stands(tmp_path):
    put(tmp_path, "c.csv", b"image,caption\na.jpg,caf\xe9\nb.jpg,fine\n")
    put(tmp_path, "c.json", b'{"a.jpg": ["caf\xe9", "fine"]}')
    for name, origin in (("c.csv", "c.csv:2"), ("c.json", "c.json: a.jpg.0")):
        found = read(tmp_path, images=folder(tmp_path), captions=name)
        assert refusals(found) == [("captions", "text is not UTF-8", origin)] and len(captions_of(found)) == 1


def test_numbers_that_are_no_places_are_refused(tmp_path):
    put(
        tmp_path,
        "c.csv",
        "image,caption,n\na.jpg,one,0\na.jpg,two,-1\na.jpg,three,0.5\na.jpg,four,\na.jpg,five,nan\na.jpg,six,x\n",
    )
    found = read(tmp_path, images=folder(tmp_path), captions="c.csv", place="n")
    assert captions_of(found) == [("a.jpg", 0, "one")] and found.refused.num_rows == 5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"caption": "text"}, "c.csv has no column 'text'.*Edit source.caption"),
        ({"place": "n"}, "c.csv has no column 'n'.*Edit source.place"),
        ({"images": "i.parquet", "content": "png"}, "i.parquet has no column 'png'.*Edit source.content"),
        ({"images": "i.parquet", "content": "image"}, "column 'image' is string, allowed: binary"),
    ],
)
def test_a_column_that_is_not_there_or_of_another_type(tmp_path, settings, said):
    put(tmp_path, "c.csv", "image,caption\na.jpg,one\n")
    parquet(tmp_path, "i.parquet", image=list(IMAGES), content=list(IMAGES.values()))
    with pytest.raises((MissingColumnError, DataGateError), match=said):
        read(tmp_path, **{"images": folder(tmp_path), "captions": "c.csv", **settings})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"images": ""}, "give images and captions"),
        ({"captions": ()}, "give images and captions"),
        ({"split": "s", "train": "t"}, "give either split, a column, or the lists"),
        ({"heldout_split": "dev"}, "name it in split"),
        ({"split": "s", "heldout_split": "train"}, "'train' is in train_split and in heldout_split"),
    ],
)
def test_settings_that_contradict_each_other(tmp_path, settings, said):
    with pytest.raises(ValueError, match=said):
        read(tmp_path, **{"images": "i", "captions": "c.csv", **settings})


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_bytes_are_refused_or_named_and_never_a_traceback(tmp_path, name):
    rng = random.Random(name)
    folder(tmp_path)
    for _ in range(25):
        content = bytearray(FORMATS[name].encode())
        for _ in range(rng.choice([1, 2, 10])):
            at = rng.randrange(len(content))
            content[at : at + rng.choice([0, 1, 9])] = rng.choice(
                [b"", b'"', b"\0", b"\xff", b"\n", b"{", b"\\ud800", b"#", b","]
            )
        put(tmp_path, name, bytes(content))
        try:
            found = read(tmp_path, images="pictures", captions=name)
        except KindexError as error:
            assert name in str(error)
        else:
            found.catalogue.captions.validate(full=True)
            found.refused.validate(full=True)

"""What validation makes of captions, and of the images of a catalogue that has them."""

import io
import struct
import zlib
from collections import Counter

import pyarrow as pa
from PIL import Image

from kindex.checks.verdict import summary
from kindex.checks.whole import check_catalogue
from kindex.core import quarantine
from kindex.core.catalogue import CAPTIONS, IMAGES, ITEMS, Catalogue
from kindex.core.params import CheckParams
from kindex.core.watch import Silent

LIMITS = CheckParams(max_text_characters=50)
UNWRITABLE = "text has a NUL or is not UTF-8"


def encoded(width=8, height=6, mode="RGB", form="PNG", **options):
    buffer = io.BytesIO()
    Image.new(mode, (width, height)).save(buffer, form, **options)
    return buffer.getvalue()


def run(images: dict[str, bytes], captions, limits=LIMITS, labels=None):
    items = [{"id": name, "kind": "image", "label": (labels or {}).get(name)} for name in images]
    tables = {
        "items": pa.Table.from_pylist(items, schema=ITEMS),
        "images": pa.table([list(images), list(images.values())], schema=IMAGES),
        "captions": captions
        if isinstance(captions, pa.Table)
        else pa.table([list(column) for column in zip(*captions, strict=True)], schema=CAPTIONS),
    }
    return tables, check_catalogue(Catalogue("c", tables), limits, {}, "captioned_images 0123", Silent())


def found(checked, table):
    return Counter((entry["row"], entry["rule"]) for entry in checked.entries if entry["table"] == table)


def test_every_bad_caption_is_found_once_for_each_rule_that_it_breaks_and_no_other():
    bounds = "caption is empty or longer than 50 characters"
    rows = [
        (("a", 0, "A dog runs ."), set()),
        (("a", 1, "A dog runs ."), set()),  # said twice by two people
        (("a", 2, ""), {bounds}),
        (("a", 3, " \t\u3000"), {"caption is blank"}),
        (("a", 4, "\u200b\ufeff\u200e"), {"caption is blank"}),
        (("a", 5, None), {"caption is missing"}),
        (("a", 6, "d" * 51), {bounds}),
        (("a", 7, "d" * 50), set()),
        (("a", 8, "N\0L"), {UNWRITABLE}),
        (("a", 1, "once more"), {"place is not unique"}),
        (("b", 1, "at the same place of another image"), set()),
        (("nobody", 0, "of no image"), {"id is not an image item"}),
        (("b", None, "nowhere"), {"place is missing or below 0"}),
        (("b", -1, "before"), {"place is missing or below 0", "place is not unique"}),
    ]
    _, checked = run({"a": encoded(), "b": encoded()}, [row for row, _ in rows])
    assert found(checked, "captions") == Counter((number, rule) for number, (_, rules) in enumerate(rows) for rule in rules)
    good = [row for row, rules in rows if not rules]
    assert [tuple(row.values()) for row in checked.passed["captions"].to_pylist()] == good
    assert checked.passed["images"].num_rows == checked.passed["items"].num_rows == 2


def test_any_unicode_is_carried_to_the_byte():
    composed, decomposed, ligature = "\u00e9t\u00e9", "e\u0301te\u0301", "\ufb01ne"
    zero_width, backwards, family = "a\u200bb", "\u202eright to left", "\U0001f469\u200d\U0001f680"
    texts = [composed, decomposed, ligature, zero_width, backwards, family, "a\tb\nc", '"', "\U0010fffd", "\ue000"]
    _, checked = run({"a": encoded()}, [("a", place, text) for place, text in enumerate(texts)])
    assert checked.passed["captions"]["caption"].to_pylist() == texts


def test_bytes_that_are_not_utf8_are_refused():
    texts = pa.array([b"fine", b"caf\xe9", b"\xed\xa0\x80"], pa.binary()).view(pa.string())
    captions = pa.table([["a", "a", "a"], pa.array([0, 1, 2], pa.int32()), texts], schema=CAPTIONS)
    _, checked = run({"a": encoded()}, captions)
    assert found(checked, "captions") == {(1, UNWRITABLE): 1, (2, UNWRITABLE): 1}


def test_a_caption_goes_with_its_image_and_an_image_without_a_caption_stays():
    images = {"good": encoded(), "broken": encoded()[:30], "long": encoded(), "alone": encoded()}
    captions = [("broken", 0, "of a broken image"), ("broken", 1, ""), ("good", 0, "fine"), ("long", 0, "x"), ("alone", 0, "")]
    tables, checked = run(images, captions, labels={"long": "l" * 51})
    bounds = "caption is empty or longer than 50 characters"
    assert found(checked, "captions") == {
        (0, "its image was refused"): 1, (1, bounds): 1, (3, "its image was refused"): 1, (4, bounds): 1
    }  # fmt: skip
    assert checked.passed["images"]["id"].to_pylist() == ["good", "alone"]
    counts = summary(tables, checked, quarantine.table(checked.entries))
    assert counts["images_without_captions"] == 1
    assert counts["rows"]["captions"] == {"in": 5, "passed": 1, "refused": 4, "refused_share": 0.8}


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that says it has so many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(500))) + chunk(b"IEND", b"")


def animated() -> bytes:
    buffer = io.BytesIO()
    frames = [Image.new("P", (9, 7), colour) for colour in (1, 2, 3)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


ACCEPTED = {
    "small": encoded(1, 1),
    "grey": encoded(20, 30, "L"),
    "two colours": encoded(9, 9, "1"),
    "palette": encoded(9, 9, "P"),
    "alpha": encoded(9, 9, "RGBA"),
    "CMYK JPEG": encoded(16, 8, "CMYK", "JPEG"),
    "16-bit PNG": encoded(5, 5, "I;16"),
    "animated GIF": animated(),
    "WebP": encoded(form="WEBP"),
    "TIFF of floats": encoded(4, 4, "F", "TIFF"),
}
REFUSED = {
    "decompression bomb": bomb(30_000, 30_000),
    "larger than 64 megapixels": bomb(8_001, 8_000),
    "truncated JPEG": encoded(64, 64, form="JPEG")[:400],
    "truncated PNG": encoded(64, 64, form="PNG")[:60],
    "zero bytes": b"",
    "a page": b"<!doctype html><title>404</title>",
    "noise": bytes(range(256)),
    "a program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n%%EOF\n",
}


def test_images_of_any_size_and_mode_pass_and_what_does_not_decode_is_refused_by_name():
    images = {**ACCEPTED, **REFUSED}
    _, checked = run(images, [(name, 0, name) for name in images])
    first = len(ACCEPTED)
    assert found(checked, "images") == Counter((first + at, "image does not decode") for at in range(len(REFUSED)))
    assert found(checked, "captions") == Counter((first + at, "its image was refused") for at in range(len(REFUSED)))
    assert checked.passed["images"]["id"].to_pylist() == list(ACCEPTED)
    said = {entry["row"] - first: entry["value"] for entry in checked.entries if entry["table"] == "images"}
    assert said[0] == "DecompressionBombError" and said[1] == "8001 x 8000 pixels, allowed: 64000000 in all"
    assert said[4] == "no bytes" and said[5] == "UnidentifiedImageError" and said[7] == "EPS"


def test_a_configured_shape_counts_here_too():
    limits = CheckParams(image_shape=(6, 8, 3))
    _, checked = run({"a": encoded(), "b": encoded(9, 9)}, [("a", 0, "x"), ("b", 0, "y")], limits)
    assert found(checked, "images") == {(1, "image is not 6x8x3"): 1}

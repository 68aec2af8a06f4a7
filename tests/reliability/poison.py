"""Values that must do no harm, and a source that has one of them in one place, for promise 7."""

import csv
import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests import projects
from tests.judge.page.made_up import HOSTILE as MARKUP

TEXTS = (
    *(text for text in MARKUP if len(text) < 1000),
    *("../../x", "../" * 12 + "tmp/kindex-poison", "/tmp/kindex-poison", "C:\\x\\y", "..", ".", "a/b", "~/x", "CON"),
    *("=cmd|' /C calc'!A1", "+1+1", "-2+3", "@SUM(A1)", '=HYPERLINK("http://x")', "\t=1", "|x", "x.parquet"),
    *('"', "'", "`", '""', '"a","b', "\\", "\\N", "'; DROP TABLE items;--", "${HOME}", "$(touch x)", "%s%n%x", "{0}"),
    *("a\0b", "\0", "\r", "a\nb", "\ud800", "\udfff\ud800", "\u202eabc", "\u200f", "\ufeff", "\U000e0041"),
    *("e\u0301" * 20, "\U0001f469\u200d\U0001f680", "__proto__", "NaN", "null", "None", "-inf", "1e308", "true", " "),
    "x" * 10_000_000,
)
NUMBERS = (float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 3.5e38, 3.4e38, 1e-320, -1.0, 0.0, -0.0, 2.0**63)
TEXT_PLACES = ("left", "right", "label", "description", "column")
SUFFIXES = ("jsonl", "csv", "parquet")


@dataclass(frozen=True)
class Case:
    """`value` in `place` of a source of links; or, for the place `image`, an image."""

    place: str
    value: Any
    suffix: str

    @property
    def name(self) -> str:
        return f"{self.place} {self.value!r:.60} in {self.suffix}"


def cases(away: Path) -> list[Case]:
    """Every text as an id of either end, a label, a description and the name of a column, in turns as JSON lines, CSV and
    Parquet; numbers as weights and dates; images that are none or are too much. `away` is a path that nobody may write to."""
    found = [(place, text) for text in (str(away), *TEXTS) for place in TEXT_PLACES]
    found += [(place, number) for number in NUMBERS for place in ("weight", "date")]
    turns = [Case(place, value, SUFFIXES[number % 3]) for number, (place, value) in enumerate(found)]
    return turns + [Case("image", image, name) for name, image in images().items()]


def images() -> dict[str, bytes]:
    """By what they are."""
    whole = projects.png(np.zeros((8, 8), np.uint8))
    wide = whole[:16] + struct.pack(">II", 100_000, 100_000) + whole[24:]
    return {
        "a PNG that says 100,000 x 100,000": wide,
        "a TIFF of NaN": _floats(np.nan),
        "a TIFF of inf": _floats(np.inf),
        "a TIFF of 1e38": _floats(1e38),
        "an SVG with a script": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "a PostScript program": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(/tmp/kindex-poison) (w) file\nshowpage\n",
        "a page": b"<html><script>alert(1)</script>",
        "half a PNG": whole[: len(whole) // 2],
        "nothing": b"",
        "10 MB of zeros": bytes(10_000_000),
    }


def write(root: Path, case: Case) -> dict[str, Any]:
    """The source below `root`; its settings."""
    if case.place == "image":
        projects.write_stamps(root / "stamps.parquet", count=40)
        rows = pq.read_table(root / "stamps.parquet").to_pylist()
        rows[3]["image"] = case.value
        pq.write_table(pa.Table.from_pylist(rows), root / "stamps.parquet")
        return {"kind": "files", "images": "stamps.parquet", "label": "label"}
    fruit_N = [n // 8 % 2 * 15 + n % 8 * (1 + n // 80 % 2) % 15 for n in range(320)]
    links = [{"user": f"u{n // 8}", "fruit": f"f{fruit}", "stars": 1.0, "day": n * 9999} for n, fruit in enumerate(fruit_N)]
    fruits = [{"id": f"f{n}", "name": f"Fruit {n}", "group": f"group {n // 15}"} for n in range(30)]
    target = {"left": "user", "right": "fruit", "weight": "stars", "date": "day"}.get(case.place)
    for row in (5, 100, 200):
        if target:
            links[row][target] = case.value
    if case.place == "right":
        fruits.append({"id": case.value, "name": "Poison", "group": "group 1"})
    if case.place in ("label", "description"):
        fruits[3]["group" if case.place == "label" else "name"] = case.value
    if case.place == "column":
        fruits = [fruit | {case.value: "x"} for fruit in fruits]
    for name, rows in (("links", links), ("fruits", fruits)):
        (root / f"{name}.{case.suffix}").write_bytes(b"".join(_written(rows, case.suffix)))
    ends = {"left": "user", "right": "fruit", "left_kind": "user", "right_kind": "fruit", "weight": "stars", "date": "day"}
    files = {name: f"{file}.{case.suffix}" for name, file in (("links", "links"), ("items", "fruits"))}
    return {"kind": "files", **files, **ends, "label": "group", "description": "name"}


def _written(rows: list[dict[str, Any]], suffix: str) -> Iterator[bytes]:
    """The rows, with texts that are not UTF-8 as they are."""
    if suffix == "jsonl":
        yield from (json.dumps(row).encode() + b"\n" for row in rows)
    elif suffix == "csv":
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        yield text.getvalue().encode("utf-8", "surrogatepass")
    else:
        columns = [_column([row[name] for row in rows]) for name in rows[0]]
        names = [name.encode("utf-8", "replace").decode() for name in rows[0]]
        sink = io.BytesIO()
        pq.write_table(pa.Table.from_arrays(columns, names), sink)
        yield sink.getvalue()


def _column(values: list[Any]) -> pa.Array:
    if isinstance(values[0], str):
        return pa.array([value.encode("utf-8", "surrogatepass") for value in values], pa.binary()).view(pa.string())
    return pa.array([float(value) for value in values] if any(isinstance(value, float) for value in values) else values)


def _floats(value: float) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), value, np.float32)).save(buffer, "TIFF")
    return buffer.getvalue()

"""What is expected of `images`: of a known item, once, decodable, and all of one shape but where they have captions."""

import io
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from kindex.checks.ends import repeated_ids
from kindex.checks.run import engine
from kindex.checks.text import about, frame, text_rules

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite


MOST_PIXELS = 64_000_000
"""Of one image: a few thousand bytes can say that they are a picture of gigabytes."""


def suite(shape: str, most_characters: int) -> "ExpectationSuite":
    """`shape` as `8x8` or `32x32x3`: see `shape_text`; "" for images of any shapes."""
    gxe = engine().expectations
    rules = [
        *text_rules(["id"], [], most_characters, "id"),
        gxe.ExpectColumnValuesToNotBeInSet(column="item", value_set=["unknown"], meta=about("id is not an image item", "id")),
        gxe.ExpectColumnValuesToBeNull(column="problem", meta=about("image does not decode", "problem")),
    ]
    if shape:
        one = about(f"image is not {shape}", "shape")
        rules.append(gxe.ExpectColumnValuesToBeInSet(column="shape", value_set=[shape], meta=one))
    return engine().ExpectationSuite(name="images", expectations=rules)


def prepare(
    images: pa.Table, unwritable: list[str | None], items: pa.Table, encoded: Iterable[bytes | None]
) -> "pd.DataFrame":
    """The frame of `suite`. `encoded` are the images in the order of the table (an iterator may show progress)."""
    import pandas as pd

    made = frame(images.select(["id"]), unwritable, repeated_ids(images))
    known = items.filter(pc.equal(items["kind"], "image"))["id"].combine_chunks()
    made["item"] = pc.if_else(pc.is_in(images["id"], value_set=known), "known", "unknown").to_pandas()
    shapes, problems = zip(*map(decode, encoded)) if images.num_rows else ((), ())
    made["shape"] = pd.Series(shapes, dtype=object)
    made["problem"] = pd.Series(problems, dtype=object)
    return made


def decode(encoded: bytes | None) -> tuple[str | None, str | None]:
    """(shape, None) of an image that decodes to its last pixel, else (None, problem)."""
    from PIL import Image

    if not encoded:
        return None, "no bytes"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(encoded)) as image:
                if image.width * image.height > MOST_PIXELS:
                    return None, f"{image.width} x {image.height} pixels, allowed: {MOST_PIXELS} in all"
                if image.format == "EPS":  # to draw it, Pillow would run the program that it is
                    return None, "EPS"
                image.load()
                return shape_text((image.height, image.width, len(image.getbands()))), None
    except Exception as error:  # a decoder given hostile bytes raises nearly anything; all of it means "does not decode"
        return None, type(error).__name__


def expected_shape(configured: Sequence[int], found: Iterable[str | None]) -> str:
    """The configured shape, else the one that most images have (the first by name when several have as many)."""
    if configured:
        return shape_text(configured)
    counts = Counter(shape for shape in found if shape)
    return min(counts, key=lambda shape: (-counts[shape], shape), default="decodable")


def shape_text(shape: Sequence[int]) -> str:
    """Height x width, and x channels when there are several.

    >>> shape_text((8, 8)), shape_text((8, 8, 1)), shape_text((32, 32, 3))
    ('8x8', '8x8', '32x32x3')
    """
    return "x".join(str(size) for size in (shape[:2] if len(shape) == 3 and shape[2] == 1 else shape))

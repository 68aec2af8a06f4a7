"""What is expected of `items`: text that is there, bounded and writable; (kind, id) unique; an image for an image item."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.checks.run import engine
from kindex.checks.text import about, frame, text_columns, text_rules

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite


def suite(columns: list[str], most_characters: int) -> "ExpectationSuite":
    """`columns` are the text columns of the table, the schema's and the source's own."""
    gx = engine()
    optional = [column for column in columns if column not in ("id", "kind")]
    rules = text_rules(["id", "kind"], optional, most_characters, "id")
    image = gx.expectations.ExpectColumnValuesToNotBeInSet(
        column="image_state", value_set=["missing"], meta=about("item has no image that passed", "id")
    )
    return gx.ExpectationSuite(name="items", expectations=[*rules, image])


def prepare(
    items: pa.Table, unwritable: list[str | None], repeated_N: np.ndarray, valid_images: pa.Array | None
) -> "pd.DataFrame":
    """The frame of `suite`. `valid_images` are the ids of images that passed, or None in a catalogue without images."""
    made = frame(items.select(text_columns(items)), unwritable, repeated_N)
    made["image_state"] = "not needed"
    if valid_images is not None:
        has = pc.is_in(items["id"], value_set=valid_images).to_pandas()
        needs = (items["kind"].to_pandas() == "image").fillna(False)
        made.loc[needs & ~has, "image_state"] = "missing"
    return made

"""What is expected of `captions`: of a known image, at a place of its own, something to read, writable and bounded.

Any Unicode is carried to the byte: composed or not, in either direction, with emoji. What shows nothing is empty: white space,
control characters, and marks of format as the zero-width space.
"""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.checks.ends import repeats_anywhere
from kindex.checks.run import engine
from kindex.checks.text import about, frame, text_rules
from kindex.core.codes import Codes

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite

CASCADE = "its image was refused"
SHOWS = r"[^\s\p{Z}\p{Cc}\p{Cf}]"


def suite(most_characters: int) -> "ExpectationSuite":
    """For frames of `prepare`. A place is unique within its image."""
    gxe = engine().expectations
    place = about("place is missing or below 0", "place")
    rules = [
        *text_rules(["id", "caption"], [], most_characters, "place"),
        gxe.ExpectColumnValuesToNotBeInSet(column="item", value_set=["unknown"], meta=about("id is not an image item", "id")),
        gxe.ExpectColumnValuesToNotBeInSet(column="shown", value_set=["nothing"], meta=about("caption is blank", "caption")),
        gxe.ExpectColumnValuesToBeBetween(column="place", min_value=0, meta=place),
    ]
    return engine().ExpectationSuite(name="captions", expectations=rules)


def prepare(captions: pa.Table, unwritable: list[str | None], repeated_N: np.ndarray, known: pa.Array) -> "pd.DataFrame":
    """The frame of `suite`. `known` are the ids of the items of the kind `image`."""
    made = frame(captions.select(["id", "caption"]), unwritable, repeated_N)
    made["item"] = pc.if_else(pc.is_in(captions["id"], value_set=known), "known", "unknown").to_pandas()
    written = pc.greater(pc.utf8_length(captions["caption"]), 0)  # no text at all has a rule of its own
    blank = pc.and_(written, pc.invert(pc.match_substring_regex(captions["caption"], SHOWS)))
    made["shown"] = pc.if_else(pc.fill_null(blank, False), "nothing", "something").to_pandas()
    # an expectation skips nulls, so what is no place is shown to it as one that breaks the rule
    made["place"] = pc.fill_null(captions["place"], -1).to_pandas()
    return made


def repeated_places(captions: pa.Table) -> np.ndarray:
    """Captions (N bool) of which there is one before with the same id and place."""
    ids_N = np.concatenate([np.zeros(0, np.int32), *Codes().codes(list(captions["id"].chunks))])
    return repeats_anywhere([ids_N, pc.fill_null(captions["place"], -1).to_numpy()])

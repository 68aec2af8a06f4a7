"""What is expected of `links`: both ends known items that passed, each link once, a positive finite weight."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.checks.run import engine
from kindex.checks.text import about, frame, keys_of, text_rules, volume_rule

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite

KEYS = ["left", "right", "left_kind", "right_kind"]
TINY, HUGE = (float(limit) for limit in (np.finfo(np.float32).tiny, np.finfo(np.float32).max))


def suite(most_characters: int, bounds: tuple[int, int] | None) -> "ExpectationSuite":
    gx = engine()
    rules = text_rules(KEYS, [], most_characters, "left")
    for end in ("left", "right"):
        for state, rule in (("unknown", "is not an item"), ("refused", "is an item that was refused")):
            rules.append(
                gx.expectations.ExpectColumnValuesToNotBeInSet(
                    column=f"{end}_state", value_set=[state], meta=about(f"{end} {rule}", end)
                )
            )
    weight = about("weight is not a positive finite number", "weight")
    rules.append(gx.expectations.ExpectColumnValuesToBeBetween(column="weight", min_value=TINY, max_value=HUGE, meta=weight))
    return gx.ExpectationSuite(name="links", expectations=[*rules, *volume_rule(bounds)])


def prepare(links: pa.Table, unwritable: list[str | None], items: pa.Table, passed: pa.Table) -> "pd.DataFrame":
    """The frame of `suite`; `items` are all that came in, `passed` those that passed."""
    made = frame(links.select(KEYS), unwritable, KEYS)
    weight = links["weight"].cast(pa.float64())
    # an expectation skips nulls, so what is no number is shown to it as one that breaks the rule
    made["weight"] = pc.if_else(pc.fill_null(pc.is_finite(weight), False), weight, -1.0).to_pandas()
    known, valid = (keys_of(table, ["kind", "id"]).combine_chunks() for table in (items, passed))
    for end in ("left", "right"):
        keys = keys_of(links, [f"{end}_kind", end])
        state = pc.if_else(pc.is_in(keys, value_set=valid), "passed", "refused")
        state = pc.if_else(pc.is_in(keys, value_set=known), state, "unknown")
        made[f"{end}_state"] = pc.if_else(pc.is_null(keys), "absent", state).to_pandas()  # the rule "is missing" has it
    return made

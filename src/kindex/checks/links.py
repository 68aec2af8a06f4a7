"""What is expected of `links`: both ends known items that passed, each link once, a positive finite weight, a date if any has.

Two suites. `screen` runs over every row, in partitions of numbers that `kindex.checks.ends` made of the texts; `suite` runs
over the rows that the screen found, with their texts, and says what is wrong with each. A row whose ends are items that
passed needs no look at its texts, for the items were held to the same rules.
"""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.checks.run import engine
from kindex.checks.text import about, frame, text_rules

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations import ExpectationSuite

KEYS = ["left", "right", "left_kind", "right_kind"]
TINY, HUGE = (float(limit) for limit in (np.finfo(np.float32).tiny, np.finfo(np.float32).max))
STATES = ["passed", "refused", "unknown", "absent"]
"""What an end of a link is, by number; `absent` is one without a text, which the rule "is missing" has."""

PASSED, REFUSED, UNKNOWN, ABSENT = range(4)


def screen() -> "ExpectationSuite":
    """For frames of `screened`."""
    gx = engine()
    rules = [
        gx.expectations.ExpectColumnValuesToBeInSet(column=column, value_set=[good], meta=about(rule, column))
        for column, good, rule in (
            ("left_state", "passed", "left is an item that passed"),
            ("right_state", "passed", "right is an item that passed"),
            ("repeats", "first", "left is unique"),
            ("text", "good", "text is UTF-8"),
            ("weight", "good", "weight is a positive finite number"),
            ("time", "good", "time is there"),
        )
    ]
    return gx.ExpectationSuite(name="links screen", expectations=rules)


def suite(most_characters: int, dated: bool) -> "ExpectationSuite":
    """For frames of `prepare`."""
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
    if dated:
        rules.append(gx.expectations.ExpectColumnValuesToNotBeNull(column="time", meta=about("time is missing", "time")))
    return gx.ExpectationSuite(name="links", expectations=rules)


def screened(batch: pa.RecordBatch, states: list[np.ndarray], repeats_N: np.ndarray, flawed_N: np.ndarray) -> "pd.DataFrame":
    """The frame of `screen`. `states` are the numbers of `STATES` of the left and of the right ends (N int8 each).

    All columns are categories, a byte a row, which the engine also takes its fingerprint of fastest.
    """
    import pandas as pd

    weight_N = pc.fill_null(batch["weight"], np.nan).to_numpy(zero_copy_only=False)
    bad_weight_N = ~((weight_N >= TINY) & (weight_N <= HUGE))  # a NaN is neither
    timeless_N = np.zeros(batch.num_rows, bool)
    if "time" in batch.schema.names:
        timeless_N = pc.is_null(batch["time"]).to_numpy(zero_copy_only=False)
    columns = {
        "left_state": (states[0], STATES),
        "right_state": (states[1], STATES),
        "repeats": (repeats_N, ["first", "again"]),
        "text": (flawed_N, ["good", "not UTF-8"]),
        "weight": (bad_weight_N, ["good", "bad"]),
        "time": (timeless_N, ["good", "missing"]),
    }
    return pd.DataFrame(
        {name: pd.Categorical.from_codes(code_N.astype(np.int8), words) for name, (code_N, words) in columns.items()}
    )


def prepare(links: pa.Table, unwritable: list[str | None], screened: "pd.DataFrame") -> "pd.DataFrame":
    """The frame of `suite`: of some rows, and the rows of the screen's frame that are theirs."""
    made = frame(links.select(KEYS), unwritable, screened["repeats"].cat.codes.to_numpy())
    weight = links["weight"].cast(pa.float64())
    # an expectation skips nulls, so what is no number is shown to it as one that breaks the rule
    made["weight"] = pc.if_else(pc.fill_null(pc.is_finite(weight), False), weight, -1.0).to_pandas()
    for end in ("left", "right"):
        made[f"{end}_state"] = screened[f"{end}_state"].to_numpy()
    if "time" in links.column_names:
        made["time"] = links["time"].to_pandas()
    return made

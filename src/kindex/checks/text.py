"""Helper columns about text: what the suites check is computed here, once, over whole columns."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.texts import mend

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.expectations import Expectation

UNWRITABLE = "unwritable"
"""Helper column: the text columns of a row that hold a NUL or are not UTF-8, or null."""


def text_columns(table: pa.Table) -> list[str]:
    return [field.name for field in table.schema if pa.types.is_string(field.type)]


def mended(table: pa.Table) -> tuple[pa.Table, list[str | None]]:
    """`table` with text that is not UTF-8 escaped, and for each row (N) the names of its unwritable columns or None.

    Parquet does not check that text is UTF-8; lone surrogates and broken bytes would stop every later reader.
    """
    bad: dict[int, list[str]] = {}
    for column in text_columns(table):
        raw = pa.chunked_array(table[column].chunks, pa.string()).combine_chunks()
        texts, broken_N = mend(raw if isinstance(raw, pa.Array) else pa.concat_arrays(raw.chunks))
        if broken_N.any():
            table = table.set_column(table.schema.get_field_index(column), column, texts)
        nul = pc.fill_null(pc.match_substring(texts, "\0"), False).to_numpy(zero_copy_only=False)
        for row in np.flatnonzero(broken_N | nul).tolist():
            bad.setdefault(row, []).append(column)
    flaws: list[str | None] = [None] * table.num_rows
    for row, columns in bad.items():
        flaws[row] = ", ".join(columns)
    return table, flaws


def frame(table: pa.Table, unwritable: list[str | None], repeated_N: np.ndarray) -> "pd.DataFrame":
    """Text columns, the length in characters of each, and which rows (N bool) have the key of a row before them."""
    import pandas as pd

    columns = {column: table[column].to_pandas() for column in text_columns(table)}
    lengths = {f"{name}_characters": pc.utf8_length(table[name]).to_pandas() for name in columns}
    made = pd.DataFrame({**columns, **lengths}, index=pd.RangeIndex(table.num_rows))
    made[UNWRITABLE] = pd.Series(unwritable, dtype=object)
    made["copies_before"] = repeated_N.astype(np.int64)
    return made


def text_rules(required: list[str], optional: list[str], most: int, key: str) -> "list[Expectation]":
    """Expectations on a frame of `frame`: required text is there, all of it is bounded and writable, `key` is unique."""
    from great_expectations import expectations as gxe

    rules: list[Expectation] = []
    for column in required:
        rules.append(gxe.ExpectColumnValuesToNotBeNull(column=column, meta=about(f"{column} is missing", column)))
    for column in [*required, *optional]:
        least, empty = (1, "empty or ") if column in required else (0, "")
        rule = about(f"{column} is {empty}longer than {most} characters", column)
        lengths = f"{column}_characters"
        rules.append(gxe.ExpectColumnValuesToBeBetween(column=lengths, min_value=least, max_value=most, meta=rule))
    rules.append(gxe.ExpectColumnValuesToBeNull(column=UNWRITABLE, meta=about("text has a NUL or is not UTF-8", UNWRITABLE)))
    rules.append(
        gxe.ExpectColumnValuesToBeInSet(column="copies_before", value_set=[0], meta=about(f"{key} is not unique", key))
    )
    return rules


def about(rule: str, shows: str) -> dict[str, str]:
    """The `meta` of an expectation; see `kindex.checks.run.ABOUT`."""
    return {"rule": rule, "shows": shows}


def keys_of(table: pa.Table, columns: list[str]) -> pa.ChunkedArray:
    """One text for each row; equal exactly when `columns` are, for every part but the last has its length in front."""
    parts = []
    for column in columns[:-1]:
        parts += [pc.binary_length(table[column]).cast(pa.string()), table[column]]
    return pc.binary_join_element_wise(*parts, table[columns[-1]], " ")

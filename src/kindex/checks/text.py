"""Helper columns about text: what the suites check is computed here, once, over whole columns."""

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

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
    bad: list[list[str]] = [[] for _ in range(table.num_rows)]
    for column in text_columns(table):
        raw = table[column].cast(pa.binary())
        try:
            flawed = pc.match_substring(raw.cast(pa.string()), "\0")
        except pa.ArrowInvalid:
            texts = raw.to_pylist()
            flawed = pa.array([text is not None and (b"\0" in text or not _is_utf8(text)) for text in texts])
            escaped = [text if text is None else text.decode("utf-8", "backslashreplace") for text in texts]
            table = table.set_column(table.schema.get_field_index(column), column, pa.array(escaped, pa.string()))
        for row in pc.indices_nonzero(pc.fill_null(flawed, False)).to_pylist():
            bad[row].append(column)
    return table, [", ".join(columns) or None for columns in bad]


def frame(table: pa.Table, unwritable: list[str | None], keys: list[str]) -> "pd.DataFrame":
    """Text columns, the length in characters of each, and how many rows before this one have the same `keys`."""
    import pandas as pd

    columns = {column: table[column].to_pandas() for column in text_columns(table)}
    lengths = {f"{name}_characters": pc.utf8_length(table[name]).to_pandas() for name in columns}
    made = pd.DataFrame({**columns, **lengths}, index=pd.RangeIndex(table.num_rows))
    made[UNWRITABLE] = pd.Series(unwritable, dtype=object)
    made["copies_before"] = made.groupby(keys, dropna=False).cumcount() if table.num_rows else 0
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


def volume_rule(bounds: tuple[int, int] | None) -> "list[Expectation]":
    """The number of rows must lie in `bounds`; no bounds, no rule."""
    from great_expectations import expectations as gxe

    if bounds is None:
        return []
    return [gxe.ExpectTableRowCountToBeBetween(min_value=bounds[0], max_value=bounds[1], meta=about("number of rows", ""))]


def about(rule: str, shows: str) -> dict[str, str]:
    """The `meta` of an expectation; see `kindex.checks.run.ABOUT`."""
    return {"rule": rule, "shows": shows}


def keys_of(table: pa.Table, columns: list[str]) -> pa.ChunkedArray:
    """One text for each row; equal exactly when `columns` are, for every part but the last has its length in front."""
    parts = []
    for column in columns[:-1]:
        parts += [pc.binary_length(table[column]).cast(pa.string()), table[column]]
    return pc.binary_join_element_wise(*parts, table[columns[-1]], " ")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
        return True
    except UnicodeDecodeError:
        return False

"""Dates as seconds since 1970-01-01T00:00:00Z: whole seconds, or ISO 8601 text, which is UTC where it does not say."""

import math
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

LIMIT = 1 << 42
"""Seconds beyond ± this are no date."""


def seconds(value: Any) -> int | None:
    """One value of a text file in seconds; None for none. Raises `ValueError` for what is no date."""
    if value is None or value == "":
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            moment = datetime.fromisoformat(value.strip())
            value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < LIMIT:
        raise ValueError(f"{value!r} is not a date")
    return math.floor(value)


def dates(values: pa.Array) -> pa.Array:
    """A column of a Parquet file in seconds (int64), null where a value is no date. Raises `ArrowInvalid` for other types."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return pc.floor_temporal(values.cast(pa.timestamp("us")), unit="second").cast(pa.timestamp("s")).cast(pa.int64())
    if pa.types.is_integer(kind) or pa.types.is_null(kind):
        return values.cast(pa.int64())
    if pa.types.is_floating(kind):
        fit = pc.less(pc.abs(values), float(LIMIT))
        return pc.floor(pc.if_else(fit, values, None)).cast(pa.int64(), safe=False)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return texts_as_dates(values)
    raise pa.ArrowInvalid(f"{kind} holds no dates")


def texts_as_dates(values: pa.Array) -> pa.Array:
    """Texts in seconds (int64), null where one is no date; each distinct text is read once."""
    coded = pc.dictionary_encode(values) if not pa.types.is_dictionary(values.type) else values
    whole = pc.fill_null(pc.match_substring_regex(coded.dictionary, "^-?[0-9]{1,12}$"), False)
    if pc.all(whole).as_py():
        known = coded.dictionary.cast(pa.int64())
    else:
        known = pa.array([_or_none(text) for text in coded.dictionary.to_pylist()], pa.int64())
    return known.take(coded.indices)


def _or_none(text: str | None) -> int | None:
    try:
        return seconds(text)
    except (ValueError, OverflowError):
        return None

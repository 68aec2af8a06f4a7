"""CSV in blocks of lines: Arrow reads what is plain, and row by row goes what is not.

A block without quotes, where a line is a row, is parsed at once. Of such a block, lines with another number of fields, text
that is not UTF-8 and values that do not convert are taken out and read one at a time, with their line numbers, exactly as a
block with quotes is.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from kindex.core.texts import mend
from kindex.sources.parts.dates import texts_as_dates
from kindex.sources.parts.lines import CsvLines, csv_header, csv_rows
from kindex.sources.parts.records import ROWS, Kinds, converted, require_columns, types_of
from kindex.sources.parts.rows import Role, Rows

BLOCK = 1 << 24
"""Bytes that are read at a time."""

TEXT = pa.dictionary(pa.int32(), pa.binary())


def blocks(handle: BinaryIO) -> Iterator[bytes]:
    """The file in blocks that end with a line, without a byte order mark."""
    rest, begun = b"", False
    while read := handle.read(BLOCK):
        if not begun:
            read, begun = read.removeprefix(b"\xef\xbb\xbf"), True
        end = read.rfind(b"\n") + 1
        if not end:
            rest += read
            continue
        yield rest + read[:end]
        rest = read[end:]
    if rest:
        yield rest


def from_delimited(
    table: str, name: str, parts: Iterator[bytes], delimiter: str, wanted: Mapping[str, Role]
) -> Iterator[Rows]:
    """Raises `DataGateError` without a header, and `MissingColumnError`."""
    kinds: Kinds = {}
    feed = CsvLines(_lines(next(parts, b"")), 1)
    header = csv_header(name, feed, delimiter)
    block, first = b"".join(feed.lines[feed.position :]), feed.position + 1
    while block := block or next(parts, b""):
        if _is_plain(block):
            yield from _plain_rows(table, name, block, first, (header, delimiter), wanted, kinds)
            count, rest = block.count(b"\n"), b""
        else:
            feed = CsvLines(_lines(block), first, lambda: _lines(next(parts, b"")))
            slow = csv_rows(feed, header, delimiter)
            while some := list(islice(slow, ROWS)):
                rows = converted(table, name, some, wanted, kinds)
                require_columns(name, rows.columns, wanted)
                yield rows
            count, rest = feed.position, b"".join(feed.lines[feed.position :])
        block, first = rest, first + count


def _lines(block: bytes) -> list[bytes]:
    return block.splitlines(keepends=True)


def _is_plain(block: bytes) -> bool:
    """Whether a line is a row, and nothing in it means anything but itself and the delimiter."""
    return b'"' not in block and b"\0" not in block and block.count(b"\r") == block.count(b"\r\n")


def _plain_rows(
    table: str, name: str, block: bytes, first: int, form: tuple[list[str], str], wanted: Mapping[str, Role], kinds: Kinds
) -> Iterator[Rows]:
    """The rows of a plain block whose first line is the line `first`; those that Arrow does not vouch for come last."""
    header, delimiter = form
    unseen = [column for column in header if kinds.get(column, set()) <= {"null"}]
    columns = [column for column in header if column in wanted or column in unseen]
    read, line_N, wrong_W = _parsed(block, first, form, columns, wanted)
    for column in unseen if read.num_rows else ():
        kinds.setdefault(column, set()).add("text" if read[column].null_count < read.num_rows else "null")
    require_columns(name, types_of(kinds), wanted)
    if not set(wanted) <= set(header):
        return
    odd_N, values = np.zeros(read.num_rows, bool), {}
    for column, role in wanted.items():
        values[column], odd_here_N = as_role(read[column].combine_chunks(), role)
        odd_N |= odd_here_N
    rows = Rows(table, name, types_of(kinds), values, line_N)
    if not odd_N.any() and not len(wrong_W):
        yield rows
        return
    lines = _lines(block)
    numbers = np.sort(np.concatenate([line_N[odd_N], wrong_W])).tolist()
    doubtful = [row for number in numbers for row in csv_rows(CsvLines([lines[number - first]], number), header, delimiter)]
    rest = converted(table, name, doubtful, wanted, kinds)
    keep = pa.array(~odd_N)
    rows.values = {column: array.filter(keep) for column, array in values.items()}
    rows.lines_N, rows.refused, rest.refused = line_N[~odd_N], rest.refused, []
    yield rows
    if len(rest.lines_N):
        yield rest


def _parsed(
    block: bytes, first: int, form: tuple[list[str], str], columns: list[str], wanted: Mapping[str, Role]
) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """The rows with as many fields as the header, and the numbers of their lines and of the lines with more or fewer."""
    header, delimiter = form
    wrong_W = np.arange(0)
    try:
        read = _parse(block, form, columns, wanted, pa.float64())
    except pa.ArrowInvalid:  # a line too short or too long, or a field that is no number
        line_N, wrong_W = _line_numbers(block, first, delimiter, len(header))
        if len(wrong_W):
            lines = _lines(block)
            block = b"".join(lines[at] for at in (line_N - first).tolist())
        read = _parse(block, form, columns, wanted, TEXT)
    if len(wrong_W):
        return read, line_N, wrong_W
    line_N = _line_numbers(block, first, delimiter, len(header))[0] if _has_blanks(block) else first + np.arange(read.num_rows)
    return read, line_N, wrong_W


def _parse(
    block: bytes, form: tuple[list[str], str], columns: list[str], wanted: Mapping[str, Role], number: pa.DataType
) -> pa.Table:
    types = {"text": TEXT, "date": TEXT, "number": number, "bytes": pa.binary(), "": pa.binary()}
    kinds = {column: types[wanted.get(column, "")] for column in columns}
    if not block.strip(b"\r\n"):
        return pa.table({column: pa.array([], kind) for column, kind in kinds.items()})
    return pa_csv.read_csv(
        pa.BufferReader(block),
        pa_csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=form[0]),
        pa_csv.ParseOptions(delimiter=form[1], quote_char=False),
        pa_csv.ConvertOptions(column_types=kinds, include_columns=columns, null_values=[""], strings_can_be_null=True),
    )


def as_role(values: pa.Array, role: Role) -> tuple[pa.Array, np.ndarray]:
    """A column in the type of its role, and the values that need a second look (N bool)."""
    if isinstance(values, pa.ChunkedArray):  # of no chunks
        values = pa.array([], values.type)
    if role == "bytes":
        return values.cast(pa.binary()), pc.is_valid(values).to_numpy(zero_copy_only=False)
    if not pa.types.is_dictionary(values.type):
        return values.cast(pa.float64()), np.zeros(len(values), bool)
    texts, broken_V = mend(values.dictionary)
    if role == "text":
        odd = pa.array(broken_V).take(values.indices)
        return pa.DictionaryArray.from_arrays(values.indices, texts), pc.fill_null(odd, False).to_numpy(zero_copy_only=False)
    read_V = texts_as_dates(texts) if role == "date" else pa.array([_number(text) for text in texts.to_pylist()], pa.float64())
    converted_N = read_V.take(values.indices)
    return converted_N, pc.and_(pc.is_valid(values), pc.is_null(converted_N)).to_numpy(zero_copy_only=False)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _has_blanks(block: bytes) -> bool:
    return block.startswith((b"\n", b"\r\n")) or b"\n\n" in block or b"\n\r\n" in block


def _line_numbers(block: bytes, first: int, delimiter: str, fields: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the lines with `fields` fields, and of the lines with another number of them; blank lines are neither."""
    bytes_B = np.frombuffer(block, np.uint8)
    end_L = np.flatnonzero(bytes_B == ord("\n"))
    if not block.endswith(b"\n"):
        end_L = np.append(end_L, len(block))
    start_L = np.concatenate([[0], end_L[:-1] + 1])
    length_L = end_L - start_L
    carriage_L = (length_L > 0) & (bytes_B[np.maximum(end_L - 1, 0)] == ord("\r"))
    before_L = np.searchsorted(np.flatnonzero(bytes_B == ord(delimiter)), np.append(start_L, len(block)))
    blank_L = length_L - carriage_L == 0
    right_L = np.diff(before_L) == fields - 1
    return first + np.flatnonzero(right_L & ~blank_L), first + np.flatnonzero(~right_L & ~blank_L)

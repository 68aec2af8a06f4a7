"""Text that is not UTF-8. Parquet promises UTF-8 and nobody checks it: broken bytes and lone surrogates would surface far
from where they came in."""

import numpy as np
import pyarrow as pa


def mend(texts: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """N texts with what is not UTF-8 escaped by backslashes, and which those are (N bool). Null stays null."""
    raw = texts.cast(pa.binary())
    try:
        return raw.cast(pa.string()), np.zeros(len(texts), bool)
    except pa.ArrowInvalid:
        values = raw.to_pylist()
    broken_N = np.array([value is not None and not _is_utf8(value) for value in values], bool)
    escaped = [value if value is None else value.decode("utf-8", "backslashreplace") for value in values]
    return pa.array(escaped, pa.string()), broken_N


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
        return True
    except UnicodeDecodeError:
        return False

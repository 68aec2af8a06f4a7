"""Names that mean several files: a folder with all below it, or a pattern; and columns that folders are named after.

in/links/                     every file of rows below the folder
in/links-2026-*.csv           *, ? and [a-z] as in a shell; ** for any folders
in/links/day=2026-11-21/*     a column `day` that is not in the files, as Hive and Spark write partitions
"""

from collections.abc import Mapping
from glob import escape, glob
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from kindex.core.errors import ConfigError, DataGateError
from kindex.core.quarantine import writable
from kindex.sources.parts.dates import seconds
from kindex.sources.parts.reading import suffix_of
from kindex.sources.parts.rows import ARROW, Role, Rows

NULL = "__HIVE_DEFAULT_PARTITION__"


def found(root: Path, name: str, setting: str) -> list[str] | None:
    """The files that `name` means now, ascending; None when it is the name of one file, there or not.

    Names that begin with . or _ are left out below a folder or pattern, and so is what has no suffix of a file of rows.
    Raises `ConfigError` naming the setting when nothing is left.
    """
    folder = (root / name).is_dir()
    if (root / name).is_file() or not (folder or any(sign in name for sign in "*?[")):
        return None
    pattern = f"{escape(name.rstrip('/'))}/**" if folder else f"{name}**" if name.endswith("/") else name
    plain = PurePosixPath(name if folder else name[: min(name.find(sign) for sign in "*?[" if sign in name)]).parts
    matching = glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207 - a Path's own takes no absolute pattern
    names = sorted({path for path in matching if _is_meant(root, path, len(plain))})
    if not names:
        raise ConfigError(f"source.{setting} names {name}, where no file of rows is. Edit params.yaml")
    for path in names:
        if writable(path) != path:
            raise DataGateError(f"{writable(path)} has a name that is not UTF-8. Rename it")
    return names


def _is_meant(root: Path, path: str, fixed: int) -> bool:
    if any(part.startswith((".", "_")) for part in PurePosixPath(path).parts[fixed:]) or not (root / path).is_file():
        return False
    try:
        return bool(suffix_of(path))
    except ConfigError:
        return False


def partition(name: str) -> dict[str, str | None]:
    """The columns that the folders of a file name, with their values."""
    pairs = (part.partition("=") for part in PurePosixPath(name).parts[:-1] if "=" in part)
    return {unquote(column): None if value == NULL else unquote(value) for column, _, value in pairs}


def filled(rows: Rows, columns: Mapping[str, str | None], wanted: Mapping[str, Role]) -> Rows:
    """`rows` with the columns of their folder, each of one value; one that does not convert is null."""
    for column, text in columns.items():
        rows.columns = {**rows.columns, column: "folder"}
        if column in wanted:
            role = wanted[column]
            value = _value(text, role)
            one = pa.array([] if value is None else [value], ARROW[role])  # Arrow unifies no dictionary with a null
            if role == "text":
                index = pa.array(np.zeros(len(rows.lines_N), np.int32), mask=np.full(len(rows.lines_N), text is None))
                rows.values[column] = pa.DictionaryArray.from_arrays(index, one)
            else:
                rows.values[column] = pa.repeat(pa.scalar(value, ARROW[role]), len(rows.lines_N))
    return rows


def _value(text: str | None, role: Role) -> str | float | bytes | None:
    if text is None or role == "text":
        return text
    try:
        return seconds(text) if role == "date" else float(text) if role == "number" else text.encode()
    except (ValueError, OverflowError):
        return None


def together(columns: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """One description of the columns of several files: which types a column has, and whether all of them have it."""
    names = sorted({column for of_file in columns.values() for column in of_file})
    described = {}
    for name in names:
        types = [of_file[name] for of_file in columns.values() if name in of_file]
        kinds = {kind for found in types for kind in found.split("|")} - {"null"} or {"null"}
        described[name] = "|".join(sorted(kinds)) + (" (not in all files)" if len(types) < len(columns) else "")
    return described

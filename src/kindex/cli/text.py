"""Text from data, shown so that it can neither move the cursor nor turn the line around; and plain aligned tables."""

import sys
import unicodedata
from collections.abc import Iterable, Sequence
from shutil import get_terminal_size

_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories without a shape of their own: controls, bidirectional and zero-width marks, lone surrogates."""


def printable(text: str | None, lines: bool = False) -> str:
    """`text` with each invisible character as its escape; `lines` lets line breaks through. None is empty.

    >>> printable("adam\\x1b[31m \\u202eevil")
    'adam\\\\x1b[31m \\\\u202eevil'
    """
    if not text or (text.isascii() and text.isprintable()):
        return text or ""
    return "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN and not (lines and c == "\n") else c for c in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def table(headers: Sequence[str], rows: Iterable[Sequence[str | None]]) -> None:
    """Print columns side by side, by the cells that a terminal gives each character. On a terminal the last column is cut
    at its edge; into a file or a pipe everything is written."""
    from rich.cells import cell_len, set_cell_size

    shown = [[printable(cell) for cell in row] for row in (headers, *rows)]
    widths = [max(cell_len(row[column]) for row in shown) for column in range(len(headers))]
    for row in shown:
        *firsts, last = row
        line = "".join(set_cell_size(cell, width) + "  " for cell, width in zip(firsts, widths))
        room = get_terminal_size().columns - cell_len(line)
        cut = sys.stdout.isatty() and 8 < room < cell_len(last)
        print((line + (set_cell_size(last, room - 1) + "…" if cut else last)).rstrip())

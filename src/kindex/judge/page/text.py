"""Text and numbers as a page may show them. Ids, names and descriptions come from data and are not to be trusted."""

import math
import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from markupsafe import Markup, escape

LONGEST = 300
"""Characters of one text that the page shows; what was cut is counted."""

# What a reader cannot see, or what changes how the text around it is shown: control characters, marks and overrides of
# direction, line separators, zero-width characters (but not the two joiners that scripts need), surrogates, tags.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufdd0-\ufdef\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
_IMAGE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/]+={0,2}")
_LARGEST_IMAGE = 200_000


def visible(text: str, longest: int = LONGEST) -> str:
    r"""`text` with what cannot be seen written as an escape, and with its length in place of what was cut.

    >>> visible("a\u202eb\x00")
    'a\\u202eb\\u0000'
    """
    shown = _UNSEEN.sub(lambda found: _escape(ord(found[0])), text[:longest])
    return shown if len(text) <= longest else f"{shown}… ({len(text):,} characters)"


def cleaned(value: Any) -> Any:
    """`value` (parsed JSON) with every text made `visible`; an `image` that is no data URI of a PNG or JPEG becomes None.

    Figures by kind of item may have a kind `image`, too: a mapping is no picture.
    """
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {
            visible(str(key)): _image(part) if key == "image" and not isinstance(part, Mapping) else cleaned(part)
            for key, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [cleaned(part) for part in value]
    return value


def number(value: Any) -> str:
    """A number for a table, to about three digits; whole numbers whole; "–" for what is not a finite number.

    >>> [number(x) for x in (0.41234, 0.0123, 1.0, 12.345, 1234.5, 12345, 3.1e-5, -0.5, None)]
    ['0.412', '0.0123', '1.000', '12.35', '1,234', '12,345', '3.1e−5', '−0.500', '–']
    """
    if not is_number(value):
        return "–"
    size = abs(value)
    if isinstance(value, int) or size == 0:
        shown = f"{int(size):,}"
    elif size < 0.001:
        digits, _, power = f"{size:.1e}".partition("e")
        shown = f"{digits}e−{abs(int(power))}"
    else:
        rough = float(f"{size:.3g}")
        decimals = next((n for limit, n in ((0.01, 5), (0.1, 4), (1.001, 3), (100, 2)) if rough < limit), 0)
        shown = f"{size:,.{decimals}f}"
    return f"−{shown}" if value < 0 else shown


def breakable(text: Any) -> Markup:
    """The text, escaped, which may be broken after a dot, a slash or an underscore: where names of modules and files part."""
    return Markup(re.sub(r"([._/])(?=\w)", r"\1<wbr>", str(escape(text))))


def interval(low: Any, high: Any) -> str:
    """`low to high`, or an empty text when either is missing."""
    return f"{number(low)} to {number(high)}" if is_number(low) and is_number(high) else ""


def is_number(value: object) -> TypeGuard[float]:
    """True for a finite int or float; a truth value is not a number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def words(name: str) -> str:
    """A metric's name as a person writes it.

    >>> words("link_recall_at_10")
    'link recall@10'
    """
    return re.sub(r" at (\d)", r"@\1", name.replace("_", " "))


def sentence(text: str) -> str:
    """`text` with a capital letter and a full stop.

    >>> sentence("share of held-out links")
    'Share of held-out links.'
    """
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if not text or text[-1] in ".!?…)" else ".")


def _image(part: Any) -> str | None:
    if isinstance(part, str) and len(part) <= _LARGEST_IMAGE and _IMAGE.fullmatch(part):
        return part
    return None


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"

"""Durations, moments and reasons as people say them."""

WIDE = 110
"""Characters of a reason in a table on a terminal; `--json` has all of it."""


def spell(seconds: float) -> str:
    """Seconds as people say them.

    >>> [spell(x) for x in (0.04, 8.25, 75, 3725)]
    ['0.0 s', '8.2 s', '1 min 15 s', '1 h 02 min']
    """
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def moment(text: str) -> str:
    """2026-11-22T02:00+00:00 → 2026-11-22 02:00 UTC."""
    return f"{text[:10]} {text[11:16]} UTC"


def first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""


def cut(text: str, longest: int = WIDE) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

"""Factory strings for `count` vectors of `dimensions` numbers: what `auto` takes, and what a budget tries.

Widths are rounded up to what faiss compares quickly: scalar codes to a multiple of 8 numbers (50 numbers as they are take
seven times as long), bits to 64, 4-bit product codes (André et al. 2015) to an even number. Padding with zeros keeps inner
products, and so does the random rotation that RaBitQ wants (Gao and Long 2024).
"""

import math

MANY = 200_000
"""Vectors from which `auto` keeps two bytes for each number instead of four: half the memory, and twice as fast where memory
is what a query waits for. One byte is slower, for its rounding asks for twice as many lists; see docs/indexes.md."""

FEW = 500
"""Vectors below which there is nothing to save: a budget looks at exact search and scalar codes only."""


def automatic(count: int, dimensions: int, exact_below: int, metric: str = "cosine") -> tuple[str, ...]:
    """In the order that `auto` tries them; exact search, which always does, is the last.

    Long vectors are everybody's neighbours by dot product, and they are in all lists: there, every code is looked at.
    """
    if count <= exact_below:
        return ("Flat",)
    scanned = f"{_padded(dimensions, 2)}{_product(dimensions)},RFlat"
    if metric == "dot":
        return (scanned, "Flat")
    lists = f"IVF{_lists(count)}"
    compressed = (f"{_padded(dimensions, 8)}{lists},SQfp16",) if count > MANY else ()
    return (*compressed, f"{lists},Flat", scanned, "Flat")


def swept(count: int, dimensions: int) -> tuple[str, ...]:
    """What a budget tries: cheap to build first. Only kinds whose cost can be predicted (`kindex.index.cost`)."""
    even, pad, turn = (_padded(dimensions, 2), _padded(dimensions, 8), _turned(dimensions))
    scalar = tuple(f"{pad}{code}" for code in ("SQ8", "SQfp16"))
    if count < FEW or dimensions < 4:
        return ("Flat", *scalar)
    product = _product(dimensions)
    lists = f"IVF{_lists(count)}"
    refined = tuple(f"Refine({pad}{code})" for code in ("SQ8", "SQfp16"))
    return (
        "Flat",
        *scalar,
        *(f"{even}{product},{last}" for last in (*refined, "RFlat")),
        *(f"{turn}RaBitQfs,{last}" for last in refined),
        f"{lists},Flat",
        *(f"{pad}{lists},{code}" for code in ("SQ8", "SQfp16")),
        *(f"{even}{lists},{product},{last}" for last in (*refined, "RFlat")),
        *(f"{turn}{lists},RaBitQ,{last}" for last in refined),
        f"{turn}{lists},RaBitQ4",
        "HNSW16",
        *(f"{pad}HNSW16,{code}" for code in ("SQ8", "SQfp16")),
    )


def _product(dimensions: int) -> str:
    return f"PQ{(dimensions + 1) // 2}x4fs"


def _lists(count: int) -> int:
    """About four times the square root, a power of two: finding the lists costs about as much as reading them."""
    return int(2 ** min(round(math.log2(4 * math.sqrt(count))), int(math.log2(count))))


def _padded(dimensions: int, multiple: int) -> str:
    wide = -(-dimensions // multiple) * multiple
    return f"Pad{wide}," if wide != dimensions else ""


def _turned(dimensions: int) -> str:
    return f"RR{-(-dimensions // 64) * 64},"

"""Nanoseconds of each step of a query; printed by `python -m benchmarks.index_prices`. See `kindex.index.cost`."""

CALL = 0.0
"""A search from Python, before anything is compared."""

TURN = 0.074
"""For each number of the matrix of a transform."""

PRICES: dict[str, tuple[float, float, float, float, float]] = {
    "Flat": (785.0, 0.0, 0.146, 0.105, 0.0),
    "HNSW-Flat": (0.0, 32.8, 0.267, 6.26, 0.0),
    "HNSW-SQ8": (0.0, 36.8, 0.261, 3.44, 0.0),
    "HNSW-SQfp16": (0.0, 43.2, 0.179, 4.06, 0.0),
    "IVF-Flat": (25.1, 0.0, 0.167, 1.02, 78.8),
    "IVF-PQ4fs": (261.0, 0.0, 0.0176, 0.6, 0.0),
    "IVF-RaBitQ1": (153.0, 8.33, 0.00956, 0.0, 34.2),
    "IVF-RaBitQ4": (0.0, 12.7, 0.0, 0.0, 293.0),
    "IVF-SQ8": (33.8, 0.0, 0.113, 0.588, 71.7),
    "IVF-SQfp16": (30.2, 0.0, 0.0902, 0.871, 75.3),
    "PQ4fs": (6350.0, 0.0, 0.00835, 0.186, 7.22),
    "RaBitQfs1": (6520.0, 2.93, 0.00642, 0.306, 64.8),
    "SQ8": (10500.0, 0.0, 0.0812, 0.614, 0.0),
    "SQfp16": (7350.0, 0.0, 0.0713, 0.276, 0.0),
    "lists": (3250.0, 0.34, 0.0596, 3.23, 39.4),
    "refine-Flat": (2150.0, 23.6, 0.0647, 21.2, 76.7),
    "refine-SQ8": (1940.0, 41.2, 0.0, 28.0, 44.4),
    "refine-SQfp16": (1770.0, 32.1, 0.0, 24.1, 32.7),
}
"""each, code, wide, far, kept."""

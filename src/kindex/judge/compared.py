"""The numbers that a candidate and the live release have together, which no report has: what each means, for people."""

import re

NUMBERS = {
    "neighbour_churn_at_10": "share of an item's 10 nearest that are not among its 10 nearest in the live release",
    "neighbour_churn_at_10_golden": "the same for the golden list; 1 for an item that is gone",
    "neighbour_churn_at_10_label": "the same for the label whose items changed most",
    "vectors_norm_drift": "change of the median length of the vectors, as a share",
    "index_p95_ratio": "predicted time of a slow query, as a multiple of live",
    "index_bytes_ratio": "bytes for each vector in the index, as a multiple of live",
    "drift_items_added": "new items, as a share of the live release's",
    "drift_items_removed": "items that are gone, as a share of the live release's",
    "drift_label_psi": "population stability index of the labels: below 0.1 stable, above 0.25 another population",
    "drift_rows": "change of the rows of the train table that changed most, as a share",
    "shadow_overlap_at_10": "share of the live release's answers that the candidate gives, asked as questions are",
    "shadow_errors": "stored queries that the candidate does not answer as it should",
    "shadow_index_gap": "what the index as it was written misses of the index recall that it says of itself",
}
"""By name; a threshold of the gate may ask for each."""

_FURTHER = re.compile(r"neighbour_churn_at_10_label_[a-z0-9_]+|drift_rows_(?:items|links|images|captions)")


def is_compared(name: str) -> bool:
    """Whether a comparison may have this number. Which labels there are is seen when there are items."""
    return name in NUMBERS or _FURTHER.fullmatch(name) is not None


def slug(label: str) -> str:
    """The label as it stands in the names of numbers; "" for one without a letter or digit of ASCII."""
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")

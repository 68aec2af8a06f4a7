"""Neighbour churn: how much the answers change between two releases, for whom, and who was lost and gained.

Only items that both spaces have are asked about and answered, so that additions and deletions do not count; exact search, so
that an index does not either. Turning or scaling a whole space changes nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kindex.core.nearest import nearest
from kindex.core.space import Space

LEAST_ASKED = 5
"""Items of a label that must have been asked about for the label to have a number."""

NAMED = 8
"""Items, beside the golden ones, whose lost and gained neighbours are named: those that changed most."""

Labels = Mapping[str, str | None]
"""Label by id."""


@dataclass(frozen=True)
class Churn:
    """Of one kind of item. `churn` is the mean over the sample (`asked` items), `labels` has (label, asked, churn), most
    churn first, `golden` (ids that live has, summed churn), `changes` what the page names."""

    kind: str
    churn: float
    asked: int = 0
    labels: tuple[tuple[str, int, float], ...] = ()
    golden: tuple[int, float] = (0, 0.0)
    changes: tuple[dict[str, Any], ...] = field(default=(), compare=False)


def neighbour_churn(live: Space, candidate: Space, k: int = 10, sample: int = 500) -> float:
    """Mean share, 0 to 1, of an item's `k` nearest that are not among its `k` nearest in the live space.

    The items asked about are chosen by a hash of their ids: the same ones night after night. With fewer than two shared ids
    nothing that users knew remains, and a vector that is not finite has no neighbours: 1.0.
    """
    return compare(live, candidate, {}, {}, k=k, sample=sample).churn


def compare(
    live: Space,
    candidate: Space,
    former_labels: Labels,
    labels: Labels,
    golden: Sequence[str] = (),
    *,
    k: int = 10,
    sample: int = 500,
) -> Churn:
    """Churn over all, by label (the candidate's) and for the golden ids, with the lost and gained neighbours by name."""
    known = [name for name in dict.fromkeys(golden) if name in live.rows]
    shared = sorted(live.rows.keys() & candidate.rows.keys())
    if len(shared) < 2 or not all(np.isfinite(space.vectors_ND).all() for space in (live, candidate)):
        return Churn(live.kind, 1.0, golden=(len(known), float(len(known))))
    row_of = {name: row for row, name in enumerate(shared)}
    order = sorted(range(len(shared)), key=lambda row: hashlib.blake2b(shared[row].encode(), digest_size=8).digest())
    sampled = sorted(order[:sample])
    asked_Q = np.array(sorted({*sampled, *(row_of[name] for name in known if name in row_of)}))
    former_QK, now_QK = (_neighbours(space, shared, asked_Q, k) for space in (live, candidate))
    kept_QK = (former_QK[:, :, None] == now_QK[:, None, :]).any(2)
    churn_Q = 1.0 - kept_QK.mean(1)
    in_sample_Q = np.isin(asked_Q, sampled)
    place = {shared[row]: number for number, row in enumerate(asked_Q)}
    lost = sum(float(churn_Q[place[name]]) if name in place else 1.0 for name in known)

    def told(number: int) -> dict[str, Any]:
        name = shared[asked_Q[number]]
        former, now = former_QK[number].tolist(), now_QK[number].tolist()
        return {
            "id": name,
            "label": labels.get(name),
            "golden": name in known,
            "churn": round(float(churn_Q[number]), 4),
            "lost": [_named(shared[row], former_labels) for row in former if row not in now],
            "gained": [_named(shared[row], labels) for row in now if row not in former],
        }

    golden_Q = [place[name] for name in known if name in place]
    others = sorted((n for n in range(len(asked_Q)) if n not in golden_Q), key=lambda n: (-churn_Q[n], shared[asked_Q[n]]))
    gone = [{**_named(name, former_labels), "golden": True, "gone": True} for name in known if name not in place]
    changes = [told(n) for n in (*golden_Q, *(n for n in others[:NAMED] if churn_Q[n] > 0))]
    by_label = _by_label([labels.get(shared[row]) for row in asked_Q[in_sample_Q]], churn_Q[in_sample_Q])
    mean = 1.0 - float(kept_QK[in_sample_Q].sum()) / kept_QK[in_sample_Q].size
    return Churn(live.kind, mean, int(in_sample_Q.sum()), by_label, (len(known), lost), (*gone, *changes))


def _named(name: str, labels: Labels) -> dict[str, str | None]:
    return {"id": name, "label": labels.get(name)}


def _by_label(labels: Sequence[str | None], churn_Q: np.ndarray) -> tuple[tuple[str, int, float], ...]:
    of_label: dict[str, list[float]] = {}
    for label, churn in zip(labels, churn_Q.tolist()):
        if label:
            of_label.setdefault(label, []).append(churn)
    found = [(label, len(some), sum(some) / len(some)) for label, some in of_label.items() if len(some) >= LEAST_ASKED]
    return tuple(sorted(found, key=lambda one: (-one[2], one[0])))


def _neighbours(space: Space, shared: list[str], queries: np.ndarray, k: int) -> np.ndarray:
    """Rows (Q, K) in `shared` of each query's nearest, without itself."""
    vectors_ND = space.search_ND[[space.rows[name] for name in shared]]
    return nearest(vectors_ND, vectors_ND[queries], k, queries)[1]

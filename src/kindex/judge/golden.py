"""The golden list: items of which somebody knows what their neighbours should be. The report always shows them, first."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kindex.core.hubs import Offsets
from kindex.core.space import CONTEXT, Space
from kindex.core.split import Split
from kindex.judge.evidence import examples
from kindex.judge.told import Told, told


def rows_of(spaces: Mapping[str, Space], main: str, golden: Sequence[str]) -> tuple[dict[str, list[int]], list[str]]:
    """Rows of the golden ids by kind, the main one first, in the order of the list; and the ids that no space has."""
    order = [main, *(kind for kind in sorted(spaces) if kind != main and not kind.endswith(CONTEXT))]
    rows: dict[str, list[int]] = {kind: [] for kind in order}
    unknown = []
    for name in dict.fromkeys(golden):
        kind = next((kind for kind in order if name in spaces[kind].rows), None)
        if kind is None:
            unknown.append(name)
        else:
            rows[kind].append(spaces[kind].rows[name])
    return rows, unknown


def golden_examples(
    split: Split,
    spaces: Mapping[str, Space],
    rows: Mapping[str, list[int]],
    about: Mapping[str, Told],
    images: Mapping[str, np.ndarray],
    offsets: Mapping[str, Offsets],
) -> list[dict[str, Any]]:
    """The golden items with their ten nearest, each marked `golden`; `about` has what is told of some kinds already."""
    found = []
    for kind, rows_K in rows.items():
        if rows_K:
            known = about.get(kind) or told(split, spaces[kind])
            found += examples(spaces[kind], rows_K, known, images, offsets.get(kind))
    return [{**example, "golden": True} for example in found]

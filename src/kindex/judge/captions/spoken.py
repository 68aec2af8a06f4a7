"""What the model says of held-out images, by beam search and greedily, beside the caption of the nearest train image."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from kindex.core.nearest import nearest
from kindex.core.watch import Watch
from kindex.judge.captions.bleu import ORDERS, Overlap, bleu, overlap, sentence_bleu
from kindex.judge.captions.cider import Cider
from kindex.judge.captions.material import Material
from kindex.judge.intervals import LEVEL, Interval, of_mean, resamples

BEAM, GREEDY, NEAREST = "", "greedy_", "nearest_"
"""Where a caption comes from, as the prefix of its numbers."""

TOGETHER = 64
"""Images that the model is shown at a time."""


class Scored(NamedTuple):
    """N texts, what BLEU is made of, and their CIDEr-D (N)."""

    texts: list[str]
    counted: Overlap
    cider_N: np.ndarray


@dataclass(frozen=True)
class Spoken:
    """`ids` of N images with their references, and what is said of them by origin."""

    ids: list[str]
    references: list[list[str]]
    by: dict[str, Scored]


def speak(material: Material, count: int, origins: Collection[str], watch: Watch) -> Spoken:
    """Caption the first `count` held-out images in each of these ways, and score what was said."""
    ids = list(material.heldout)[:count] if origins else []
    references = [material.heldout[name] for name in ids]
    words = [material.words(texts) for texts in references]
    texts = _nearest(material, ids) if NEAREST in origins else {}
    texts |= _generated(material, ids, [origin for origin in (BEAM, GREEDY) if origin in origins], watch)
    cider = Cider(words)
    by = {}
    for origin, said in texts.items():
        said_words = material.words(said)
        by[origin] = Scored(said, overlap(said_words, words), cider.scores(said_words))
    return Spoken(ids, references, by)


def judge_spoken(spoken: Spoken, *, bootstrap: int, seed: int) -> dict[str, Interval]:
    """`bleu_1` to `bleu_4` of the corpus and mean `cider`, of each origin under its prefix; images are drawn anew for the
    intervals, CIDEr's document frequencies stay."""
    counts_SN = resamples(len(spoken.ids), bootstrap, seed)
    found = {}
    for origin, scored in spoken.by.items():
        value_K, drawn_SK = bleu(scored.counted), bleu(scored.counted, counts_SN)
        for place in range(ORDERS):
            value = float(value_K[place])
            low, high = np.percentile(drawn_SK[:, place], LEVEL) if len(drawn_SK) else (value, value)
            found[f"{origin}bleu_{place + 1}"] = Interval(value, float(low), float(high))
        found[f"{origin}cider"] = of_mean(scored.cider_N, counts_SN)
    return found


def ordered(scored: Scored) -> list[int]:
    """Rows from the best to the worst caption: by CIDEr-D, equal ones by smoothed sentence BLEU, then as they lie."""
    return np.lexsort((np.arange(len(scored.texts)), -sentence_bleu(scored.counted), -scored.cider_N)).tolist()


def _generated(material: Material, ids: Sequence[str], origins: Sequence[str], watch: Watch) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {origin: [] for origin in origins}
    starts = range(0, len(ids) if origins else 0, TOGETHER)
    for start in watch.progress(starts, "caption", total=len(starts), unit="blocks"):
        seen = material.encoder.look([material.encoded[name] for name in ids[start : start + TOGETHER]])
        for origin in origins:
            found = material.encoder.captions(seen, width=1 if origin == GREEDY else None)
            said[origin] += [best[0].text if best else "" for best in found]
    return said


def _nearest(material: Material, ids: Sequence[str]) -> dict[str, list[str]]:
    """The first caption of the train image that lies nearest."""
    train = sorted(material.train)
    if not train or not ids:
        return {}
    _, rows_N1 = nearest(material.vectors(train), material.vectors(ids), 1)
    return {NEAREST: [material.train[train[row]][0] for row in rows_N1[:, 0].tolist()]}

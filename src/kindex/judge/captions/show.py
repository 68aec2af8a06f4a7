"""What a person looks at: captions from best to worst, words and their nearest, images found by a description."""

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from kindex.core.nearest import nearest
from kindex.judge.captions.bleu import sentence_bleu
from kindex.judge.captions.material import Material
from kindex.judge.captions.retrieval import Ranks
from kindex.judge.captions.spoken import BEAM, GREEDY, NEAREST, Spoken, ordered
from kindex.judge.captions.words import EVERYDAY, Question, answers, plain_nouns
from kindex.judge.maps import tsne_2d

LARGE, SMALL = 200, 96
"""Pixels of a side, at most, of a picture beside its captions and of one that was found."""

QUALITY = 80
HITS, NEAR = 5, 8
DIGITS = 4

MAPPED = 220
"""Words on their map: more would lie on one another."""


def captions(material: Material, spoken: Spoken, each: int) -> list[dict[str, Any]]:
    """The `each` best, middle and worst captions by beam search, each image once; [] when nothing was said."""
    if BEAM not in spoken.by or not spoken.ids:
        return []
    rows = ordered(spoken.by[BEAM])
    middle = max(0, len(rows) // 2 - each // 2)
    places = [("best", rows[:each]), ("median", rows[middle : middle + each]), ("worst", rows[::-1][:each])]
    bleu_N = sentence_bleu(spoken.by[BEAM].counted)
    found, shown = [], set()
    for place, chosen in places:
        for row in chosen:
            if row in shown:
                continue
            shown.add(row)
            by = {origin: scored.texts[row] for origin, scored in spoken.by.items()}
            found.append(
                {
                    "place": place,
                    "id": spoken.ids[row],
                    "image": picture(material, spoken.ids[row], LARGE),
                    "caption": by[BEAM],
                    "greedy": by.get(GREEDY),
                    "nearest": by.get(NEAREST),
                    "references": spoken.references[row],
                    "cider": _rounded(spoken.by[BEAM].cider_N[row]),
                    "sentence_bleu": _rounded(bleu_N[row]),
                }
            )
    return found


def words(material: Material, count: int, seed: int) -> dict[str, Any]:
    """Nearest words of frequent and of golden nouns, a question of each group of analogies with its answers, and a map."""
    space = material.word
    asked = plain_nouns(material.counts, space, 2 * count, material.golden)
    rows = np.array([space.rows[word] for word in asked], np.int64)
    similar = []
    if len(rows):
        scores_QK, rows_QK = nearest(space.unit_ND, space.unit_ND[rows], NEAR, rows)
        for word, scores_K, rows_K in zip(asked, scores_QK, rows_QK):
            hits = [{"word": space.ids[row], "score": _rounded(score)} for row, score in zip(rows_K, scores_K)]
            similar.append({"word": word, "hits": hits})
    analogies = []
    for group in EVERYDAY:
        for one, other in pairwise(group):
            question = Question(*one, *other)
            if set(question) <= space.rows.keys():
                by_sum, by_product = answers(space, question)
                analogies.append({"asked": list(question[:3]), "right": question.right, "sum": by_sum, "product": by_product})
                break
    return {"similar": similar, "analogies": analogies, "map": word_map(material, seed)}


def word_map(material: Material, seed: int) -> list[dict[str, Any]]:
    """The most frequent words with their places by t-SNE of their unit vectors, and how often captions use them."""
    space, counts = material.word, material.counts
    rows = sorted(range(len(space.ids)), key=lambda row: (-counts[space.ids[row]], space.ids[row]))[:MAPPED]
    placed_N2 = tsne_2d(space.unit_ND[rows], seed)
    if placed_N2 is None:
        return []
    return [
        {"word": space.ids[row], "at": [_rounded(place) for place in place_2], "count": counts[space.ids[row]]}
        for row, place_2 in zip(rows, placed_N2)
    ]


def searches(
    material: Material,
    queries: Sequence[tuple[str, str]],
    shown: Sequence[int],
    vectors: Mapping[str, np.ndarray],
    ranks: Mapping[str, Ranks],
) -> list[dict[str, Any]]:
    """What each description of `shown` finds, by the tower (`text`) and by `inversion`; `rank` is the right image's."""
    images = list(material.heldout)
    images_ND = material.vectors(images)
    found = []
    for place in shown:
        right, text = queries[place]
        ways: dict[str, Any] = {}
        for way, vectors_QD in vectors.items():
            if place < len(vectors_QD):
                scores_QK, rows_QK = nearest(images_ND, vectors_QD[place : place + 1], HITS)
                hits = [
                    {
                        "id": images[row],
                        "image": picture(material, images[row], SMALL),
                        "score": _rounded(score),
                        "right": images[row] == right,
                    }
                    for row, score in zip(rows_QK[0], scores_QK[0])
                ]
                ways[way] = {"rank": float(ranks[way].expected_Q[place]), "hits": hits}
        found.append({"caption": text, "id": right, "image": picture(material, right, SMALL), "of": len(images), "ways": ways})
    return found


def picture(material: Material, name: str, side: int) -> str:
    """A held-out image as a JPEG data URI, no side longer than `side`. Raises `DataGateError` when it does not decode."""
    from PIL import Image

    image = Image.fromarray(material.rgb(material.encoded[name]))
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return f"data:image/jpeg;base64,{b64encode(buffer.getvalue()).decode()}"


def _rounded(value: float) -> float:
    return round(float(value), DIGITS) + 0.0

"""One pure call: a captioner and what it has not seen go in; flat numbers and what to show come out."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from kindex.core.split import id_fractions
from kindex.core.watch import Silent, Watch
from kindex.judge.captions import show
from kindex.judge.captions.material import Material, Sizes
from kindex.judge.captions.neighbours import judge_neighbours, said
from kindex.judge.captions.retrieval import RECALL_AT, Ranks, chance, judge_retrieval, ranks
from kindex.judge.captions.spoken import BEAM, GREEDY, NEAREST, Spoken, judge_spoken, speak
from kindex.judge.captions.words import judge_words
from kindex.judge.intervals import Interval
from kindex.judge.measures import rounded

Record = Callable[[str, Sequence[str], np.ndarray], None]
"""Takes a metric, ids of images and a value of each."""

SPEECH = ("bleu_", "cider")
"""How the names of numbers begin that are of what is said, behind the prefix of the origin."""


def judge_captions(
    material: Material,
    *,
    bootstrap: int,
    seed: int,
    sizes: Sizes | None = None,
    beside: Mapping[str, Mapping[str, float]] | None = None,
    only: Collection[str] = (),
    watch: Watch | None = None,
    record: Record | None = None,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Judge what is said, found by a description, near, and what the words know; see `kindex.judge.measures` for the numbers.

    `only` names numbers: nothing else is computed or shown. `beside` has numbers of other tunings by their name, which join
    the report as `<name>_<number>`. What the data do not allow is left out. The second value holds `captions`, `words` and
    `search` for the page. `record`, if given, takes the value of each image, the mean over its captions. Raises what the
    encoder does.
    """
    drawn = {"bootstrap": bootstrap, "seed": seed}
    asked = _Asked(material, sizes or Sizes(), tuple(only), watch or Silent(), drawn, record)
    report = asked.numbers()
    if only:
        report = {name: value for name, value in report.items() if name.removesuffix("_low").removesuffix("_high") in only}
    for tuning, numbers in (beside or {}).items():
        report |= {f"{tuning}_{name}": value for name, value in numbers.items()}
    return rounded(report), {} if only else asked.shown()


@dataclass
class _Asked:
    """What was computed once and is used for numbers and for examples."""

    material: Material
    sizes: Sizes
    only: tuple[str, ...]
    watch: Watch
    bootstrap: dict[str, int]
    record: Record | None = None
    ranks: dict[str, Ranks] = field(default_factory=dict)
    vectors: dict[str, np.ndarray] = field(default_factory=dict)

    def wants(self, *begins: str) -> bool:
        return not self.only or any(name.startswith(begins) for name in self.only)

    def numbers(self) -> dict[str, float]:
        found: dict[str, float] = {}
        if self.spoken.ids:
            found |= _flat(judge_spoken(self.spoken, **self.bootstrap))
            found["captioned_images"] = len(self.spoken.ids)
        if self.wants("text_", "chance_text_", "inversion_"):
            found |= self._retrieval()
        if self.wants("caption_overlap", "raw_caption_overlap", "chance_caption_overlap"):
            found |= self._neighbours()
        if self.wants("inflection_", "number_", "analogy_"):
            found |= judge_words(self.material.word, self.material.counts, **self.bootstrap)
        return found

    @cached_property
    def spoken(self) -> Spoken:
        origins = [origin for origin in (BEAM, GREEDY, NEAREST) if self.wants(*(f"{origin}{name}" for name in SPEECH))]
        return speak(self.material, self.sizes.images, origins, self.watch)

    @cached_property
    def queries(self) -> list[tuple[str, str]]:
        """(image, caption) of held-out captions with a word that the model knows, in the order of a hash: a part of them is a
        fair sample of all, vague captions as well as telling ones."""
        told = self.material.heldout
        every = [(name, place, text) for name, texts in told.items() for place, text in enumerate(texts)]
        if not every:
            return []
        keys = pa.chunked_array([pa.array([f"{place} {name}" for name, place, _ in every])])
        order_N = np.argsort(id_fractions(keys, "queries"), kind="stable")
        known = (every[place] for place in order_N.tolist() if self.material.encoder.understood(every[place][2])[0])
        return [(name, text) for name, _, text in islice(known, self.sizes.queries)]

    def _retrieval(self) -> dict[str, float]:
        images = list(self.material.heldout)
        if not images or not self.queries:
            return {}
        encoder = self.material.encoder
        ways: tuple[tuple[str, int, Callable[[Sequence[str]], np.ndarray]], ...] = (
            ("text", len(self.queries), encoder.text_vectors),
            ("inversion", min(self.sizes.inverted, len(self.queries)), lambda texts: encoder.inverted(texts).vectors_QD),
        )
        found: dict[str, float] = {**chance(len(images), "chance_text")}
        images_ND = self.material.vectors(images)
        row = {name: place for place, name in enumerate(images)}
        for prefix, count, vectors in ways:
            if count and self.wants(f"{prefix}_"):
                right_Q = np.array([row[name] for name, _ in self.queries[:count]], np.int64)
                self.vectors[prefix] = np.asarray(vectors([text for _, text in self.queries[:count]]), np.float32)
                self.ranks[prefix] = ranks(self.vectors[prefix], images_ND, right_Q)
                found |= _flat(judge_retrieval(self.ranks[prefix], right_Q, prefix, **self.bootstrap))
                self._record(prefix, images, right_Q)
                found[f"{prefix}_queries"] = count
        return found

    def _record(self, prefix: str, images: Sequence[str], right_Q: np.ndarray) -> None:
        if self.record is None:
            return
        count_N = np.bincount(right_Q, minlength=len(images))
        asked = [images[row] for row in np.flatnonzero(count_N).tolist()]
        for k in RECALL_AT:
            sum_N = np.bincount(right_Q, self.ranks[prefix].among_first(k), len(images))
            self.record(f"{prefix}_recall_at_{k}", asked, sum_N[count_N > 0] / count_N[count_N > 0])

    def _neighbours(self) -> dict[str, float]:
        material = self.material
        asked, train = list(material.heldout)[: self.sizes.images], sorted(material.train)
        series = {"": lambda: (material.vectors(asked), material.vectors(train))}
        if all(name in material.thumbnails for name in (*asked, *train)):
            series["raw_"] = lambda: (_pixels(material, asked), _pixels(material, train))
        bags = [
            [{word for text in told[name] for word in material.tokens(text)} for name in ids]
            for told, ids in ((material.heldout, asked), (material.train, train))
        ]
        return _flat(judge_neighbours(said(*bags), series, **self.bootstrap))

    def _typical(self, count: int) -> list[int]:
        """Queries, of those answered in every way, that stand for the parts of all: from well found to badly."""
        both = min((len(vectors_QD) for vectors_QD in self.vectors.values()), default=0)
        if "text" not in self.ranks:
            return list(range(min(count, both)))
        order_Q = np.argsort(self.ranks["text"].expected_Q[:both], kind="stable")
        places = dict.fromkeys(int((part + 0.5) / count * both) for part in range(count)) if both else {}
        return [int(order_Q[place]) for place in places]

    def shown(self) -> dict[str, Any]:
        """`captions`, `words` and `search`, as `kindex.judge.page` takes them."""
        count = self.sizes.shown
        return {
            "captions": show.captions(self.material, self.spoken, max(1, count // 2)),
            "words": show.words(self.material, count, self.bootstrap["seed"]),
            "search": show.searches(self.material, self.queries, self._typical(count), self.vectors, self.ranks),
        }


def _pixels(material: Material, ids: Sequence[str]) -> np.ndarray:
    return np.stack([material.thumbnails[name] for name in ids]).reshape(len(ids), -1).astype(np.float32)


def _flat(numbers: Mapping[str, Interval]) -> dict[str, float]:
    return {entry: value for name, interval in numbers.items() for entry, value in interval.named(name).items()}

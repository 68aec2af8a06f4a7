"""Two tables of vectors, one for each end of a link; the dot product of two rows scores the link.

Fitted by a softmax over the right items for each left item (Covington, Adams & Sargin 2016; one denominator for all of an
item's links), estimated with negatives drawn by popularity and shared by a batch. A known link is never a negative. The
length of a right vector is free and comes to carry the item's popularity; neighbours of one kind are found by cosine.

Transductive: an item without train links has no vector. Link weights are not used.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pyarrow as pa
import torch

from kindex.core.catalogue import Catalogue
from kindex.core.errors import DamagedError
from kindex.core.files import pretty_json, read_json, write_atomic
from kindex.core.space import CONTEXT, Space
from kindex.core.split import heldout_links
from kindex.core.watch import Watch
from kindex.encoders.parts.adagrad import RowAdagrad
from kindex.encoders.parts.arrays import load_arrays, save_arrays
from kindex.encoders.parts.links import Links
from kindex.encoders.parts.loop import learn
from kindex.encoders.parts.losses import linked_softmax
from kindex.encoders.parts.recall import link_recall
from kindex.encoders.parts.sampling import PopularitySampler, known_cells
from kindex.encoders.parts.spectral import spectral
from kindex.encoders.parts.vocabulary import Vocabulary

NEEDS = ("links",)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of a pairs model."""

    dimensions: int = 50
    seed: int = 7
    threads: int = 1
    start: Literal["spectral", "random"] = "spectral"  # from the SVD of the links, or from small random vectors
    epochs: int = 40  # at most; the learning rate falls to 0 over them
    patience: int = 8  # epochs without a better validation before the fit stops
    validation_share: float = 0.02  # of the train links, set aside to stop early
    batch: int = 256  # left items
    negatives: int = 2048  # draws shared by a batch; as many as right items or more: the exact softmax
    popularity_power: float = 0.75  # negatives are drawn with probability ∝ links ** power
    learning_rate: float = 0.1
    weight_decay: float = 0.5  # pull of vectors to zero, times the root of a left item's mean number of links
    dropout: float = 0.2  # share of a left vector's numbers hidden in a step

    def __post_init__(self) -> None:
        for name in ("dimensions", "threads", "epochs", "patience", "batch", "negatives"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 1 or more")
        for name in ("validation_share", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 0 to below 1")


def fit(train: Catalogue, config: Config, *, rng: np.random.Generator, watch: Watch) -> "Encoder":
    """Learn both tables from the links of `train`. Raises `MetricGateError` when training diverges."""
    links = train.links
    left, left_P = Vocabulary.of(links["left_kind"], links["left"])
    right, right_P = Vocabulary.of(links["right_kind"], links["right"])
    hidden_P = _to_validate(links, left_P, right_P, config.validation_share)
    known = Links.of(left_P[~hidden_P], right_P[~hidden_P], len(left), len(right))
    hidden = Links.of(left_P[hidden_P], right_P[hidden_P], len(left), len(right))
    tables = _Tables(known, hidden, config, rng)
    learn(tables, epochs=config.epochs, patience=config.patience, rng=rng, watch=watch)
    return Encoder(left, right, tables.left_LD.numpy(), tables.right_RD.numpy())


class Encoder:
    """Two vocabularies and their vectors (L, D) and (R, D), float32."""

    def __init__(self, left: Vocabulary, right: Vocabulary, left_LD: np.ndarray, right_RD: np.ndarray) -> None:
        self.left, self.right, self.left_LD, self.right_RD = left, right, left_LD, right_RD

    def embed(self, catalogue: Catalogue) -> dict[str, Space]:
        """A space for each kind of item, ids ascending, all in one frame; items of the catalogue that train knew.

        A kind that stands at both ends has a space of its left vectors, and one of its right vectors named `<kind>-context`;
        see `kindex.core.space.link_spaces`.
        """
        present: dict[str, set[str]] = {}
        for name, kind in zip(catalogue.items["id"].to_pylist(), catalogue.items["kind"].to_pylist(), strict=True):
            present.setdefault(kind, set()).add(name)
        spaces = _spaces(self.left, self.left_LD, present, {})
        taken = {kind: f"{kind}{CONTEXT}" for kind in spaces}
        return spaces | _spaces(self.right, self.right_RD, present, taken)

    def save(self, folder: Path) -> None:
        save_arrays(folder / "encoder.safetensors", {"left": self.left_LD, "right": self.right_RD})
        about = {"family": "pairs", "left": self.left.ids, "right": self.right.ids}
        write_atomic(folder / "encoder.json", pretty_json(about))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Raises `DamagedError` naming a file that is missing or damaged."""
        arrays, about = load_arrays(folder / "encoder.safetensors"), read_json(folder / "encoder.json")
        try:
            left, right = (Vocabulary({k: tuple(ids) for k, ids in about[side].items()}) for side in ("left", "right"))
            vectors = arrays["left"], arrays["right"]
        except (KeyError, TypeError, AttributeError) as error:
            raise DamagedError(f"{folder} holds no pairs encoder: {error} is missing") from error
        if (len(left), len(right)) != (len(vectors[0]), len(vectors[1])):
            raise DamagedError(f"{folder / 'encoder.json'} has other items than encoder.safetensors has vectors")
        return cls(left, right, *vectors)


def _spaces(
    vocabulary: Vocabulary, vectors_VD: np.ndarray, present: dict[str, set[str]], names: dict[str, str]
) -> dict[str, Space]:
    spaces = {}
    for kind, span in vocabulary.spans().items():
        here = [row for row, name in enumerate(vocabulary.ids[kind]) if name in present.get(kind, ())]
        if not here:
            continue
        ids = tuple(vocabulary.ids[kind][row] for row in here)
        space = Space(names.get(kind, kind), ids, vectors_VD[span][here], "cosine", "pairs")
        spaces[space.kind] = space
    return spaces


class _Tables:
    """The two tables while they are learnt; see `kindex.encoders.parts.loop.Learner`."""

    def __init__(self, known: Links, hidden: Links, config: Config, rng: np.random.Generator) -> None:
        self.known, self.hidden, self.config = known, hidden, config
        self.left_LD, self.right_RD = _start(known, config, rng)
        self.left_optimiser, self.right_optimiser = RowAdagrad(self.left_LD), RowAdagrad(self.right_RD)
        self.sampler = PopularitySampler(known.right_degree_R, config.popularity_power, config.negatives)
        self.linked_L = np.flatnonzero(known.left_degree_L)
        self.decay = config.weight_decay * math.sqrt(len(known) / len(known.left_degree_L))
        judged = np.flatnonzero(hidden.left_degree_L)
        self.judged_N = judged[:: 1 + len(judged) // 4000]

    def epoch(self, remaining: float, rng: np.random.Generator) -> dict[str, float]:
        order_L = rng.permutation(self.linked_L)
        starts = range(0, len(order_L), self.config.batch)
        rate, total = self.config.learning_rate * remaining, 0.0
        for start in starts:
            total += self._step(order_L[start : start + self.config.batch], rate, 1 / len(starts), rng)
            if not math.isfinite(total):
                break
        return {"loss": total / len(self.known), "learning_rate": rate}

    def _step(self, left_B: np.ndarray, rate: float, share: float, rng: np.random.Generator) -> float:
        """One batch of left rows and all their links; `share` is the batch's part of the epoch."""
        place_P, right_P = self.known.of_rows(left_B)
        negatives = self.sampler.draw(rng)
        rows_C, at = np.unique(np.concatenate([right_P, negatives.rows_U]), return_inverse=True)
        at_P, at_U = torch.from_numpy(at[: len(right_P)]), torch.from_numpy(at[len(right_P) :])
        left_rows_B, right_rows_C, place = torch.from_numpy(left_B), torch.from_numpy(rows_C), torch.from_numpy(place_P)

        left_BD = self.left_LD[left_rows_B].requires_grad_()
        right_CD = self.right_RD[right_rows_C].requires_grad_()
        seen_BD = left_BD * torch.from_numpy(self._dropout(left_B, rng))
        positive_P = (seen_BD[place] * right_CD[at_P]).sum(1)
        known_B, known_U = (torch.from_numpy(cell) for cell in known_cells(negatives.rows_U, place_P, right_P))
        negative_BU = (seen_BD @ right_CD[at_U].T).index_put((known_B, known_U), torch.tensor(-torch.inf))
        loss = linked_softmax(positive_P, place, negative_BU, torch.from_numpy(negatives.log_weight_U))
        decay = self.decay * (left_BD.square().sum() + share * right_CD.square().sum())
        (loss + decay).backward()

        assert left_BD.grad is not None and right_CD.grad is not None
        self.left_optimiser.step(left_rows_B, left_BD.grad, rate)
        self.right_optimiser.step(right_rows_C, right_CD.grad, rate)
        return loss.item()

    def _dropout(self, left_B: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """0 for hidden numbers and 1 / (share kept) for the others, (B, D)."""
        kept = 1 - self.config.dropout
        return (rng.random((len(left_B), self.config.dimensions), np.float32) < kept).astype(np.float32) / np.float32(kept)

    def validate(self) -> float | None:
        if not len(self.judged_N):
            return None
        return link_recall(self.left_LD, self.right_RD, self.known, self.hidden, self.judged_N, 10)

    def model(self) -> dict[str, np.ndarray]:
        return {"left": self.left_LD.numpy(), "right": self.right_RD.numpy()}

    def memory(self) -> dict[str, np.ndarray]:
        return {
            "left_squares": self.left_optimiser.squares_V.numpy(),
            "right_squares": self.right_optimiser.squares_V.numpy(),
        }

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        for name, array in {**self.model(), **self.memory()}.items():
            if name in arrays:
                array[...] = arrays[name]


def _to_validate(links: pa.Table, left_P: np.ndarray, right_P: np.ndarray, share: float) -> np.ndarray:
    """Which links stop the fit early (P bool); each row of both tables keeps a link to learn from.

    In a graph of one kind an item stands in both tables: the link that anchors it may lead to it, and all those that lead
    from it be set aside.
    """
    hidden_P = heldout_links(links, share, "validation")
    for row_P in (left_P, right_P):
        hidden_P &= np.bincount(row_P[~hidden_P], minlength=row_P.max(initial=-1) + 1)[row_P] > 0
    return hidden_P


def _start(known: Links, config: Config, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Tables (L, D) and (R, D), float32."""
    if config.start == "random":
        shape = (len(known.left_degree_L) + known.n_right, config.dimensions)
        table_VD = torch.from_numpy(rng.standard_normal(shape, np.float32)) * (0.1 / math.sqrt(config.dimensions))
        return table_VD[: len(known.left_degree_L)].clone(), table_VD[len(known.left_degree_L) :].clone()
    left_LD, right_RD = spectral(known, config.dimensions, rng)
    # short vectors: the first steps of Adagrad set the lengths, the SVD gives the directions
    left, right = ((table * (0.3 / table.norm(dim=1).mean())).float().contiguous() for table in (left_LD, right_RD))
    return left, right

"""Settings of the family `pairs`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of a pairs model. What is null follows from the data: by a search on links set aside from train.

    `objective: auto` blends spectral, least squares and softmax, and needs no other setting; docs/families/pairs.md says
    when to choose another.
    """

    dimensions: int = 256
    seed: int = 7
    threads: int = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"  # auto: a GPU when there is one; bytes are promised on a CPU only
    objective: Literal["auto", "spectral", "least_squares", "softmax", "classification", "regression", "bpr"] = "auto"
    validation_share: float | None = None  # of the train links, set aside to choose by; null: a tenth of 4,000 left items'
    # which links count how much; all three act on every objective but classification, regression and bpr
    weight_power: float | None = None  # a link counts weight ** power, 0: all alike; null: chosen
    kind_weights: dict[str, float] | None = None  # what a link to each kind counts; null: chosen when there are several
    half_life_days: float | None = None  # a dated link counts half after so many days, 0: dates do not count; null: chosen
    # spectral
    left_power: float = 0.4  # of the left degree that divides a link
    popularity: float | None = None  # right vectors grow with degree ** popularity; null: chosen
    # least squares
    unobserved: float | None = None  # weight of a pair that is no link, beside 1 of a link; null: chosen
    regularisation: float | None = None  # λ of an item with the mean number of links; null: chosen
    iterations: int | None = None  # passes over both sides from the spectral start; null: 1 or 2
    # softmax, classification, regression, bpr
    start: Literal["spectral", "random"] = "spectral"
    epochs: int = 16  # at most; the learning rate falls to 0 over them
    patience: int = 6  # epochs without a better validation before the fit stops
    batch: int | None = None  # left items (softmax, null: 256) or links (the others, null: 2048)
    negatives: int | None = None  # softmax: draws shared by a batch, null: 2048; else: for each link, null: 2
    popularity_power: float | None = None  # negatives ∝ links ** power; null: 0.75 (softmax) or 0 (the others)
    learning_rate: float = 0.1
    weight_decay: float = 0.5  # pull of vectors to zero, times the root of a left item's mean number of links
    dropout: float = 0.2  # share of a left vector's numbers hidden in a step
    normalise: bool = False  # classification, regression: score by cosine, as the first book recommender did
    optimiser: Literal["adagrad", "adam"] = "adagrad"  # of classification, regression and bpr

    def __post_init__(self) -> None:
        for name in ("dimensions", "threads", "epochs", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 1 or more")
        for name in ("validation_share", "dropout"):
            if not 0 <= (getattr(self, name) or 0) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 0 to below 1")
        for name in ("learning_rate", "weight_decay", "left_power"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 0 or more")
        for name in (
            "weight_power",
            "half_life_days",
            "popularity",
            "unobserved",
            "regularisation",
            "popularity_power",
        ):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise ValueError(f"{name} is {value}, allowed: null, or 0 or more")
        for name in ("iterations", "negatives", "batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}, allowed: null, or 1 or more")
        for kind, weight in (self.kind_weights or {}).items():
            if not 0 <= weight < float("inf"):
                raise ValueError(f"kind_weights.{kind} is {weight}, allowed: 0 or more")

    @property
    def by_link(self) -> bool:
        """Whether the objective is a sum over links, each with negatives of its own."""
        return self.objective in ("classification", "regression", "bpr")

    @property
    def draws(self) -> int:
        """Negatives drawn for a batch by softmax, and for each link by the objectives by link."""
        return self.negatives or (2 if self.by_link else 2048)

    @property
    def batch_size(self) -> int:
        """Left items of a batch of softmax, and links of one of the objectives by link."""
        return self.batch or (2048 if self.by_link else 256)

    @property
    def sampling_power(self) -> float:
        """Negatives are drawn with probability ∝ links ** power."""
        return (0.0 if self.by_link else 0.75) if self.popularity_power is None else self.popularity_power

"""What each link counts: by its weight, its age and the kind that it leads to; given, or chosen by a small spectral model."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kindex.core.errors import ConfigError, choices
from kindex.core.scratch import Column, column, pieces
from kindex.encoders.pairs.config import Config
from kindex.encoders.pairs.observed import Observed
from kindex.encoders.pairs.search import MARGIN, Trials, best

WEIGHT_POWERS = (0.0, 0.25, 0.5)
KIND_WEIGHTS = (0.3, 3.0)
HALF_LIVES = (0.0, 0.5, 0.1)
"""In spans of time between the first link and the last."""
LIGHTEST, HEAVIEST = np.float32(1e-6), np.float32(1e6)
"""What a link counts at least and at most: one that counted nothing would leave its items without a vector, and squares of
what counts more would leave float32."""

Probe = Callable[[Column | None], float | None]
"""From what each link counts to how well a small model ranks the links set aside."""


def weigh(observed: Observed, config: Config, probe: Probe, trials: Trials) -> tuple[Column | None, dict[str, Any]]:
    """What each link counts (P float32; None: 1 for all), and the settings behind it.

    Raises `ConfigError` for a weight of a kind that there is not.
    """
    kinds = list(observed.right.ids)
    for kind in config.kind_weights or {}:
        if kind not in kinds:
            raise ConfigError(
                f"kind_weights names {kind!r}, which no link of train leads to: {choices(kind, kinds)}. Edit params.yaml"
            )
    now: dict[str, Any] = {
        "weight_power": config.weight_power or 0.0,
        "half_life_days": config.half_life_days or 0.0,
        "kind_weights": {kind: (config.kind_weights or {}).get(kind, 1.0) for kind in kinds},
    }

    def made(**changed: Any) -> float | None:
        return probe(strength(observed, **(now | changed)))

    def of_kind(**one: float) -> float | None:
        return made(kind_weights=now["kind_weights"] | one)

    if config.weight_power is None and observed.weight_P is not None:
        now |= best(trials, "weights", [{"weight_power": power} for power in WEIGHT_POWERS], made, MARGIN)
    if config.half_life_days is None and observed.time_P is not None:
        time_P = observed.time_P[:]
        span = (float(time_P.max()) - float(time_P.min())) / 86_400
        now |= best(trials, "dates", [{"half_life_days": round(part * span, 3)} for part in HALF_LIVES], made, MARGIN)
    if config.kind_weights is None and len(kinds) > 1:
        for kind in kinds:
            won = best(trials, "kinds", [{kind: factor} for factor in (1.0, *KIND_WEIGHTS)], of_kind, MARGIN)
            now["kind_weights"] = now["kind_weights"] | won
    counted_P = strength(observed, **now)
    return counted_P, now if len(kinds) > 1 else {name: value for name, value in now.items() if name != "kind_weights"}


def strength(
    observed: Observed, weight_power: float, half_life_days: float, kind_weights: Mapping[str, float]
) -> Column | None:
    """What each link counts: weight ** power · weight of its kind · 1/2 for each half life of age; None when 1 for all.

    Weights are first divided by their geometric mean, so that a power changes no more than the differences between links.
    """
    weight_P = observed.weight_P if weight_power else None
    time_P = observed.time_P if half_life_days else None
    weight_R = None
    if any(weight != 1 for weight in kind_weights.values()):
        weight_R = np.array([kind_weights.get(kind, 1.0) for kind in observed.right.ids])[observed.right_kind_R]
    if weight_P is None and time_P is None and weight_R is None:
        return None
    counted_P, even = column(len(observed), np.float32, observed.scratch), True
    parts = list(pieces(len(observed)))
    mean = 0.0 if weight_P is None else sum(float(_log(weight_P[part]).sum()) for part in parts) / len(observed)
    latest = 0.0 if time_P is None else float(max(time_P[part].max() for part in parts))
    for part in parts:
        log_B = np.zeros(part.stop - part.start)
        if weight_P is not None:
            log_B += weight_power * (_log(weight_P[part]) - mean)
        if time_P is not None:
            log_B -= math.log(2) * ((latest - time_P[part].astype(np.float64)) / (86_400 * half_life_days))
        counted_B = np.exp(np.clip(log_B, -100, 100))
        if weight_R is not None:
            counted_B *= weight_R[observed.right_P[part]]
        counted_B = counted_B.clip(LIGHTEST, HEAVIEST).astype(np.float32)
        counted_P[part] = counted_B
        even = even and bool((counted_B == 1).all())
    return None if even else counted_P


def _log(weight_B: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(weight_B, dtype=np.float64))

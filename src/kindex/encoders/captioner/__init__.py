"""One network, many uses: captions, similar words, similar images, and search by description.

An image encoder and a recurrent decoder that learn to caption images (Vinyals et al. 2015) leave four things behind: the
decoder itself; its table of words; image vectors that lie together when they are told of alike; and, by gradients back to
that vector, an idea of what a description looks like. A text tower is learnt beside them, for it searches better.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc

from kindex.core.catalogue import Catalogue
from kindex.core.errors import DataGateError
from kindex.core.space import unit
from kindex.core.split import id_fractions
from kindex.core.watch import Watch
from kindex.encoders.captioner import backbones
from kindex.encoders.captioner.backbones.backbone import Backbone
from kindex.encoders.captioner.config import Config
from kindex.encoders.captioner.encoder import Encoder
from kindex.encoders.captioner.fitting import Fitting, Told
from kindex.encoders.captioner.network import Network, begin, project, standardise
from kindex.encoders.captioner.pictures import Pictures, Pixels, fixed, pixels
from kindex.encoders.captioner.tokens import Vocabulary, tokens
from kindex.encoders.parts.loop import learn

__all__ = ["INDUCTIVE", "NEEDS", "Config", "Encoder", "fit", "rivals", "warm"]

NEEDS = ("images", "captions")
INDUCTIVE = True

WARM_SHARE = 4
"""A warm fit takes one of so many epochs."""


def fit(train: Catalogue, config: Config, *, rng: np.random.Generator, watch: Watch) -> Encoder:
    """Learn from the images of `train` that have captions.

    Raises `DataGateError` when there are none, when no word is frequent enough or an image does not decode, `ConfigError` for
    weights that are not there or not those named, `MetricGateError` when training diverges.
    """
    return _learnt(train, config, None, rng, watch)


def warm(start: Encoder, train: Catalogue, config: Config, *, rng: np.random.Generator, watch: Watch) -> Encoder:
    """The same from the backbone, network and words of `start`, in a quarter of the epochs: words that came since are unknown
    until a fit from nothing. Raises `DataGateError` when no image has a caption or one does not decode."""
    return _learnt(train, replace(config, epochs=-(-config.epochs // WARM_SHARE)), start, rng, watch)


def _learnt(train: Catalogue, config: Config, start: Encoder | None, rng: np.random.Generator, watch: Watch) -> Encoder:
    images = train.images.filter(pc.is_in(train.images["id"], train.captions["id"].combine_chunks()))
    if not images.num_rows:
        raise DataGateError("no image has a caption: a captioner learns from images that are told of")
    hidden_N = id_fractions(images["id"], "validation") < config.validation_share
    if hidden_N.all():
        hidden_N[:] = False
    told_N = _captions(train, images["id"].to_pylist())
    shown_N = np.flatnonzero(~hidden_N)
    if start:
        vocabulary, backbone, network = start.vocabulary, start.backbone, start.network
    else:
        vocabulary = Vocabulary.of((text for row in shown_N for text in told_N[row]), config.min_count, config.most_words)
        backbone = backbones.from_config(config, rng)
        network = Network(backbone.channels, len(vocabulary), config)
        begin(network, np.array(vocabulary.counts), rng)
    pictures = _pictures(backbone, images["image"].to_pylist(), network, shown_N, config, watch, begun=start is None)
    shown, hidden = (_numbered(told_N, rows, vocabulary) for rows in (shown_N, np.flatnonzero(hidden_N)))
    fitting = Fitting(network, pictures, shown, hidden, config)
    learn(fitting, epochs=config.epochs, patience=config.patience, rng=rng, watch=watch)
    encoder = Encoder(backbone, network, vocabulary, config, np.zeros((0, config.dimensions), np.float32))
    encoder.starts_SD = _starts(encoder.embed(train, watch)["image"].vectors_ND, config.starts)
    return encoder


def rivals(config: Config) -> dict[str, Config]:
    """The tunings that the report compares with, by name."""
    return {tuning: replace(config, tuning=tuning, compare=()) for tuning in config.compare if tuning != config.tuning}


def _captions(train: Catalogue, ids: list[str]) -> list[list[str]]:
    """The captions of each image, in their order."""
    by_id: dict[str, list[str]] = {name: [] for name in ids}
    for row in train.captions.sort_by([("id", "ascending"), ("place", "ascending")]).to_pylist():
        by_id.get(row["id"], []).append(row["caption"])
    return [by_id[name] for name in ids]


def _numbered(told_N: list[list[str]], rows: np.ndarray, vocabulary: Vocabulary) -> Told:
    """The captions of these rows as numbers; one without a word is left out."""
    pairs = [(row, words) for row in rows for text in told_N[row] if (words := vocabulary.encode(tokens(text)))]
    return Told([words for _, words in pairs], np.array([row for row, _ in pairs], np.int64))


def _pictures(
    backbone: Backbone,
    encoded: Sequence[bytes],
    network: Network,
    shown_N: np.ndarray,
    config: Config,
    watch: Watch,
    begun: bool,
) -> Pictures:
    """Features that are made once, or pixels for a backbone that is fitted, too. A network that is `begun` with takes mean and
    deviation of the features from them; one that was fitted keeps its own."""
    if config.backbone == "scratch":
        return Pixels(pixels(encoded, backbone.side, watch), backbone, config.attention)
    once = fixed(backbone, encoded, config, watch)
    if begun:
        features_NC = once.plain_NPC[shown_N].mean(1)
        standardise(network, features_NC)
        if config.tuning == "frozen":
            project(network, features_NC)
    if config.tuning == "fine_tuned":
        return Pixels(pixels(encoded, backbone.side, watch), backbone, config.attention)
    return once


def _starts(vectors_ND: np.ndarray, count: int) -> np.ndarray:
    """Where inversions begin (S, D), unit: the mean of the train images' vectors, then centres of clusters of them."""
    mean_1D = vectors_ND.mean(0, keepdims=True)
    centres_KD = vectors_ND[np.linspace(0, len(vectors_ND) - 1, count - 1).round().astype(int)] if count > 1 else mean_1D[:0]
    for _ in range(10 * (count > 1)):
        nearest_N = (vectors_ND @ unit(centres_KD).T).argmax(1)
        sums_KD = np.zeros_like(centres_KD)
        np.add.at(sums_KD, nearest_N, vectors_ND)
        centres_KD = np.where((sums_KD == 0).all(1, keepdims=True), centres_KD, sums_KD)
    return unit(np.concatenate((mean_1D, centres_KD)).astype(np.float32))

"""Other libraries, one thread each: `pip install -r benchmarks/requirements.txt`; one that is missing is left out.

Several good settings of each, best first on most data. Which is best is looked up on the held-out links themselves, which
flatters the peers: ours choose on a part of train. A peer's seconds begin with the links in the form it wants.
"""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.pairs.cases import Case
from benchmarks.pairs.contenders import Contender, Tables
from benchmarks.pairs.seed import SEED_EPOCHS, seed

Settings = list[dict[str, Any]]

ALS: Settings = [
    {"factors": 256, "alpha": 20, "regularization": 50, "iterations": 5},
    {"factors": 128, "alpha": 10, "regularization": 70, "iterations": 15},
    {"factors": 128, "alpha": 5, "regularization": 50, "iterations": 10},
    {"factors": 64, "alpha": 10, "regularization": 10, "iterations": 15},
    {"factors": 64},
]
BPR: Settings = [
    {"factors": 128, "learning_rate": 0.05, "regularization": 0.01, "iterations": 100},
    {"factors": 64, "learning_rate": 0.1, "regularization": 0.02, "iterations": 100},
]
LMF: Settings = [
    {"factors": 64, "regularization": 3.0, "neg_prop": 2, "iterations": 120},
    {"factors": 64, "regularization": 2.0, "neg_prop": 10, "iterations": 30},
]
WORD2VEC: Settings = [
    {"vector_size": 64, "window": 20, "negative": 5, "sample": 0, "ns_exponent": 0.0, "alpha": 0.05, "epochs": 5},
    {"vector_size": 64, "window": 50, "negative": 5, "sample": 0, "ns_exponent": 0.0, "alpha": 0.05, "epochs": 10},
    {"vector_size": 64, "window": 5, "negative": 5, "sample": 1e-4, "ns_exponent": 0.75, "epochs": 20},
]
SVD: Settings = [{"width": 256}, {"width": 128}, {"width": 64}]


def peers(seed_epochs: int) -> Iterator[Contender]:
    groups: list[tuple[str, str, Settings, Callable[..., Tables]]] = [
        ("implicit", "implicit ALS", ALS, alternating),
        ("implicit", "implicit BPR", BPR, bayesian),
        ("implicit", "implicit LMF", LMF, logistic),
        ("gensim", "gensim word2vec", WORD2VEC, skip_gram),
        ("sklearn", "scikit-learn SVD", SVD, truncated),
    ]
    for library, group, settings, run in groups:
        try:
            __import__(library)
        except ImportError as error:
            print(f"({group} left out: {error})", file=sys.stderr)
            continue
        for given in settings:
            name = f"{group}, " + ", ".join(f"{key} {value}" for key, value in given.items())
            yield Contender(group, name, partial(_with, run, given))
    for objective in ("classification", "regression"):
        run = partial(seed, classification=objective == "classification", epochs=seed_epochs)
        name = f"seed's network, 50, {objective}" + (f", after {seed_epochs} epochs" if seed_epochs < SEED_EPOCHS else "")
        yield Contender("seed's network", name, run, SEED_EPOCHS / seed_epochs)


def _with(run: Callable[..., Tables], given: dict[str, Any], case: Case) -> Tables:
    return run(case, **given)


def alternating(case: Case, **settings: Any) -> Tables:
    """Hu, Koren & Volinsky 2008, by conjugate gradients; `alpha` is what a link weighs beside 1 of any other pair."""
    from implicit.als import AlternatingLeastSquares

    return _fitted(AlternatingLeastSquares(random_state=0, num_threads=1, **settings), case)


def bayesian(case: Case, **settings: Any) -> Tables:
    """Rendle et al. 2009; the vectors carry the biases of right items."""
    from implicit.bpr import BayesianPersonalizedRanking

    return _fitted(BayesianPersonalizedRanking(random_state=0, num_threads=1, **settings), case)


def logistic(case: Case, **settings: Any) -> Tables:
    """Johnson 2014; the vectors carry the biases of both sides."""
    from implicit.lmf import LogisticMatrixFactorization

    return _fitted(LogisticMatrixFactorization(random_state=0, num_threads=1, **settings), case)


def _fitted(model: Any, case: Case) -> Tables:
    model.fit(case.train_LR, show_progress=False)
    return np.asarray(model.user_factors), np.asarray(model.item_factors)


def skip_gram(case: Case, **settings: Any) -> Tables:
    """Each left item's links in random order as a sentence; in·out: the mean in-vector of its links asks for out-vectors."""
    from gensim.models import Word2Vec

    rng = np.random.default_rng(0)
    start_L1, right_P = case.train_LR.indptr, case.train_LR.indices
    sentences = [rng.permutation(right_P[start:end]).tolist() for start, end in pairwise(start_L1)]
    model = Word2Vec(sentences, sg=1, hs=0, min_count=1, workers=1, seed=0, **settings)
    in_RD, out_RD = (np.zeros((case.train_LR.shape[1], model.vector_size), np.float32) for _ in range(2))
    in_RD[model.wv.index_to_key], out_RD[model.wv.index_to_key] = model.wv.vectors, model.syn1neg
    return case.train_LR @ in_RD / np.maximum(np.diff(start_L1), 1)[:, None], out_RD


def truncated(case: Case, width: int, power: float = 0.5) -> Tables:
    """Of the links divided by the roots of both degrees; popularity multiplied back as for the ideal low-pass filter."""
    from scipy.sparse import diags
    from sklearn.utils.extmath import randomized_svd

    left_L, right_R = (np.maximum(np.asarray(case.train_LR.sum(axis)).ravel(), 1) for axis in (1, 0))
    matrix = (diags(left_L**-power) @ case.train_LR @ diags(right_R**-power)).astype(np.float32)
    left_LD, values_D, right_DR = randomized_svd(matrix, width, random_state=0)
    return left_LD * values_D, right_DR.T * (right_R**power)[:, None]

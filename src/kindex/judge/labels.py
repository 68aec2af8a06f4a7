"""Do items of one label lie together? Neighbours, a linear probe and k-means, each beside the raw input."""

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from kindex.core.hubs import CORRECTIONS, asking, correct
from kindex.core.nearest import nearest
from kindex.core.space import unit
from kindex.judge.intervals import Interval, of_mean, of_statistic, resamples

K = 10
KMEANS_STARTS = 3
PROBE_STEPS = 200


@dataclass(frozen=True)
class Labelled:
    """Label codes of items (N int64, from 0) and which of them test what the others teach (N bool)."""

    labels_N: np.ndarray
    test_N: np.ndarray
    record: Callable[[str, np.ndarray], None] | None = None  # takes each series' value of each test item


def usable(labels_N: np.ndarray, order_N: np.ndarray, test_N: np.ndarray, limit: int) -> np.ndarray:
    """Rows to judge by: the first `limit` labelled ones in the order of `order_N`, whose label two of the others have.

    `labels_N` holds -1 for an item without a label. The probe and k-means cost little at some thousand items, and more
    would not move their figures.
    """
    rows = np.argsort(order_N, kind="stable")
    rows = rows[labels_N[rows] >= 0][:limit]
    taught = np.bincount(labels_N[rows][~test_N[rows]], minlength=labels_N.max(initial=0) + 1)
    return np.sort(rows[taught[labels_N[rows]] >= 2])


def judge_labels(
    series: Mapping[str, np.ndarray],
    labelled: Labelled,
    *,
    bootstrap: int,
    seed: int,
    corrections: Collection[str] = CORRECTIONS,
    fitted: bool = True,
) -> dict[str, Interval]:
    """Numbers by name for each series of vectors (N, D); its key is the prefix, e.g. "" and "raw_".

    Those of `judge_agreement`, named `neighbour_agreement_at_10`; `linear_probe_accuracy`: of logistic regression fitted on
    the train items, on the test items; `kmeans_nmi`: normalised mutual information of the labels with k-means, k being the
    number of labels, over all items; neither unless `fitted`. {} when fewer than two labels can be judged.
    """
    name = f"neighbour_agreement_at_{K}"
    found = judge_agreement(series, labelled, name, bootstrap=bootstrap, seed=seed, corrections=corrections)
    if not found:
        return {}
    found["neighbour_agreement_chance"] = found.pop(f"chance_neighbour_agreement_at_{K}")
    if not fitted:
        return found
    labels_N, test_N = np.unique(labelled.labels_N, return_inverse=True)[1], labelled.test_N
    counts_ST = resamples(int(test_N.sum()), bootstrap, seed)
    counts_SN = resamples(len(labels_N), bootstrap, seed)
    for prefix, vectors_ND in series.items():
        named_T = probe(vectors_ND, labels_N, test_N, seed)
        found[f"{prefix}linear_probe_accuracy"] = of_mean(named_T, counts_ST)
        if labelled.record:
            labelled.record(f"{prefix}linear_probe_accuracy", named_T)
        clusters_N = kmeans(unit(vectors_ND), labels_N.max() + 1, seed)
        found[f"{prefix}kmeans_nmi"] = of_statistic(partial(nmi, labels_N, clusters_N), counts_SN)
    return found


def judge_agreement(
    series: Mapping[str, np.ndarray],
    labelled: Labelled,
    name: str,
    *,
    bootstrap: int,
    seed: int,
    corrections: Collection[str] = CORRECTIONS,
) -> dict[str, Interval]:
    """`name`: share of a test item's ten nearest train items (cosine) with its label, of each series under its prefix.

    The first series, the model's, is also measured with the neighbours of each of the `corrections` for hubs; the prefix
    `chance_` is of neighbours taken at random. {} when fewer than two labels can be judged.
    """
    labels_N, test_N = np.unique(labelled.labels_N, return_inverse=True)[1], labelled.test_N
    if labels_N.max(initial=0) < 1 or not test_N.any() or len(np.unique(labels_N[~test_N])) < 2:
        return {}
    counts_ST = resamples(int(test_N.sum()), bootstrap, seed)
    share_L = np.bincount(labels_N[~test_N], minlength=labels_N.max() + 1) / (~test_N).sum()
    found = {f"chance_{name}": of_mean(share_L[labels_N[test_N]], counts_ST)}
    for place, (prefix, vectors_ND) in enumerate(series.items()):
        unit_ND = unit(vectors_ND)
        plain_T = neighbour_agreement(unit_ND, labels_N, test_N)
        found[f"{prefix}{name}"] = of_mean(plain_T, counts_ST)
        if labelled.record:
            labelled.record(f"{prefix}{name}", plain_T)
        for correction in corrections if place == 0 else ():
            agreement_T = neighbour_agreement(unit_ND, labels_N, test_N, correction)
            found[f"{correction}_{prefix}{name}"] = of_mean(agreement_T, counts_ST)
    return found


def neighbour_agreement(
    unit_ND: np.ndarray, labels_N: np.ndarray, test_N: np.ndarray, correction: str | None = None
) -> np.ndarray:
    """For each test item, the share of its `K` nearest train items that have its label (T float64)."""
    train_ND, asked_TD = unit_ND[~test_N], unit_ND[test_N]
    if correction:
        offsets = correct(correction, train_ND, np.arange(len(train_ND)))
        train_ND, asked_TD = offsets.lifted(train_ND), asking(asked_TD)
    _, rows_TK = nearest(train_ND, asked_TD, K)
    return (labels_N[~test_N][rows_TK] == labels_N[test_N][:, None]).mean(1)


def probe(vectors_ND: np.ndarray, labels_N: np.ndarray, test_N: np.ndarray, seed: int) -> np.ndarray:
    """Whether a linear classifier of the train items names each test item's label (T float64, 0 or 1).

    Columns are standardised by the train items. It stops after `PROBE_STEPS` steps of L-BFGS, the same for every series.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    train_ND = vectors_ND[~test_N]
    scale_D = train_ND.std(0)
    columns = scale_D > 1e-9 * max(1e-30, float(scale_D.max()))
    if not columns.any():  # a collapsed space says nothing: the most frequent label is the answer
        return (labels_N[test_N] == np.bincount(labels_N[~test_N]).argmax()).astype(np.float64)
    standard_ND = ((vectors_ND - train_ND.mean(0))[:, columns] / scale_D[columns]).astype(np.float64)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=PROBE_STEPS, tol=1e-3, random_state=seed)
        model.fit(standard_ND[~test_N], labels_N[~test_N])
    return (model.predict(standard_ND[test_N]) == labels_N[test_N]).astype(np.float64)


def kmeans(unit_ND: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """The cluster of each item (N int64), the best of `KMEANS_STARTS` starts."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct points than clusters
        model = KMeans(clusters, n_init=KMEANS_STARTS, random_state=seed)
        return model.fit_predict(np.ascontiguousarray(unit_ND, np.float32)).astype(np.int64)


def nmi(first_N: np.ndarray, second_N: np.ndarray, weights_N: np.ndarray) -> float:
    """Mutual information over the mean of the two entropies, 0 to 1 (Vinh, Epps and Bailey 2010), of weighted items."""
    width = int(second_N.max()) + 1
    joint_FS = np.bincount(first_N * width + second_N, weights_N, (int(first_N.max()) + 1) * width).reshape(-1, width)
    joint_FS = joint_FS / joint_FS.sum()
    parts = [_entropy(joint_FS.sum(1)), _entropy(joint_FS.sum(0))]
    if sum(parts) == 0:
        return 1.0
    return float(max(0.0, 2 * (sum(parts) - _entropy(joint_FS.ravel())) / sum(parts)))


def _entropy(share: np.ndarray) -> float:
    share = share[share > 0]
    return float(-(share * np.log(share)).sum())

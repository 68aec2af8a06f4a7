"""The seed: the first book recommender's network, two embeddings of 50 and their cosine, learnt by Adam over whole tables.

W. Koehrsen, *Building a recommendation system using neural network embeddings* (2018): batches of 1,024 links and twice as
many pairs drawn at random, 15 epochs; targets 1 and -1 by squared error, or a sigmoid over scaled cosines by cross-entropy.
"""

import numpy as np

from benchmarks.pairs.cases import Case

SEED_EPOCHS = 15
POSITIVE = 1024


def seed(case: Case, classification: bool, epochs: int, dimensions: int = 50) -> tuple[np.ndarray, np.ndarray]:
    import torch
    from torch.nn import functional

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    left, right = (torch.nn.Embedding(count, dimensions) for count in case.train_LR.shape)
    for table in (left, right):
        torch.nn.init.uniform_(table.weight, -0.05, 0.05)
    scale_2 = torch.nn.Parameter(torch.tensor([1.0, 0.0]))
    optimiser = torch.optim.Adam([left.weight, right.weight, scale_2])
    ends = case.train_LR.nonzero()
    known_P = np.sort(ends[0].astype(np.int64) * case.train_LR.shape[1] + ends[1])
    target_B = torch.cat([torch.ones(POSITIVE), torch.full((2 * POSITIVE,), 0.0 if classification else -1.0)])
    for _ in range(epochs * (len(known_P) // POSITIVE)):
        code_B = _batch(known_P, case.train_LR.shape, rng)
        left_B, right_B = (torch.from_numpy(part) for part in np.divmod(code_B, case.train_LR.shape[1]))
        cosine_B = functional.cosine_similarity(left(left_B), right(right_B))
        optimiser.zero_grad()
        if classification:
            loss = functional.binary_cross_entropy_with_logits(scale_2[0] * cosine_B + scale_2[1], target_B)
        else:
            loss = functional.mse_loss(cosine_B, target_B)
        loss.backward()
        optimiser.step()
    found = [functional.normalize(table.weight.detach()).numpy() for table in (left, right)]
    return found[0], found[1]


def _batch(known_P: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Codes left · R + right of links drawn at random, then of pairs that are no links."""
    drawn_B = rng.integers(0, shape[0] * shape[1], 3 * POSITIVE)
    at_B = np.minimum(np.searchsorted(known_P, drawn_B), len(known_P) - 1)
    free_B = drawn_B[known_P[at_B] != drawn_B][: 2 * POSITIVE]
    positive_B = rng.choice(known_P, POSITIVE)
    return np.concatenate([positive_B, np.resize(free_B, 2 * POSITIVE)])

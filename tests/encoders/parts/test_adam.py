"""Row-wise Adam against the one of torch, on an embedding with a sparse gradient."""

import numpy as np
import torch

from kindex.encoders.parts.adam import RowAdam


def test_it_is_the_sparse_adam_of_torch() -> None:
    rng = np.random.default_rng(0)
    start = torch.from_numpy(rng.standard_normal((8, 3)))
    table, theirs = start.clone(), torch.nn.Parameter(start.clone())
    ours, reference = RowAdam(table), torch.optim.SparseAdam([theirs], lr=0.1)
    for step in range(12):
        rows = torch.from_numpy(rng.permutation(8)[:4])
        gradient = torch.from_numpy(rng.standard_normal((4, 3)))
        rate = 0.1 / (1 + step)
        ours.step(rows, gradient, rate)
        reference.param_groups[0]["lr"] = rate
        theirs.grad = torch.sparse_coo_tensor(rows[None], gradient, (8, 3), check_invariants=True)
        reference.step()
    np.testing.assert_allclose(table.numpy(), theirs.detach().numpy(), rtol=1e-9)


def test_rows_without_a_gradient_rest() -> None:
    table = torch.ones(3, 2)
    optimiser = RowAdam(table)
    for _ in range(3):
        optimiser.step(torch.tensor([1]), torch.ones(1, 2), 0.5)
    assert (table[[0, 2]] == 1).all()
    assert (table[1] < 0).all()

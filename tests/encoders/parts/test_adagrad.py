"""Row-wise Adagrad against slow loops, and against torch's dense one where the two are the same."""

import math

import numpy as np
import torch

from kindex.encoders.parts.adagrad import RowAdagrad


def steps(dimensions: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(6):
        rows = torch.from_numpy(rng.permutation(8)[:4])
        made.append((rows, torch.from_numpy(rng.standard_normal((4, dimensions)))))
    return made


def test_it_is_the_formula() -> None:
    table = torch.from_numpy(np.random.default_rng(1).standard_normal((8, 3)))
    slow, squares = table.tolist(), [0.0] * 8
    optimiser = RowAdagrad(table)
    for rows, gradient in steps(3):
        optimiser.step(rows, gradient, 0.1)
        for row, numbers in zip(rows.tolist(), gradient.tolist()):
            squares[row] += sum(number**2 for number in numbers) / 3
            for d in range(3):
                slow[row][d] -= 0.1 * numbers[d] / (math.sqrt(squares[row]) + 1e-8)
    np.testing.assert_allclose(table.numpy(), slow, rtol=1e-9)


def test_with_one_dimension_it_is_torch_adagrad() -> None:
    start = torch.from_numpy(np.random.default_rng(1).standard_normal((8, 1)))
    table, dense = start.clone(), start.clone().requires_grad_()
    ours, theirs = RowAdagrad(table, epsilon=1e-10), torch.optim.Adagrad([dense], lr=0.1, eps=1e-10)
    for rows, gradient in steps(1):
        ours.step(rows, gradient, 0.1)
        dense.grad = torch.zeros_like(dense).index_copy(0, rows, gradient)
        theirs.step()
    np.testing.assert_allclose(table.numpy(), dense.detach().numpy(), rtol=1e-9)

"""Adam for tables of vectors of which a batch touches a few rows."""

import torch
from torch import Tensor


class RowAdam:
    """Adam (Kingma & Ba 2015) that moves the rows of a batch alone, as `torch.optim.SparseAdam` does.

    A row's moments do not decay while it rests, and the correction of their bias counts all steps. It is deterministic, for
    every row is written once.
    """

    def __init__(self, table_VD: Tensor, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8) -> None:
        self.table_VD = table_VD
        self.mean_VD, self.square_VD = torch.zeros_like(table_VD), torch.zeros_like(table_VD)
        self.steps_1 = torch.zeros(1, dtype=torch.int64)
        self.betas, self.epsilon = betas, epsilon

    def step(self, rows_U: Tensor, gradient_UD: Tensor, rate: float) -> None:
        """Change the rows in place. `rows_U` must be distinct, with one gradient each."""
        self.steps_1 += 1
        steps = int(self.steps_1)
        mean_UD = self.mean_VD[rows_U].lerp_(gradient_UD, 1 - self.betas[0])
        square_UD = self.square_VD[rows_U].lerp_(gradient_UD.square(), 1 - self.betas[1])
        self.mean_VD[rows_U], self.square_VD[rows_U] = mean_UD, square_UD
        rate *= (1 - self.betas[1] ** steps) ** 0.5 / (1 - self.betas[0] ** steps)
        self.table_VD[rows_U] -= rate * mean_UD / (square_UD.sqrt_() + self.epsilon)

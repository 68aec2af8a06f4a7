"""Row-wise Adagrad for tables of vectors of which a batch touches a few rows."""

from torch import Tensor


class RowAdagrad:
    """One accumulator for each row instead of each number (Duchi et al. 2011; row-wise as in Gupta et al. 2014).

    A row's step is rate · gradient / sqrt(sum over its steps of the mean squared gradient). Rows without a gradient are
    not touched, so a step costs the rows of the batch. It is deterministic, for every row is written once.
    """

    def __init__(self, table_VD: Tensor, epsilon: float = 1e-8) -> None:
        self.table_VD = table_VD
        self.squares_V = table_VD.new_zeros(len(table_VD))
        self.epsilon = epsilon

    def step(self, rows_U: Tensor, gradient_UD: Tensor, rate: float) -> None:
        """Change the rows in place. `rows_U` must be distinct, with one gradient each."""
        squares_U = self.squares_V[rows_U] + gradient_UD.square().mean(1)
        self.squares_V[rows_U] = squares_U
        self.table_VD[rows_U] -= rate * gradient_UD / (squares_U.sqrt() + self.epsilon)[:, None]

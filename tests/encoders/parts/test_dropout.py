"""Dropout's mask."""

import numpy as np

from kindex.encoders.parts.dropout import dropout_mask


def test_a_share_is_hidden_and_what_is_left_makes_up_for_it() -> None:
    mask = dropout_mask((200, 500), 0.2, np.random.default_rng(0))
    assert mask.dtype == np.float32 and mask.shape == (200, 500)
    assert np.unique(mask).tolist() == [0, np.float32(1.25)]
    assert abs(mask.mean() - 1) < 0.01  # five standard errors


def test_without_a_share_nothing_is_drawn() -> None:
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert dropout_mask((3, 4), 0.0, rng).tolist() == [[1]]
    assert rng.bit_generator.state == before

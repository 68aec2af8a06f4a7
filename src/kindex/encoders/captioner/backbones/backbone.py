"""What every backbone has beside its layers."""

from typing import Any

from torch import nn


class Backbone(nn.Module):
    """Images (B, 3, S, S) in 0..1 to a grid of features (B, C, h, w)."""

    channels: int  # C
    side: int  # S
    together: int  # images that pass at once when features are made

    def about(self) -> dict[str, Any]:
        """The JSON from which `backbones.build` makes it again, but for its weights."""
        raise NotImplementedError

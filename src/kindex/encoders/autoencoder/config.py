"""The settings of an autoencoder."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of an autoencoder."""

    dimensions: int = 16  # of the neck
    seed: int = 7
    threads: int = 1
    epochs: int = 60  # at most; the learning rate falls to 0 over them
    patience: int = 8  # epochs without a better validation before the fit stops
    validation_share: float = 0.1  # of the train images, set aside to stop early
    batch: int = 32
    channels: int = 16  # of the first convolution; they double with each halving of the image, up to four times
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        for name in ("dimensions", "threads", "epochs", "patience", "batch", "channels"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 1 or more")
        if not 0 <= self.validation_share < 1:
            raise ValueError(f"validation_share is {self.validation_share}, allowed: 0 to below 1")

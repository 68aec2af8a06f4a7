"""Settings of a captioner."""

from dataclasses import dataclass
from typing import Literal

_POSITIVE = (
    *("dimensions", "threads", "word_dimensions", "hidden", "epochs", "patience", "batch", "most_words", "longest"),
    *("beam_width", "starts", "steps", "min_count"),
)
_SHARES = ("label_smoothing", "dropout", "image_dropout", "validation_share")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of a captioner: the image encoder, the decoder, the text tower, and how they are fitted and asked."""

    dimensions: int = 300  # of the image vector
    seed: int = 7
    threads: int = 1
    backbone: Literal["scratch", "mobilenet_v2", "transformers"] = "scratch"  # the last two are pre-trained: give weights
    weights: str = ""  # path below the project: a file, or for transformers a folder
    weights_sha256: str = ""  # of that file, or of the folder's model.safetensors
    side: int = 0  # pixels of the square that an image is made to; 0: the backbone's own
    tuning: Literal["frozen", "head", "fine_tuned"] = "head"  # what of a pre-trained backbone is fitted, see `network`
    mirrored: bool = True  # images are shown mirrored, too
    cell: Literal["lstm", "gru"] = "lstm"
    attention: bool = False  # over the cells of the backbone's grid
    hidden: int = 512  # of the decoder and the text tower
    word_dimensions: int = 100
    min_count: int = 5  # rarer words are unknown
    most_words: int = 20_000
    longest: int = 24  # words of a caption; the rest is cut
    epochs: int = 12  # at most; the learning rate falls to 0 over them
    patience: int = 3  # epochs without a better validation before the fit stops
    validation_share: float = 0.05  # of the train images, set aside to stop early
    batch: int = 128  # captions
    learning_rate: float = 2e-3
    gradient_norm: float = 5.0  # longer gradients are cut to it
    label_smoothing: float = 0.1
    dropout: float = 0.5  # of words and of the state that speaks
    image_dropout: float = 0.3  # of an image's features
    contrast: float = 0.5  # weight of the text tower's loss beside the decoder's; 0 leaves the tower as it began
    beam_width: int = 3
    length_penalty: float = 1.0
    starts: int = 4  # image vectors that a description's gradients begin from
    steps: int = 40  # of them, at most
    compare: tuple[Literal["frozen", "head", "fine_tuned"], ...] = ()  # tunings fitted beside this one for the report

    def __post_init__(self) -> None:
        for name in _POSITIVE:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 1 or more")
        for name in _SHARES:
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 0 to below 1")
        for name in ("learning_rate", "gradient_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: above 0")
        for name in ("contrast", "length_penalty", "side"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} is {getattr(self, name)}, allowed: 0 or more")
        if (self.backbone == "scratch") != (not self.weights):
            raise ValueError(
                f"backbone is {self.backbone!r} and weights is {self.weights!r}: one from scratch takes none, others need them"
            )
        if self.backbone == "scratch" and self.tuning != "head":
            raise ValueError(f"tuning is {self.tuning!r}: a backbone from scratch is fitted as a whole, allowed: head")

"""Any vision network that the package `transformers` opens, from a folder of this machine: nothing is fetched.

The folder has `config.json`, `preprocessor_config.json` and `model.safetensors`, as `save_pretrained` writes them.
Convolutional networks (ResNet, ConvNeXt, MobileNet …) give a grid as it is; of transformers (ViT, DINO, the image side of CLIP
and SigLIP …) the tokens of patches are laid out as a grid, and the class and register tokens before them are dropped.
"""

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kindex.core.errors import ConfigError, DamagedError
from kindex.core.files import read_json
from kindex.encoders.captioner.backbones.backbone import Backbone

WEIGHTS = "model.safetensors"
"""The only form of weights that is read: the others can carry code."""

_OF_THE_FILE = ("transformers_version", "_name_or_path", "architectures", "dtype", "torch_dtype", "auto_map")


class Local(Backbone):
    """Images (B, 3, S, S) in 0..1 to a grid (B, C, h, w) of the network's last hidden state.

    network: its config.json; mean, deviation: of each colour, as in preprocessor_config.json; side: S.
    """

    together = 1  # an image alone, for the products of a transformer may round by the row of the batch

    def __init__(self, network: dict[str, Any], mean: list[float], deviation: list[float], side: int) -> None:
        super().__init__()
        package = _package()
        self.settings = {key: value for key, value in network.items() if key not in _OF_THE_FILE}
        self.mean, self.deviation, self.side = mean, deviation, side
        kind = {key: value for key, value in self.settings.items() if key != "model_type"}
        config = package.AutoConfig.for_model(self.settings["model_type"], **kind)
        self.network = package.AutoModel.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
        self.options: dict[str, Any] = {}
        if side != getattr(config, "image_size", side):
            self.options["interpolate_pos_encoding"] = True
        self.channels = self._tried()

    def forward(self, images_BCHW: Tensor) -> Tensor:
        mean, deviation = (images_BCHW.new_tensor(each)[:, None, None] for each in (self.mean, self.deviation))
        hidden = self.network(pixel_values=(images_BCHW - mean) / deviation, **self.options).last_hidden_state
        return hidden if hidden.ndim == 4 else self._laid_out(hidden)

    def train(self, mode: bool = True) -> "Local":
        """Fine-tuning leaves statistics of batches and dropout as they are in use, so that an image stands for itself."""
        super().train(mode)
        self.network.eval()
        return self

    def about(self) -> dict[str, Any]:
        """What `Local(**…)` needs, beside the name of the backbone."""
        image = {"mean": self.mean, "deviation": self.deviation, "side": self.side}
        return {"backbone": "transformers", "network": self.settings, **image}

    def _laid_out(self, tokens_BTC: Tensor) -> Tensor:
        """Tokens of patches, row by row, as a grid. Raises `ValueError` when their number makes no square."""
        batch, count, channels = tokens_BTC.shape
        patch = getattr(self.network.config, "patch_size", 0)
        wide = self.side // patch if isinstance(patch, int) and patch else 0
        if not 0 < wide * wide <= count <= wide * wide + 16:  # networks that merge patches: no token but the merged
            wide = math.isqrt(count)
            if wide * wide != count:
                raise ValueError(f"{count} tokens make no grid")
        return tokens_BTC[:, count - wide * wide :].transpose(1, 2).reshape(batch, channels, wide, wide)

    def _tried(self) -> int:
        """Channels of the grid of an empty image. Raises `ConfigError` naming the side that the network does not take."""
        try:
            with torch.no_grad():
                return self(torch.zeros(1, 3, self.side, self.side)).shape[1]
        except (ValueError, RuntimeError, TypeError, AttributeError) as error:
            kind = self.settings["model_type"]
            raise ConfigError(
                f"a network of the kind {kind} makes no grid of images with side {self.side}: {error}"
            ) from error


def read(folder: Path, side: int) -> Local:
    """The network of a folder with its weights; `side` 0: as its preprocessor_config.json says.

    Raises `ConfigError` for a folder of another form, or when `transformers` is not installed; `DamagedError` for files that
    cannot be read or lack weights.
    """
    package = _package()
    shown = _read(folder / "preprocessor_config.json")
    mean, deviation = ([1.0] * 3, [1.0] * 3)
    if shown.get("do_normalize", True):
        mean, deviation = (shown.get(f"image_{name}", [0.5] * 3) for name in ("mean", "std"))
    else:
        mean = [0.0] * 3
    try:
        whole = package.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        config = getattr(whole, "vision_config", whole)
        loaded, told = package.AutoModel.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # what transformers raises for a bad folder is of many kinds
        raise DamagedError(f"{folder} holds no network that transformers opens: {error}") from error
    # what is not in the file was drawn at random: only a head that is not used may be so
    absent = sorted(name for name in told["missing_keys"] if "pooler" not in name and "head" not in name)
    if absent or told.get("mismatched_keys"):
        raise DamagedError(f"{folder / WEIGHTS} lacks {', '.join(absent[:3]) or 'weights of the right shape'}")
    weights = loaded.state_dict()
    for name in told["missing_keys"]:
        weights[name].zero_()
    network = Local(json.loads(config.to_json_string()), list(mean), list(deviation), side or _side(shown, folder))
    network.network.load_state_dict(weights)
    return network


def _side(shown: dict[str, Any], folder: Path) -> int:
    """Of the square that the network was fitted to: the crop, else the size."""
    for size in (shown.get("crop_size") if shown.get("do_center_crop") else None, shown.get("size")):
        found = size if isinstance(size, int) else (size or {}).get("height") or (size or {}).get("shortest_edge")
        if found:
            return int(found)
    raise ConfigError(f"{folder / 'preprocessor_config.json'} tells no size of images: set side in params.yaml")


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(
            f"{path} is missing: weights must be a folder as save_pretrained writes it. Edit weights in params.yaml"
        )
    return read_json(path)


def _package() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise ConfigError("backbone: transformers needs the extra `vision`: pip install 'kindex[vision]'") from error
    transformers.logging.set_verbosity_error()  # it lists the weights that an image has no use for
    transformers.logging.disable_progress_bar()
    return transformers

"""Networks of the package `transformers`, tiny and random, from a folder: a grid, as the package itself computes it."""

import hashlib
import json

import numpy as np
import pytest
import torch

from kindex.core.errors import ConfigError, DamagedError
from kindex.encoders.captioner import backbones
from kindex.encoders.captioner.config import Config

transformers = pytest.importorskip("transformers", reason="the extra `vision` is not installed")

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
SEEN = {"image_size": 32, "patch_size": 8}
MEAN, DEVIATION = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
KINDS = {
    "resnet": lambda: transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    ),  # no token
    "vit": lambda: transformers.ViTConfig(**SMALL, **SEEN, intermediate_size=16),  # a class token
    "dinov2_with_registers": lambda: transformers.Dinov2WithRegistersConfig(**SMALL, **SEEN, mlp_ratio=1),  # five tokens
    "siglip_vision_model": lambda: transformers.SiglipVisionConfig(**SMALL, **SEEN, intermediate_size=16),  # none
    "clip": lambda: transformers.CLIPConfig(
        vision_config={**SMALL, **SEEN, "intermediate_size": 16},
        text_config={**SMALL, "intermediate_size": 16, "vocab_size": 50},
    ),  # the image side of two
}


def saved(folder, kind, **preprocessor):
    torch.manual_seed(0)
    network = transformers.AutoModel.from_config(KINDS[kind]()).eval()
    network.save_pretrained(folder)
    shown = {"image_mean": MEAN, "image_std": DEVIATION, "do_normalize": True, "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(shown | preprocessor))
    return network


def opened(folder, **more):
    sha256 = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    config = Config(backbone="transformers", weights=str(folder), weights_sha256=sha256, **more)
    return backbones.from_config(config, np.random.default_rng(0)).eval()


def images(side=32):
    return torch.from_numpy(np.random.default_rng(1).random((2, 3, side, side), np.float32))


@pytest.mark.parametrize("kind", KINDS)
def test_the_grid_is_what_the_package_computes(tmp_path, kind):
    whole = saved(tmp_path, kind)
    network = opened(tmp_path)
    given = (images() - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
    with torch.no_grad():
        grid_BCHW = network(images())
        expected = getattr(whole, "vision_model", whole)(pixel_values=given).last_hidden_state
    assert grid_BCHW.shape == (2, 16, 4, 4)
    assert (network.channels, network.side) == (16, 32)
    if expected.ndim == 3:  # the patch in row 1 and column 2 is the 7th of 16, the last tokens
        torch.testing.assert_close(grid_BCHW[:, :, 1, 2], expected[:, -16:][:, 6], atol=1e-5, rtol=1e-4)
    else:
        torch.testing.assert_close(grid_BCHW, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_built_again_without_the_folder(tmp_path, kind):
    saved(tmp_path, kind)
    network, twice = opened(tmp_path), opened(tmp_path)
    about = json.dumps(network.about())
    assert str(tmp_path) not in about
    again = backbones.build(json.loads(about)).eval()
    again.load_state_dict({name: torch.from_numpy(tensor.numpy().copy()) for name, tensor in network.state_dict().items()})
    with torch.no_grad():
        assert torch.equal(network(images()), again(images()))
    for name, tensor in network.state_dict().items():  # also of a pooler that the file lacks
        assert torch.equal(tensor, twice.state_dict()[name])


def test_a_transformer_takes_another_side_where_its_positions_can_be_stretched(tmp_path):
    saved(tmp_path, "vit")
    with torch.no_grad():
        assert opened(tmp_path, side=64)(images(64)).shape == (2, 16, 8, 8)
        assert opened(tmp_path, side=36)(images(36)).shape == (2, 16, 4, 4)


def test_a_network_that_is_not_for_images_is_refused(tmp_path):
    transformers.BertModel(transformers.BertConfig(**SMALL, intermediate_size=16, vocab_size=50)).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text('{"size": 32}')
    with pytest.raises(ConfigError, match="a network of the kind bert makes no grid of images with side 32"):
        opened(tmp_path)


def test_fine_tuning_leaves_the_statistics_of_batches(tmp_path):
    saved(tmp_path, "resnet")
    network = opened(tmp_path)
    before = {name: tensor.clone() for name, tensor in network.named_buffers()}
    network.train()
    network(images()).sum().backward()
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.named_buffers())


def test_a_folder_of_another_form_is_refused(tmp_path):
    saved(tmp_path, "resnet", size={})
    with pytest.raises(ConfigError, match="tells no size of images: set side"):
        opened(tmp_path)
    assert opened(tmp_path, side=40).side == 40
    (tmp_path / "config.json").write_text('{"model_type": "no_such"}')
    with pytest.raises(DamagedError, match="holds no network that transformers opens"):
        opened(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match=r"preprocessor_config\.json is missing"):
        opened(tmp_path)


def test_weights_that_lack_a_layer_are_damaged(tmp_path):
    from safetensors.torch import load_file, save_file

    saved(tmp_path, "resnet")
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop(next(name for name in weights if "stages.1" in name or "layers" in name))
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(DamagedError, match=r"model\.safetensors lacks "):
        opened(tmp_path)

"""MobileNetV2 is the table of the paper, computed by loops; every backbone can be built again from what it tells of itself."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kindex.core.errors import ConfigError, DamagedError
from kindex.encoders.captioner import backbones
from kindex.encoders.captioner.backbones.mobilenet import MobileNetV2, same
from kindex.encoders.captioner.config import Config
from tests.encoders.captioner.networks import STEM, TOP, WIDTHS, arrays, npz

STRIDES = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1]


def convolved(given_CHW, name, stride, bounded):
    """TensorFlow's SAME convolution by a loop over the answer's pixels, from the quantised numbers, in float64."""
    made = arrays()
    weight_OIKK = (made[f"{name}.weight_q"].astype(np.float64) - made[f"{name}.zero_point"]) * made[f"{name}.scale"]
    out, inside, kernel, _ = weight_OIKK.shape
    channels, size, _ = given_CHW.shape
    wide = -(-size // stride)
    before = max((wide - 1) * stride + kernel - size, 0) // 2
    padded = np.zeros((channels, size + 2 * kernel, size + 2 * kernel))
    padded[:, before : before + size, before : before + size] = given_CHW
    answer = np.zeros((out, wide, wide))
    for y in range(wide):
        for x in range(wide):
            seen = padded[:, y * stride : y * stride + kernel, x * stride : x * stride + kernel]
            if inside == channels:
                answer[:, y, x] = (weight_OIKK * seen).sum((1, 2, 3))
            else:  # depthwise
                answer[:, y, x] = (weight_OIKK[:, 0] * seen).sum((1, 2))
    answer += made[f"{name}.bias"][:, None, None]
    return answer.clip(0, 6) if bounded else answer


def by_loops(image_3SS):
    grid = convolved(image_3SS * 2.0 - 1, "Conv", 2, True)
    for place, stride in enumerate(STRIDES):
        name, given = f"expanded_conv_{place}", grid
        if place:
            grid = convolved(grid, f"{name}.expand", 1, True)
        grid = convolved(convolved(grid, f"{name}.depthwise", stride, True), f"{name}.project", 1, False)
        if grid.shape == given.shape and stride == 1:
            grid = grid + given
    return convolved(grid, "Conv_1", 1, True)


def settings(path, **more):
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return Config(**({"backbone": "mobilenet_v2", "weights": str(path), "weights_sha256": sha256} | more))


def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("side", [32, 45])  # an odd number pads both edges, an even one the last alone
def test_mobilenet_is_the_network_of_the_paper(tmp_path, side):
    network = backbones.from_config(settings(npz(tmp_path / "w.npz"), side=side), rng()).eval()
    image_B3SS = rng().random((2, 3, side, side), np.float32)
    with torch.no_grad():
        grid_BCHW = network(torch.from_numpy(image_B3SS)).numpy()
    assert grid_BCHW.shape == (2, TOP, -(-side // 32), -(-side // 32))
    expected = by_loops(image_B3SS[1].astype(np.float64))
    assert np.abs(expected - by_loops(image_B3SS[0].astype(np.float64))).max() > 0.5  # what is seen matters
    np.testing.assert_allclose(grid_BCHW[1], expected, atol=2e-4)


def test_an_image_is_seen_alike_in_any_batch_and_with_or_without_gradients(tmp_path):
    network = backbones.from_config(settings(npz(tmp_path / "w.npz"), side=64), rng()).eval()
    image_B3SS = torch.from_numpy(rng().random((20, 3, 64, 64), np.float32))
    whole = network(image_B3SS)
    with torch.no_grad():
        assert torch.equal(network(image_B3SS[7:8])[0], whole[7])
        assert torch.equal(network(image_B3SS[4:8])[3], whole[7])
    whole.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@pytest.mark.parametrize(("size", "stride", "padding"), [(8, 2, (0, 1)), (7, 2, (1, 1)), (8, 1, (1, 1)), (1, 2, (1, 1))])
def test_same_padding_of_a_kernel_of_three(size, stride, padding):
    assert same(size, 3, stride) == padding


def test_published_widths_have_1280_channels_and_the_papers_number_of_weights():
    table = [(1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1)]
    blocks, given = [], 32
    for factor, channels, times in table:
        for _ in range(times):
            blocks.append([given * factor, channels])
            given = channels
    network = MobileNetV2(32, blocks, 1280)
    assert (network.channels, network.side) == (1280, 224)
    weights = sum(parameter.numel() for name, parameter in network.named_parameters() if name.endswith("weight"))
    assert weights == 2_189_760  # 3.4 M of the paper less the classifier; its batch norms are folded into the biases


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"Conv_1__bias": None}, "has no array 'Conv_1.bias'"),
        ({"expanded_conv_4__expand__weight_q": None}, "has no array 'expanded_conv_4.expand.weight_q'"),
        ({"expanded_conv_4__expand__weight_q": np.zeros((16, 9, 1, 1), np.uint8)}, r"expanded_conv_4.expand has a weight"),
        ({"Conv__scale": np.float32(np.nan)}, "Conv has numbers that are not finite"),
        ({"Conv__scale": np.array([1.0, 2.0])}, "holds no MobileNetV2"),
        ({"Conv__bias": np.array([{}], dtype=object)}, "holds no MobileNetV2"),
    ],
)
def test_a_file_without_the_right_arrays_is_damaged(tmp_path, changed, message):
    with pytest.raises(DamagedError, match=message):
        backbones.from_config(settings(npz(tmp_path / "w.npz", **changed)), rng())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 nothing", b"\x93NUMPY"])
def test_a_file_that_is_no_npz_is_damaged(tmp_path, content):
    path = tmp_path / "w.npz"
    path.write_bytes(content)
    with pytest.raises(DamagedError, match=r"w\.npz holds no MobileNetV2"):
        backbones.from_config(settings(path), rng())


def test_weights_that_are_absent_or_others_are_a_matter_of_settings(tmp_path):
    path = npz(tmp_path / "w.npz")
    with pytest.raises(ConfigError, match=r"weights is .*gone\.npz.* does not exist"):
        backbones.from_config(settings(tmp_path / "gone.npz"), rng())
    with pytest.raises(ConfigError, match=r"weights_sha256 is empty, but .* has [0-9a-f]{64}"):
        backbones.from_config(settings(path, weights_sha256=""), rng())
    with pytest.raises(ConfigError, match="weights_sha256 is '00', but"):
        backbones.from_config(settings(path, weights_sha256="00"), rng())
    with pytest.raises(ConfigError, match=r"weights is .*, but .*model\.safetensors is not a file"):
        backbones.from_config(settings(tmp_path, backbone="transformers"), rng())
    with pytest.raises(ConfigError, match=r"side is 8, allowed: 0 .* or 32 and more"):
        backbones.from_config(settings(path, side=8), rng())


def test_weights_lie_below_the_project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").touch()
    (tmp_path / "elsewhere").mkdir()
    npz(tmp_path / "w.npz")
    monkeypatch.setenv("KINDEX_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path / "elsewhere")
    sha256 = hashlib.sha256(Path("../w.npz").read_bytes()).hexdigest()
    assert backbones.from_config(settings(Path("w.npz"), weights_sha256=sha256), rng()).channels == TOP


@pytest.mark.parametrize("backbone", ["scratch", "mobilenet_v2"])
def test_a_backbone_is_built_again_without_its_file(tmp_path, backbone):
    config = Config(side=40) if backbone == "scratch" else settings(npz(tmp_path / "w.npz"), side=40)
    network = backbones.from_config(config, rng()).eval()
    again = backbones.build(json.loads(json.dumps(network.about()))).eval()
    again.load_state_dict({name: torch.from_numpy(tensor.numpy().copy()) for name, tensor in network.state_dict().items()})
    image_B3SS = torch.from_numpy(rng().random((3, 3, 40, 40), np.float32))
    assert torch.equal(network(image_B3SS), again(image_B3SS))
    assert (again.side, again.channels) == (40, network.channels)


def test_nothing_is_built_of_what_tells_of_no_backbone():
    with pytest.raises(DamagedError, match=r"backbone is 'scratc': did you mean scratch\?"):
        backbones.build({"backbone": "scratc"})
    with pytest.raises(DamagedError, match="no backbone scratch can be built"):
        backbones.build({"backbone": "scratch", "width": "many"})
    with pytest.raises(DamagedError, match="no backbone mobilenet_v2 can be built"):
        backbones.build({"backbone": "mobilenet_v2", "stem": STEM, "blocks": WIDTHS[:3], "channels": TOP})


def test_scratch_comes_of_the_generator_alone_and_sees_images_one_by_one():
    first, second = (backbones.from_config(Config(), rng()).eval() for _ in range(2))
    other = backbones.from_config(Config(), np.random.default_rng(4)).eval()
    image_B3SS = torch.from_numpy(rng().random((5, 3, 48, 48), np.float32))
    with torch.no_grad():
        grid_BCHW = first(image_B3SS)
        assert grid_BCHW.shape == (5, 256, 6, 6)
        largest_BC11 = grid_BCHW[:, :128].amax((2, 3), keepdim=True)
        assert torch.equal(grid_BCHW[:, 128:], largest_BC11.expand(-1, -1, 6, 6))
        assert torch.equal(grid_BCHW, second(image_B3SS))
        assert not torch.allclose(grid_BCHW, other(image_B3SS))
        torch.testing.assert_close(first(image_B3SS[2:3])[0], grid_BCHW[2], atol=1e-5, rtol=1e-5)
        first.train()
        assert torch.equal(first(image_B3SS), grid_BCHW)


def test_scratch_learns_the_colour_of_a_small_square():
    draw = rng()
    place_N2, colour_N = draw.integers(0, 4, (96, 2)), draw.integers(0, 3, 96)
    image_N3SS = draw.random((96, 3, 32, 32), np.float32) * 0.3
    for image_3SS, (y, x), colour in zip(image_N3SS, place_N2, colour_N, strict=True):
        image_3SS[colour, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8] += 0.7
    given, told = torch.from_numpy(image_N3SS), torch.from_numpy(colour_N)
    network = backbones.from_config(Config(side=32), rng())
    torch.manual_seed(0)
    head = torch.nn.Linear(network.channels, 3)
    optimiser = torch.optim.Adam([*network.parameters(), *head.parameters()], 1e-3)
    for step in range(24):
        part = slice(16 * (step % 4), 16 * (step % 4) + 16)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(head(network(given[part]).mean((2, 3))), told[part]).backward()
        optimiser.step()
    with torch.no_grad():
        right = (head(network(given[64:]).mean((2, 3))).argmax(1) == told[64:]).float().mean()
    assert right > 0.9


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install 'kindex\[vision\]'"):
        backbones.build({"backbone": "transformers", "network": {}, "mean": [], "deviation": [], "side": 32})

"""The SE block against independent computations of it."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.ops import SqueezeExcitation

from senet_edu import SEBlock

GATES = {
    "sigmoid": torch.sigmoid,
    "hardsigmoid": lambda a: ((a + 3) / 6).clamp(0, 1),
    "tanh": torch.tanh,
    "relu": lambda a: a.clamp(min=0),
    "softmax": lambda a: a.exp() / a.exp().sum(1, keepdim=True),
}


def numpy_se(x, w1, w2):
    z = x.mean(axis=(2, 3))
    hidden = np.maximum(z @ w1.T, 0)
    s = 1 / (1 + np.exp(-hidden @ w2.T))
    return x * s[:, :, None, None]


def test_equals_numpy():
    torch.manual_seed(0)
    block = SEBlock(24, 4).double()
    x = torch.randn(3, 24, 5, 7, dtype=torch.float64)
    w1, w2 = block.fc1.weight.detach().numpy(), block.fc2.weight.detach().numpy()
    assert w1.shape == (6, 24) and w2.shape == (24, 6)
    np.testing.assert_allclose(block(x).detach().numpy(), numpy_se(x.numpy(), w1, w2), rtol=0, atol=1e-14)


def test_equals_torchvision():
    torch.manual_seed(0)
    ours, theirs = SEBlock(32, 8, bias=True).double(), SqueezeExcitation(32, 4).double()
    weights = {name: w.flatten(1) if w.ndim == 4 else w for name, w in theirs.state_dict().items()}
    ours.load_state_dict(weights)  # strict: the same names
    x = torch.randn(2, 32, 6, 6, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=1e-14)


@pytest.mark.parametrize("gate", GATES)
@pytest.mark.parametrize("squeeze", ["avg", "max"])
def test_squeezes_and_gates(squeeze, gate):
    torch.manual_seed(0)
    block = SEBlock(12, 3, squeeze=squeeze, gate=gate)
    x = torch.randn(2, 12, 4, 5)
    z = torch.stack([torch.stack([m.mean() if squeeze == "avg" else m.max() for m in image]) for image in x])
    s = GATES[gate]((z @ block.fc1.weight.T).clamp(min=0) @ block.fc2.weight.T)
    torch.testing.assert_close(block.squeeze(x), z)
    torch.testing.assert_close(block.excite(z), s)
    torch.testing.assert_close(block(x), torch.einsum("nchw,nc->nchw", x, s))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_squeeze_in_other_precisions(dtype):
    torch.manual_seed(0)
    x = (1000 + 100 * torch.rand(2, 8, 32, 32)).to(dtype)  # half precision cannot hold the sum of a map
    z = SEBlock(8).squeeze(x)
    assert z.dtype == dtype
    torch.testing.assert_close(z.double(), x.double().mean((2, 3)), rtol=4 * torch.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("squeeze", ["avg", "max"])
def test_gradcheck(squeeze):
    torch.manual_seed(0)
    block = SEBlock(6, 2, squeeze=squeeze, bias=True).double()
    x = torch.randn(2, 6, 3, 2, dtype=torch.float64, requires_grad=True)
    names, weights = zip(*block.named_parameters())

    def forward(x, *weights):
        return torch.func.functional_call(block, dict(zip(names, weights)), (x,))

    assert torch.autograd.gradcheck(forward, (x, *weights))


def test_channels_last():
    torch.manual_seed(0)
    block = SEBlock(16)
    x = torch.randn(2, 16, 6, 5)
    out = block(x.to(memory_format=torch.channels_last))
    assert out.is_contiguous(memory_format=torch.channels_last) and not out.is_contiguous()
    torch.testing.assert_close(out, block(x))


def test_input_is_not_changed():
    x = torch.randn(2, 16, 4, 4)
    before = x.clone()
    SEBlock(16)(x)
    assert torch.equal(x, before)


def test_he_initialization():
    torch.manual_seed(0)
    block = SEBlock(1024, 4, bias=True)
    for layer in (block.fc1, block.fc2):  # 262,144 weights each: the sample sd is within 1 % of the true one
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / layer.in_features), rel=0.01)
        assert abs(layer.weight.mean().item()) < 1e-3
        assert not layer.bias.any()


def test_gates_start_near_one_half():
    torch.manual_seed(0)
    z = torch.randn(64, 256, 8, 8).mean((2, 3))
    s = SEBlock(256).excite(z)
    assert s.mean().item() == pytest.approx(0.5, abs=0.01)
    assert (s - 0.5).abs().max() < 0.25 and s.std() > 0.01


@pytest.mark.parametrize(
    ("channels", "reduction", "min_hidden", "hidden"),
    [
        (256, 16, 1, 16),
        (2048, 16, 1, 128),
        (64, 4, 1, 16),
        (16, 16, 1, 1),
        (8, 16, 1, 1),
        (20, 16, 1, 1),
        (64, 16, 8, 8),
    ],
)
def test_hidden_width(channels, reduction, min_hidden, hidden):
    block = SEBlock(channels, reduction, min_hidden=min_hidden)
    assert block.fc1.weight.shape == (hidden, channels)
    assert block.fc2.weight.shape == (channels, hidden)
    assert block.fc1.bias is None and block.fc2.bias is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"channels": 0}, "channels must be at least 1, got 0"),
        ({"channels": -3}, "channels must be at least 1, got -3"),
        ({"reduction": 0}, "reduction must be at least 1, got 0"),
        ({"reduction": 0.5}, "reduction must be a whole number, at least 1, got 0.5"),
        ({"reduction": 16.0}, "reduction must be a whole number, at least 1, got 16.0"),
        ({"channels": "64"}, "channels must be a whole number, at least 1, got '64'"),
        ({"channels": True}, "channels must be a whole number, at least 1, got True"),
        ({"min_hidden": 0}, "min_hidden must be at least 1, got 0"),
        ({"gate": "swish"}, "gate must be one of sigmoid, .*; got 'swish'"),
        ({"squeeze": "median"}, "squeeze must be one of avg, max; got 'median'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SEBlock(**{"channels": 16, **arguments})


@pytest.mark.parametrize(
    "shape", [(2, 8, 4, 4), (16, 4, 4), (2, 16), (2, 4, 4, 16), (2, 8, 3, 4, 4), (2, 16, 1, 3, 4, 4)]
)
def test_wrong_input(shape):
    with pytest.raises(ValueError, match=r"x must be \(N, 16, H, W\), got \("):
        SEBlock(16)(torch.randn(shape))


def test_works_inside_sequential_and_saves():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), SEBlock(8, 2))
    other = nn.Sequential(nn.Conv2d(3, 8, 3), SEBlock(8, 2))
    x = torch.randn(2, 3, 6, 6)
    assert not torch.equal(net(x), other(x))
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(x), other(x))

"""Judges of `in_the_wild`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from senet_edu import SEBlock, check, create_model, record_gates
from senet_edu.gates import find_gates
from senet_edu.relatives import make_attention
from senet_edu.surgery import WithSE


def to_ours(
    key: str, tensor: Tensor, *, prefix: bool = True, shift: int = 1, last: tuple[str, str] = ("", ""),
    shape: Callable[[Tensor], Tensor] = lambda tensor: tensor.flatten(1),
) -> tuple[str, Tensor]:  # fmt: skip
    """The right answer, and variants of it that are wrong."""
    key = key.removeprefix("module.") if prefix else key
    key = key.replace("stem.conv.", "conv1.").replace("stem.norm.", "bn1.").replace("head.", "fc.")
    key = re.sub(r"stages\.(\d)", lambda match: f"layer{int(match[1]) + shift}", key)
    key = re.sub(r"\.norm(\d)\.", r".bn\1.", key)
    key = key.replace("skip.conv.", "downsample.0.").replace("skip.norm.", "downsample.1.")
    key = key.replace("attn.down.", "se.fc1.").replace("attn.up.", "se.fc2.")
    return key.replace(*last), shape(tensor) if ".se." in key else tensor


def squeeze_every_1x1(key: str, tensor: Tensor) -> tuple[str, Tensor]:
    return to_ours(key, tensor)[0], tensor.flatten(1) if tensor.shape[2:] == (1, 1) else tensor


@pytest.mark.parametrize(
    ("to_ours", "hint"),
    [
        (lambda key, tensor: key, "must return two things"),
        (lambda key, tensor: (key, tensor), "the prefix module. is still there"),
        (lambda *given: to_ours(*given, prefix=False), "the prefix module. is still there"),
        (lambda *given: to_ours(*given, shift=0), "their stages count from 0"),
        (lambda *given: to_ours(*given, last=("bn1", "norm1")), "look it up in the table"),
        (lambda *given: to_ours(*given, last=("downsample.1", "bn")), "norm is downsample.1"),
        (lambda *given: to_ours(*given, shape=lambda t: t), "our linear layer (o, i)"),
        (lambda *given: to_ours(*given, shape=torch.squeeze), "also a hidden width of 1"),
        (lambda *given: to_ours(*given, shape=lambda t: t.flatten(1).T), "it is transposed"),
        (lambda *given: to_ours(*given, shape=lambda t: t.flatten(1).flip(0)), "values are not in their places"),
        (lambda *given: (to_ours(*given)[0], to_ours(*given)[1].numpy()), "takes nothing but tensors"),  # no squeeze()
        (lambda *given: (to_ours(*given)[0], to_ours(*given)[1][:1]), "its shape is (1, 3, 3, 3), our shape"),
        (lambda key, tensor: None, "is the `return` missing"),
        (lambda key, tensor: (7, tensor), "the key first, a string, not 7"),
        (squeeze_every_1x1, "the shortcut's 1×1 convolution stays a convolution"),
    ],
)
def test_key_map_hints(verdict: Callable[..., str], to_ours: Callable, hint: str) -> None:
    line = verdict(check.key_map, to_ours)
    assert line.startswith(check.CROSS) and hint in line


def test_key_map_is_right_where_the_weights_load(verdict: Callable[..., str]) -> None:
    assert verdict(check.key_map, to_ours).startswith(check.TICK)
    assert verdict(check.key_map, lambda *given: list(to_ours(*given))).startswith(check.TICK)
    assert verdict(check.key_map, lambda key, tensor: to_ours(key, tensor.double())).startswith(check.TICK)
    model = create_model("se_resnet20")
    theirs = dict(check.in_the_wild.invented_layout(model.state_dict()).values())
    assert theirs["module.stages.1.0.attn.down.weight"].shape == (2, 32, 1, 1)
    model.load_state_dict(dict(to_ours(*item) for item in theirs.items()), strict=True)


def uncalled(model: nn.Module, x: Tensor) -> list[str]:
    with torch.no_grad(), record_gates(model) as gates:
        model(x)
    return [name for name in find_gates(model) if name not in gates]


def called(model: nn.Module, x: Tensor) -> list[str]:
    return [name for name in find_gates(model) if name not in uncalled(model, x)]


def test_uncalled(verdict: Callable[..., str]) -> None:
    assert verdict(check.uncalled, uncalled).startswith(check.TICK)
    assert verdict(check.uncalled, lambda model, x: set(uncalled(model, x))).startswith(check.TICK)


@pytest.mark.parametrize(
    ("uncalled", "hint"),
    [
        (called, "you name those that it calls"),
        (lambda model, x: list(find_gates(model)), "you name all that are registered"),
        (lambda model, x: [], "you find none"),
        (lambda model, x: None, "is the `return` missing"),
        (lambda model, x: len(uncalled(model, x)), "must return a list of names, not 2"),
        (lambda model, x: [f"{name}.x" for name in uncalled(model, x)], "it never calls ['body.se', 'head.se']"),
    ],
)
def test_uncalled_hints(verdict: Callable[..., str], uncalled: Callable, hint: str) -> None:
    line = verdict(check.uncalled, uncalled)
    assert line.startswith(check.CROSS) and hint in line


class Dropped(nn.Module):
    """Calls its block and forgets the result."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.se = nn.Conv2d(3, 8, 1), SEBlock(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        self.se(x)
        return x.mean((2, 3))


class HandWritten(nn.Module):
    """An SE block that knows nothing of this package; `scale` is what it multiplies the maps by, of the descriptors."""

    def __init__(self, scale: Callable[[Tensor], Tensor] = torch.sigmoid) -> None:
        super().__init__()
        self.mix, self.scale = nn.Linear(8, 8), scale

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale(self.mix(x.mean((2, 3))))[:, :, None, None]


def around(*blocks: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Cut(nn.Module):
    """Clears the first map of the first image."""

    def forward(self, x: Tensor) -> Tensor:
        return (
            torch.cat([torch.zeros_like(x[:1, :1]), x[:1, 1:]], 1) if len(x) == 1 else torch.cat([self(x[:1]), x[1:]])
        )


class LayerScale(nn.Module):
    """A fixed factor for each channel; where a map is zero, any factor would fit."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.linspace(0.5, 2, 8).view(8, 1, 1)


class Uncalled(nn.Module):
    """Registers torchvision's block and does not call it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.se = nn.Conv2d(3, 8, 1), SqueezeExcitation(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class DroppedByHand(Dropped):
    """Calls a hand-written block and forgets the result."""

    def __init__(self) -> None:
        super().__init__()
        self.se = HandWritten()


class Nested(nn.Module):
    """Returns a dictionary with a list of tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.body = around(SEBlock(8, 2))

    def forward(self, x: Tensor) -> dict:
        return {"logits": [self.body(x)], "loss": None}


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(
    "model",
    [
        around(SqueezeExcitation(8, 2)),
        around(SqueezeExcitation(8, 2), SEBlock(8, 2)),
        around(HandWritten(), nn.ReLU()),
        around(nn.Sequential(HandWritten(), nn.Identity())),
        around(WithSE(nn.Identity(), HandWritten())),
        around(make_attention("cbam", 8)),
        Nested(),
    ],
)
def test_own_model_knows_the_blocks_of_others(verdict: Callable[..., str], model: nn.Module, batch: int) -> None:
    assert verdict(check.own_model, model, torch.randn(batch, 3, 6, 6)).startswith(check.TICK)


def test_own_model_knows_timms_block(verdict: Callable[..., str]) -> None:
    timm = pytest.importorskip("timm", reason="timm is needed to compare with its block")
    model = around(timm.layers.SEModule(8, rd_channels=2))
    assert verdict(check.own_model, model, torch.randn(2, 3, 6, 6)).startswith(check.TICK)


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        (SEBlock, "an nn.Module, not the class SEBlock"),
        (nn.Conv2d(3, 8, 1), "it has no SE block yet"),
        (around(nn.ReLU(), nn.Dropout(), nn.Identity()), "it has no SE block yet"),
        (around(HandWritten(scale=torch.ones_like)), "it has no SE block yet"),  # the same for every image
        (around(Cut(), LayerScale()), "it has no SE block yet"),
        (Uncalled(), "se is registered, but the forward pass never calls it"),
        (DroppedByHand(), "se is called, but its result is not used"),
        (nn.Linear(7, 7), "raised RuntimeError"),
        (check.in_the_wild.Toy(("stem",)), "body.se is registered, but the forward pass never calls it"),
        (Dropped(), "se is called, but its result is not used"),
    ],
)
def test_own_model_hints(verdict: Callable[..., str], model: Any, hint: str) -> None:
    line = verdict(check.own_model, model, torch.randn(2, 3, 6, 6))
    assert line.startswith(check.CROSS) and hint in line


def test_own_model_leaves_the_model_as_it_was(verdict: Callable[..., str]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), SEBlock(8, 2), nn.Dropout().eval())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert verdict(check.own_model, model, torch.randn(2, 3, 6, 6)).startswith(check.TICK)
    assert [module.training for module in model] == [True, True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_no_answer_gets_an_invitation(verdict: Callable[..., str]) -> None:
    assert verdict(check.key_map, lambda key, tensor: ...).startswith(check.OPEN)
    assert verdict(check.uncalled, lambda model, x: ...).startswith(check.OPEN)
    assert verdict(check.own_model, ..., torch.ones(1)).startswith(check.OPEN)

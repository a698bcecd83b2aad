"""Constant gates folded into the layers beside them."""

from __future__ import annotations

import copy

import pytest
import torch
import torchvision.models as tv
from torch import Tensor, nn

from senet_edu import SEBlock, create_model, insert_se, load_pretrained, override_gates, record_gates
from senet_edu.compatibility import settled
from senet_edu.fold import CHECKED, fold_gates
from senet_edu.gates import find_blocks, find_gates


@torch.no_grad()
def lively(model: nn.Module, x: Tensor) -> nn.Module:
    """Batch norms with the statistics of x, scales of both signs, and no residual that is zero."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            module.weight.uniform_(-1.5, 1.5, generator=generator)
            module.bias.uniform_(-0.5, 0.5, generator=generator)
    model.train()(x)
    return model.eval()


def means(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    with torch.no_grad(), record_gates(model) as gates:
        model(x)
    return {name: s.mean(0) for name, s in gates.items()}


BUILDERS = {
    "se_resnet20": (lambda: load_pretrained("se_resnet20"), 32, ".bn2"),
    "pre": (lambda: create_model("se_resnet8", placement="pre"), 32, ".conv1"),
    "3x3": (lambda: create_model("se_resnet164", placement="3x3", stages=[3]), 32, ".bn2"),
    "inserted": (lambda: insert_se(tv.resnet18(), "**.bn2", input_size=(3, 64, 64)), 64, ".bn2"),
    "torchvision, hard-swish between": (tv.mobilenet_v3_small, 64, ""),  # in its first block there is a ReLU
    "torchvision, SiLU between": (tv.efficientnet_b0, 64, ".0"),
    "torchvision, ReLU between": (tv.regnet_y_400mf, 64, ".1"),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_a_folded_network_answers_as_with_constant_gates(name: str) -> None:
    build, size, layer = BUILDERS[name]
    x = torch.randn(4, 3, size, size)
    model = build() if name == "se_resnet20" else lively(build(), x)
    constants = means(model, x)
    with torch.no_grad():
        plain = model(x)
        with override_gates(model, constants):
            expected = model(x)
        modes = [module.training for module in model.modules()]
        folding = fold_gates(model, x)
        assert folding.kept == {} and set(folding.folded) == set(constants) and find_gates(model) == {}
        assert not model.training and not any(modes)
        torch.testing.assert_close(model(x), expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())
    assert folding.error == pytest.approx(((model(x) - plain).norm() / plain.norm()).item(), rel=1e-4)
    assert all(where.endswith(layer) for where in folding.folded.values()), folding.folded
    assert all(model.get_submodule(where) for where in folding.folded.values())
    assert set(folding.spread) == set(constants)


def test_gates_that_are_constant_cost_nothing() -> None:
    torch.manual_seed(0)
    model = insert_se(create_model("resnet8").eval(), "layer*.0.bn2", input_size=(3, 32, 32), start="identity")
    x = torch.randn(4, 3, 32, 32)
    before = model(x)
    folding = fold_gates(model, x, spread=0.01)
    assert folding.error < 1e-6 and len(folding.folded) == 3
    torch.testing.assert_close(model(x), before)


@pytest.mark.parametrize("count", [1, 3])
def test_the_spread_is_the_standard_deviation_of_the_images_at_hand(count: int) -> None:
    model, x = create_model("se_resnet8", reduction=4).eval(), torch.randn(count, 3, 16, 16)
    with torch.no_grad(), record_gates(model) as gates:
        model(x)
    expected = {name: s.numpy().std(0).max().item() for name, s in gates.items()}
    assert fold_gates(model, x).spread == pytest.approx(expected, abs=1e-6)


def test_given_constants_and_a_limit() -> None:
    model, x = load_pretrained("se_resnet20"), torch.randn(8, 3, 32, 32)
    twin = copy.deepcopy(model)
    half = {"layer3.2.se": torch.full((64,), 0.5)}
    folding = fold_gates(model, x, gates=half)
    assert list(folding.folded) == ["layer3.2.se"] and set(folding.kept.values()) == {"its gates were not given"}
    with torch.no_grad(), override_gates(twin, half):
        torch.testing.assert_close(model(x), twin(x), rtol=1e-4, atol=1e-5)

    limited = fold_gates(twin, x, spread=0.1)
    assert limited.folded and limited.kept
    assert all(limited.spread[name] <= 0.1 for name in limited.folded)
    assert all(limited.spread[name] > 0.1 and "vary by" in why for name, why in limited.kept.items())


class Awkward(nn.Module):
    """What the block reads is read by others too, or there is nothing beside it, or it has a gate for each pixel."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.conv, self.se, self.last = nn.Conv2d(3, 6, 1), SEBlock(6, 2, bias=True), nn.Conv2d(6, 4, 1)
        self.never = SEBlock(6)

    def forward(self, x: Tensor) -> Tensor:
        u = self.conv(x) if self.kind == "shared" else self.conv(x).sigmoid()
        y = self.se(u)
        y = y + u if self.kind == "shared" else y.exp()
        return self.last(y)


@pytest.mark.parametrize("kind", ["shared", "nothing"])
def test_a_block_that_cannot_be_folded_is_kept_and_nothing_is_changed(kind: str) -> None:
    torch.manual_seed(0)
    model, x = Awkward(kind), torch.randn(4, 3, 5, 5)
    before = model(x)
    folding = fold_gates(model, x)
    assert folding.kept == {"se": "no layer beside it can take its gates", "never": "it is not called"}
    assert folding.error == 0 and torch.equal(model(x), before)


def test_gates_for_each_pixel_are_kept() -> None:
    model = create_model("se_resnet8", attention="no_squeeze")
    kept = fold_gates(model, torch.randn(2, 3, 32, 32)).kept
    assert len(kept) == 3 and all("not one for each channel" in why for why in kept.values())


@pytest.mark.parametrize("behind, place", [([nn.ReLU()], "3"), ([], "0")], ids=["relu", "no relu"])
def test_a_negative_gate_passes_no_relu(behind: list[nn.Module], place: str) -> None:
    torch.manual_seed(0)
    block = SEBlock(6, 2, gate="tanh", bias=True)
    block.fc2.bias.data = torch.tensor([-1.0, 1.0, -1.0, 1.0, 1.0, 1.0])
    model = nn.Sequential(nn.Conv2d(3, 6, 1), *behind, block, nn.Conv2d(6, 4, 1))
    x = torch.randn(4, 3, 5, 5)
    with torch.no_grad(), override_gates(model, means(model, x)):
        expected = model(x)
    assert list(fold_gates(model, x).folded.values()) == [place]
    torch.testing.assert_close(model(x), expected)


def test_convolutions_with_groups_behind() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 6, 1), nn.SiLU(), SEBlock(6, 2), nn.Conv2d(6, 12, 3, groups=3))
    x = torch.randn(4, 3, 5, 5)
    with torch.no_grad(), override_gates(model, means(model, x)):
        expected = model(x)
    assert fold_gates(model, x).folded == {"2": "3"}
    torch.testing.assert_close(model(x), expected)


def test_errors() -> None:
    x = torch.randn(2, 3, 32, 32)
    with pytest.raises(ValueError, match="ResNet has no SE block"):
        fold_gates(create_model("resnet8"), x)
    with pytest.raises(ValueError, match="gates names 'layer9', not a block that is called: layer1.0.se"):
        fold_gates(create_model("se_resnet8"), x, gates={"layer9": torch.ones(3)})
    with pytest.raises(ValueError, match="x must hold at least one sample"):
        fold_gates(create_model("se_resnet8"), x[:0])
    for spread in (-1, "0.1", None, float("nan")):
        with pytest.raises(ValueError, match="spread must be "):
            fold_gates(create_model("se_resnet8"), x, spread=spread)


@pytest.mark.parametrize("bad", [torch.ones(3), torch.ones(2, 64), "a", None, 1.0, torch.full((64,), float("nan"))])
def test_bad_constants_are_named_before_anything_is_folded(bad):
    model, x = create_model("se_resnet8"), torch.randn(2, 3, 32, 32)
    with pytest.raises(ValueError, match=r"gates\['layer3.0.se'\] must be "):
        fold_gates(model, x, gates={"layer1.0.se": torch.ones(16), "layer3.0.se": bad})
    assert len(find_blocks(model)) == 3
    with pytest.raises(ValueError, match="gates must be a dictionary"):
        fold_gates(model, x, gates=["layer1.0.se"])


@pytest.mark.parametrize("kind", ["tensor", "tuple", "dictionary"])
def test_many_images_cost_hardly_more_than_few(kind: str) -> None:
    """Folds are checked on a few images; the constants are means over all of them."""
    model = load_pretrained("se_resnet20")
    x = torch.randn(64, 3, 32, 32)
    constants = means(model, x)
    seen: list[int] = []
    model.conv1.register_forward_hook(lambda module, args, output: seen.append(len(output)))
    folding = fold_gates(model, {"tensor": x, "tuple": (x,), "dictionary": {"x": x}}[kind])
    assert seen.count(64) == 3 and set(seen) == {64, CHECKED} and len(seen) <= 3 + 4 * 9
    assert len(folding.folded) == 9
    expected = load_pretrained("se_resnet20")
    with torch.no_grad(), override_gates(expected, constants):
        torch.testing.assert_close(model(x), expected(x), rtol=1e-3, atol=1e-4)


def test_images_that_become_several_are_all_checked() -> None:
    """Two views of an image, one row of gates each: what the first images are cannot be told from the input."""

    class Views(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = load_pretrained("se_resnet20")

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x.flatten(0, 1)).unflatten(0, x.shape[:2]).mean(1)

    model, seen = Views().eval(), []
    model.net.conv1.register_forward_hook(lambda module, args, output: seen.append(len(output)))
    assert len(fold_gates(model, torch.randn(6, 2, 3, 32, 32)).folded) == 9 and set(seen) == {12}


def test_a_hidden_unit_near_zero_is_no_reason_to_keep_a_block() -> None:
    """With r = 16 a block of 16 channels has one hidden unit; near zero, rounding is a large part of it."""
    torch.manual_seed(0)
    x = torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8).float() / 64 - 2
    model = settled(create_model("se_resnet20", reduction=16), x)
    assert min(s.abs().min() for s in hidden(model, x).values()) < 1e-3
    assert fold_gates(model, x).kept == {}


@torch.no_grad()
def hidden(model: nn.Module, x: Tensor) -> dict[nn.Module, Tensor]:
    """What the first layer of each block puts out."""
    seen: dict[nn.Module, Tensor] = {}
    for module in model.modules():
        if isinstance(module, SEBlock):
            module.fc1.register_forward_hook(lambda layer, args, out: seen.__setitem__(layer, out))
    model(x)
    return seen

"""Judges of the exercises: the right answer gets a tick, each typical mistake its hint, no answer an invitation."""

from __future__ import annotations

import hashlib
import math
import re
import statistics
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from senet_edu import SEBlock, check, create_model, override_gates, record_gates, resnet34, se_resnet34
from senet_edu.ablations import T975
from senet_edu.analysis import class_share, effect, gates_of
from senet_edu.cost import count_parameters, se_parameters
from senet_edu.data import CLASSES, normalize
from senet_edu.gates import find_gates
from senet_edu.receptive import receptive_fields
from senet_edu.relatives import ATTENTION, make_attention
from senet_edu.train import Recipe, Run

# Chapters 2 and 3: squeeze, excitation


@pytest.fixture
def verdict(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Calls a judge and returns the line that it prints."""

    def call(judge: Callable[..., None], *answers: Any, **named: Any) -> str:
        judge(*answers, **named)
        line = capsys.readouterr().out
        assert line.endswith("\n") and line.count("\n") == 1
        return line.rstrip()

    return call


def folded_solutions(root: Any, chapter: str) -> list[str]:
    """The code that a chapter folds away under "Solution", in order."""
    notebook = nbformat.read(root / "book" / f"{chapter}.ipynb", as_version=4)
    pattern = re.compile(r":::\{dropdown\} Solution\n.*?```python\n(.*?)```", re.DOTALL)
    return [code for cell in notebook.cells if cell.cell_type == "markdown" for code in pattern.findall(cell.source)]


@pytest.mark.parametrize(
    ("chapter", "number", "judged"),
    [
        ("02_squeeze", 0, "check.same_mean(twins, tell)"),
        ("02_squeeze", 1, "check.center(center)"),
        ("03_excitation", 0, ""),  # the solution calls the judge itself
        ("03_excitation", 1, "check.excite(excite)"),
        ("03_excitation", 2, "check.both_open(three_logits)"),
    ],
)
def test_ch2_ch3_folded_solutions_are_right(
    root: Any, capsys: pytest.CaptureFixture[str], chapter: str, number: int, judged: str
) -> None:
    exec(f"{folded_solutions(root, chapter)[number]}\n{judged}", {"torch": torch, "check": check})
    assert capsys.readouterr().out.startswith(check.TICK)


def flat_and_peak(peak: float = 6.4) -> tuple[Tensor, Tensor]:
    flat, high = torch.full((8, 8), 0.1), torch.zeros(8, 8)
    high[3, 5] = peak
    return flat, high


@pytest.mark.parametrize("tell", [torch.max, torch.std, lambda u: (u > u.mean()).float().mean().item()])
def test_ch2_same_mean_accepts_different_squeezes(verdict: Callable[..., str], tell: Callable) -> None:
    assert verdict(check.same_mean, flat_and_peak, tell).startswith(check.TICK)


def test_ch2_same_mean_accepts_arrays(verdict: Callable[..., str]) -> None:
    def twins() -> list[np.ndarray]:
        return [u.numpy() for u in flat_and_peak()]

    assert verdict(check.same_mean, twins, lambda u: np.quantile(u, 0.9)).startswith(check.TICK)


@pytest.mark.parametrize(
    ("twins", "tell", "hint"),
    [
        (lambda: torch.ones(2, 4, 4), torch.max, "must return two maps"),
        (lambda: (torch.ones(16), torch.ones(16)), torch.max, r"yours have shapes \(16,\) and \(16,\)"),
        (lambda: flat_and_peak(6.0), torch.max, "the means differ: 0.1 and 0.09375"),
        (lambda: (torch.ones(4, 4), torch.ones(4, 4)), torch.max, "at least 5 times"),
        (lambda: (-torch.ones(4, 4), -torch.ones(4, 4)), torch.max, "above zero"),
        (flat_and_peak, torch.mean, "That is the mean"),
        (flat_and_peak, lambda u: 7, r"tell gives 7 for both maps\.$"),
        (flat_and_peak, lambda u: u.mean(0), r"must be one number, .* shape \(8,\)"),
        (flat_and_peak, lambda u: float(u.max() == 6.4), "not a flat map of 0.25"),
        (flat_and_peak, lambda u: u.nonsense(), "AttributeError"),
    ],
)
def test_ch2_same_mean_hints(verdict: Callable[..., str], twins: Callable, tell: Callable, hint: str) -> None:
    line = verdict(check.same_mean, twins, tell)
    assert line.startswith(check.CROSS) and re.search(hint, line)


@pytest.mark.parametrize(("twins", "tell"), [(lambda: ..., lambda u: ...), (flat_and_peak, lambda u: ...)])
def test_ch2_same_mean_open(verdict: Callable[..., str], twins: Callable, tell: Callable) -> None:
    assert verdict(check.same_mean, twins, tell).startswith(check.OPEN)


def test_ch2_center(verdict: Callable[..., str]) -> None:
    assert verdict(check.center, lambda u: u - u.mean((2, 3))[:, :, None, None]).startswith(check.TICK)
    assert verdict(check.center, lambda u: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("center", "hint"),
    [
        (lambda u: u - u.mean((2, 3)), "without keepdim"),
        (lambda u: u - u.mean(), "one mean of everything"),
        (lambda u: u - u.mean((0, 2, 3), keepdim=True), "over the batch"),
        (lambda u: u - u.mean(1, keepdim=True), "over the channels"),
        (lambda u: u.mean((2, 3), keepdim=True).expand_as(u), "subtract them"),
        (lambda u: u - u.mean((2, 3), keepdim=True) if u.shape[1] == u.shape[2] else u - u.mean((2, 3)), "line up"),
        (lambda u: u.mean((2, 3)), "same shape"),
        (lambda u: u - u.amax((2, 3), keepdim=True), "mean zero"),
    ],
)
def test_ch2_center_hints(verdict: Callable[..., str], center: Callable, hint: str) -> None:
    line = verdict(check.center, center)
    assert line.startswith(check.CROSS) and hint in line


def test_ch3_hidden_width(verdict: Callable[..., str]) -> None:
    assert verdict(check.hidden_width, 1, 1 / 2, 1).startswith(check.TICK)
    assert verdict(check.hidden_width, 1, ..., 1).startswith(check.OPEN)
    se = SEBlock(16, 16)  # the truth that the judge stands for
    assert se.fc1.out_features == 1
    with torch.no_grad():
        z = torch.randn(1000, 16)
        off = (se.excite(z) == 0.5).all(1)
        assert 0.3 < off.float().mean() < 0.7  # the one unit is off for about half of all inputs
        assert torch.linalg.matrix_rank(se.fc2(se.relu(se.fc1(z)))) == 1


@pytest.mark.parametrize(
    ("answers", "hint"),
    [
        ((0, 0.5, 1), "C is smaller than r"),
        ((4, 0.5, 1), "r = 4"),
        ((8, 0.5, 1), "timm"),
        ((16, 0.5, 1), "16 is C"),
        ((2, 0.5, 1), "C // r"),
        ((1, 0, 1), "not gates of 0. What is σ(0)?"),
        ((1, 1, 1), "gate_when_off: What is σ(0)?"),
        ((1, 0.5, 16), "directions"),
        (("one", 0.5, 1), "ValueError"),
    ],
)
def test_ch3_hidden_width_hints(verdict: Callable[..., str], answers: tuple, hint: str) -> None:
    line = verdict(check.hidden_width, *answers)
    assert line.startswith(check.CROSS) and hint in line


def excite_right(z: Tensor, W1: Tensor, W2: Tensor, b1: Tensor | float | None = None, b2: Any = None) -> Tensor:
    hidden = torch.einsum("hc,nc->nh", W1, z) + (0 if b1 is None else b1)
    return 1 / (1 + torch.exp(-(hidden.clamp(min=0) @ W2.T + (0 if b2 is None else b2))))


def test_ch3_excite(verdict: Callable[..., str]) -> None:
    assert verdict(check.excite, excite_right).startswith(check.TICK)
    assert verdict(check.excite, lambda z, W1, W2, b1=None, b2=None: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("excite", "hint"),
    [
        (lambda z, W1, W2, *b: (z @ W1.T).relu() @ W2.T, "logits"),
        (lambda z, W1, W2, *b: (z @ W1.T @ W2.T).sigmoid(), "δ, the ReLU after W1, is missing"),
        (lambda z, W1, W2, *b: ((z @ W1.T).relu() @ W2.T).relu().sigmoid(), "after W2, too"),
        (lambda z, W1, W2, *b: ((z @ W1.T).relu() @ W2.T).softmax(1), "softmax"),
        (lambda z, W1, W2, *b: ((z @ W1.T).relu() @ W2.T).sigmoid(), "right without biases"),
        (lambda z, W1, W2, *b: (W2 @ (W1 @ z).relu()).sigmoid(), "z @ W1.T"),
        (lambda z, W1, W2, *b: (z @ W1.T).relu().sigmoid(), "shape of z"),
        (lambda z, W1, W2, *b: ((z @ W1.T).relu() @ W2.T).tanh(), "not those of SEBlock"),
        (lambda z, W1, W2: ((z @ W1.T).relu() @ W2.T).sigmoid(), "TypeError"),
    ],
)
def test_ch3_excite_hints(verdict: Callable[..., str], excite: Callable, hint: str) -> None:
    line = verdict(check.excite, excite)
    assert line.startswith(check.CROSS) and hint in line


def test_ch3_both_open(verdict: Callable[..., str]) -> None:
    assert verdict(check.both_open, torch.tensor([2.3, 9.0, -2.3])).startswith(check.TICK)
    assert verdict(check.both_open, ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("logits", "hint"),
    [
        ([0.95, 0.95, 0.05], "gate 1 is 0.721"),  # gates given for logits
        ([3, 2, -3], "gate 2 is 0.881"),
        ([3, 3, 0], "gate 3 is 0.500"),
        ([3, 3], "three numbers"),
    ],
)
def test_ch3_both_open_hints(verdict: Callable[..., str], logits: list[float], hint: str) -> None:
    line = verdict(check.both_open, logits)
    assert line.startswith(check.CROSS) and hint in line


# Chapter 4: rescale


def ch4_gates(x: Tensor, W1: Tensor, W2: Tensor) -> Tensor:
    return torch.sigmoid(torch.relu(x.mean((2, 3)) @ W1.T) @ W2.T)


def ch4_se(x: Tensor, W1: Tensor, W2: Tensor) -> Tensor:
    return x * ch4_gates(x, W1, W2)[:, :, None, None]


@pytest.mark.parametrize(("number", "judged"), [(0, "check.my_se(my_se)"), (1, "check.copy_weights(copy_weights)")])
def test_ch4_folded_solutions_are_right(
    root: Any, capsys: pytest.CaptureFixture[str], number: int, judged: str
) -> None:
    solution = folded_solutions(root, "04_rescale")[number]
    exec(f"{solution}\n{judged}", {"torch": torch, "check": check})
    assert capsys.readouterr().out.startswith(check.TICK)


def test_ch4_my_se(verdict: Callable[..., str]) -> None:
    assert verdict(check.my_se, ch4_se).startswith(check.TICK)
    with_einsum = verdict(check.my_se, lambda x, W1, W2: torch.einsum("nchw,nc->nchw", x, ch4_gates(x, W1, W2)))
    assert with_einsum.startswith(check.TICK)
    assert verdict(check.my_se, ...).startswith(check.OPEN)
    assert verdict(check.my_se, lambda x, W1, W2: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("my_se", "hint"),
    [
        (lambda x, W1, W2: ch4_gates(x, W1, W2), "these are the gates"),
        (lambda x, W1, W2: x + ch4_se(x, W1, W2), "adds the input"),
        (lambda x, W1, W2: x * ch4_gates(x.amax((2, 3))[:, :, None, None], W1, W2)[:, :, None, None], "the maximum"),
        (lambda x, W1, W2: x * ch4_gates(x * x[0, 0].numel(), W1, W2)[:, :, None, None], "adds the pixels up"),
        (lambda x, W1, W2: x * ch4_gates(x.mean(0, True), W1, W2)[:, :, None, None], "over the batch"),
        (lambda x, W1, W2: x * (x.mean((2, 3)) @ W1.T @ W2.T).sigmoid()[:, :, None, None], "ReLU between W1 and W2"),
        (lambda x, W1, W2: x * ((x.mean((2, 3)) @ W1.T).relu() @ W2.T)[:, :, None, None], "σ is missing"),
        (
            lambda x, W1, W2: x * ((x.mean((2, 3)) @ W1.T).relu() @ W2.T).softmax(1)[:, :, None, None],
            "softmax makes the channels compete",
        ),
        (lambda x, W1, W2: x * ((x.mean((2, 3)) @ W1.T).sigmoid() @ W2.T).sigmoid()[:, :, None, None], "a sigmoid"),
        (lambda x, W1, W2: x * ch4_gates(x, W1, W2), "lined up with the axes (H, W)"),
        (lambda x, W1, W2: x * ch4_gates(x, W1.T, W2.T)[:, :, None, None], "PyTorch says"),
        (lambda x, W1, W2: x.mul_(ch4_gates(x, W1, W2)[:, :, None, None]), "changes x itself"),
        (lambda x, W1, W2: ch4_se(x, W1, W2).mean((2, 3)), "the block keeps the shape"),
        (lambda x, W1, W2: None, "NoneType"),
        (lambda x, W1, W2: 0.5 * x, "not those of the block"),
    ],
)
def test_ch4_my_se_hints(verdict: Callable[..., str], my_se: Callable, hint: str) -> None:
    line = verdict(check.my_se, my_se)
    assert line.startswith(check.CROSS) and hint in line


def ch4_with_state(state: Callable[[SEBlock, nn.Module], dict[str, Tensor]]) -> Callable[[SEBlock, nn.Module], None]:
    """An answer that loads a state into torchvision's block, without asking for every name."""

    def copy_weights(se: SEBlock, tv: nn.Module) -> None:
        tv.load_state_dict(state(se, tv), strict=False)

    return copy_weights


def ch4_convolutions(se: SEBlock) -> dict[str, Tensor]:
    return {n: v[:, :, None, None] if v.ndim == 2 else v for n, v in se.state_dict().items()}


def ch4_backwards(se: SEBlock, tv: nn.Module) -> None:
    se.load_state_dict({n: v.reshape(v.shape[:2]) for n, v in tv.state_dict().items() if n in se.state_dict()})


def ch4_under_autograd(se: SEBlock, tv: nn.Module) -> None:
    tv.fc1.weight.copy_(se.fc1.weight[:, :, None, None])


def ch4_linear_shapes(se: SEBlock, tv: nn.Module) -> None:
    tv.fc1.weight = nn.Parameter(se.fc1.weight.detach().clone())


def ch4_needs_biases(se: SEBlock, tv: nn.Module) -> None:
    tv.load_state_dict(ch4_convolutions(se))


def test_ch4_copy_weights(verdict: Callable[..., str]) -> None:
    def by_hand(se: SEBlock, tv: nn.Module) -> None:
        with torch.no_grad():
            for linear, conv in ((se.fc1, tv.fc1), (se.fc2, tv.fc2)):
                conv.weight.copy_(linear.weight[:, :, None, None])
                conv.bias.zero_() if linear.bias is None else conv.bias.copy_(linear.bias)

    assert verdict(check.copy_weights, by_hand).startswith(check.TICK)
    assert verdict(check.copy_weights, ...).startswith(check.OPEN)
    assert verdict(check.copy_weights, lambda se, tv: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("copy_weights", "hint"),
    [
        (lambda se, tv: None, "tv has not changed"),
        (ch4_backwards, "the other way"),
        (ch4_under_autograd, "under autograd"),
        (ch4_linear_shapes, "the shapes in tv have changed"),
        (ch4_needs_biases, "tv always has"),
        (ch4_with_state(lambda se, tv: se.state_dict()), "the shapes differ"),
        (ch4_with_state(lambda se, tv: ch4_convolutions(se)), "keeps its random ones in fc1.bias"),
        (ch4_with_state(lambda se, tv: {"fc1.weight": ch4_convolutions(se)["fc1.weight"]}), "fc1.bias of tv is not"),
        (
            ch4_with_state(lambda se, tv: {n: v.flip(0) for n, v in ch4_convolutions(se).items()}),
            "fc1.weight of tv is not",
        ),
    ],
)
def test_ch4_copy_weights_hints(verdict: Callable[..., str], copy_weights: Callable, hint: str) -> None:
    line = verdict(check.copy_weights, copy_weights)
    assert line.startswith(check.CROSS) and hint in line


# Chapter 5: SE inside a ResNet


class Ch5Bottleneck(Bottleneck):
    """The right answer; the wrong ones below change its channels or its forward."""

    def __init__(self, inplanes: int, planes: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(inplanes, planes, *args, **kwargs)
        self.se = SEBlock(self.channels(planes))

    def channels(self, planes: int) -> int:
        return planes * self.expansion

    def narrow(self, x: Tensor) -> Tensor:
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))

    def convolutions(self, x: Tensor) -> Tensor:
        return self.bn3(self.conv3(self.narrow(x)))

    def shortcut(self, x: Tensor) -> Tensor:
        return x if self.downsample is None else self.downsample(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.se(self.convolutions(x)) + self.shortcut(x))


def ch5_variant(forward: Callable[[Any, Tensor], Tensor] | None = None, **changed: Any) -> type[Ch5Bottleneck]:
    return type("Variant", (Ch5Bottleneck,), changed | ({"forward": forward} if forward else {}))


def ch5_make_stage(block: type[nn.Module], inplanes: int, planes: int, depth: int, stride: int) -> nn.Sequential:
    return ch5_stage(lambda i, depth, stride: stride if i == 0 else 1)(block, inplanes, planes, depth, stride)


def ch5_stage(stride_of: Callable[[int, int, int], int], widen: bool = True) -> Callable[..., nn.Sequential]:
    def make_stage(block: Any, inplanes: int, planes: int, depth: int, stride: int) -> nn.Sequential:
        blocks = []
        for i in range(depth):
            blocks.append(block(inplanes, planes, stride_of(i, depth, stride)))
            inplanes = planes * block.expansion if widen else inplanes
        return nn.Sequential(*blocks)

    return make_stage


def test_ch5_folded_solutions_are_right(root: Any, capsys: pytest.CaptureFixture[str]) -> None:
    bottleneck, stage, count = folded_solutions(root, "05_inside_resnet")
    names = {"torch": torch, "nn": nn, "check": check, "SEBlock": SEBlock}
    names["TutorialBottleneck"] = ch5_variant(channels=lambda self, planes: planes)
    exec(f"{bottleneck}\n{stage}\n{count}\ncheck.make_stage(make_stage)", names)
    check.se34_parameters(names["added_to_resnet34"])
    assert [line[0] for line in capsys.readouterr().out.splitlines()] == [check.TICK] * 3


def test_ch5_fixed_bottleneck(verdict: Callable[..., str]) -> None:
    assert verdict(check.fixed_bottleneck, Ch5Bottleneck).startswith(check.TICK)
    assert verdict(check.fixed_bottleneck, ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("block", "hint"),
    [
        (ch5_variant(channels=lambda self, planes: planes), "built for another number of channels"),
        (ch5_variant(channels=lambda self, planes: 256), "built for another number of channels"),  # stage 1 only
        (ch5_variant(lambda self, x: self.se(self.relu(self.convolutions(x) + self.shortcut(x)))), "this is POST"),
        (ch5_variant(lambda self, x: self.relu(self.se(self.convolutions(x) + self.shortcut(x)))), "before the ReLU"),
        (ch5_variant(lambda self, x: self.relu(self.convolutions(x) + self.se(self.shortcut(x)))), "this is Identity"),
        (
            ch5_variant(
                lambda self, x: self.relu(self.bn3(self.conv3(self.se(self.narrow(x)))) + self.shortcut(x)),
                channels=lambda self, planes: planes,
            ),
            "this is SE_3x3",
        ),
        (ch5_variant(Bottleneck.forward), "never calls it"),
        (
            ch5_variant(lambda self, x: (self.se(self.convolutions(x)), Bottleneck.forward(self, x))[1]),
            "is not used",
        ),
        (ch5_variant(lambda self, x: self.relu(self.se(self.convolutions(x)))), "the shortcut is missing"),
        (ch5_variant(lambda self, x: self.se(self.convolutions(x)) + self.shortcut(x)), "the last ReLU is missing"),
        (ch5_variant(lambda self, x: 2 * Ch5Bottleneck.forward(self, x)), "the output is not"),
        (Bottleneck, "self.se, the SE block, is missing"),
        (SEBlock, "a subclass of torchvision's Bottleneck"),
        (4, "must be a class"),
    ],
)
def test_ch5_fixed_bottleneck_hints(verdict: Callable[..., str], block: Any, hint: str) -> None:
    line = verdict(check.fixed_bottleneck, block)
    assert line.startswith(check.CROSS) and hint in line


def test_ch5_fixed_bottleneck_counts_the_weights(verdict: Callable[..., str]) -> None:
    class Wide(Ch5Bottleneck):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.se = SEBlock(self.conv3.out_channels, reduction=4)

    assert "it must have 8,192" in verdict(check.fixed_bottleneck, Wide)


def test_ch5_make_stage(verdict: Callable[..., str]) -> None:
    assert verdict(check.make_stage, ch5_make_stage).startswith(check.TICK)
    assert verdict(check.make_stage, ...).startswith(check.OPEN)
    assert verdict(check.make_stage, lambda *stage: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("make_stage", "hint"),
    [
        (ch5_stage(lambda i, depth, stride: stride), "every block has the stride, the maps go 32 → 16 → 8 → 4"),
        (ch5_stage(lambda i, depth, stride: 1), "no block has the stride"),
        (ch5_stage(lambda i, depth, stride: stride if i == depth - 1 else 1), "the last block has the stride"),
        (ch5_stage(lambda i, depth, stride: stride if i == 1 else 1), "in the wrong blocks"),
        (ch5_stage(lambda i, depth, stride: stride if i == 0 else 1, widen=False), "do not fit"),
        (lambda block, inplanes, planes, depth, stride: nn.Sequential(block(inplanes, planes, stride)), "has 1 blocks"),
        (lambda *stage: list(ch5_make_stage(*stage)), "not list"),
        (lambda block, i, planes, *rest: ch5_make_stage(block, i, 2 * planes, *rest), "64 channels come out, not 32"),
    ],
)
def test_ch5_make_stage_hints(verdict: Callable[..., str], make_stage: Callable, hint: str) -> None:
    line = verdict(check.make_stage, make_stage)
    assert line.startswith(check.CROSS) and hint in line


def test_ch5_se34_parameters(verdict: Callable[..., str]) -> None:
    added = count_parameters(se_resnet34()) - count_parameters(resnet34())
    assert verdict(check.se34_parameters, added).startswith(check.TICK)
    assert verdict(check.se34_parameters, ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("stages", "bias", "hint"),
    [
        ([(3, 64), (4, 128), (6, 256), (3, 512)], True, "with biases"),
        ([(2, 64), (2, 128), (2, 256), (2, 512)], False, "SE-ResNet-18"),
        ([(1, 64), (1, 128), (1, 256), (1, 512)], False, "one block a stage"),
        ([(3, 256), (4, 512), (6, 1024), (3, 2048)], False, "SE-ResNet-50"),
        ([(3, 64), (4, 128), (6, 256), (3, 500)], False, "use equation 5"),
    ],
)
def test_ch5_se34_parameters_hints(verdict: Callable[..., str], stages: list, bias: bool, hint: str) -> None:
    line = verdict(check.se34_parameters, se_parameters(stages, bias=bias))
    assert line.startswith(check.CROSS) and hint in line


# Chapter 9: gates across depth


def test_ch9_folded_solutions_are_right(root: Any, capsys: pytest.CaptureFixture[str]) -> None:
    write_selectivity, most = folded_solutions(root, "09_gates_across_depth")
    gates, labels = ch9_gates()
    names = {"torch": torch, "check": check, "class_share": class_share, "trained": gates, "labels": labels}
    exec(f"{write_selectivity}\ncheck.class_selectivity(selectivity)", names)
    exec(f"{most}\ncheck.most_class_specific(block, trained, labels)", names)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(check.TICK) and second.startswith(check.TICK)
    assert names["block"] == "layer2.0.se"


def ch9_means(gates: Tensor, labels: Tensor) -> Tensor:
    return torch.stack([gates[labels == k].mean(0) for k in labels.unique()])


def ch9_index(top: Tensor, rest: Tensor) -> Tensor:
    return (top - rest) / (top + rest)


def ch9_selectivity(gates: Tensor, labels: Tensor) -> Tensor:
    ordered = ch9_means(gates, labels).sort(0).values
    return ch9_index(ordered[-1], ordered[:-1].mean(0))


def ch9_rest_of_images(gates: Tensor, labels: Tensor) -> Tensor:
    best = ch9_means(gates, labels).argmax(0)
    columns = []
    for c, k in enumerate(best):
        columns.append(ch9_index(gates[labels == k, c].mean(), gates[labels != k, c].mean()))
    return torch.stack(columns)


def ch9_ten_classes(gates: Tensor, labels: Tensor) -> Tensor:
    ordered = torch.stack([gates[labels == k].mean(0) for k in range(10)]).sort(0).values
    return ch9_index(ordered[-1], ordered[:-1].mean(0))


def test_ch9_class_selectivity(verdict: Callable[..., str]) -> None:
    assert verdict(check.class_selectivity, ch9_selectivity).startswith(check.TICK)
    assert verdict(check.class_selectivity, lambda s, y: ch9_selectivity(s, y).numpy()).startswith(check.TICK)
    assert verdict(check.class_selectivity, lambda gates, labels: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("selectivity", "hint"),
    [
        (lambda s, y: ch9_index(ch9_means(s, y).amax(0), ch9_means(s, y).mean(0)), "yours is the mean of all classes"),
        (lambda s, y: ch9_index(ch9_means(s, y).amax(0), s.mean(0)), "yours is the mean of all images"),
        (ch9_rest_of_images, "differ in size"),
        (lambda s, y: ch9_index(ch9_means(s, y).amax(0), ch9_means(s, y).amin(0)), "smallest class mean"),
        (lambda s, y: ch9_index(s.amax(0), ch9_means(s, y).sort(0).values[:-1].mean(0)), "largest gate of any image"),
        (lambda s, y: ch9_means(s, y).amax(0) - ch9_means(s, y).sort(0).values[:-1].mean(0), "division"),
        (lambda s, y: 1 - ch9_means(s, y).sort(0).values[:-1].mean(0) / ch9_means(s, y).amax(0), "not by μ_max"),
        (lambda s, y: ch9_means(s, y).amax(1), "one number for each channel"),
        (lambda s, y: ch9_selectivity(s, y).mean(), "one number for each channel"),
        (ch9_ten_classes, "is another number fixed?"),
        (lambda s, y: class_share(s, y), "by channel give"),
        (lambda s: s, "TypeError"),
    ],
)
def test_ch9_class_selectivity_hints(verdict: Callable[..., str], selectivity: Callable, hint: str) -> None:
    line = verdict(check.class_selectivity, selectivity)
    assert line.startswith(check.CROSS) and hint in line


def ch9_gates() -> tuple[dict[str, Tensor], Tensor]:
    """Four blocks: a small share of a large spread, a large share of a small one, and two with little of both."""
    labels = torch.arange(40) % 4
    noise = torch.rand(40, 5) - 0.5
    follows = labels[:, None].float() - 1.5
    return {
        "layer1.0.se": 0.5 + 0.9 * noise,
        "layer2.0.se": 0.5 + 0.03 * follows + 0.01 * noise,
        "layer3.0.se": 0.5 + 0.01 * follows + 0.05 * noise,
        "layer3.1.se": 0.5 + 0.01 * follows + 0.10 * noise,
    }, labels


@pytest.mark.parametrize(
    ("block", "start"),
    [
        ("layer2.0.se", check.TICK),
        (..., check.OPEN),
        ("layer1.0.se", f"{check.CROSS} its gates vary most"),
        ("layer3.1.se", f"{check.CROSS} deepest is not"),
        ("layer3.0.se", f"{check.CROSS} η² is larger in 1 of the 4"),
        ("layer9", f"{check.CROSS} 'layer9' is not one of the blocks: layer1.0.se, layer2.0.se"),
        (2, f"{check.CROSS} 2 is not one of the blocks"),
    ],
)
def test_ch9_most_class_specific(verdict: Callable[..., str], block: Any, start: str) -> None:
    assert verdict(check.most_class_specific, block, *ch9_gates()).startswith(start)


# Chapter 7: training


def triangle(share: float, peak: float, warmup: float) -> float:
    if share < warmup:
        return peak / 25 + (peak - peak / 25) * share / warmup
    return peak * (1 - share) / (1 - warmup)


def test_ch7_one_cycle_accepts_pytorchs_schedule(verdict: Callable[..., str]) -> None:
    assert verdict(check.one_cycle, triangle).startswith(check.TICK)
    in_one_line = lambda share, peak, warmup: float(np.interp(share, [0, warmup, 1], [peak / 25, peak, 0]))  # noqa: E731
    assert verdict(check.one_cycle, in_one_line).startswith(check.TICK)


def interpolated(*points: tuple[str, str]) -> Callable[[float, float, float], float]:
    """A schedule through points (share, rate), which may contain `peak` and `warmup`."""

    def schedule(share: float, peak: float, warmup: float) -> float:
        names = {"peak": peak, "warmup": warmup}
        xs, ys = zip(*[[eval(text, names) for text in point] for point in points])
        return float(np.interp(share, xs, ys))

    return schedule


@pytest.mark.parametrize(
    ("schedule", "hint"),
    [
        (interpolated(("0", "0"), ("warmup", "peak"), ("1", "0")), "begins at 0, where nothing is learned"),
        (interpolated(("0", "peak / 10"), ("warmup", "peak"), ("1", "0")), "it should be peak / 25 = 0.01"),
        (interpolated(("0", "peak / 25"), ("0.5", "peak"), ("1", "0")), "at share=0.2; there it should be at its peak"),
        (interpolated(("0", "peak / 25"), ("warmup", "peak"), ("1", "peak / 25")), "back to where it began"),
        (interpolated(("0", "peak / 25"), ("warmup", "peak"), ("1", "peak / 2")), "ends at 0.125; it should end at 0"),
        (lambda s, p, w: triangle(s, p, w) if s >= w else p / 25 * 25 ** (s / w), "halfway up; on a straight line"),
        (lambda s, p, w: triangle(s, p, w) if s <= w else p * (1 - s) ** 2 / (1 - w) ** 2, "halfway down; on a strai"),
        (lambda s, p, w: triangle(s, p, w) if abs(s - 0.7) > 0.05 else p, "leaves PyTorch's lines"),
        (lambda s, p, w: None, "raised TypeError"),
    ],
)
def test_ch7_one_cycle_hints(verdict: Callable[..., str], schedule: Callable[..., float], hint: str) -> None:
    line = verdict(check.one_cycle, schedule)
    assert line.startswith(check.CROSS) and hint in line


def flipped_where(images: Tensor, coins: Tensor, axis: int = 3) -> Tensor:
    return torch.where(coins, images.flip(axis), images)


def coins(*shape: int) -> Tensor:
    return torch.rand(shape) < 0.5


def test_ch7_random_flip_accepts_different_ways(verdict: Callable[..., str]) -> None:
    def by_index(images: Tensor) -> Tensor:
        images = images.clone()
        which = torch.rand(len(images)) < 0.5
        images[which] = images[which].flip(3)
        return images

    def in_a_loop(images: Tensor) -> Tensor:
        return torch.stack([image.flip(2) if torch.rand(()) < 0.5 else image for image in images])

    for answer in (by_index, in_a_loop, lambda x: flipped_where(x, coins(len(x), 1, 1, 1))):
        assert verdict(check.random_flip, answer).startswith(check.TICK)


def flip_in_place(images: Tensor) -> Tensor:
    images[::2] = images[::2].flip(3)
    return images


@pytest.mark.parametrize(
    ("flip", "hint"),
    [
        (lambda x: x.flip(3) if torch.rand(()) < 0.5 else x, "one coin for the whole batch"),
        (lambda x: x, "all images come out as they were"),
        (lambda x: x.flip(3), "all images come out mirrored"),
        (flip_in_place, "changes the images that it is given"),
        (lambda x: flipped_where(x, coins(len(x), 1, 1, 1), axis=2), "upside down: axis 2 is the height"),
        (lambda x: flipped_where(x, coins(len(x), 1, x.shape[2], 1)), "one coin for a whole image"),
        (lambda x: flipped_where(x, coins(len(x), 3, 1, 1)), "one coin for a whole image"),
        (lambda x: flipped_where(x, coins(*x.shape)), "neither the image nor its mirror image"),
        (lambda x: flipped_where(x, (torch.arange(len(x)) % 2 == 0).view(-1, 1, 1, 1)), "coins must be new each time"),
        (lambda x: flipped_where(x, torch.rand(len(x), 1, 1, 1) < 0.1), "it should be about half"),
        (lambda x: flipped_where(x, coins(len(x), 1, 1, 1)).float(), "your result is float32"),
        (lambda x: flipped_where(x, coins(len(x), 1, 1, 1))[:, 0], "must have the shape of the input"),
    ],
)
def test_ch7_random_flip_hints(verdict: Callable[..., str], flip: Callable[[Tensor], Tensor], hint: str) -> None:
    for _ in range(3):  # whatever the coins
        line = verdict(check.random_flip, flip)
        assert line.startswith(check.CROSS) and (hint in line or "for the whole batch" in line)


def a_run(*test_accuracy: float, train: int = 800, test: int = 250, size: int = 32, train_accuracy: float = 0.5) -> Run:
    about = {"data": {"train": train, "test": test}, "recipe": {"epochs": len(test_accuracy)}}
    row = {"size": size, "train_accuracy": train_accuracy}
    return Run(torch.nn.Identity(), about, [row | {"test_accuracy": accuracy} for accuracy in test_accuracy])


@pytest.mark.parametrize(
    ("run", "hint"),
    [
        (a_run(0.5, train=50_000), "you trained on 50,000 images"),
        (a_run(0.5, test=20), "20 test images say too little"),
        (a_run(0.5, 0.3), "30.0% of the test images, and the target is 35%. An epoch before was better"),
        (a_run(0.3, size=16), "had 16 pixels, but the test images have 32"),
        (a_run(0.3, train_accuracy=0.34), "Even on the training images it is 34.0%: train longer"),
        (a_run(0.1, 0.2, 0.3), "3 epochs are few"),
        (a_run(*[0.3] * 20, train_accuracy=0.9), "On the training images it is 90.0%"),
        ("40 %", "give the judge what train(…) returns"),
    ],
)
def test_ch7_reach_target_hints(verdict: Callable[..., str], run: Any, hint: str) -> None:
    line = verdict(check.reach_target, run)
    assert line.startswith(check.CROSS) and hint in line


def test_ch7_reach_target_accepts_a_run_that_reaches_it(verdict: Callable[..., str]) -> None:
    assert verdict(check.reach_target, a_run(0.2, 0.35)).startswith(check.TICK)


def test_ch7_no_answer_gets_an_invitation(verdict: Callable[..., str]) -> None:
    for judge, answer in (
        (check.one_cycle, lambda share, peak, warmup: ...),
        (check.random_flip, lambda images: ...),
        (check.reach_target, ...),
    ):
        assert verdict(judge, answer).startswith(check.OPEN)


@pytest.mark.parametrize(("number", "name"), [(0, "one_cycle"), (1, "random_flip")])
def test_ch7_folded_solutions_are_right(
    root: Any, capsys: pytest.CaptureFixture[str], number: int, name: str
) -> None:
    solution = folded_solutions(root, "07_train_cifar10")[number]
    exec(f"{solution}\ncheck.{name}({name})", {"torch": torch, "check": check})
    assert capsys.readouterr().out.startswith(check.TICK)


def test_ch7_folded_recipe_is_one(root: Any) -> None:
    """Its training takes minutes, so here it only has to be a recipe that goes further than the chapter's."""
    quick = Recipe(epochs=4, batch_size=32, lr=0.06, sizes=((0.0, 16), (0.75, 32)))
    names = {"quick": quick, "recipe": Recipe(), "replace": replace, "small": None}
    recipes = []
    names |= {"train": lambda recipe, **options: recipes.append(recipe), "check": SimpleNamespace(reach_target=id)}
    exec(folded_solutions(root, "07_train_cifar10")[2], names)
    (recipe,) = recipes
    assert recipe.epochs > quick.epochs and recipe.size_at(recipe.epochs - 1) == 32


# Chapter 11: relatives


def ch11_eca(x: Tensor, weight: Tensor, padding: int | None = None) -> Tensor:
    z = x.mean((2, 3))
    half = len(weight) // 2 if padding is None else padding
    logits = torch.nn.functional.conv1d(z[:, None], weight[None, None], padding=half)
    return x * logits.sigmoid().transpose(1, 2)[..., None]


def ch11_loop(x: Tensor, weight: Tensor, **changes: Any) -> Tensor:
    """ECA as sums over the channels, with some steps changed; independent of the judge's convolution."""
    squeeze = changes.get("squeeze", lambda x: x.mean((2, 3)))
    sigma = changes.get("sigma", torch.sigmoid)
    z = squeeze(x)
    rows = torch.zeros_like(z)
    C, half = z.shape[1], len(weight) // 2
    for c in range(C):
        for i, w in enumerate(weight):
            k = c + i - half
            if changes.get("ring"):
                k %= C
            if 0 <= k < C:
                rows[:, c] += w * z[:, k]
    return x * sigma(rows)[:, :, None, None]


@pytest.mark.parametrize("answer", [ch11_eca, ch11_loop])
def test_ch11_eca_accepts_what_is_right(verdict: Callable[..., str], answer: Callable[..., Tensor]) -> None:
    assert verdict(check.eca, answer).startswith(check.TICK)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, w: ch11_loop(x, w, sigma=lambda a: a), "the sigmoid is missing"),
        (lambda x, w: ch11_loop(x, w, sigma=lambda a: a.softmax(1)), "softmax makes the channels compete"),
        (lambda x, w: ch11_loop(x, w, squeeze=lambda x: x.sum((2, 3))), "adds the pixels up"),
        (lambda x, w: ch11_loop(x, w, squeeze=lambda x: x.amax((2, 3))), "takes the maximum"),
        (lambda x, w: ch11_loop(x, w, squeeze=lambda x: x.mean((0, 2, 3)).expand(x.shape[:2]).clone()), "the batch"),
        (lambda x, w: ch11_loop(x, w.flip(0)), "the wrong way round"),
        (lambda x, w: ch11_loop(x, w, ring=True), "your channels are a ring"),
        (lambda x, w: ch11_eca(x, w) / x, "stretched over the maps"),
        (lambda x, w: (ch11_eca(x, w) / x)[:, :, 0, 0], "these are the gates; multiply"),
        (lambda x, w: ch11_eca(x, w, padding=0), "does the kernel have padding k // 2"),
        (lambda x, w: ch11_eca(x, w, padding=1), "for x of shape (3, 16, 4, 6) and k = 5"),  # right for k = 3 alone
        (lambda x, w: ch11_eca(x.transpose(1, 3), w).transpose(1, 3), "slides over rows of pixels"),
        (lambda x, w: ch11_eca(x.transpose(1, 2), w).transpose(1, 2), "slides over columns of pixels"),
        (lambda x, w: ch11_eca(x.transpose(0, 1), w).transpose(0, 1), "over the images of the batch"),
        (
            lambda x, w: torch.stack(
                [torch.stack([ch11_eca(u.reshape(1, -1, 1, 1), w).view(u.shape) for u in maps]) for maps in x]
            ),
            "slides over the pixels",
        ),
        (
            lambda x, w: torch.stack(
                [torch.stack([ch11_eca(u.T[None, :, :, None], w)[0, :, :, 0].T for u in maps]) for maps in x]
            ),
            "slides over the columns of the map",
        ),
        (
            lambda x, w: torch.cat(
                [ch11_eca(x[:, :, i : i + 1, j : j + 1], w) for i in range(x.shape[2]) for j in range(x.shape[3])], 2
            ).view(x.shape),
            "the squeeze is missing",
        ),
        (lambda x, w: x.mul_(0.5), "changes x itself"),
        (lambda x, w: None, "returns NoneType"),
        (lambda x, w: ch11_eca(x, w)[:, :, :1], "ECA keeps it"),
        (lambda x, w: 2 * ch11_eca(x, w), "the values differ from ECA's"),
    ],
)  # fmt: skip
def test_ch11_eca_hints(verdict: Callable[..., str], answer: Callable[..., Any], hint: str) -> None:
    line = verdict(check.eca, answer)
    assert line.startswith(check.CROSS) and hint in line


CH11_NAMES = {"A": "eca", "B": "cbam", "C": "simam", "D": "coordinate", "E": "no_squeeze"}


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ({"A": "ese"}, "A: ese has one gate a channel, from all pixels of all channels"),
        ({"B": "scse"}, "B: scse has one gate a pixel, from that pixel alone"),
        ({"C": "ge_theta_minus"}, "C: ge_theta_minus has"),
        ({"D": "no_squeeze", "E": "coordinate"}, "D: no_squeeze has"),
        ({"E": "NoSqueeze"}, "E: 'NoSqueeze' is not a name of this exercise"),
    ],
)
def test_ch11_whose_gate_hints(verdict: Callable[..., str], change: dict[str, str], hint: str) -> None:
    line = verdict(check.whose_gate, CH11_NAMES | change)
    assert line.startswith(check.CROSS) and hint in line


def test_ch11_whose_gate_counts_are_those_of_the_classes() -> None:
    """The exercise says 5 channels for ECA and 49 pixels for CBAM at C = 256; its names are names of the package."""
    assert set(check.relatives.SEES) <= set(ATTENTION)
    assert make_attention("eca", 256).conv.kernel_size == (5,)
    assert make_attention("cbam", 256).spatial.conv.kernel_size == (7, 7)


def test_ch11_no_answer_gets_an_invitation(verdict: Callable[..., str]) -> None:
    assert verdict(check.eca, lambda x, weight: ...).startswith(check.OPEN)
    assert verdict(check.whose_gate, CH11_NAMES | {"C": ...}).startswith(check.OPEN)


@pytest.mark.parametrize(("number", "judged"), [(0, "check.eca(eca)"), (1, "")])
def test_ch11_folded_solutions_are_right(
    root: Any, capsys: pytest.CaptureFixture[str], number: int, judged: str
) -> None:
    names = {"torch": torch, "F": torch.nn.functional, "check": check}
    exec(f"{folded_solutions(root, '11_relatives')[number]}\n{judged}", names)
    assert capsys.readouterr().out.startswith(check.TICK)


# Chapter 12: in the wild


def ch12_to_ours(
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


def ch12_squeeze_every_1x1(key: str, tensor: Tensor) -> tuple[str, Tensor]:
    return ch12_to_ours(key, tensor)[0], tensor.flatten(1) if tensor.shape[2:] == (1, 1) else tensor


@pytest.mark.parametrize(
    ("to_ours", "hint"),
    [
        (lambda key, tensor: key, "must return two things"),
        (lambda key, tensor: (key, tensor), "the prefix module. is still there"),
        (lambda *given: ch12_to_ours(*given, prefix=False), "the prefix module. is still there"),
        (lambda *given: ch12_to_ours(*given, shift=0), "their stages count from 0"),
        (lambda *given: ch12_to_ours(*given, last=("bn1", "norm1")), "look it up in the table"),
        (lambda *given: ch12_to_ours(*given, last=("downsample.1", "bn")), "norm is downsample.1"),
        (lambda *given: ch12_to_ours(*given, shape=lambda t: t), "our linear layer (o, i)"),
        (lambda *given: ch12_to_ours(*given, shape=torch.squeeze), "also a hidden width of 1"),
        (lambda *given: ch12_to_ours(*given, shape=lambda t: t.flatten(1).T), "it is transposed"),
        (lambda *given: ch12_to_ours(*given, shape=lambda t: t.flatten(1).flip(0)), "values are not in their places"),
        (ch12_squeeze_every_1x1, "the shortcut's 1×1 convolution stays a convolution"),
    ],
)
def test_ch12_key_map_hints(verdict: Callable[..., str], to_ours: Callable, hint: str) -> None:
    line = verdict(check.key_map, to_ours)
    assert line.startswith(check.CROSS) and hint in line


def test_ch12_key_map_is_right_where_the_weights_load(verdict: Callable[..., str]) -> None:
    assert verdict(check.key_map, ch12_to_ours).startswith(check.TICK)
    model = create_model("se_resnet20")
    theirs = dict(check.in_the_wild.invented_layout(model.state_dict()).values())
    assert theirs["module.stages.1.0.attn.down.weight"].shape == (2, 32, 1, 1)
    model.load_state_dict(dict(ch12_to_ours(*item) for item in theirs.items()), strict=True)


def ch12_uncalled(model: nn.Module, x: Tensor) -> list[str]:
    with torch.no_grad(), record_gates(model) as gates:
        model(x)
    return [name for name in find_gates(model) if name not in gates]


def ch12_called(model: nn.Module, x: Tensor) -> list[str]:
    return [name for name in find_gates(model) if name not in ch12_uncalled(model, x)]


def test_ch12_uncalled(verdict: Callable[..., str]) -> None:
    assert verdict(check.uncalled, ch12_uncalled).startswith(check.TICK)
    assert verdict(check.uncalled, lambda model, x: set(ch12_uncalled(model, x))).startswith(check.TICK)


@pytest.mark.parametrize(
    ("uncalled", "hint"),
    [
        (ch12_called, "you name those that it calls"),
        (lambda model, x: list(find_gates(model)), "you name all that are registered"),
        (lambda model, x: [], "you find none"),
        (lambda model, x: len(ch12_uncalled(model, x)), "must return a list of names, not 2"),
        (lambda model, x: [f"{name}.x" for name in ch12_uncalled(model, x)], "it never calls ['body.se', 'head.se']"),
    ],
)
def test_ch12_uncalled_hints(verdict: Callable[..., str], uncalled: Callable, hint: str) -> None:
    line = verdict(check.uncalled, uncalled)
    assert line.startswith(check.CROSS) and hint in line


class Ch12Dropped(nn.Module):
    """Calls its block and forgets the result."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.se = nn.Conv2d(3, 8, 1), SEBlock(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        self.se(x)
        return x.mean((2, 3))


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        (SEBlock, "an nn.Module, not type"),
        (nn.Conv2d(3, 8, 1), "it has no SE block yet"),
        (check.in_the_wild.Toy(("stem",)), "body.se is registered, but the forward pass never calls it"),
        (Ch12Dropped(), "se is called, but its result is not used"),
    ],
)
def test_ch12_own_model_hints(verdict: Callable[..., str], model: Any, hint: str) -> None:
    line = verdict(check.own_model, model, torch.randn(2, 3, 6, 6))
    assert line.startswith(check.CROSS) and hint in line


def test_ch12_own_model_leaves_the_model_as_it_was(verdict: Callable[..., str]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), SEBlock(8, 2), nn.Dropout().eval())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert verdict(check.own_model, model, torch.randn(2, 3, 6, 6)).startswith(check.TICK)
    assert [module.training for module in model] == [True, True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_ch12_no_answer_gets_an_invitation(verdict: Callable[..., str]) -> None:
    assert verdict(check.key_map, lambda key, tensor: ...).startswith(check.OPEN)
    assert verdict(check.uncalled, lambda model, x: ...).startswith(check.OPEN)
    assert verdict(check.own_model, ..., torch.ones(1)).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("number", "judged"),
    [(0, "check.key_map(to_ours)"), (1, "check.uncalled(uncalled)"), (2, "check.own_model(my_model, my_inputs)")],
)
def test_ch12_folded_solutions_are_right(
    root: Any, capsys: pytest.CaptureFixture[str], number: int, judged: str
) -> None:
    names = {"torch": torch, "nn": nn, "check": check, "my_inputs": torch.randn(2, 3, 32, 32)}
    exec(f"{folded_solutions(root, '12_in_the_wild')[number]}\n{judged}", names)
    assert capsys.readouterr().out.startswith(check.TICK)


# Chapter 10: are gates explanations?


def test_ch10_folded_solutions_are_right(root: Any, capsys: pytest.CaptureFixture[str]) -> None:
    freeze, interval = folded_solutions(root, "10_are_gates_explanations")
    names = {"check": check, "gates_of": gates_of}
    exec(f"{freeze}\ncheck.frozen_gates(frozen)\n{interval}\ncheck.paired_interval(interval)", names)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all(line.startswith(check.TICK) for line in lines)


def ch10_frozen(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    return {block: s.mean(0) for block, s in gates_of(model, images).items()}


def ch10_in_training(model: nn.Module, images: Tensor) -> dict[str, Tensor]:
    with record_gates(model) as gates:
        model.train()(images / 255)
    return {block: s.mean(0) for block, s in gates.items()}


def test_ch10_frozen_gates(verdict: Callable[..., str]) -> None:
    assert verdict(check.frozen_gates, ch10_frozen).startswith(check.TICK)
    assert verdict(check.frozen_gates, lambda m, x: {b: s[None] for b, s in ch10_frozen(m, x).items()})[0] == check.TICK
    assert verdict(check.frozen_gates, lambda model, images: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("frozen", "hint"),
    [
        (lambda m, x: {b: s.mean() for b, s in gates_of(m, x).items()}, "every channel has its own mean"),
        (lambda m, x: {b: s.mean(1) for b, s in gates_of(m, x).items()}, "mean over the images, axis 0"),
        (lambda m, x: gates_of(m, x), "still has a row for each image"),
        (lambda m, x: {b: s.median(0).values for b, s in gates_of(m, x).items()}, "that is the median"),
        (lambda m, x: {b: s[0] for b, s in gates_of(m, x).items()}, "gates of the first image"),
        (lambda m, x: {b: s[1:].mean(0) for b, s in gates_of(m, x).items()}, "layer1.0.se are not its mean gates"),
        (lambda m, x: {b: s.mean(0)[:3] for b, s in gates_of(m, x).items()}, "layer1.0.se needs shape (16,), got (3,)"),
        (lambda m, x: {"layer3.2.se": gates_of(m, x)["layer3.2.se"].mean(0)}, "leaves out layer1.0.se"),
        (lambda m, x: [s.mean(0) for s in gates_of(m, x).values()], "return a dictionary"),
        (ch10_in_training, "in training mode"),
        (lambda m, x: {b: s.mean(0) for b, s in gates.items()}, "NameError"),  # noqa: F821
    ],
)
def test_ch10_frozen_gates_hints(verdict: Callable[..., str], frozen: Callable, hint: str) -> None:
    line = verdict(check.frozen_gates, frozen)
    assert line.startswith(check.CROSS) and hint in line


def ch10_interval(mended: int, broken: int, n: int) -> tuple[float, float]:
    """By `effect`, on answers with these counts."""
    before = torch.tensor([1] * mended + [0] * (n - mended))
    after = torch.tensor([0] * mended + [1] * broken + [0] * (n - mended - broken))
    e = effect(before, after, torch.zeros_like(before))
    return e.change, e.margin


def ch10_spoiled(margin: Callable[[float, float, int], float], sign: int = 1) -> Callable:
    """An answer with another margin, as a function of the mean change, the standard deviation and n."""

    def interval(mended: int, broken: int, n: int) -> tuple[float, float]:
        d = (mended - broken) / n
        return sign * d, margin(d, ((mended + broken) / n - d**2) ** 0.5, n)

    return interval


def test_ch10_paired_interval(verdict: Callable[..., str]) -> None:
    assert verdict(check.paired_interval, ch10_interval).startswith(check.TICK)
    unbiased = ch10_spoiled(lambda d, sd, n: 1.96 * sd * (n / (n - 1)) ** 0.5 / n**0.5)
    assert verdict(check.paired_interval, unbiased).startswith(check.TICK)
    assert verdict(check.paired_interval, lambda mended, broken, n: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("interval", "hint"),
    [
        (ch10_spoiled(lambda d, sd, n: 1.96 * sd / n**0.5, sign=-1), "wrong sign"),
        (lambda m, b, n: (m - b, 0.0), "divide by n"),
        (lambda m, b, n: (m / n, 0.0), "the change is -0.14, yours is 0.1"),
        (lambda m, b, n: (m - b) / n, "return change, margin"),
        (lambda m, b, n: ((m - b) / n, 1.96 * (m + b) ** 0.5 / n), "less the square of the mean"),
        (ch10_spoiled(lambda d, sd, n: sd / n**0.5), "1.96 is missing"),
        (ch10_spoiled(lambda d, sd, n: 1.96 * sd), "strays less, by √n"),
        (ch10_spoiled(lambda d, sd, n: 1.96 * sd**2 / n**0.5), "needs its root"),
        (ch10_spoiled(lambda d, sd, n: 1.96 * sd / n), "by √n, not by n"),
        (ch10_spoiled(lambda d, sd, n: 3.92 * sd / n**0.5), "half of it"),
        (ch10_spoiled(lambda d, sd, n: 0.3), "the margin is 0.1569, yours is 0.3000"),
    ],
)
def test_ch10_paired_interval_hints(verdict: Callable[..., str], interval: Callable, hint: str) -> None:
    line = verdict(check.paired_interval, interval)
    assert line.startswith(check.CROSS) and hint in line


# Chapter 1: why channels


@pytest.mark.parametrize(
    ("number", "judged"), [(0, "check.receptive_field(receptive_field)"), (1, "check.stage_fields(stages)")]
)
def test_ch1_folded_solutions_are_right(
    root: Any, capsys: pytest.CaptureFixture[str], number: int, judged: str
) -> None:
    solutions = folded_solutions(root, "01_why_channels")
    exec("\n".join([*solutions[: number + 1], judged]), {"torch": torch, "check": check})  # the second uses the first
    assert capsys.readouterr().out.startswith(check.TICK)


def ch1_field(layers: list, size: int = 1, added: int = -1, own: int = 1, before: int = 1) -> int:
    """The window; `own` and `before` are powers of the layer's own stride and of the strides before it."""
    strides = [stride for _, stride in layers]
    jumps = [int(np.prod(strides[:i])) ** before * strides[i] ** (own - 1) for i in range(len(layers))]
    return size + sum((kernel + added) * jump for (kernel, _), jump in zip(layers, jumps))


def test_ch1_receptive_field(verdict: Callable[..., str]) -> None:
    assert verdict(check.receptive_field, ch1_field).startswith(check.TICK)
    assert verdict(check.receptive_field, lambda layers: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("receptive_field", "hint"),
    [
        (lambda layers: ch1_field(layers, before=0), "the strides are missing"),
        (
            lambda layers: 1 + sum((k - 1) * before for (k, _), before in zip(layers, [1, *(s for _, s in layers)])),
            "the product of the strides",
        ),
        (lambda layers: ch1_field(layers, own=2), "comes too early"),
        (lambda layers: ch1_field(layers, size=0), "start from 1"),
        (lambda layers: ch1_field(layers, added=0), "adds k - 1 neighbors"),
        (lambda layers: ch1_field(layers[::-1]), "from the last layer to the first"),
        (lambda layers: (ch1_field(layers), 1), "must return one number"),
        (lambda layers: 7, r"for \[\(3, 2\), .*\] the window is 23 wide, not 7"),
        (lambda layers: layers[99], "IndexError"),
    ],
)
def test_ch1_receptive_field_hints(verdict: Callable[..., str], receptive_field: Callable, hint: str) -> None:
    line = verdict(check.receptive_field, receptive_field)
    assert line.startswith(check.CROSS) and re.search(hint, line)


def test_ch1_stage_fields(verdict: Callable[..., str]) -> None:
    with torch.device("meta"):
        fields = receptive_fields(create_model("resnet18"))
    right = [field.size for field in fields if field.name.endswith(".1")]
    assert right == [43, 99, 211, 435]
    assert verdict(check.stage_fields, right).startswith(check.TICK)
    assert verdict(check.stage_fields, [43, ..., ..., ...]).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("answers", "hint"),
    [
        ([17, 25, 33, 41], "the strides are missing"),
        ([43, 131, 483, 1891], "you count the 1x1 shortcuts"),
        ([9, 23, 51, 107], "the stem is missing"),
        ([23, 51, 107, 219], "the max pooling of the stem is missing"),
        ([27, 51, 99, 195], "two convolutions a stage"),
        ([42, 98, 210, 434], "start from 1"),
        ([43, 99, 227, 435], "stage 3 is not 227. Behind stage 2 it is 99, and neighbors lie 8 apart"),
        ([44, 99, 211, 435], "stage 1 is not 44. Behind the stem it is 11, and neighbors lie 4 apart"),
        ([43, 99, 211], "give four numbers"),
    ],
)
def test_ch1_stage_fields_hints(verdict: Callable[..., str], answers: list, hint: str) -> None:
    line = verdict(check.stage_fields, answers)
    assert line.startswith(check.CROSS) and hint in line


# Chapter 0: the live network


def ch0_falls(
    net: nn.Module, x: Tensor, block: str, channel: int | slice, gate: float = 0, sign: int = 1, of: str = "softmax"
) -> str:
    def change(s: Tensor) -> Tensor:
        s = s.clone()
        s[:, channel] = gate
        return s

    measure = {"softmax": lambda logits: logits.softmax(1), "logits": lambda logits: logits}[of]
    with record_gates(net):  # any context around it must do no harm
        before = measure(net(x))
        with override_gates(net, {block: change}):
            after = measure(net(x))
    return CLASSES[int((sign * (before - after)).argmax())]


def ch0_leaks(net: nn.Module, x: Tensor, block: str, channel: int) -> str:
    net.get_submodule(block).gate.register_forward_hook(lambda module, args, s: 0 * s)
    return "cat"


def test_ch0_falling_class(verdict: Callable[..., str]) -> None:
    assert verdict(check.falling_class, ch0_falls).startswith(check.TICK)
    assert verdict(check.falling_class, lambda *case: CLASSES.index(ch0_falls(*case))).startswith(check.TICK)
    assert verdict(check.falling_class, lambda net, x, block, channel: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("falls", "hint"),
    [
        (lambda *case: ch0_falls(*case, sign=-1), "which rises most"),
        (lambda net, x, block, channel: CLASSES[int(net(x).argmax())], "which was on top before"),
        (lambda *case: ch0_falls(*case, of="logits"), "you compare logits"),
        (lambda net, x, block, channel: ch0_falls(net, x, block, slice(None)), "you mute the whole block"),
        (lambda *case: ch0_falls(*case, gate=1), "you set the gate to 1"),
        (lambda net, x, block, channel: ch0_falls(net, x, block, 0), "falls by"),
        (ch0_leaks, "computes something else"),
        (lambda *case: "dachshund", "return one of the ten classes"),
        (lambda *case: case[7], "IndexError"),
    ],
)
def test_ch0_falling_class_hints(verdict: Callable[..., str], falls: Callable, hint: str) -> None:
    line = verdict(check.falling_class, falls)
    assert line.startswith(check.CROSS) and hint in line


# Chapter 6: learning to gate


@pytest.mark.parametrize(
    ("number", "judged"), [(0, "check.revive(revive)"), (1, "check.starting_bias(bias_for)"), (2, "")]
)
def test_ch6_folded_solutions_are_right(
    root: Any, capsys: pytest.CaptureFixture[str], number: int, judged: str
) -> None:
    code = folded_solutions(root, "06_learning_to_gate")[number]
    exec(f"{code}\n{judged}", {"torch": torch, "check": check})
    assert capsys.readouterr().out.startswith(check.TICK)


def ch6_set_bias(bias: Callable[[SEBlock, Tensor], Any], name: str = "fc1") -> Callable:
    """A repair that sets a bias to what `bias` makes of the block and the descriptors."""

    def revive(se: SEBlock, z: Tensor) -> None:
        with torch.no_grad():
            getattr(se, name).bias.copy_(torch.as_tensor(bias(se, z)))

    return revive


def ch6_answers(se: SEBlock, z: Tensor) -> Tensor:
    return z @ se.fc1.weight.T


def ch6_new_weights(se: SEBlock, z: Tensor) -> None:
    nn.init.normal_(se.fc1.weight)
    nn.init.zeros_(se.fc1.bias)


def ch6_no_bias(se: SEBlock, z: Tensor) -> None:
    se.fc1.bias = None


def ch6_frozen_bias(se: SEBlock, z: Tensor) -> None:
    se.fc1.bias = nn.Parameter(-ch6_answers(se, z).mean(0).detach(), requires_grad=False)


@pytest.mark.parametrize("center", [lambda values: values.mean(0), lambda values: values.median(0).values])
def test_ch6_revive(verdict: Callable[..., str], center: Callable) -> None:
    assert verdict(check.revive, ch6_set_bias(lambda se, z: -center(ch6_answers(se, z)))).startswith(check.TICK)
    assert verdict(check.revive, lambda se, z: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("revive", "hint"),
    [
        (lambda se, z: None, "nothing has changed"),
        (ch6_set_bias(lambda se, z: 0.0), "W1 z of unit 0 is still below zero"),
        (ch6_set_bias(lambda se, z: -5.0), "unit 0 is still off"),
        (ch6_set_bias(lambda se, z: 50.0), "unit 0 is now on for every descriptor"),
        (ch6_set_bias(lambda se, z: -ch6_answers(se, z).mean()), "unit 0 is still off"),
        (ch6_set_bias(lambda se, z: ch6_answers(se, z).mean(0)), "unit 0 is still off"),
        (ch6_set_bias(lambda se, z: -ch6_answers(se, z).amin(0) + 0.1), "unit 0 is now on"),
        (ch6_set_bias(lambda se, z: 3.0, "fc2"), "fc2.bias moves all gates"),
        (ch6_new_weights, "you changed fc1.weight"),
        (ch6_no_bias, "lost its bias"),
        (ch6_frozen_bias, "lost requires_grad"),
        (lambda se, z: se.fc1.bias.zero_(), "RuntimeError"),  # a leaf that requires grad, in place
    ],
)
def test_ch6_revive_hints(verdict: Callable[..., str], revive: Callable, hint: str) -> None:
    line = verdict(check.revive, revive)
    assert line.startswith(check.CROSS) and hint in line


@pytest.mark.parametrize("means", [(0.0, 0.0, 0.0, 0.0), (-3.0, 2.0, -1.5, -6.0)])
def test_ch6_the_block_to_be_revived_is_dead(means: tuple[float, ...]) -> None:
    se, z = check.learning_to_gate.dead_block(means)
    assert torch.allclose(ch6_answers(se, z).mean(0), torch.tensor(means), atol=1e-4)
    (se.excite(z) * torch.randn(16)).sum().backward()
    assert torch.equal(se.excite(z), torch.full((64, 16), 0.5))
    assert not se.fc1.weight.grad.any() and not se.fc1.bias.grad.any() and not se.fc2.weight.grad.any()
    assert se.fc2.bias.grad.all()


def test_ch6_starting_bias(verdict: Callable[..., str]) -> None:
    assert verdict(check.starting_bias, lambda s: math.log(s / (1 - s))).startswith(check.TICK)
    assert verdict(check.starting_bias, lambda s: torch.logit(torch.tensor(s))).startswith(check.TICK)
    assert verdict(check.starting_bias, lambda s: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("bias_for", "hint"),
    [
        (lambda s: math.log((1 - s) / s), "the sign"),
        (lambda s: s / (1 - s), "that is the odds"),
        (math.log, "that is ln s"),
        (lambda s: 1 / (1 + math.exp(-s)), "the other direction"),
        (lambda s: math.log2(s / (1 - s)), "to the base 2"),
        (lambda s: math.log10(s / (1 - s)), "to the base 10"),
        (lambda s: s, "that is the gate itself"),
        (lambda s: 2.0, "for a gate of 0.88 you give 2.000, and σ of that is 0.881"),
        (lambda s: None, "TypeError"),
    ],
)
def test_ch6_starting_bias_hints(verdict: Callable[..., str], bias_for: Callable, hint: str) -> None:
    line = verdict(check.starting_bias, bias_for)
    assert line.startswith(check.CROSS) and hint in line


def ch6_leaves_half(name: str) -> bool:
    """Train a block of this kind on a toy task, and see whether its gates leave one half."""
    C = 16
    u = torch.randn(32, C, 4, 4) + torch.randn(32, C, 1, 1)
    norm, se = nn.BatchNorm2d(C), SEBlock(C, reduction=4)
    if name == "width 0":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            se.fc1, se.fc2 = nn.Linear(C, 0, bias=False), nn.Linear(0, C, bias=False)
    elif name == "γ = 0":
        nn.init.zeros_(norm.weight)
    elif name == "all off":
        u = u - 6 * torch.linalg.pinv(se.fc1.weight.detach()).sum(1)[:, None, None]
        assert (se.squeeze(u) @ se.fc1.weight.T).max() < 0
    else:
        nn.init.zeros_(se.get_submodule({"W1 = 0": "fc1", "W2 = 0": "fc2"}[name]).weight)
    network = nn.Sequential(norm, se) if name == "γ = 0" else se
    target = torch.randn_like(u)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)

    def gates() -> Tensor:
        with record_gates(network) as recorded, torch.no_grad():
            network(u)
        return next(iter(recorded.values()))

    assert torch.equal(gates(), torch.full((32, C), 0.5))
    for _ in range(5):
        optimizer.zero_grad()
        (network(u) - target).square().mean().backward()
        optimizer.step()
    return not torch.equal(gates(), torch.full((32, C), 0.5))


CH6_HALVES = ("W1 = 0", "W2 = 0", "all off", "γ = 0", "width 0")


def test_ch6_leaves_half(verdict: Callable[..., str]) -> None:
    right = {name: ch6_leaves_half(name) for name in CH6_HALVES}
    assert verdict(check.leaves_half, right).startswith(check.TICK)
    assert verdict(check.leaves_half, right | {"γ = 0": ...}).startswith(check.OPEN)
    for name, leaves in right.items():
        line = verdict(check.leaves_half, right | {name: not leaves})
        assert line.startswith(f"{check.CROSS} {name}? ")
    assert "no answer for 'all off'" in verdict(check.leaves_half, {"W1 = 0": False, "W2 = 0": True})
    assert "answer True or False, not 'yes'" in verdict(check.leaves_half, right | {"W2 = 0": "yes"})


# Chapter 8: does it help?


def test_ch8_folded_solutions_are_right(root: Any, capsys: pytest.CaptureFixture[str]) -> None:
    interval, claims = folded_solutions(root, "08_does_it_help")
    names = {"check": check, "statistics": statistics, "T975": T975}
    exec(f"{interval}\ncheck.seed_interval(interval)\n{claims}\ncheck.what_follows(claims)", names)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and all(line.startswith(check.TICK) for line in lines)


def ch8_interval(
    a: dict, b: dict, *, sign: int = 1, pair: bool = True, ddof: int = 1, factor: float | None = None, root: float = 0.5
) -> tuple[float, float]:
    """With NumPy; the options are ways to get it wrong."""
    seeds = [seed for seed in a if seed in b]
    d = np.array([a[seed] - b[seed] for seed in seeds])
    n = len(d)
    t = {3: 4.3027, 5: 2.7764}[n] if factor is None else factor
    strays = np.array(list(a.values())) - np.array(list(b.values())) if not pair else d
    return sign * d.mean(), t * strays.std(ddof=ddof) / (n if pair else len(strays)) ** root


def ch8_unpaired(a: dict, b: dict, factor: float = 2.7764) -> tuple[float, float]:
    x, y = np.array(list(a.values())), np.array(list(b.values()))
    return x.mean() - y.mean(), factor * np.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y))


def test_ch8_seed_interval(verdict: Callable[..., str]) -> None:
    assert verdict(check.seed_interval, ch8_interval).startswith(check.TICK)
    assert verdict(check.seed_interval, lambda a, b: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("interval", "hint"),
    [
        (lambda a, b: ch8_interval(a, b, sign=-1), "a minus b"),
        (lambda a, b: ch8_interval(dict(sorted(a.items())[:5]), b)[0], "return mean, margin"),
        (lambda a, b: ch8_interval(a, b, factor=1.96), "take Student's t"),
        (lambda a, b: ch8_interval(a, b, factor=1), "the factor t is missing"),
        (lambda a, b: ch8_interval(a, b, factor=2.5706), "5 differences have 4"),
        (lambda a, b: ch8_interval(a, b, ddof=0), "divides by n - 1"),
        (lambda a, b: ch8_interval(a, b, root=0), "√n is missing"),
        (lambda a, b: ch8_interval(a, b, root=1), "by √n, not by n"),
        (lambda a, b: (ch8_interval(a, b)[0], 2 * ch8_interval(a, b)[1]), "the whole width"),
        (ch8_unpaired, "two unrelated groups. Take the differences first, then"),
        (lambda a, b: ch8_unpaired(a, b, 2.3060), "and then n - 1 = 4"),
        (lambda a, b: (sum(a.values()) / len(a) - sum(b.values()) / len(b), ch8_interval(a, b)[1]), "has no partner"),
        (lambda a, b: (ch8_interval(a, b)[0], 0.1), "yours is 0.10000"),
        (lambda a, b: (0.5, 0.1), "yours is 0.50000"),
        (lambda a, b: a["seed"], "KeyError"),
    ],
)
def test_ch8_seed_interval_hints(verdict: Callable[..., str], interval: Callable, hint: str) -> None:
    line = verdict(check.seed_interval, interval)
    assert line.startswith(check.CROSS) and hint in line


def test_ch8_pairs_by_place_are_noticed_where_the_seeds_stand_in_another_order(verdict: Callable[..., str]) -> None:
    def interval(a: dict, b: dict) -> tuple[float, float]:
        right = ch8_interval(a, b)
        d = np.array([x - y for x, y in zip(a.values(), b.values())])
        return right[0], {4: 4.3027, 5: 2.7764}[len(d)] * d.std(ddof=1) / len(d) ** 0.5

    line = verdict(check.seed_interval, interval)
    assert line.startswith(check.CROSS) and "pair by seed" in line


CH8_CLAIMS = {
    "A gains": True,
    "B has no effect": False,
    "C is better than A": False,
    "D gains less than 0.3": True,
    "A trained again with new seeds gains 0.8": False,
}


def test_ch8_what_follows(verdict: Callable[..., str]) -> None:
    assert verdict(check.what_follows, CH8_CLAIMS).startswith(check.TICK)
    assert verdict(check.what_follows, CH8_CLAIMS | {"A gains": ...}).startswith(check.OPEN)
    for claim, follows in CH8_CLAIMS.items():
        assert verdict(check.what_follows, CH8_CLAIMS | {claim: not follows}).startswith(f"{check.CROSS} {claim}? ")
    assert "True or False" in verdict(check.what_follows, CH8_CLAIMS | {"A gains": "yes"})
    assert "no answer for 'A gains'" in verdict(check.what_follows, dict(list(CH8_CLAIMS.items())[1:]))


# Chapter 13: reproduce


def test_ch13_folded_solutions_are_right(root: Any, capsys: pytest.CaptureFixture[str]) -> None:
    changed, rerun, claims = folded_solutions(root, "13_reproduce")
    names = {"check": check, "torch": torch, "override_gates": override_gates, "normalize": normalize}
    judged = ("check.changed_files(changed)", "check.rerun(rerun)", "check.what_it_shows(claims)")
    exec("\n".join([changed, judged[0], rerun, judged[1], claims, judged[2]]), names)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and all(line.startswith(check.TICK) for line in lines)


def ch13_changed(
    folder: Path, recorded: dict, *, read: Callable = Path.read_bytes, hash: Callable = hashlib.sha256
) -> list[str]:
    found = []
    for name, digits in recorded.items():
        path = folder / name
        if not path.exists() or hash(read(path)).hexdigest() != digits:
            found.append(name)
    return found


def ch13_in_folder(folder: Path, recorded: dict) -> list[str]:
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    return [name for name in names if hashlib.sha256((folder / name).read_bytes()).hexdigest() != recorded[name]]


def ch13_by_size() -> Callable:
    seen: dict = {}

    def changed(folder: Path, recorded: dict) -> list[str]:
        sizes = {name: (folder / name).stat().st_size for name in recorded if (folder / name).exists()}
        for name, size in sizes.items():
            seen.setdefault(name, size)
        return [name for name in recorded if sizes.get(name) != seen.get(name)]

    return changed


def test_ch13_changed_files(verdict: Callable[..., str]) -> None:
    assert verdict(check.changed_files, ch13_changed).startswith(check.TICK)
    assert verdict(check.changed_files, lambda f, r: {f / n for n in ch13_changed(f, r)}).startswith(check.TICK)
    assert verdict(check.changed_files, lambda folder, recorded: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        (lambda f, r: ch13_changed(f, r, hash=hashlib.md5), "the 64 digits"),
        (lambda f, r: ch13_changed(f, r, read=lambda p: p.read_text("latin-1").encode("latin-1")), "read_bytes()"),
        (lambda f, r: ["empty.txt"], "and you find empty.txt"),
        (ch13_by_size(), "one bit of weights.bin"),
        (lambda f, r: [n for n in ch13_changed(f, r) if n != "history.jsonl"], "one line break more"),
        (
            lambda f, r: [n for n, h in r.items() if hashlib.sha256((f / n).read_bytes()).hexdigest() != h],
            "in place of an error",
        ),
        (ch13_in_folder, "go through the recorded names"),
        (lambda f, r: (found := ch13_changed(f, r)) and [*found, "more"], "you find history.jsonl, more"),
        (lambda f, r: None, "TypeError"),
    ],
)
def test_ch13_changed_files_hints(verdict: Callable[..., str], changed: Callable, hint: str) -> None:
    line = verdict(check.changed_files, changed)
    assert line.startswith(check.CROSS) and hint in line


def ch13_rerun(
    model: nn.Module, images: Tensor, labels: Tensor, block: str, gate: float, total: int, *, prepare: Any = normalize
) -> tuple[float, Tensor, Tensor, int]:
    """Change, right or wrong before and after, and the number of images."""
    with torch.no_grad():
        before = (model.eval()(prepare(images)).argmax(1) == labels).double()
        with override_gates(model, {block: gate}):
            after = (model(prepare(images)).argmax(1) == labels).double()
    return (after - before).mean().item(), before, after, len(images)


def ch13_answer(*inputs: Any, sign: int = 1, width: Callable = lambda d, n, N: d.std() * (1 / n - 1 / N) ** 0.5 * 1.96):
    change, before, after, n = ch13_rerun(*inputs)
    return sign * change, float(width(after - before, n, inputs[-1]))


def test_ch13_rerun(verdict: Callable[..., str]) -> None:
    assert verdict(check.rerun, ch13_answer).startswith(check.TICK)
    assert verdict(check.rerun, lambda *inputs: ...).startswith(check.OPEN)

    def as_effect(model: nn.Module, images: Tensor, labels: Tensor, block: str, gate: float, total: int) -> tuple:
        from senet_edu.analysis import answers

        e = effect(*answers(model, images, [{}, {block: gate}]), labels)
        return e.change, e.margin * (1 - len(images) / total) ** 0.5

    assert verdict(check.rerun, as_effect).startswith(check.TICK)


def ch13_in_training_mode(model: nn.Module, *inputs: Any) -> tuple[float, float]:
    mode = model.training
    model.eval, eval_mode = (lambda: model.train(mode)), model.eval
    try:
        return ch13_answer(model, *inputs)
    finally:
        model.eval = eval_mode


@pytest.mark.parametrize(
    ("rerun", "hint"),
    [
        (lambda *i: ch13_answer(*i)[0], "return change, margin"),
        (lambda *i: ch13_answer(*i, sign=-1), "the wrong sign"),
        (lambda *i: (ch13_rerun(*i)[2].mean(), 0), "subtract the one before"),
        (lambda *i: ch13_answer(*i, sign=0), "inside of its `with`"),
        (lambda *i: (ch13_rerun(*i, prepare=Tensor.float)[0], 0), "normalize(images)"),
        (lambda *i: (100 * ch13_rerun(*i)[0], 0), "change in points"),
        (lambda *i: (0.123, 0), "yours is 0.1230"),
        (ch13_in_training_mode, "training mode"),
        (lambda *i: ch13_answer(*i, width=lambda d, n, N: 1.96 * d.std() / n**0.5), "a part of the stored"),
        (lambda *i: ch13_answer(*i, width=lambda d, n, N: d.std() * (1 / n - 1 / N) ** 0.5), "1.96 is missing"),
        (lambda *i: ch13_answer(*i, width=lambda d, n, N: 1.96 * d.std()), "a single image"),
        (lambda *i: ch13_answer(*i, width=lambda d, n, N: 1.96 * d.std() * (1 / n - 1 / N)), "left out the root"),
        (lambda *i: ch13_answer(*i, width=lambda d, n, N: 3.92 * d.std() * (1 / n - 1 / N) ** 0.5), "half of it"),
        (lambda *i: ch13_answer(*i, width=lambda d, n, N: 7), "yours is 7.0000"),
        (lambda model, images, *i: model(images), "RuntimeError"),
    ],
)
def test_ch13_rerun_hints(verdict: Callable[..., str], rerun: Callable, hint: str) -> None:
    line = verdict(check.rerun, rerun)
    assert line.startswith(check.CROSS) and hint in line


def test_ch13_rerun_wants_the_sd_of_differences(verdict: Callable[..., str]) -> None:
    def answer(of: Callable) -> Callable:
        def rerun(*inputs: Any) -> tuple[float, float]:
            change, before, after, n = ch13_rerun(*inputs)
            return change, float(1.96 * of(before, after) * (1 / n - 1 / inputs[-1]) ** 0.5)

        return rerun

    line = verdict(check.rerun, answer(lambda before, after: (before.var() + after.var()) ** 0.5))
    assert "take the sd of the differences" in line
    line = verdict(check.rerun, answer(lambda before, after: (after.mean() * (1 - after.mean())) ** 0.5))
    assert "that is for an accuracy" in line


CH13_CLAIMS = {
    "the hash is the recorded one: these are the recorded bytes": True,
    "the hash is the recorded one: the recorded accuracy is right": False,
    "same seed, another machine, other weights: something is broken": False,
    "same seed, same CPU setup, other weights: something is broken": True,
    "a page without outputs passes nbval: its cells are right": False,
    "a test passes: it would fail if the code were wrong": False,
}


def test_ch13_what_it_shows(verdict: Callable[..., str]) -> None:
    first = next(iter(CH13_CLAIMS))
    assert verdict(check.what_it_shows, CH13_CLAIMS).startswith(check.TICK)
    assert verdict(check.what_it_shows, CH13_CLAIMS | {first: ...}).startswith(check.OPEN)
    for claim, holds in CH13_CLAIMS.items():
        assert verdict(check.what_it_shows, CH13_CLAIMS | {claim: not holds}).startswith(f"{check.CROSS} {claim}? ")
    assert "True or False" in verdict(check.what_it_shows, CH13_CLAIMS | {first: "yes"})
    assert f"no answer for {first!r}" in verdict(check.what_it_shows, dict(list(CH13_CLAIMS.items())[1:]))

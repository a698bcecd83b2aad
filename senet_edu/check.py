"""Judges of the exercises: a reader's answer in, a tick or a hint out.

Every judge prints one line and returns nothing. It tests what the answer *does*; there is more than one right answer.
An exercise that nobody has answered yet (`...`) gets an invitation, so a fresh notebook runs from top to bottom.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from senet_edu.analysis import answers as answers_of
from senet_edu.analysis import calibrate_batch_norm, class_share, gates_of
from senet_edu.data import CLASSES
from senet_edu.gates import find_gates, override_gates, record_gates
from senet_edu.measure.intervals import T975, paired
from senet_edu.resnet import BasicBlock, Bottleneck, create_model
from senet_edu.se import SEBlock
from senet_edu.zoo import load_pretrained

TICK, CROSS, OPEN = "✓", "✗", "○"


def judge(answer: Any, test: Callable[[Any], str | None], praise: str) -> None:
    """Print the verdict on an answer.

    Args:
        answer: the reader's; `...` means not answered yet.
        test: returns None where the answer is right, else a hint.
        praise: one sentence for a right answer: what it shows.
    """
    if answer is ...:
        print(f"{OPEN} Not answered yet: replace the ... and run the cell again.")
        return
    try:
        hint = test(answer)
    except Exception as error:  # a reader's code may fail in any way; the judge reports it
        hint = f"your answer raised {type(error).__name__}: {error}"
    print(f"{TICK} {praise}" if hint is None else f"{CROSS} {hint}")


def _unanswered(function: Callable[..., Any], *inputs: Any) -> bool:
    """Whether a reader's function still returns `...`."""
    try:
        return function(*inputs) is ...
    except Exception:  # it does something, if not the right thing; the judge will report it
        return False


def _judge_claims(answers: Mapping[str, Any], claims: Mapping[str, tuple[bool, str]], praise: str) -> None:
    """Judge sentences that are True or False; `claims` has the right answer to each, and why."""

    def test(answers: Mapping[str, Any]) -> str | None:
        for claim, (holds, why) in claims.items():
            if claim not in answers:
                return f"there is no answer for {claim!r}."
            if answers[claim] not in (True, False):
                return f"{claim}: answer True or False, not {answers[claim]!r}."
            if answers[claim] != holds:
                return f"{claim}? {why}"
        return None

    judge(... if any(answer is ... for answer in answers.values()) else answers, test, praise)


def _close(got: Tensor, wanted: Tensor) -> bool:
    return got.shape == wanted.shape and bool(torch.allclose(got.double(), wanted.double(), atol=1e-5))


# Chapter 2: squeeze


def same_mean(twins: Callable[[], tuple[Any, Any]], tell: Callable[[Any], Any]) -> None:
    """Two maps `(H, W)` with one mean, the larger maximum at least 5 times the other; `tell` gives them two numbers."""

    def test(twins: Callable[[], tuple[Any, Any]]) -> str | None:
        maps = twins()
        if not isinstance(maps, tuple | list) or len(maps) != 2:
            return "twins() must return two maps: `return first, second`."
        first, second = (torch.as_tensor(u, dtype=torch.float64) for u in maps)
        if first.ndim != 2 or second.ndim != 2:
            return f"a map has two axes, (H, W); yours have shapes {tuple(first.shape)} and {tuple(second.shape)}."
        if not _close(first.mean(), second.mean()):
            return f"the means differ: {first.mean():.4g} and {second.mean():.4g}."
        low, high = sorted((float(first.max()), float(second.max())))
        if low <= 0:
            return f"let both maxima be above zero, so that one can be 5 times the other; now one is {low:.4g}."
        if high < 5 * low:
            return f"the maxima are {low:.4g} and {high:.4g}; the larger must be at least 5 times the smaller."
        one, other = (torch.as_tensor(tell(u), dtype=torch.float64) for u in maps)
        if one.numel() != 1 or other.numel() != 1:
            return f"tell(u) must be one number, as every squeeze is; yours has shape {tuple(one.shape)}."
        if _close(one, other):
            same_as = " That is the mean, which the twins share." if _close(one, first.mean()) else ""
            return f"tell gives {one.item():.4g} for both maps.{same_as}"
        flat, square = torch.full((12, 20), 0.25), torch.zeros(12, 20)
        square[6:, 10:] = 1  # a quarter of the map, so its mean is 0.25, too
        others = [tell(u if isinstance(maps[0], Tensor) else u.numpy()) for u in (flat, square)]
        if _close(*(torch.as_tensor(number, dtype=torch.float64) for number in others)):
            return "tell parts your twins, but not a flat map of 0.25 from one with a quarter at 1 and the rest at 0."
        return None

    answer = ... if _unanswered(twins) or _unanswered(tell, torch.ones(4, 4)) else twins
    judge(answer, test, "One mean, two different maps: what the mean forgets, your squeeze still sees.")


def center(center: Callable[[Tensor], Tensor]) -> None:
    """Subtract from every map of `(N, C, H, W)` its own mean."""

    def test(center: Callable[[Tensor], Tensor]) -> str | None:
        generator = torch.Generator().manual_seed(0)
        for shape in ((8, 8, 8, 8), (2, 3, 5, 7), (1, 4, 1, 1)):
            u = torch.randn(shape, generator=generator) + torch.randn(*shape[:2], 1, 1, generator=generator)
            try:
                got = center(u.clone())
            except RuntimeError as error:
                return f"for u of shape {shape} PyTorch says: {error}. Do the axes of the mean line up with those of u?"
            if not isinstance(got, Tensor) or got.shape != u.shape:
                return f"for u of shape {shape} the result must have the same shape."
            mistakes = {
                "you subtract one mean of everything; each map has its own.": u - u.mean(),
                "you mean over the batch, too; each image has its own z.": u - u.mean((0, 2, 3), keepdim=True),
                "you mean over the channels, axis 1; squeeze means over H and W.": u - u.mean(1, keepdim=True),
                f"no error for u of shape {shape}, but wrong: without keepdim, z (N, C) is lined up with the axes "
                "(H, W).": u - u.mean((2, 3)) if shape == (8, 8, 8, 8) else None,
                "these are the means; subtract them from u.": u.mean((2, 3), keepdim=True).expand_as(u),
            }
            if _close(got, u - u.mean((2, 3), keepdim=True)):
                continue
            for hint, wrong in mistakes.items():
                if wrong is not None and _close(got, wrong):
                    return hint
            return f"for u of shape {shape} the maps do not come out with mean zero and otherwise unchanged."
        return None

    answer = ... if _unanswered(center, torch.ones(2, 3, 4, 4)) else center
    judge(answer, test, "Right for every N, C, H and W: the two kept axes make z line up with the maps.")


# Chapter 3: excitation


def hidden_width(width: Any, gate_when_off: Any, directions: Any) -> None:
    """C = 16, r = 16: the hidden width, every gate when no hidden unit is on, and in how many ways gates can move."""

    def test(answers: tuple[Any, Any, Any]) -> str | None:
        width, gate, directions = (float(answer) for answer in answers)
        if width != 1:
            known = {
                0: "16 // 16 is not 0; that happens when C is smaller than r.",
                4: "4 would be r = 4, as in our network; here r is 16.",
                8: "8 is what timm would make of it, which rounds widths up; the paper says C/r.",
                16: "16 is C; the hidden layer is r times narrower.",
            }
            return "width: " + known.get(width, "it is C // r.")
        if gate != 0.5:
            off = "an off unit gives logits of 0, not gates of 0. " if gate == 0 else ""
            return f"gate_when_off: {off}What is σ(0)?"
        if directions != 1:
            return "directions: the gates hear of z only through the hidden layer, and it has one number to tell."
        return None

    answers = (width, gate_when_off, directions)
    praise = "One number decides for all sixteen channels, and while it is off every gate is one half."
    judge(... if ... in answers else answers, test, praise)


def excite(excite: Callable[..., Tensor]) -> None:
    """Equation 3 in plain tensor operations: `excite(z, W1, W2, b1=None, b2=None)`, against `SEBlock.excite`."""

    def test(excite: Callable[..., Tensor]) -> str | None:
        generator = torch.Generator().manual_seed(0)
        for batch, channels, reduction, bias in ((5, 24, 4, False), (1, 16, 16, False), (6, 24, 4, True)):
            se = SEBlock(channels, reduction, bias=bias).requires_grad_(False)
            for parameter in se.parameters():
                parameter.normal_(generator=generator)
            z = torch.randn(batch, channels, generator=generator)
            weights = [se.fc1.weight, se.fc2.weight] + ([se.fc1.bias, se.fc2.bias] if bias else [])
            try:
                s = excite(z.clone(), *weights)
            except RuntimeError as error:
                shapes = f"z is {tuple(z.shape)}, W1 {tuple(weights[0].shape)}, W2 {tuple(weights[1].shape)}"
                return f"PyTorch says: {error}. {shapes}; for a batch, W1 z is `z @ W1.T`."
            if not isinstance(s, Tensor) or s.shape != z.shape:
                return f"the gates must have the shape of z, {tuple(z.shape)}."
            if _close(s, se.excite(z)):
                continue
            hidden = se.fc1(z)
            logits = se.fc2(hidden.relu())
            mistakes = {
                "these are the logits; the last step, σ, is missing.": logits,
                "δ, the ReLU after W1, is missing.": se.fc2(hidden).sigmoid(),
                "ReLU stands after W1 only; yours stands after W2, too.": logits.relu().sigmoid(),
                "softmax makes the channels compete; the paper's σ is the sigmoid.": logits.softmax(1),
            }
            for hint, wrong in mistakes.items():
                if _close(s, wrong):
                    return hint
            if bias:
                return "right without biases, but not with them: W1 z + b1, W2 h + b2."
            return f"for z of shape {tuple(z.shape)} the gates are not those of SEBlock."
        return None

    z, W1, W2 = torch.ones(2, 4), torch.ones(2, 4), torch.ones(4, 2)
    answer = ... if _unanswered(excite, z, W1, W2) else excite
    judge(answer, test, "Your three lines and SEBlock.excite agree, with biases and without.")


def both_open(logits: Any) -> None:
    """Three logits whose sigmoid gates are open (above 0.9), open and shut (below 0.1)."""

    def test(logits: Any) -> str | None:
        values = torch.as_tensor(logits, dtype=torch.float64)
        if values.shape != (3,):
            return f"give three numbers, such as [1, 0, 2]; yours have shape {tuple(values.shape)}."
        for channel, gate in enumerate(values.sigmoid().tolist(), start=1):
            if channel < 3 and gate <= 0.9:
                return f"gate {channel} is {gate:.3f}; it must be above 0.9. Which logit gives σ = 0.9?"
            if channel == 3 and gate >= 0.1:
                return f"gate 3 is {gate:.3f}; it must be below 0.1."
        return None

    judge(
        logits, test, "Two gates above 0.9 at once. Softmax cannot do that for any logits: its gates add up to 1, "
        "so no two of them can both be above one half.",
    )  # fmt: skip


# Chapter 4: rescale


def my_se(my_se: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """A whole SE block without biases as a function: `my_se(x, W1, W2)`."""

    def gates(x: Tensor, W1: Tensor, W2: Tensor) -> Tensor:
        return ((x.mean((2, 3)) @ W1.T).relu() @ W2.T).sigmoid()

    def variant(
        squeeze: Callable[[Tensor], Tensor] = lambda x: x.mean((2, 3)),
        delta: Callable[[Tensor], Tensor] = torch.relu,
        sigma: Callable[[Tensor], Tensor] = torch.sigmoid,
    ) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        return lambda x, W1, W2: x * sigma(delta(squeeze(x) @ W1.T) @ W2.T)[:, :, None, None]

    right = variant()
    mistakes = {
        "the squeeze adds the pixels up; z is their mean, over H and W.": variant(lambda x: x.sum((2, 3))),
        "the squeeze takes the maximum; z is the mean of each map.": variant(lambda x: x.amax((2, 3))),
        "the squeeze means over the batch, too; each image has its own z.": variant(
            lambda x: x.mean((0, 2, 3)).expand(x.shape[:2])
        ),
        "δ, the ReLU between W1 and W2, is missing.": variant(delta=lambda h: h),
        "δ is the ReLU; yours is a sigmoid.": variant(delta=torch.sigmoid),
        "σ is missing, so the gates are not between 0 and 1.": variant(sigma=lambda a: a),
        "softmax makes the channels compete; the paper's σ is the sigmoid.": variant(sigma=lambda a: a.softmax(1)),
        "these are the gates; equation 4 multiplies the maps by them.": gates,
        "yours adds the input to the rescaled maps; that sum belongs to the residual block.": (
            lambda x, W1, W2: x + right(x, W1, W2)
        ),
        "no error, but wrong: s (N, C) is lined up with the axes (H, W). Make it (N, C, 1, 1).": (
            lambda x, W1, W2: x * gates(x, W1, W2) if x.shape[0] == x.shape[2] and x.shape[1] == x.shape[3] else gates
        ),
    }

    def test(my_se: Callable[[Tensor, Tensor, Tensor], Tensor]) -> str | None:
        generator = torch.Generator().manual_seed(0)
        for shape, hidden in (((4, 4, 4, 4), 2), ((2, 6, 5, 3), 2), ((1, 8, 7, 7), 3)):  # the first broadcasts anyhow
            x = torch.randn(shape, generator=generator)
            W1 = torch.randn(hidden, shape[1], generator=generator)
            W2 = torch.randn(shape[1], hidden, generator=generator)
            given = x.clone()
            try:
                got = my_se(given, W1, W2)
            except RuntimeError as error:
                return f"for x of shape {shape} and W1 {tuple(W1.shape)} PyTorch says: {error}."
            if not torch.equal(given, x):
                return "your function changes x itself; make a new tensor: x * s, not x *= s."
            if not isinstance(got, Tensor):
                return f"your function returns {type(got).__name__}; it must return the rescaled maps."
            if _close(got, right(x, W1, W2)):
                continue
            for hint, wrong in mistakes.items():
                other = wrong(x, W1, W2)
                if isinstance(other, Tensor) and _close(got, other):
                    return hint
            if got.shape != x.shape:
                return f"for x of shape {shape} the result has shape {tuple(got.shape)}; the block keeps the shape."
            return f"for x of shape {shape} the values are not those of the block: compare z, then s, then the product."
        return None

    answer = ... if _unanswered(my_se, torch.ones(1, 2, 3, 3), torch.ones(1, 2), torch.ones(2, 1)) else my_se
    judge(answer, test, "Two matrices and five operations: your function is the whole block.")


def copy_weights(copy_weights: Callable[[SEBlock, nn.Module], Any]) -> None:
    """Copy the weights of an `SEBlock`, with biases or without, into a `torchvision.ops.SqueezeExcitation`."""
    from torchvision.ops import SqueezeExcitation

    def pair(bias: bool) -> tuple[SEBlock, nn.Module]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(bias))
            se, tv = SEBlock(8, reduction=4, bias=bias), SqueezeExcitation(8, 2)
            for parameter in se.parameters():
                nn.init.normal_(parameter)
        return se, tv

    def state(module: nn.Module) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in module.state_dict().items()}

    def test(copy_weights: Callable[[SEBlock, nn.Module], Any]) -> str | None:
        for bias in (True, False):
            se, tv = pair(bias)
            wanted, before = state(se), state(tv)
            try:
                copy_weights(se, tv)
            except Exception as error:
                message = str(error)
                if "size mismatch" in message or "must match the size" in message:
                    return "the shapes differ: a Linear has weights (out, in), a 1×1 convolution (out, in, 1, 1)."
                if "leaf Variable" in message:
                    return "a parameter may not be changed under autograd: use load_state_dict or torch.no_grad()."
                if not bias and ("bias" in message or "NoneType" in message):
                    return "this se has no biases, but tv always has. Which biases change nothing?"
                raise
            now = state(tv)
            if any(not torch.equal(value, wanted[name]) for name, value in se.state_dict().items()):
                return "se has changed: copy from se into tv, not the other way."
            if all(torch.equal(value, before[name]) for name, value in now.items()):
                return "tv has not changed: tv.load_state_dict(…) would change it."
            if any(value.shape != before[name].shape for name, value in now.items()):
                return "the shapes in tv have changed: a 1×1 convolution has weights (out, in, 1, 1)."
            for name, value in now.items():
                if name not in wanted and value.any():
                    return f"se has no biases, but tv keeps its random ones in {name}. Which biases change nothing?"
                if name in wanted and not torch.equal(value.flatten(), wanted[name].flatten()):
                    return f"{name} of tv is not {name} of se."
            x = torch.randn(3, 8, 5, 5, generator=torch.Generator().manual_seed(0))
            if not _close(tv(x), se(x)):
                return "the weights are equal, but the outputs are not."
        return None

    answer = ... if _unanswered(copy_weights, *pair(bias=True)) else copy_weights
    judge(answer, test, "Equal weights, equal outputs, with biases and without.")


# Chapter 5: SE inside a ResNet


def fixed_bottleneck(FixedBottleneck: type[nn.Module]) -> None:
    """A subclass of torchvision's `Bottleneck` with an SE block, `self.se`, in the standard place."""
    from torchvision.models.resnet import Bottleneck, ResNet

    def test(FixedBottleneck: type[nn.Module]) -> str | None:
        if not isinstance(FixedBottleneck, type) or not issubclass(FixedBottleneck, Bottleneck):
            return "the answer must be a class, a subclass of torchvision's Bottleneck."
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            blocks = [m for m in ResNet(FixedBottleneck, [1, 2, 1, 1]).modules() if isinstance(m, FixedBottleneck)]
            inputs = [torch.randn(2, block.conv1.in_channels, 8, 8) for block in blocks]
        calls: list[int] = []
        for block, x in zip(blocks, inputs):
            if not isinstance(getattr(block, "se", None), nn.Module):
                return "self.se, the SE block, is missing."
            calls.clear()
            block.eval().requires_grad_(False).se.register_forward_hook(lambda *_: calls.append(1))
            for parameter in block.se.parameters():
                parameter.mul_(3)  # gates far from one half, so that no two places give the same result
            try:
                out = block(x)
            except (RuntimeError, ValueError) as error:
                if "cannot be multiplied" in str(error) or str(error).startswith("x must be (N, "):
                    return f"the SE block is built for another number of channels than it gets: {error}."
                raise
            if not calls:
                return "self.se is there, but forward never calls it."
            place = _place_of_se(block, x, out)
            if place != "standard":
                return place
            C = block.conv3.out_channels
            weights = sum(p.numel() for p in block.se.parameters() if p.ndim > 1)
            if weights != 2 * C * (C // 16):
                return f"for {C} channels self.se has {weights:,} weights; at r = 16 it must have {2 * C * C // 16:,}."
        return None

    judge(FixedBottleneck, test, "Its SE blocks see planes * expansion channels, on the residual, before the sum.")


def _place_of_se(block: nn.Module, x: Tensor, out: Tensor) -> str:
    """Where the SE block of a bottleneck stands, found from its output: `"standard"`, or a hint."""
    narrow = block.relu(block.bn2(block.conv2(block.relu(block.bn1(block.conv1(x))))))
    residual = block.bn3(block.conv3(narrow))
    shortcut = x if block.downsample is None else block.downsample(x)
    places = {
        "standard": lambda: block.relu(block.se(residual) + shortcut),
        "this is POST, behind the sum; the standard place is before the sum.": lambda: block.se(
            block.relu(residual + shortcut)
        ),
        "this is behind the sum and before the ReLU; the standard place is before the sum.": lambda: block.relu(
            block.se(residual + shortcut)
        ),
        "this is Identity, on the shortcut; the standard place is on the residual.": lambda: block.relu(
            residual + block.se(shortcut)
        ),
        "this is SE_3x3, a good network, but the standard place is behind bn3.": lambda: block.relu(
            block.bn3(block.conv3(block.se(narrow))) + shortcut
        ),
        "the result of self.se is not used: out = self.se(out).": lambda: block.relu(residual + shortcut),
        "the shortcut is missing: add it, then ReLU.": lambda: block.relu(block.se(residual)),
        "the last ReLU is missing.": lambda: block.se(residual) + shortcut,
    }
    for place, compute in places.items():
        try:
            if _close(out, compute()):
                return place
        except (RuntimeError, ValueError):  # the SE block is built for the channels of another place
            continue
    return "the output is not relu(se(residual) + shortcut)."


def make_stage(make_stage: Callable[..., nn.Module]) -> None:
    """`make_stage(block, inplanes, planes, depth, stride)`: a stage in which only the first block has the stride."""

    def test(make_stage: Callable[..., nn.Module]) -> str | None:
        for block, inplanes, planes, depth, stride in (
            (BasicBlock, 16, 32, 3, 2),
            (BasicBlock, 16, 16, 2, 1),
            (Bottleneck, 16, 16, 3, 2),
            (Bottleneck, 64, 16, 1, 1),
        ):
            case = f"for {depth} {block.__name__}s, {inplanes} to {planes} planes, stride {stride}"
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                stage = make_stage(block, inplanes, planes, depth, stride)
                if not isinstance(stage, nn.Sequential):
                    return f"make_stage must return an nn.Sequential, not {type(stage).__name__}."
                if len(stage) != depth:
                    return f"{case}: the stage has {len(stage)} blocks."
                sides, x = [32], torch.zeros(1, inplanes, 32, 32)
                for each in stage.eval():
                    try:
                        x = each(x)
                    except RuntimeError as error:
                        return f"{case}: the channels of two blocks do not fit. PyTorch says: {error}."
                    sides.append(x.shape[-1])
            strides = [before // after for before, after in zip(sides, sides[1:])]
            if strides != [stride] + [1] * (depth - 1):
                found = {
                    (stride,) * depth: "every block has the stride",
                    (1,) * depth: "no block has the stride",
                    (1,) * (depth - 1) + (stride,): "the last block has the stride",
                }.get(tuple(strides), "the strides are in the wrong blocks")
                path = " → ".join(map(str, sides))
                return f"{case}: {found}, the maps go {path}. Only the first block has it."
            if x.shape[1] != planes * block.expansion:
                return f"{case}: {x.shape[1]} channels come out, not {planes * block.expansion}."
        return None

    answer = ... if _unanswered(make_stage, BasicBlock, 1, 1, 1, 1) else make_stage
    judge(answer, test, "One stride a stage, in its first block, for both kinds of block.")


def se34_parameters(count: Any) -> None:
    """Parameters that SE without biases, r = 16, adds to ResNet-34."""
    mistakes = {
        161_196: "these are with biases; leave them out.",
        4_012: "these are only the biases; count the weights.",
        78_592: "this counts one matrix a block; there are two, W1 and W2.",
        43_520: "this counts one block a stage; there are 3, 4, 6 and 3.",
        87_040: "this is SE-ResNet-18, with 2 blocks a stage; ResNet-34 has 3, 4, 6 and 3.",
        2_514_944: "this is SE-ResNet-50; a BasicBlock does not widen four times.",
        21_954_856: "this is the whole network; count only what SE adds.",
    }

    def test(count: Any) -> str | None:
        if count == 157_184:
            return None
        return mistakes.get(count, "use equation 5: (2/16) · Σ N_s C_s², with C_s = 64, 128, 256 and 512.")

    judge(count, test, "0.72 % of ResNet-34, and the very number of SE_3x3 in ResNet-50: the same widths and depths.")


# Chapter 9: gates across depth


def class_selectivity(selectivity: Callable[[Tensor, Tensor], Tensor]) -> None:
    """`selectivity(gates, labels)`: (μ_max - μ_rest) / (μ_max + μ_rest) of each channel, classes of unequal size.

    Morcos et al., 2018, https://arxiv.org/abs/1803.06959: μ_max is the largest class mean of a channel's activity (here
    its gate), μ_rest the mean of the other class means.
    """

    def test(selectivity: Callable[[Tensor, Tensor], Tensor]) -> str | None:
        for means, sizes in (
            (torch.tensor([[0.9, 0.2], [0.3, 0.2], [0.1, 0.7]]), (2, 3, 5)),
            (torch.tensor([[0.5, 0.1, 0.4], [0.5, 0.2, 0.4], [0.5, 0.6, 0.4], [0.5, 0.9, 0.8]]), (1, 4, 2, 2)),
        ):
            K, C = means.shape
            labels = torch.arange(K).repeat_interleave(torch.tensor(sizes))
            steps = torch.cat([torch.linspace(-0.08, 0.08, n) if n > 1 else torch.zeros(1) for n in sizes])
            gates = means[labels] + steps[:, None]  # within a class the steps add up to zero
            order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
            got = torch.as_tensor(selectivity(gates[order], labels[order]))
            if got.shape != (C,):
                return (
                    f"for gates {tuple(gates.shape)} with {K} classes the result must be one number for each channel, "
                    f"shape ({C},), not {tuple(got.shape)}. Means over images run along axis 0."
                )
            top = means.amax(0)
            rest = (means.sum(0) - top) / (K - 1)
            if _close(got, (top - rest) / (top + rest)):
                continue

            def index(top: Tensor, rest: Tensor) -> Tensor:
                return (top - rest) / (top + rest)

            best = means.argmax(0)
            others = torch.stack([gates[labels != best[c], c].mean() for c in range(C)])
            mistakes = {
                "μ_rest must leave the preferred class out; yours is the mean of all classes.": index(
                    top, means.mean(0)
                ),
                "μ_rest must leave the preferred class out, and weigh each class alike; yours is the mean of all "
                "images.": index(top, gates.mean(0)),
                "the classes here differ in size, and large ones weigh more in your μ_rest. Take the mean of class "
                "means, not of images.": index(top, others),
                "your μ_rest is the smallest class mean; take the mean over all the other classes.": index(
                    top, means.amin(0)
                ),
                "you took the largest gate of any image; μ_max is the largest class mean.": index(gates.amax(0), rest),
                "the division by μ_max + μ_rest is missing.": top - rest,
                "divide by the sum μ_max + μ_rest, not by μ_max.": (top - rest) / top,
            }
            for hint, wrong in mistakes.items():
                if _close(got, wrong):
                    return hint
            if not got.isfinite().all():
                return f"your result is {got.tolist()}. These labels have {K} classes; is another number fixed?"
            shown, wanted = ([round(float(v), 3) for v in values] for values in (got, index(top, rest)))
            return f"class means {means.T.tolist()} by channel give {wanted}, yours gives {shown}."
        return None

    answer = ... if _unanswered(selectivity, torch.rand(4, 3), torch.tensor([0, 0, 1, 1])) else selectivity
    judge(answer, test, "Right, whatever the sizes of the classes. Equal means give 0, one open class gives 1.")


def most_class_specific(block: Any, gates: Mapping[str, Tensor], labels: Tensor) -> None:
    """The block whose gates have the largest share of variance between classes, averaged over channels.

    Args:
        block: the reader's answer, a name such as `"layer1.0.se"`.
        gates: block to its gates `(N, C)`.
        labels: `(N,)`.
    """

    def test(block: Any) -> str | None:
        if block not in gates:
            return f"{block!r} is not one of the blocks: {', '.join(gates)}."
        share = {name: class_share(s, labels).mean().item() for name, s in gates.items()}
        best = max(share, key=share.__getitem__)
        if block == best:
            return None
        spread = {name: s.std(0).mean().item() for name, s in gates.items()}
        if block == max(spread, key=spread.__getitem__):
            return "its gates vary most over images, but how much of that lies between the classes?"
        if block == list(gates)[-1]:
            return "deepest is not the same as most class-specific: look at η², block by block."
        larger = sum(value > share[block] for value in share.values())
        return f"η² is larger in {larger} of the {len(share)} blocks. Which panel shows it?"

    judge(block, test, "In no other block does the class say more about the gates.")


# Chapter 7: training


def one_cycle(one_cycle: Callable[[float, float, float], float]) -> None:
    """`one_cycle(share, peak, warmup)`: the learning rate when a share (0 to 1) of the steps is done.

    From peak / 25 up to the peak at `share == warmup`, then down to 0, both on straight lines: what PyTorch's
    `OneCycleLR` does with `anneal_strategy="linear"` and its default `div_factor=25`.
    """

    def test(one_cycle: Callable[[float, float, float], float]) -> str | None:
        steps = 1000
        for peak, warmup in ((0.25, 0.2), (1.0, 0.5), (0.04, 0.3)):
            optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(()))])
            theirs = torch.optim.lr_scheduler.OneCycleLR(
                optimizer, peak, steps + 1, pct_start=warmup, anneal_strategy="linear", cycle_momentum=False
            )
            wanted = []
            for _ in range(steps):
                wanted.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                theirs.step()
            got = [float(one_cycle(step / steps, peak, warmup)) for step in range(steps)]
            if max(abs(a - b) for a, b in zip(got, wanted)) <= 0.01 * peak:
                continue
            case = f"with peak={peak} and warmup={warmup}"
            up, top, down = (one_cycle(share, peak, warmup) for share in (warmup / 2, warmup, (1 + warmup) / 2))
            first, last = got[0], one_cycle(1.0, peak, warmup)
            if abs(first) < 0.01 * peak:
                return "yours begins at 0, where nothing is learned; begin at peak / 25."
            if abs(first - peak / 25) > 0.01 * peak:
                return f"{case} the rate begins at {first:.4g}; it should be peak / 25 = {peak / 25:.4g}."
            if abs(top - peak) > 0.01 * peak:
                return f"{case} the rate is {top:.4g} at share={warmup}; there it should be at its peak."
            if abs(last - peak / 25) < 0.01 * peak:
                return "yours falls back to where it began; it should fall to 0."
            if abs(last) > 0.01 * peak:
                return f"{case} the rate ends at {last:.4g}; it should end at 0."
            if abs(up - 0.52 * peak) > 0.01 * peak:
                return f"{case} the rate is {up:.4g} halfway up; on a straight line it would be {0.52 * peak:.4g}."
            if abs(down - 0.5 * peak) > 0.01 * peak:
                return f"{case} the rate is {down:.4g} halfway down; on a straight line it would be {0.5 * peak:.4g}."
            return f"{case} begin, peak and end are right, but between them it leaves PyTorch's lines."
        return None

    answer = ... if _unanswered(one_cycle, 0.5, 0.25, 0.2) else one_cycle
    judge(answer, test, "The same as PyTorch's OneCycleLR, for several peaks and warm-ups.")


def random_flip(random_flip: Callable[[Tensor], Tensor]) -> None:
    """Mirror each of the uint8 images `(N, 3, H, W)` left to right with probability one half, each by its own coin."""

    def test(random_flip: Callable[[Tensor], Tensor]) -> str | None:
        images = torch.randint(256, (400, 3, 6, 8), generator=torch.Generator().manual_seed(0)).byte()
        before = images.clone()
        first, second = random_flip(images), random_flip(images)
        if not torch.equal(images, before):
            return "your function changes the images that it is given; the next epoch needs them as they were."
        if not isinstance(first, Tensor) or first.shape != images.shape:
            return f"the result must have the shape of the input, {tuple(images.shape)}."
        if first.dtype != torch.uint8:
            return f"the images are uint8, your result is {str(first.dtype).removeprefix('torch.')}."

        def count(flipped: Tensor, result: Tensor) -> Tensor:
            return (result == flipped).flatten(1).all(1)

        kept, mirrored = count(images, first), count(images.flip(3), first)
        share = mirrored.float().mean().item()
        if (kept | mirrored).all() and share in (0, 1):
            done = "mirrored" if share else "as they were"
            return f"all images come out {done}: one coin for the whole batch? Draw a number for each of the N images."
        if not (kept | mirrored).all():
            if (kept | count(images.flip(2), first)).all():
                return "you turn images upside down: axis 2 is the height, axis 3 the width."
            rows_kept, rows_flipped = ((first == other).all(3) for other in (images, images.flip(3)))
            if (rows_kept | rows_flipped).all():
                return "some rows or channels of an image are mirrored and others not: one coin for a whole image."
            return "some results are neither the image nor its mirror image."
        if (mirrored == count(images.flip(3), second)).all():
            return "the same images are mirrored again in the second call: the coins must be new each time."
        if not 0.4 < share < 0.6:
            return f"{share:.0%} of the images are mirrored; it should be about half."
        return None

    answer = ... if _unanswered(random_flip, torch.zeros(2, 3, 4, 4, dtype=torch.uint8)) else random_flip
    judge(answer, test, "A coin for every image, and the originals untouched.")


def reach_target(run: Any, *, images: int = 800, target: float = 0.35) -> None:
    """A `senet_edu.train.Run` on at most so many training images that reaches an accuracy on the test images.

    Args:
        run: what `train` returned.
        images: how many training images are allowed.
        target: the accuracy (0..1) to reach after the last epoch.
    """

    def test(run: Any) -> str | None:
        if not all(hasattr(run, name) for name in ("model", "about", "history")):
            return "give the judge what train(…) returns: `run = train(recipe, data=small)`."
        data, recipe = run.about["data"], run.about["recipe"]
        if data["train"] > images:
            return f"you trained on {data['train']:,} images; the task is to manage with {images}."
        if data["test"] < 250:
            return f"{data['test']} test images say too little; keep the 250."
        last, best = run.history[-1], max(row.get("test_accuracy", 0) for row in run.history)
        accuracy = last["test_accuracy"]
        if accuracy >= target:
            return None
        reached = f"{accuracy:.1%} of the test images, and the target is {target:.0%}."
        if best >= target:
            return f"{reached} An epoch before was better, but which one was only known from the test images."
        if last["size"] < 32:
            return f"{reached} The last training images had {last['size']} pixels, but the test images have 32."
        if last["train_accuracy"] < target:
            return f"{reached} Even on the training images it is {last['train_accuracy']:.1%}: train longer."
        if recipe["epochs"] <= 4:
            return f"{reached} {recipe['epochs']} epochs are few."
        return f"{reached} On the training images it is {last['train_accuracy']:.1%}."

    judge(run, test, "Reached, and with the same few images: the recipe alone made the difference.")


# Chapter 12: in the wild


def _invented_layout(state: Mapping[str, Tensor]) -> dict[str, tuple[str, Tensor]]:
    """Key of a network of this package to the key and the tensor that chapter 12's invented library would have."""
    steps = [
        (r"^conv1\.", "stem.conv."),
        (r"^bn1\.", "stem.norm."),
        (r"^layer(\d)\.", lambda m: f"stages.{int(m[1]) - 1}."),
        (r"\.bn(\d)\.", r".norm\1."),
        (r"\.downsample\.0\.", ".skip.conv."),
        (r"\.downsample\.1\.", ".skip.norm."),
        (r"\.se\.fc1\.", ".attn.down."),
        (r"\.se\.fc2\.", ".attn.up."),
        (r"^fc\.", "head."),
    ]
    layout = {}
    for ours, tensor in state.items():
        theirs = ours
        for pattern, replacement in steps:
            theirs = re.sub(pattern, replacement, theirs)
        layout[ours] = f"module.{theirs}", tensor[:, :, None, None] if ".se." in ours else tensor
    return layout


def key_map(to_ours: Callable[[str, Tensor], tuple[str, Tensor]]) -> None:
    """Key and tensor of chapter 12's invented library to those of `se_resnet20`."""

    def key_hint(theirs: str, got: str) -> str:
        if "module." in got:
            return "the prefix module. is still there; nn.DataParallel put it in front of every key."
        if "skip." in theirs:
            return "in a shortcut, conv is downsample.0 and norm is downsample.1."
        if "stages" in theirs and f"layer{theirs.split('.')[2]}." in got:
            return "their stages count from 0, our layers from 1."
        return "look it up in the table."

    def tensor_hint(theirs: str, tensor: Tensor, got: Tensor, wanted: Tensor) -> str:
        if "skip" in theirs and got.ndim == 2:
            return "the shortcut's 1×1 convolution stays a convolution; reshape only what goes into se."
        if got.ndim == 4 and wanted.ndim == 2:
            return "a 1×1 convolution has (o, i, 1, 1), our linear layer (o, i)."
        if got.ndim < wanted.ndim:
            return "squeeze() drops every axis of length 1, also a hidden width of 1; keep the first two axes."
        if got.shape == wanted.T.shape and got.shape != wanted.shape:
            return "it is transposed; both kinds of layer have (out, in)."
        return f"its shape is {tuple(got.shape)}, our shape {tuple(wanted.shape)}."

    def test(to_ours: Callable[[str, Tensor], tuple[str, Tensor]]) -> str | None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            state = create_model("se_resnet20").state_dict()
        for ours, (theirs, tensor) in _invented_layout(state).items():
            answer = to_ours(theirs, tensor.clone())
            if not isinstance(answer, tuple) or len(answer) != 2:
                return "to_ours must return two things: `return key, tensor`."
            key, got = answer
            if key != ours:
                return f"{theirs} became {key}, not {ours}: {key_hint(theirs, str(key))}"
            if not isinstance(got, Tensor) or got.shape != state[ours].shape:
                shape_of = got if isinstance(got, Tensor) else torch.empty(0)
                return f"{theirs} {tuple(tensor.shape)}: {tensor_hint(theirs, tensor, shape_of, state[ours])}"
            if not torch.equal(got, state[ours]):
                return f"{theirs}: the shape is right, but the values are not in their places."
        return None

    answer = ... if _unanswered(to_ours, "module.stem.conv.weight", torch.ones(16, 3, 3, 3)) else to_ours
    judge(answer, test, "Every key and every shape: the weights load strictly.")


class _Toy(nn.Module):
    """Three SE blocks; the forward pass calls some of them."""

    def __init__(self, called: tuple[str, ...]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1)
        self.stem, self.body, self.head = (nn.Sequential() for _ in range(3))
        for part in (self.stem, self.body, self.head):
            part.add_module("se", SEBlock(8, 2))
        self.called = called

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        for name in self.called:
            x = self.get_submodule(name)(x)
        return x.mean((2, 3))


def uncalled(uncalled: Callable[[nn.Module, Tensor], Any]) -> None:
    """The names of the SE blocks that a model registers and its forward pass never calls: `uncalled(model, x)`."""
    blocks = {"stem.se", "body.se", "head.se"}

    def test(uncalled: Callable[[nn.Module, Tensor], Any]) -> str | None:
        for called in (("stem",), ("stem", "body", "head"), ("head", "stem"), ()):
            given = uncalled(_Toy(called), torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0)))
            if isinstance(given, str) or not hasattr(given, "__iter__"):
                return f"uncalled must return a list of names, not {given!r}."
            got, wanted = set(given), blocks - {f"{name}.se" for name in called}
            if got == wanted:
                continue
            case = f"a model registers {len(blocks)} blocks and calls {len(called)}"
            if got == blocks - wanted:
                return f"{case}: you name those that it calls; name the others."
            if got == blocks:
                return f"{case}: you name all that are registered. Which of them had a forward pass?"
            if not got:
                return f"{case}, but you find none: compare what is registered with what was recorded."
            return f"{case}: it never calls {sorted(wanted)}, your answer is {sorted(map(str, got))}."
        return None

    answer = ... if _unanswered(uncalled, _Toy(("stem",)), torch.ones(1, 3, 4, 4)) else uncalled
    judge(answer, test, "Registered, minus called: five lines that would have caught the mistake.")


def own_model(model: Any, x: Tensor) -> None:
    """Any network: it has SE blocks, the forward pass calls each, and what each returns reaches the output."""

    def output_with(name: str, gate: float) -> Tensor:
        with override_gates(model, {name: gate}):
            return model(x)

    def test(model: nn.Module) -> str | None:
        if not isinstance(model, nn.Module):
            return f"the answer must be a network, an nn.Module, not {type(model).__name__}."
        registered = find_gates(model)
        if not registered:
            return "it has no SE block yet: insert_se(model, after=…) puts one in."
        modes = {module: module.training for module in model.modules()}
        try:
            with torch.no_grad():
                with record_gates(model.eval()) as gates:
                    model(x)
                for name in registered:
                    if name not in gates:
                        return f"{name} is registered, but the forward pass never calls it."
                    if torch.equal(output_with(name, 0.0), output_with(name, 1.0)):
                        return f"{name} is called, but its result is not used: shut or open, the output is the same."
        finally:
            for module, training in modes.items():
                module.training = training
        return None

    judge(model, test, "Each block is called, and each changes the answer.")


# Chapter 11: relatives


def eca(eca: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Efficient channel attention as a function: `eca(x, weight)` with the k weights of its kernel, k odd."""

    def slide(signals: Tensor, weight: Tensor) -> Tensor:
        """Each row of `(M, L)` under the kernel, zeros beyond the ends."""
        return torch.nn.functional.conv1d(signals[:, None], weight[None, None], padding=len(weight) // 2)[:, 0]

    def gated(x: Tensor, logits: Tensor, sigma: Callable[[Tensor], Tensor] = torch.sigmoid) -> Tensor:
        return x * sigma(logits)[:, :, None, None]

    def mean(x: Tensor) -> Tensor:
        return x.mean((2, 3))

    mistakes: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
        "the sigmoid is missing: these logits are not between 0 and 1.": (
            lambda x, w: gated(x, slide(mean(x), w), lambda a: a)
        ),
        "softmax makes the channels compete; ECA's σ is the sigmoid.": (
            lambda x, w: gated(x, slide(mean(x), w), lambda a: a.softmax(1))
        ),
        "these are the gates; multiply the maps by them.": lambda x, w: slide(mean(x), w).sigmoid(),
        "these are the gates, stretched over the maps; multiply the maps by them.": (
            lambda x, w: gated(torch.ones_like(x), slide(mean(x), w))
        ),
        "your kernel slides over the pixels; it must slide over the channels, along z.": (
            lambda x, w: x * slide(x.flatten(2).flatten(0, 1), w).view_as(x).sigmoid()
        ),
        "your kernel slides over the columns of the map; it must slide over the channels, along z.": (
            lambda x, w: x * slide(x.mean(2).flatten(0, 1), w).view(*x.shape[:2], 1, -1).sigmoid()
        ),
        "you mean over the channels, and the kernel slides over rows of pixels; z means over H and W.": (
            lambda x, w: x * slide(x.mean((1, 2)), w)[:, None, None].sigmoid()
        ),
        "you mean over the channels, and the kernel slides over columns of pixels; z means over H and W.": (
            lambda x, w: x * slide(x.mean((1, 3)), w)[:, None, :, None].sigmoid()
        ),
        "the squeeze is missing: your kernel runs over the channels at every pixel by itself.": (
            lambda x, w: x * slide(x.movedim(1, 3).flatten(0, 2), w).view_as(x.movedim(1, 3)).movedim(3, 1).sigmoid()
        ),
        "your kernel slides over the images of the batch; it must slide over the channels of each.": (
            lambda x, w: gated(x, slide(mean(x).T, w).T)
        ),
        "you mean over the batch, too; each image has its own z.": (
            lambda x, w: gated(x, slide(mean(x).mean(0, keepdim=True), w).expand(x.shape[:2]))
        ),
        "the squeeze adds the pixels up; z is their mean.": lambda x, w: gated(x, slide(x.sum((2, 3)), w)),
        "the squeeze takes the maximum; z is the mean of each map.": lambda x, w: gated(x, slide(x.amax((2, 3)), w)),
        "your kernel is the wrong way round: weight[0] belongs to the channel before, as in `conv1d`.": (
            lambda x, w: gated(x, slide(mean(x), w.flip(0)))
        ),
        "your channels are a ring; beyond the first and the last channel are zeros.": (
            lambda x, w: gated(x, torch.stack([v * mean(x).roll(len(w) // 2 - i, 1) for i, v in enumerate(w)]).sum(0))
        ),
    }

    def test(eca: Callable[[Tensor, Tensor], Tensor]) -> str | None:
        generator = torch.Generator().manual_seed(0)
        for shape, k in (((2, 8, 5, 7), 3), ((3, 16, 4, 6), 5), ((1, 6, 3, 3), 1), ((2, 12, 7, 5), 7)):
            x = torch.randn(shape, generator=generator) + torch.randn(*shape[:2], 1, 1, generator=generator)
            weight = torch.randn(k, generator=generator)
            given = x.clone()
            try:
                got = eca(given, weight)
            except RuntimeError as error:
                return (
                    f"for x of shape {shape} and k = {k} PyTorch says: {error}. There must be a gate for each of the "
                    f"{shape[1]} channels: does the kernel have padding k // 2 at both ends?"
                )
            if not torch.equal(given, x):
                return "your function changes x itself; make a new tensor: x * s, not x *= s."
            if not isinstance(got, Tensor):
                return f"your function returns {type(got).__name__}; it must return the gated maps."
            if _close(got, gated(x, slide(mean(x), weight))):
                continue
            for hint, wrong in mistakes.items():
                if _close(got, wrong(x, weight)):
                    return hint
            if got.shape != x.shape:
                return f"for x of shape {shape} and k = {k} the result has shape {tuple(got.shape)}; ECA keeps it."
            return f"for x of shape {shape} and k = {k} the values differ from ECA's: compare z, the logits, the gates."
        return None

    answer = ... if _unanswered(eca, torch.ones(1, 4, 3, 3), torch.ones(3)) else eca
    judge(answer, test, "Right for every k and C: a handful of weights gates all the channels.")


_LOOKS = {
    "se": "one gate a channel, from all pixels of all channels",
    "ese": "one gate a channel, from all pixels of all channels",
    "eca": "one gate a channel, from all pixels of k neighboring channels",
    "scse": "one gate a pixel, from that pixel alone, beside those of an SE block",
    "cbam": "one gate a pixel, from a 7 x 7 window of all channels, behind those of a kind of SE block",
    "no_squeeze": "one gate for each value, from all channels of its pixel",
    "ge_theta_minus": "one gate for each value, from a window of its own channel or from all of it, by a mean",
    "ge_theta": "one gate for each value, from a window of its own channel, by convolutions",
    "simam": "one gate for each value, from all pixels of its own channel",
    "coordinate": "one gate for each value, from the row and the column of its pixel in all channels",
}
"""What one gate of each relative depends on."""


def whose_gate(answers: Mapping[str, Any]) -> None:
    """Five gates on 256 channels of 32 x 32 pixels, told by their shape and by what reaches them: letter to name."""
    right = {"A": "eca", "B": "cbam", "C": "simam", "D": "coordinate", "E": "no_squeeze"}

    def test(answers: Mapping[str, Any]) -> str | None:
        for letter, name in right.items():
            given = answers.get(letter)
            if given == name:
                continue
            if given not in _LOOKS:
                return f"{letter}: {given!r} is not a name of this exercise; they are {', '.join(_LOOKS)}."
            return f"{letter}: {given} has {_LOOKS[given]}. Compare that with the shape and the counts of {letter}."
        return None

    open_yet = any(answer is ... for answer in answers.values())
    judge(... if open_yet else answers, test, "All five: the shape and the two counts give each of them away.")


# Chapter 10: are gates explanations?


def frozen_gates(frozen: Callable[[nn.Module, Tensor], Mapping[str, Any]]) -> None:
    """`frozen(model, images)`: overrides that freeze every SE block to its mean gates over the images, `(C,)` each."""

    def test(frozen: Callable[[nn.Module, Tensor], Mapping[str, Any]]) -> str | None:
        model, images = _small_network()
        before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
        gates = gates_of(model, images)
        overrides = frozen(model, images)
        if not isinstance(overrides, Mapping):
            return f"return a dictionary, name of a block to its gates; yours is {type(overrides).__name__}."
        if missing := [block for block in gates if block not in overrides]:
            return f"freeze all blocks; yours leaves out {', '.join(missing)}."
        if any(not torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items()):
            return "the model was changed: did it run in training mode, where batch norms count along?"
        for block, s in gates.items():
            got = torch.as_tensor(overrides[block]).detach()
            if got.shape not in ((s.shape[1],), (1, s.shape[1])):
                mistakes = {
                    (): "that is one number for the whole block; every channel has its own mean.",
                    (len(s),): "that is a mean over the channels, one for each image; mean over the images, axis 0.",
                    tuple(s.shape): "that still has a row for each image; frozen gates are the same for all.",
                }
                return mistakes.get(tuple(got.shape), f"{block} needs shape ({s.shape[1]},), got {tuple(got.shape)}.")
            if not _close(got.reshape(-1), s.mean(0)):
                if _close(got.reshape(-1), s.median(0).values):
                    return "that is the median; freeze to the mean."
                if len(images) > 1 and _close(got.reshape(-1), s[0]):
                    return "those are the gates of the first image; take the mean over all of them."
                return f"the values for {block} are not its mean gates over the images."
        with override_gates(model, overrides):
            now = gates_of(model, 255 - images)
        still = all(bool((s == s[0]).all()) for s in now.values())
        return None if still else "under your overrides the gates still differ from image to image."

    answer = ... if _unanswered(frozen, *_small_network()) else frozen
    judge(answer, test, "Every block keeps its level and no longer looks at the image.")


def _small_network() -> tuple[nn.Module, Tensor]:
    """An untrained SE-ResNet-20 in eval mode and a few uint8 images; the session's random numbers are left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model("se_resnet20", reduction=4)
        images = torch.randint(256, (6, 3, 8, 8), dtype=torch.uint8)
    calibrate_batch_norm(model, images)
    return model, images


def paired_interval(interval: Callable[[int, int, int], tuple[float, float]]) -> None:
    """`interval(mended, broken, n)`: the change in accuracy and its 95 % margin, from two counts of n images."""

    def test(interval: Callable[[int, int, int], tuple[float, float]]) -> str | None:
        for mended, broken, n in ((5, 12, 50), (30, 10, 1_000), (0, 0, 20), (40, 40, 100)):
            case = f"for {mended} mended and {broken} broken of {n}"
            try:
                change, margin = (float(value) for value in interval(mended, broken, n))
            except (TypeError, ValueError):
                return "return two numbers: `return change, margin`."
            d, square = (mended - broken) / n, (mended + broken) / n
            if not math.isclose(change, d, abs_tol=1e-9):
                if math.isclose(change, -d, abs_tol=1e-9):
                    return f"{case} the change has the wrong sign: a mended answer counts +1, a broken one -1."
                if math.isclose(change, d * n, abs_tol=1e-9):
                    return f"{case} the change is a share of the images: divide by n."
                return f"{case} the change is {d:g}, yours is {change:g}."
            sd = math.sqrt(square - d**2)
            right = [1.96 * sd / math.sqrt(n), 1.96 * sd / math.sqrt(n - 1)]  # either divisor of the variance
            if any(math.isclose(margin, value, abs_tol=1e-9) for value in right):
                continue
            mistakes = {
                "the variance is the mean of the squares, less the square of the mean.": 1.96 * math.sqrt(square / n),
                "the factor 1.96 is missing.": sd / math.sqrt(n),
                "that is how far a single image strays; the mean of n strays less, by √n.": 1.96 * sd,
                "that is the variance; the margin needs its root.": 1.96 * sd**2 / math.sqrt(n),
                "divide the standard deviation by √n, not by n.": 1.96 * sd / n,
                "that is the width of the interval; the margin is half of it.": 2 * 1.96 * sd / math.sqrt(n),
            }
            for hint, wrong in mistakes.items():
                if math.isclose(margin, wrong, rel_tol=1e-6, abs_tol=1e-9):
                    return f"{case}: {hint}"
            return f"{case} the margin is {right[0]:.4f}, yours is {margin:.4f}."
        return None

    answer = ... if _unanswered(interval, 5, 12, 50) else interval
    judge(answer, test, "Two counts are enough: the answers that did not change sides add nothing.")


# Chapter 1: why channels

Layers = Sequence[tuple[int, int]]
"""Kernel and stride of each layer, the one nearest to the image first."""


def _window(layers: Layers, *, size: int = 1, added: int = -1, strides: str = "product") -> int:
    """Side of the window, by the recursion of chapter 1; the options are ways to get it wrong."""
    jump = 1
    for kernel, stride in layers:
        if strides == "early":
            jump *= stride
        size += (kernel + added) * jump
        if strides != "early":
            jump = {"product": jump * stride, "last": stride, "none": 1}[strides]
    return size


_WINDOW_MISTAKES: dict[str, dict[str, Any]] = {
    "the strides are missing: behind a layer with stride 2, neighbors lie twice as far apart in the image.": {
        "strides": "none"
    },
    "the jump is not the stride of one layer; it is the product of the strides of all layers before.": {
        "strides": "last"
    },
    "a layer's own stride comes too early: first add (k - 1) · jump, then multiply the jump.": {"strides": "early"},
    "off by one: without any layer a value sees one pixel, so start from 1.": {"size": 0},
    "off by one in every layer: a kernel of k adds k - 1 neighbors, for the one in the middle was there before.": {
        "added": 0
    },
}


def receptive_field(receptive_field: Callable[[list[tuple[int, int]]], int]) -> None:
    """Side of the window of one value: `receptive_field(layers)` with pairs (kernel, stride) from the image on."""

    def test(receptive_field: Callable[[list[tuple[int, int]]], int]) -> str | None:
        for layers in (
            [(3, 1), (3, 1), (3, 1)],
            [(3, 2), (3, 2), (5, 1)],
            [(7, 2), (3, 2), (3, 1), (3, 1), (3, 2), (3, 1)],
            [(5, 1), (1, 2), (3, 3), (2, 2), (3, 1)],
            [],
        ):
            got = receptive_field(list(layers))
            wanted = _window(layers)
            if not isinstance(got, int | float):
                return f"for {layers} your function returns {got!r}; it must return one number, the side in pixels."
            if got == wanted:
                continue
            for hint, options in _WINDOW_MISTAKES.items():
                if got == _window(layers, **options):
                    return hint
            if got == _window(layers[::-1]):
                return "you go from the last layer to the first; the first pair is the layer nearest to the image."
            return f"for {layers} the window is {wanted} wide, not {got}."
        return None

    answer = ... if _unanswered(receptive_field, [(3, 1)]) else receptive_field
    judge(answer, test, "Kernels widen the window, and strides make the later ones widen it more.")


_STEM = [(7, 2), (3, 2)]  # of ResNet-18: convolution and max pooling


def stage_fields(answers: Sequence[Any]) -> None:
    """Side of the window behind each of the four stages of ResNet-18 with the ImageNet stem."""

    def stages(stem: Layers, shortcut: Layers = (), convolutions: int = 4) -> list[list[tuple[int, int]]]:
        """The layers up to the end of each stage; only the first convolution of stages 2 to 4 has a stride."""
        layers, ends = list(stem), []
        for stage in range(4):
            strided = [(3, 2 if stage else 1)] + [(3, 1)] * (convolutions - 1)
            layers = layers + strided[:2] + (list(shortcut) if stage else []) + strided[2:]
            ends.append(layers)
        return ends

    def windows(ends: list[list[tuple[int, int]]], **options: Any) -> list[int]:
        return [_window(layers, **options) for layers in ends]

    right = windows(stages(_STEM))

    def test(answers: Sequence[Any]) -> str | None:
        given = list(answers)
        if len(given) != 4:
            return f"give four numbers, one for each stage; you give {len(given)}."
        if given == right:
            return None
        mistakes = {
            "you count the 1x1 shortcuts, too. They run beside the two convolutions, not behind them: take the "
            "longer way.": windows(stages(_STEM, shortcut=[(1, 2)])),
            "the stem is missing: a 7x7 convolution and a 3x3 max pooling, both with stride 2.": windows(stages([])),
            "the max pooling of the stem is missing; it has a kernel of 3 and a stride of 2.": windows(
                stages(_STEM[:1])
            ),
            "a block of ResNet-18 has two convolutions, and a stage two blocks; you count two convolutions a "
            "stage.": windows(stages(_STEM, convolutions=2)),
        } | {hint: windows(stages(_STEM), **options) for hint, options in _WINDOW_MISTAKES.items()}
        for hint, wrong in mistakes.items():
            if given == wrong:
                return hint
        stage = next(i for i in range(4) if given[i] != right[i])
        before, width = (f"stage {stage}", right[stage - 1]) if stage else ("the stem", _window(_STEM))
        hint = f"Behind {before} it is {width}, and neighbors lie {4 * 2 ** max(0, stage - 1)} apart."
        return f"stage {stage + 1} is not {given[stage]}. {hint}"

    judge(... if any(answer is ... for answer in answers) else answers, test,
          "From the third stage on, the window is as wide as most of the picture, or wider.")  # fmt: skip


# Chapter 0: the live network


def falling_class(falls: Callable[[nn.Module, Tensor, str, int], Any]) -> None:
    """`falls(net, x, block, channel)`: the class whose probability falls most when that gate is muted."""

    def test(falls: Callable[[nn.Module, Tensor, str, int], Any]) -> str | None:
        net = load_pretrained("se_resnet20")
        generator = torch.Generator().manual_seed(0)
        images = F.interpolate(torch.randn(4, 3, 4, 4, generator=generator), 32, mode="bicubic")
        places = [("layer1.1.se", 3), ("layer2.0.se", 7), ("layer3.1.se", 20), ("layer3.2.se", 40)]
        cases = [(x[None], block, channel) for x in images for block, channel in places]

        def logits(x: Tensor, block: str, gate: float, channel: int | slice) -> Tensor:
            def change(s: Tensor) -> Tensor:
                return s.index_fill(1, torch.arange(s.shape[1])[channel].flatten(), gate)

            with torch.no_grad(), override_gates(net, {block: change}):
                return net(x)[0]

        def drops(x: Tensor, block: str, channel: int | slice, gate: float = 0, in_logits: bool = False) -> Tensor:
            with torch.no_grad():
                before, after = net(x)[0], logits(x, block, gate, channel)
            return before - after if in_logits else before.softmax(0) - after.softmax(0)

        answers = []
        for x, block, channel in cases:
            with torch.no_grad():
                before = net(x)
                got = falls(net, x.clone(), block, channel)
                if not torch.equal(net(x), before):
                    return "after your function the network computes something else; end the override with its `with`."
            if not isinstance(got, str):
                got = CLASSES[int(got)]
            if got not in CLASSES:
                return f"return one of the ten classes, {', '.join(CLASSES)}; got {got!r}."
            answers.append(CLASSES.index(got))
        right = [drops(*case) for case in cases]
        if all(drop[answer] >= drop.max() - 1e-5 for drop, answer in zip(right, answers)):
            return None
        mistakes = {
            "that is the class which rises most.": [int(drop.argmin()) for drop in right],
            "that is the class which was on top before; another one may lose more.": [
                int(logits(x, "layer1.0.se", 0, slice(0, 0)).argmax()) for x, _, _ in cases
            ],
            "that is the class on top afterwards.": [
                int(logits(x, block, 0, channel).argmax()) for x, block, channel in cases
            ],
            "you compare logits; probabilities come from a softmax over the ten.": [
                int(drops(*case, in_logits=True).argmax()) for case in cases
            ],
            "you mute the whole block; only one channel is asked for.": [
                int(drops(x, block, slice(None)).argmax()) for x, block, _ in cases
            ],
            "you set the gate to 1; a muted channel has the gate 0.": [
                int(drops(*case, gate=1).argmax()) for case in cases
            ],
        }
        for hint, wrong in mistakes.items():
            if answers == wrong:
                return hint
        (_, block, channel), drop, answer = next(
            case for case in zip(cases, right, answers) if case[1][case[2]] < case[1].max() - 1e-5
        )
        return (
            f"with channel {channel} of {block} muted, {CLASSES[int(drop.argmax())]} falls by {drop.max():.4f} in one "
            f"image, and {CLASSES[answer]} by {drop[answer]:.4f}."
        )

    answer = ... if _unanswered(falls, None, None, None, None) else falls
    judge(answer, test, "Right for sixteen images and gates: you can ask what a channel does by taking it away.")


# Chapter 6: learning to gate


def _dead_block(means: Sequence[float]) -> tuple[SEBlock, Tensor]:
    """An SE block of 16 channels whose four hidden units are off for every descriptor, by its first bias alone.

    `means` are those of W1 z over the descriptors `(64, 16)`, one a unit.
    """
    generator = torch.Generator().manual_seed(0)
    se = SEBlock(16, reduction=4, bias=True)
    with torch.no_grad():
        for layer in (se.fc1, se.fc2):
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) / 2)
        se.fc1.bias.fill_(-10)
        z = torch.randn(64, 16, generator=generator) / 5
        z += (torch.tensor(means) - (z @ se.fc1.weight.T).mean(0)) @ torch.linalg.pinv(se.fc1.weight).T
    return se, z


def revive(revive: Callable[[SEBlock, Tensor], Any]) -> None:
    """`revive(se, z)` sets the first bias so that each hidden unit is on for some descriptors and off for others."""

    def test(revive: Callable[[SEBlock, Tensor], Any]) -> str | None:
        for means in ((0.0, 0.0, 0.0, 0.0), (-3.0, 2.0, -1.5, -6.0)):  # the second time, zero biases would not do
            se, z = _dead_block(means)
            before = {name: p.detach().clone() for name, p in se.named_parameters()}
            revive(se, z.clone())
            after = dict(se.named_parameters())
            if "fc1.bias" not in after:
                return "the first layer has lost its bias, or it no longer is a parameter that can be trained."
            changed = [name for name, p in before.items() if name not in after or not torch.equal(p, after[name])]
            if "fc2.bias" in changed:
                return "fc2.bias moves all gates by one amount, but the hidden units stay off. Leave it as it was."
            if others := [name for name in changed if name != "fc1.bias"]:
                return f"you changed {', '.join(others)}. What it has learned may be right; only fc1.bias is at fault."
            bias = after["fc1.bias"]
            if not changed:
                return "nothing has changed. Inside `with torch.no_grad():`, set se.fc1.bias in place: copy_, zero_, …"
            if not bias.requires_grad:
                return "fc1.bias can no longer be trained: it has lost requires_grad."
            on = (z @ before["fc1.weight"].T + bias.detach() > 0).double().mean(0)  # share of descriptors, by unit
            if (on == 0).any():
                unit = int((on == 0).nonzero()[0])
                if not bias.any():
                    return (
                        f"without a bias, W1 z of unit {unit} is still below zero for every descriptor here. Look at "
                        "z @ W1.T: where does each unit lie?"
                    )
                return f"hidden unit {unit} is still off for every descriptor."
            if (on == 1).any():
                unit = int((on == 1).nonzero()[0])
                return f"hidden unit {unit} is now on for every descriptor: its ReLU never says no. A smaller bias?"
        return None

    answer = ... if _unanswered(revive, *_dead_block((0.0,) * 4)) else revive
    judge(answer, test, "Every unit says yes to some and no to others: gates answer to the image, and gradients flow.")


def starting_bias(bias_for: Callable[[float], float]) -> None:
    """`bias_for(gate)`: the bias b2 at which a gate starts, ln(s / (1 - s)), while W2 δ(W1 z) is zero."""

    def test(bias_for: Callable[[float], float]) -> str | None:
        for gate in (0.88, 0.5, 0.1, 0.99):
            got = float(bias_for(gate))
            if abs(1 / (1 + math.exp(-min(max(got, -50), 50))) - gate) < 1e-4:
                continue
            mistakes = {
                "the sign: yours starts gates at 1 - s.": math.log((1 - gate) / gate),
                "that is the odds, s / (1 - s); take the logarithm.": gate / (1 - gate),
                "that is ln s; divide by 1 - s before you take the logarithm.": math.log(gate),
                "that is σ(s); you need the other direction, from the gate to the logit.": 1 / (1 + math.exp(-gate)),
                "use the natural logarithm, math.log, not that to the base 2.": math.log2(gate / (1 - gate)),
                "use the natural logarithm, math.log, not that to the base 10.": math.log10(gate / (1 - gate)),
                "that is the gate itself; the sigmoid comes after the bias.": gate,
            }
            for hint, wrong in mistakes.items():
                if abs(got - wrong) < 1e-4:
                    return hint
            return f"for a gate of {gate} you give {got:.3f}, and σ of that is {1 / (1 + math.exp(-got)):.3f}."
        return None

    answer = ... if _unanswered(bias_for, 0.5) else bias_for
    judge(answer, test, "The logit, the inverse of the sigmoid: 0.5 gives 0, and near 0 and 1 it grows without limit.")


_LEAVES_HALF = {
    "W1 = 0": (
        False,
        "the hidden units are zero, and with them the gradient of W2. What comes back to W1 has to pass the ReLU, "
        "whose slope at zero is 0 in PyTorch.",
    ),
    "W2 = 0": (
        True,
        "the hidden units are not zero, and the gradient of W2 is made of them. W1 has none in the first step, because "
        "it comes through W2. In the second step W2 is no longer zero.",
    ),
    "all off": (
        False,
        "the hidden units are zero, and with them the gradient of W2; and no gradient passes their ReLU to W1.",
    ),
    "γ = 0": (
        True,
        "the batch norm in front gets a gradient of its own, from the rescaled maps. After one step z is no longer "
        "zero.",
    ),
    "width 0": (False, "count its weights."),
}
"""Five blocks whose gates are all one half: whether they leave it, and what a reader should look at."""


def leaves_half(answers: Mapping[str, Any]) -> None:
    """Which of five blocks, all gates at one half, can leave it when they are trained: name to True or False."""
    _judge_claims(answers, _LEAVES_HALF, "All five. A zero does no harm while some weight still gets a gradient.")


# Chapter 8: does it help?

_SEED_CASES: tuple[tuple[dict[int, float], dict[int, float]], ...] = (
    (
        {0: 0.521, 1: 0.548, 2: 0.502, 3: 0.539, 4: 0.530},
        {0: 0.512, 1: 0.546, 2: 0.489, 3: 0.527, 4: 0.516},
    ),
    (
        {7: 0.913, 3: 0.921, 5: 0.907, 9: 0.930},  # in another order, and each with a seed that the other lacks
        {3: 0.915, 5: 0.909, 7: 0.904, 8: 0.911},
    ),
)


def seed_interval(interval: Callable[[dict[int, float], dict[int, float]], tuple[float, float]]) -> None:
    """`interval(a, b)`: mean of a - b over the seeds that both have, and the margin of its 95 % interval."""

    def test(interval: Callable[[dict[int, float], dict[int, float]], tuple[float, float]]) -> str | None:
        for a, b in _SEED_CASES:
            case = f"for a = {a} and b = {b}"
            right, n = paired(a, b), len(a.keys() & b.keys())
            try:
                mean, margin = (float(value) for value in interval(dict(a), dict(b)))
            except (TypeError, ValueError):
                return "return two numbers: `return mean, margin`."
            if not math.isclose(mean, right.mean, abs_tol=1e-6):
                if math.isclose(mean, -right.mean, abs_tol=1e-6):
                    return "the difference has the wrong sign: a minus b."
                if math.isclose(mean, statistics.mean(a.values()) - statistics.mean(b.values()), abs_tol=1e-6):
                    return f"{case} some seeds stand on one side only. Such a run has no partner: leave it out."
                return f"{case} the mean is {right.mean:.5f}, yours is {mean:.5f}."
            if math.isclose(margin, right.margin, rel_tol=2e-3):
                continue
            for hint, wrong in _margins(a, b, n).items():
                if math.isclose(margin, wrong, rel_tol=2e-3):
                    return f"{case}: {hint}"
            return f"{case} the margin is {right.margin:.5f}, yours is {margin:.5f}."
        return None

    answer = ... if _unanswered(interval, *_SEED_CASES[0]) else interval
    judge(answer, test, "Paired by seed, with Student's t: that is what the intervals of this chapter are.")


def _margins(a: dict[int, float], b: dict[int, float], n: int) -> dict[str, float]:
    """Typical wrong margins for n seeds in common, each by its hint."""
    d = [a[seed] - b[seed] for seed in a if seed in b]
    misplaced = [x - y for x, y in zip(a.values(), b.values())]
    ours, theirs = ([values[seed] for seed in values if seed in a and seed in b] for values in (a, b))
    sd, t, root = statistics.stdev(d), T975[n - 2], math.sqrt(n)
    unpaired = math.sqrt(statistics.variance(ours) + statistics.variance(theirs))
    return {
        "the partners are mixed up: pair by seed, a[seed] - b[seed], not by the place in the dictionary.": (
            t * statistics.stdev(misplaced) / math.sqrt(len(misplaced))
        ),
        "that is the interval of two unrelated groups. Take the differences first, then their sd.": t * unpaired / root,
        "that is the interval of two unrelated groups. Take the differences first, and then n - 1 = "
        f"{n - 1} degrees of freedom.": T975[2 * n - 3] * unpaired / root,
        "1.96 is for many seeds. With few, the sd itself is uncertain: take Student's t.": 1.96 * sd / root,
        "the factor t is missing.": sd / root,
        f"t for {n} degrees of freedom; {n} differences have {n - 1}, because the mean is taken from them, too.": (
            T975[n - 1] * sd / root
        ),
        "that sd divides by n; the sd of a sample divides by n - 1.": t * statistics.pstdev(d) / root,
        "√n is missing: that is how far a single difference strays, and their mean strays less.": t * sd,
        "divide by √n, not by n.": t * sd / n,
        "that is the whole width of the interval; the margin is half of it.": 2 * t * sd / root,
    }


_WHAT_FOLLOWS = {
    "A gains": (True, "all of its interval, 0.5 to 1.1, lies above zero."),
    "B has no effect": (
        False,
        "its interval goes from -0.1 to 1.1. Zero is in it, but so is a gain as large as that of A. "
        "Not shown is not the same as not there.",
    ),
    "C is better than A": (
        False,
        "both intervals are against the plain network. Whether C beats A takes the interval of C minus A.",
    ),
    "D gains less than 0.3": (True, "its interval ends at 0.1. An interval around zero can say a lot if it is short."),
    "A trained again with new seeds gains 0.8": (
        False,
        "A was picked because it stands out among twenty, so some luck is in its mean. And five other seeds "
        "give another mean anyway.",
    ),
}
"""What may be said of a table with intervals, and why."""


def what_follows(answers: Mapping[str, Any]) -> None:
    """Which of five sentences follow from a table of differences with 95 % intervals: sentence to True or False."""
    praise = "All five. A table says less than it seems to; a short interval says more."
    _judge_claims(answers, _WHAT_FOLLOWS, praise)


# Chapter 13: reproduce


def changed_files(changed: Callable[[Path, dict[str, str]], Any]) -> None:
    """`changed(folder, recorded)`: names of the files whose SHA-256 is not the recorded one, or that are gone."""
    contents = {
        "weights.bin": bytes(range(256)) * 40,
        "table.csv": b"epoch,accuracy\r\n1,0.41\r\n2,0.52\r\n",
        "run 2.json": '{"network": "SE-ResNet", "η²": 0.25}'.encode(),
        "history.jsonl": b"".join(b'{"epoch": %d}\n' % epoch for epoch in range(30)),
        "empty.txt": b"",
    }
    recorded = {name: hashlib.sha256(raw).hexdigest() for name, raw in contents.items()}

    def test(changed: Callable[[Path, dict[str, str]], Any]) -> str | None:
        with TemporaryDirectory() as place:
            folder = Path(place)
            for name, raw in contents.items():
                (folder / name).write_bytes(raw)

            def names() -> set[str]:
                return {Path(name).name for name in changed(folder, dict(recorded))}

            try:
                found = names()
                if found == set(contents):
                    return (
                        "nothing was changed yet, and you find all files changed. Do you compare the 64 digits of "
                        "sha256(…).hexdigest() with the recorded ones?"
                    )
                if "table.csv" in found:
                    return (
                        "table.csv was not changed. Its lines end in two bytes, \\r\\n, and reading text makes one of "
                        "them: hash what read_bytes() gives."
                    )
                if found:
                    return f"nothing was changed yet, and you find {', '.join(sorted(found))}."
                raw = bytearray(contents["weights.bin"])
                raw[5_000] ^= 1
                (folder / "weights.bin").write_bytes(raw)
                os.utime(folder / "weights.bin", (1e9, 1e9))  # as if it were old
                (folder / "history.jsonl").write_bytes(contents["history.jsonl"] + b"\n")
                found = names()
                if "weights.bin" not in found:
                    return "one bit of weights.bin was turned, and its size and date say nothing of it. Hash all bytes."
                if "history.jsonl" not in found:
                    return "history.jsonl ends in one line break more than it did, and you miss it."
                (folder / "run 2.json").unlink()
                found = names()
            except FileNotFoundError:
                return "run 2.json is gone. What is gone has changed, too: say so, in place of an error."
            if "run 2.json" not in found:
                return "run 2.json is gone, and you miss it: go through the recorded names, not through the folder."
            if found != (wanted := {"weights.bin", "history.jsonl", "run 2.json"}):
                return f"you find {', '.join(sorted(found))}; changed are {', '.join(sorted(wanted))}."
        return None

    answer = ... if _unanswered(changed, Path("nowhere"), {}) else changed
    judge(answer, test, "A bit, a line break, a file: no change is too small for a hash, and none is explained by it.")


def rerun(rerun: Callable[..., tuple[float, float]]) -> None:
    """`rerun(model, images, labels, block, gate, total)`: a change in accuracy, and its margin against the stored one.

    The images are n of the `total` that were measured, so the margin is 1.96 · sd(d) · √(1/n − 1/total).
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model("se_resnet8", reduction=4)
        images = torch.randint(256, (120, 3, 8, 8), dtype=torch.uint8)
    calibrate_batch_norm(model, images)
    block, gate, n = "layer1.0.se", 1.0, len(images)
    before, after = answers_of(model, images, [{}, {block: gate}])
    labels = before.clone()
    labels[::4] = after[::4]  # so that some answers break and some are mended
    labels[3::7] = (before[3::7] + 1) % 10  # and some go from wrong to wrong
    was, now = ((answer == labels).double() for answer in (before, after))
    d = now - was
    change, sd = d.mean().item(), d.std().item()

    def test(rerun: Callable[..., tuple[float, float]]) -> str | None:
        for total in (10_000, 400, n):
            case = f"for {n} of {total} images"
            shown = model.train() if total == 400 else model.eval()
            try:
                got, margin = (float(value) for value in rerun(shown, images.clone(), labels, block, gate, total))
            except TypeError as error:
                if "cannot unpack" in str(error) or "not iterable" in str(error):
                    return "return two numbers: `return change, margin`."
                raise
            with torch.inference_mode():
                raw = [model(images.float()).argmax(1)]
                with override_gates(model, {block: gate}):
                    raw.append(model(images.float()).argmax(1))
            mistakes = {
                "the change has the wrong sign: the accuracy after, less the accuracy before.": -change,
                "that is the accuracy after the change; subtract the one before.": now.mean().item(),
                "nothing changes: override_gates holds inside of its `with`. Does the model run there?": 0,
                "the images are not prepared as in training: normalize(images).": (
                    (raw[1] == labels).double().mean() - (raw[0] == labels).double().mean()
                ).item(),
                "that is the change in points; as a share it is a hundredth of that.": 100 * change,
                "that is the share of answers that change. Some change from wrong to wrong.": (
                    (after != before).double().mean().item()
                ),
            }
            if not math.isclose(got, change, abs_tol=1e-6):
                for hint, wrong in mistakes.items():
                    if math.isclose(got, wrong, abs_tol=1e-6):
                        return hint
                if total == 400:
                    return "the model came in training mode, and you left it there: batch norms then use the batch."
                return f"{case} the change is {change:.4f}, yours is {got:.4f}."
            part = math.sqrt(1 / n - 1 / total)
            if math.isclose(margin, 1.96 * sd * part, rel_tol=6e-3, abs_tol=1e-9):  # either divisor of the variance
                continue
            unpaired = math.sqrt(was.var().item() + now.var().item())
            mistakes = {
                "that is the interval for images of which none was measured before. Yours are a part of the stored "
                "ones: √(1/n − 1/N) in place of √(1/n).": 1.96 * sd / math.sqrt(n),
                "the factor 1.96 is missing.": sd * part,
                "that is how far a single image strays.": 1.96 * sd,
                "before and after are the same images: take the sd of the differences d.": 1.96 * unpaired * part,
                "that is for an accuracy, √(p (1 − p)); here it is the sd of d, which is 1, 0 or -1.": (
                    1.96 * now.std().item() * part
                ),
                "under the root is 1/n − 1/N; you have left out the root.": 1.96 * sd * part**2,
                "that is the width of the interval; the margin is half of it.": 2 * 1.96 * sd * part,
            }
            for hint, wrong in mistakes.items():
                if math.isclose(margin, wrong, rel_tol=6e-3, abs_tol=1e-9):
                    return f"{case}: {hint}"
            return f"{case} the margin is {1.96 * sd * part:.4f}, yours is {margin:.4f}."
        return None

    answer = ... if _unanswered(rerun, model, images, labels, block, gate, 10_000) else rerun
    judge(answer, test, "Paired, with the right root: on all images the margin is zero, and numbers must agree.")


_WHAT_IT_SHOWS = {
    "the hash is the recorded one: these are the recorded bytes": (
        True,
        "nobody knows how to make two files of one SHA-256, so equal hashes mean equal bytes.",
    ),
    "the hash is the recorded one: the recorded accuracy is right": (
        False,
        "a hash ties bytes to a record. Whether the record is right, only measuring again can show.",
    ),
    "same seed, another machine, other weights: something is broken": (
        False,
        "sums in another order round in another way, and training makes the difference grow.",
    ),
    "same seed, same CPU setup, other weights: something is broken": (
        True,
        "then all sums are done in one order, so all bits must agree. Something is not fixed that should be.",
    ),
    "a page without outputs passes nbval: its cells are right": (
        False,
        "there was nothing to compare them with.",
    ),
    "a test passes: it would fail if the code were wrong": (
        False,
        "perhaps it cannot fail. Break the code on purpose, and look.",
    ),
}
"""What may be concluded, and why."""


def what_it_shows(answers: Mapping[str, Any]) -> None:
    """Which of six conclusions hold: sentence to True or False."""
    _judge_claims(answers, _WHAT_IT_SHOWS, "All six. Each check holds one thing fast, and says nothing of the rest.")

"""Judges of `rescale`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import pytest
import torch
from torch import Tensor, nn

from senet_edu import SEBlock, check


def gates(x: Tensor, W1: Tensor, W2: Tensor) -> Tensor:
    return torch.sigmoid(torch.relu(x.mean((2, 3)) @ W1.T) @ W2.T)


def se(x: Tensor, W1: Tensor, W2: Tensor) -> Tensor:
    return x * gates(x, W1, W2)[:, :, None, None]


def test_my_se(verdict: Callable[..., str]) -> None:
    assert verdict(check.my_se, se).startswith(check.TICK)
    with_einsum = verdict(check.my_se, lambda x, W1, W2: torch.einsum("nchw,nc->nchw", x, gates(x, W1, W2)))
    assert with_einsum.startswith(check.TICK)
    assert verdict(check.my_se, lambda *given: se(*given).numpy()).startswith(check.TICK)
    assert verdict(check.my_se, lambda *given: se(*(part.double() for part in given))).startswith(check.TICK)
    assert verdict(check.my_se, ...).startswith(check.OPEN)
    assert verdict(check.my_se, lambda x, W1, W2: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("my_se", "hint"),
    [
        (lambda x, W1, W2: gates(x, W1, W2), "these are the gates"),
        (lambda x, W1, W2: x + se(x, W1, W2), "adds the input"),
        (lambda x, W1, W2: x * gates(x.amax((2, 3))[:, :, None, None], W1, W2)[:, :, None, None], "the maximum"),
        (lambda x, W1, W2: x * gates(x * x[0, 0].numel(), W1, W2)[:, :, None, None], "adds the pixels up"),
        (lambda x, W1, W2: x * gates(x.mean(0, True), W1, W2)[:, :, None, None], "over the batch"),
        (lambda x, W1, W2: x * (x.mean((2, 3)) @ W1.T @ W2.T).sigmoid()[:, :, None, None], "ReLU between W1 and W2"),
        (lambda x, W1, W2: x * ((x.mean((2, 3)) @ W1.T).relu() @ W2.T)[:, :, None, None], "σ is missing"),
        (
            lambda x, W1, W2: x * ((x.mean((2, 3)) @ W1.T).relu() @ W2.T).softmax(1)[:, :, None, None],
            "softmax makes the channels compete",
        ),
        (lambda x, W1, W2: x * ((x.mean((2, 3)) @ W1.T).sigmoid() @ W2.T).sigmoid()[:, :, None, None], "a sigmoid"),
        (lambda x, W1, W2: x * gates(x, W1, W2), "lined up with the axes (H, W)"),
        (lambda x, W1, W2: x * gates(x, W1.T, W2.T)[:, :, None, None], "PyTorch says"),
        (lambda x, W1, W2: x.mul_(gates(x, W1, W2)[:, :, None, None]), "changes x itself"),
        (lambda x, W1, W2: se(x, W1, W2).mean((2, 3)), "the block keeps the shape"),
        (lambda x, W1, W2: None, "returns None: is the `return` missing?"),
        (lambda x, W1, W2: x * gates(x, W1, W2)[:, None, None, :], "s[:, None, None, :] lines the channels up with"),
        (lambda x, W1, W2: x * gates(x, W1, W2)[:, None, :, None], "lines the channels up with the height"),
        (
            lambda x, W1, W2: x * ((x.mean((1, 2, 3)) @ W1.T).relu() @ W2.T).sigmoid()[:, :, None, None],
            "Did the squeeze take the channels, too?",
        ),
        (
            lambda x, W1, W2: x * gates(x.mean((1, 2, 3), True).expand_as(x), W1, W2)[:, :, None, None],
            "means over the channels, too",
        ),
        (lambda x, W1, W2: x + gates(x, W1, W2)[:, :, None, None], "adds the gates to the maps"),
        (lambda x, W1, W2: 0.5 * x, "not those of the block"),
    ],
)
def test_my_se_hints(verdict: Callable[..., str], my_se: Callable, hint: str) -> None:
    line = verdict(check.my_se, my_se)
    assert line.startswith(check.CROSS) and hint in line


def with_state(state: Callable[[SEBlock, nn.Module], dict[str, Tensor]]) -> Callable[[SEBlock, nn.Module], None]:
    """An answer that loads a state into torchvision's block, without asking for every name."""

    def copy_weights(se: SEBlock, tv: nn.Module) -> None:
        tv.load_state_dict(state(se, tv), strict=False)

    return copy_weights


def convolutions(se: SEBlock) -> dict[str, Tensor]:
    return {n: v[:, :, None, None] if v.ndim == 2 else v for n, v in se.state_dict().items()}


def backwards(se: SEBlock, tv: nn.Module) -> None:
    se.load_state_dict({n: v.reshape(v.shape[:2]) for n, v in tv.state_dict().items() if n in se.state_dict()})


def under_autograd(se: SEBlock, tv: nn.Module) -> None:
    tv.fc1.weight.copy_(se.fc1.weight[:, :, None, None])


def linear_shapes(se: SEBlock, tv: nn.Module) -> None:
    tv.fc1.weight = nn.Parameter(se.fc1.weight.detach().clone())


def needs_biases(se: SEBlock, tv: nn.Module) -> None:
    tv.load_state_dict(convolutions(se))


def test_copy_weights(verdict: Callable[..., str]) -> None:
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
        (backwards, "the other way"),
        (under_autograd, "under autograd"),
        (linear_shapes, "the shapes in tv have changed"),
        (needs_biases, "tv always has"),
        (with_state(lambda se, tv: se.state_dict()), "the shapes differ"),
        (with_state(lambda se, tv: convolutions(se)), "keeps its random ones in fc1.bias"),
        (with_state(lambda se, tv: {"fc1.weight": convolutions(se)["fc1.weight"]}), "fc1.bias of tv is not"),
        (
            with_state(lambda se, tv: {n: v.flip(0) for n, v in convolutions(se).items()}),
            "fc1.weight of tv is not",
        ),
    ],
)
def test_copy_weights_hints(verdict: Callable[..., str], copy_weights: Callable, hint: str) -> None:
    line = verdict(check.copy_weights, copy_weights)
    assert line.startswith(check.CROSS) and hint in line


def test_no_two_mistakes_look_alike() -> None:
    """On the first inputs all known mistakes, the right answer and some others differ: no reason is a false one."""
    x, W1, W2 = next(check.rescale.block_inputs())
    results = {hint: wrong(x, W1, W2) for hint, wrong in check.rescale._BLOCK_MISTAKES.items()}
    results |= check.rescale._lined_up_wrongly(x, gates(x, W1, W2))
    results |= {"right": se(x, W1, W2), "half": 0.5 * x, "x": x}
    for one, other in combinations(results.values(), 2):
        assert one.shape != other.shape or not torch.allclose(one, other, atol=1e-2)

"""The lamp: a task that no 3 x 3 convolution can do, and that one look at the whole picture makes easy.

A picture is 6 x 6 tiles of random colors. A lamp of random color shines on all of them, and what is seen is the
product. A network shall give the tiles back as they are in white light:

    true   (N, 3, 36, 36)   tiles, each color uniform in 0..1
    lamp   (N, 3, 1, 1)     uniform in 0.2..1
    seen   true · lamp

A window on one tile cannot know whether the tile is orange or the lamp is. The mean of the whole picture tells: over 36
tiles it is about one half, times the lamp. That is the oldest cure of photography, *gray world*; the largest value is
another, *white patch* (Land's Retinex). An SE block squeezes its maps to the same numbers and may learn to use them.

    from senet_edu import lamp

    plain = lamp.network(None, channels=18)
    se = lamp.network("se", reduction=2)
    lamp.train(plain), lamp.train(se)
    print(lamp.error(plain), lamp.error(se), lamp.error(se, gates="frozen"))

Networks are three convolutions 3 x 3, of 3-C, C-C and C-3 channels, with a ReLU between them; errors are mean absolute
errors. A training is 400 steps of 16 pictures, some seconds on one core of a CPU. The figure `explorables.Lamp` does
the same in the page.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from senet_edu import checks
from senet_edu.gates import find_gates, override_gates, record_gates
from senet_edu.relatives import Gated, make_attention

TILES, TILE = 6, 6
SIDE = TILES * TILE
DIMMEST = 0.2
STEPS, BATCH, RATE = 400, 16, 0.01
TEST, TEST_SEED = 256, 2**31 - 1
PROBES = 64
PLACEMENTS = ("standard", "pre", "post")
GATES_OF = ("own", "frozen", "swapped")


class Pictures(NamedTuple):
    """Tiles under a lamp: what is seen and what is true `(N, 3, 36, 36)`, and the lamps `(N, 3, 1, 1)`."""

    seen: Tensor
    true: Tensor
    lamp: Tensor


def pictures(count: int, generator: torch.Generator | int = 0) -> Pictures:
    """Draw pictures, each with its own tiles and its own lamp.

    Args:
        count: N, at least 1.
        generator: where the random numbers come from; a number seeds a new one.

    Raises:
        ValueError: `count` is below 1.
    """
    checks.whole("count", count, least=1)
    if not isinstance(generator, torch.Generator):
        generator = torch.Generator().manual_seed(checks.whole("generator", generator))
    colors = torch.rand(count, 3, TILES, TILES, generator=generator)
    true = colors.repeat_interleave(TILE, 2).repeat_interleave(TILE, 3)
    lamp = DIMMEST + (1 - DIMMEST) * torch.rand(count, 3, 1, 1, generator=generator)
    return Pictures(true * lamp, true, lamp)


def held_out(count: int = TEST) -> Pictures:
    """The pictures that every error is measured on: always the same, and never among those of a training."""
    return pictures(count, TEST_SEED)


# Two cures by hand


def gray_world(seen: Tensor) -> Tensor:
    """Divide each channel of `(N, 3, H, W)` by its mean, so that the picture is gray on average: one half."""
    return (0.5 * seen / seen.mean((2, 3), keepdim=True).clamp(min=1e-6)).clamp(max=1)


def white_patch(seen: Tensor) -> Tensor:
    """Divide each channel of `(N, 3, H, W)` by its largest value, as if that were white (Land & McCann, 1971)."""
    return seen / seen.amax((2, 3), keepdim=True).clamp(min=1e-6)


# Networks


class ConstantGate(Gated):
    """One learned gate a channel, the same for every picture: s = σ(b). What is left of SE when nothing is squeezed."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.bias = nn.Parameter(torch.zeros(channels))

    def logits(self, x: Tensor) -> Tensor:
        return self.bias.expand(len(x), -1)


def network(
    attention: str | Callable[..., nn.Module] | None = "se",
    *,
    channels: int = 16,
    layers: tuple[int, ...] = (1, 2),
    placement: str = "standard",
    seed: int = 0,
    **options: Any,
) -> nn.Sequential:
    """Three 3 x 3 convolutions, with a gate at the first two of them or without.

    Args:
        attention: what gates: a name of `senet_edu.relatives.ATTENTION`, `"constant"`, a class or a function from the
            number of channels to a module; None for a plain network.
        channels: C, of the two hidden maps.
        layers: at which of the layers 1 and 2 it stands.
        placement: `"standard"`, between convolution and ReLU; `"pre"`, before the convolution; `"post"`, after ReLU.
        seed: of the first weights. The global random state stays as it was.
        options: of the gate, for instance `reduction`.

    Returns:
        A module from `(N, 3, H, W)` to the same shape, its parts named `conv1`, `se1`, `relu1`, `conv2`, `se2`,
        `relu2`, `conv3`. Without a gate `se1` and `se2` are missing.

    Raises:
        ValueError: an argument is out of range, or there is no such gate or option.
    """
    checks.whole("channels", channels, least=1)
    checks.whole("seed", seed)
    checks.choice("placement", placement, PLACEMENTS)
    if not isinstance(layers, tuple) or not set(layers) <= {1, 2}:
        raise ValueError(f"layers must be of 1 and 2, got {checks.shown(layers)}")
    if attention is None and options:
        raise ValueError(f"a plain network takes no options, got {', '.join(options)}")
    parts: dict[str, nn.Module] = {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer, (before, after) in enumerate(((3, channels), (channels, channels)), 1):
            parts[f"conv{layer}"] = nn.Conv2d(before, after, 3, padding=1)
            if attention is not None and layer in layers:
                make = ConstantGate if attention == "constant" else attention
                parts[f"se{layer}"] = make_attention(make, before if placement == "pre" else after, **options)
            parts[f"relu{layer}"] = nn.ReLU()
        parts["conv3"] = nn.Conv2d(channels, 3, 3, padding=1)
    order = {"standard": ("conv", "se", "relu"), "pre": ("se", "conv", "relu"), "post": ("conv", "relu", "se")}
    names = [f"{name}{layer}" for layer in (1, 2) for name in order[placement]] + ["conv3"]
    net = nn.Sequential()
    for name in names:
        if name in parts:
            net.add_module(name, parts[name])
    return net.to(memory_format=torch.channels_last)  # about half the time on a CPU


# Training and measuring


def train(
    net: nn.Module,
    *,
    seed: int = 0,
    steps: int = STEPS,
    batch: int = BATCH,
    rate: float = RATE,
    on_step: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train a network to see through the lamp: Adam with one cycle, a new batch of pictures every step.

    Two networks that get the same seed get the same pictures in the same order.

    Args:
        net: a module from `(N, 3, 36, 36)` to the same shape; it is changed.
        seed: of the pictures.
        rate: the largest of the learning rate's cycle.
        on_step: gets the number of each step from 1 and its loss.

    Returns:
        The loss of each step: the mean absolute error on its pictures before its update.

    Raises:
        ValueError: an argument is out of range; or the loss is no longer finite.
    """
    checks.module("net", net)
    checks.whole("steps", steps, least=1)
    checks.whole("batch", batch, least=1)
    checks.number("rate", rate, above=0)
    generator = torch.Generator().manual_seed(checks.whole("seed", seed))
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=max(steps, 2))
    net.train()
    losses: list[float] = []
    for step in range(steps):
        seen, true, _ = pictures(batch, generator)
        loss = (net(seen) - true).abs().mean()
        losses.append(loss.item())
        if not torch.isfinite(loss):
            raise ValueError(f"the loss is no longer finite at step {step + 1}; rate {rate!r} is too high")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step + 1 < steps:
            cycle.step()
        if on_step:
            on_step(step + 1, losses[-1])
    return losses


@torch.no_grad()
def error(net: nn.Module, on: Pictures | None = None, *, gates: str = "own") -> float:
    """Mean absolute error on new pictures, by default 256 that are always the same.

    Args:
        gates: `"own"`; `"frozen"`, every picture gets the mean gates of all; `"swapped"`, every picture gets those of
            the next one, made for another lamp.

    Raises:
        ValueError: `gates` is none of the three, or the network has no gates to freeze.
    """
    checks.module("net", net)
    checks.choice("gates", gates, GATES_OF)
    on = held_out() if on is None else on
    net.eval()
    context = nullcontext() if gates == "own" else override_gates(net, replaced(net, on.seen, gates))
    with context:
        return (net(on.seen) - on.true).abs().mean().item()


@torch.no_grad()
def replaced(net: nn.Module, seen: Tensor, gates: str) -> dict[str, Tensor]:
    """Gates for `override_gates`: those of the pictures `(N, 3, H, W)`, `"frozen"` to their mean or `"swapped"`."""
    checks.choice("gates", gates, GATES_OF)
    with record_gates(net) as found:
        net(seen)
    if gates == "frozen":
        return {name: s.mean(0, keepdim=True) for name, s in found.items()}
    return {name: s.roll(1, 0) if gates == "swapped" else s for name, s in found.items()}


@torch.no_grad()
def swing(net: nn.Module, seen: Tensor | None = None) -> float:
    """How far gates follow the lamp: the range from the 5th to the 95th percentile over pictures, mean over gates.

    By default over 64 pictures under 64 lamps. 0 where there are no gates.
    """
    if not find_gates(checks.module("net", net)):
        return 0.0
    seen = held_out(PROBES).seen if seen is None else seen
    net.eval()
    with record_gates(net) as found:
        net(seen)
    gates = torch.cat([s.flatten(1) for s in found.values()], 1)  # (N, all gates)
    low, high = gates.quantile(torch.tensor([0.05, 0.95]), dim=0)
    return (high - low).mean().item()

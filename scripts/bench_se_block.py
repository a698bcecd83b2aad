"""Time `SEBlock` against timm's, torchvision's and the blog post's SE block: `python scripts/bench_se_block.py --json`.

Forward (without gradients) and forward with backward, on four feature maps, in both memory formats. All blocks of a
case take turns in one loop, in a new order each round, so that a busy machine disturbs them alike; medians are
reported. Hidden widths are equal (C/16); timm's and torchvision's layers have biases, ours and the blog post's do not.
The floor, `multiply`, is `x * 0.5`: what it costs to read and write the feature map once.

With `--json` the last line is one JSON object: every median in ms, `ratios` (ours over the best of the others, by case)
and `worst_ratio`, the largest of them. timm is left out, with a message, where it is not installed.
"""

from __future__ import annotations

import argparse
import json
import platform
import random
import statistics
import time
from collections.abc import Callable

import torch
import torchvision
from torch import Tensor, nn

from senet_edu import SEBlock

SHAPES = [(64, 64, 32, 32), (16, 256, 56, 56), (16, 512, 28, 28), (64, 2048, 7, 7)]
FORMATS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
WARM_UP = 3


class BlogSE(nn.Module):
    """The common form: adaptive pooling, `view`, two linear layers without biases, `expand_as`."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // reduction, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // reduction, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        n, c, _, _ = x.shape
        s = self.fc(self.pool(x).view(n, c)).view(n, c, 1, 1)
        return x * s.expand_as(x)


class Multiply(nn.Module):
    """The floor."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 0.5


def contenders(channels: int) -> dict[str, nn.Module]:
    blocks = {
        "ours": SEBlock(channels, 16),
        "torchvision": torchvision.ops.SqueezeExcitation(channels, channels // 16),
        "blog": BlogSE(channels),
        "multiply": Multiply(),
    }
    try:
        from timm.layers import SEModule
    except ImportError:
        return blocks
    return blocks | {"timm": SEModule(channels, rd_ratio=1 / 16, rd_divisor=1)}


def forward(block: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        block(x)


def forward_backward(block: nn.Module, x: Tensor) -> None:
    y = block(x)
    y.backward(x.detach())  # any gradient of the right shape and format will do
    x.grad = None
    block.zero_grad()


def time_case(
    step: Callable[[nn.Module, Tensor], None], shape: tuple[int, ...], memory_format: torch.memory_format, repeats: int
) -> dict[str, float]:
    """Median milliseconds of every block."""
    x = torch.randn(shape).contiguous(memory_format=memory_format)
    x.requires_grad_(step is forward_backward)
    blocks = contenders(shape[1])
    times: dict[str, list[float]] = {name: [] for name in blocks}
    for _ in range(WARM_UP + repeats):
        for name in random.sample(list(blocks), len(blocks)):
            start = time.perf_counter()
            step(blocks[name], x)
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values[WARM_UP:]) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=40, help="timings of each block in each case")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    random.seed(0)
    torch.manual_seed(0)

    names = list(contenders(16))
    if "timm" not in names:
        print("timm is not installed: left out")
    print(f"ms, median of {options.repeats}; torch {torch.__version__}, {torch.get_num_threads()} threads")
    print(f"{'case':34}" + "".join(f"{name:>12}" for name in names) + f"{'ours / best':>13}")
    medians, ratios = {}, {}
    for step in (forward, forward_backward):
        for shape in SHAPES:
            for format_name, memory_format in FORMATS.items():
                case = f"{step.__name__} {'x'.join(map(str, shape))} {format_name}"
                ms = medians[case] = time_case(step, shape, memory_format, options.repeats)
                best = min(value for name, value in ms.items() if name not in ("ours", "multiply"))
                ratios[case] = ms["ours"] / best
                print(f"{case:34}" + "".join(f"{ms[name]:12.2f}" for name in names) + f"{ratios[case]:13.2f}")
    worst = max(ratios, key=ratios.get)
    print(f"worst: {ratios[worst]:.3f}, {worst}")
    if options.json:
        result = {
            "worst_ratio": round(ratios[worst], 3),
            "ratios": {case: round(ratio, 3) for case, ratio in ratios.items()},
            "ms": {case: {name: round(value, 4) for name, value in ms.items()} for case, ms in medians.items()},
            "repeats": options.repeats,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main()

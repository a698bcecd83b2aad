"""Time `SEBlock` against timm's, torchvision's and the blog post's SE block: `python scripts/bench_se_block.py --json`.

Forward (without gradients) and forward with backward, on four feature maps, in both memory formats, eager and
compiled. All blocks of a case take turns in one loop, in a new order each round, so that a busy machine disturbs them
alike. Shown are the tenth percentile, which a busy machine hardly moves, and the median. With OMP_NUM_THREADS=1 the
clock counts the time of the thread alone, so that others on the machine do not count. Freed memory stays with the
process: else half of the time may be the kernel's, which clears new pages in some rounds and not in others. Hidden
widths are equal (C/16); timm's and torchvision's layers have biases, ours and the blog post's do not. The floor,
`multiply`, is `x * 0.5`: what it costs to read and write the feature map once.

With `--json` the last line is one JSON object: both numbers in ms of every block, `ratios` (ours over the best of the
others at the tenth percentile, by case), `worst_ratio`, the largest of them, and `backward_gain`, the smallest factor
by which forward with backward is faster than the best of the others, eager. timm is left out, with a message, where it
is not installed.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable

import torch
import torchvision
from torch import Tensor, nn

from senet_edu import SEBlock
from senet_edu.commandline import positive

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
    step: Callable[[nn.Module, Tensor], None],
    shape: tuple[int, ...],
    memory_format: torch.memory_format,
    repeats: int,
    compiled: bool = False,
) -> dict[str, tuple[float, float]]:
    """Tenth percentile and median, in milliseconds, of every block."""
    x = torch.randn(shape).contiguous(memory_format=memory_format)
    x.requires_grad_(step is forward_backward)
    blocks = contenders(shape[1])
    if compiled:
        torch._dynamo.reset()  # else the blocks of other cases count as recompilations of these
        blocks = {name: torch.compile(block) for name, block in blocks.items()}
    clock = time.thread_time if torch.get_num_threads() == 1 else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in blocks}
    for _ in range(WARM_UP + repeats):
        for name in random.sample(list(blocks), len(blocks)):
            start = clock()
            step(blocks[name], x)
            times[name].append(1000 * (clock() - start))
    return {name: summary(values[WARM_UP:]) for name, values in times.items()}


def summary(values: list[float]) -> tuple[float, float]:
    """The tenth percentile and the median."""
    return sorted(values)[len(values) // 10], statistics.median(values)


def keep_freed_memory() -> None:
    """Have glibc take large tensors from its heap and give nothing back; other systems are left as they are."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            trim_threshold, mmap_max = -1, -4
            libc.mallopt(trim_threshold, -1)
            libc.mallopt(mmap_max, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=positive, default=40, help="timings of each block in each case")
    parser.add_argument("--eager", action="store_true", help="leave out what torch.compile makes of the blocks")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    random.seed(0)
    torch.manual_seed(0)
    keep_freed_memory()

    names = list(contenders(16))
    if "timm" not in names:
        print("timm is not installed: left out")
    threads = torch.get_num_threads()
    print(f"ms, 10th percentile/median of {options.repeats}; torch {torch.__version__}, threads: {threads}")
    print(f"{'case':44}" + "".join(f"{name:>16}" for name in names) + f"{'ours / best':>13}")
    every, ratios = {}, {}
    for mode in ("eager",) if options.eager else ("eager", "compiled"):
        for step in (forward, forward_backward):
            for shape in SHAPES:
                for format_name, memory_format in FORMATS.items():
                    case = f"{mode} {step.__name__} {'x'.join(map(str, shape))} {format_name}"
                    ms = every[case] = time_case(step, shape, memory_format, options.repeats, mode == "compiled")
                    best = min(low for name, (low, _) in ms.items() if name not in ("ours", "multiply"))
                    ratios[case] = ms["ours"][0] / best
                    cells = "".join(f"{low:9.2f}/{middle:6.2f}" for low, middle in ms.values())
                    print(f"{case:44}{cells}{ratios[case]:13.2f}", flush=True)
    worst = max(ratios, key=ratios.get)
    gain = 1 / max(ratio for case, ratio in ratios.items() if case.startswith("eager forward_backward"))
    print(f"worst: {ratios[worst]:.3f}, {worst}; eager forward with backward is at least {gain:.2f} times faster")
    if options.json:
        result = {
            "worst_ratio": round(ratios[worst], 3),
            "backward_gain": round(gain, 2),
            "ratios": {case: round(ratio, 3) for case, ratio in ratios.items()},
            "ms": {c: {name: [round(v, 4) for v in pair] for name, pair in ms.items()} for c, ms in every.items()},
            "repeats": options.repeats,
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
            "threads": threads,
            "clock": "CPU time of the thread" if threads == 1 else "wall clock",
            "machine": platform.machine(),
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main()

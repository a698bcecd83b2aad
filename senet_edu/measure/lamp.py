"""The lamp measured: every part of an SE block, and every relative, on a task where they must matter.

    python -m senet_edu.measure.lamp --seeds 20

Each row of the tables of chapters 8 and 11 is trained with each seed, seed by seed, so that rows are paired: equal
seeds mean equal pictures in equal order. Runs go to a file of their own, one a line, and what is there is not run again; when
all are there, `results/lamp.json` is written. Some two hours of one core.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from senet_edu import lamp
from senet_edu.gates import find_gates


@dataclass(frozen=True)
class Row:
    """A row of a table: its group, its title, and the arguments of `senet_edu.lamp.network`."""

    group: str
    title: str
    network: dict[str, Any] = field(default_factory=dict)


def _se(**change: Any) -> dict[str, Any]:
    return {"attention": "se", "reduction": 2} | change


STANDARD = "se_r2"
ROWS = {
    "plain": Row("plain", "no SE, 16 channels", {"attention": None}),
    "as_many": Row("plain", "as many weights, 18 channels", {"attention": None, "channels": 18}),
    "three_times": Row("plain", "three times the weights, 32 channels", {"attention": None, "channels": 32}),
    "se_r1": Row("reduction", "r = 1", _se(reduction=1)),
    "se_r2": Row("reduction", "r = 2, the standard here", _se()),
    "se_r4": Row("reduction", "r = 4", _se(reduction=4)),
    "se_r8": Row("reduction", "r = 8", _se(reduction=8)),
    "se_r16": Row("reduction", "r = 16", _se(reduction=16)),
    "bias": Row("reduction", "r = 2, with biases", _se(bias=True)),
    "max": Row("squeeze", "maximum", _se(squeeze="max")),
    "no_squeeze": Row("squeeze", "none", {"attention": "no_squeeze", "reduction": 2}),
    "constant": Row("squeeze", "none, one learned gate a channel", {"attention": "constant"}),
    "hardsigmoid": Row("gate", "hard sigmoid", _se(gate="hardsigmoid")),
    "tanh": Row("gate", "tanh", _se(gate="tanh")),
    "relu": Row("gate", "ReLU", _se(gate="relu")),
    "softmax": Row("gate", "softmax", _se(gate="softmax")),
    "pre": Row("placement", "before the convolution", _se(placement="pre")),
    "post": Row("placement", "after the ReLU", _se(placement="post")),
    "layer1": Row("layers", "layer 1 alone", _se(layers=(1,))),
    "layer2": Row("layers", "layer 2 alone", _se(layers=(2,))),
    "eca": Row("relatives", "ECA", {"attention": "eca"}),
    "ese": Row("relatives", "eSE", {"attention": "ese"}),
    "scse": Row("relatives", "scSE", {"attention": "scse", "reduction": 2}),
    "cbam": Row("relatives", "CBAM", {"attention": "cbam", "reduction": 2}),
    "coordinate": Row("relatives", "coordinate attention", {"attention": "coordinate", "reduction": 2}),
    "simam": Row("relatives", "SimAM", {"attention": "simam"}),
    "ge_theta_minus": Row("relatives", "GE-θ⁻, the whole map", {"attention": "ge_theta_minus"}),
    "ge_theta": Row("relatives", "GE-θ", {"attention": "ge_theta"}),
}
"""In the order of the tables. SE blocks have r = 2 and stand at both layers, where a row does not say otherwise."""


def run(row: str, seed: int) -> dict[str, Any]:
    """Train a row with a seed and measure it on the 256 new pictures; `frozen` and `swapped` are None without gates."""
    start = time.perf_counter()
    net = lamp.network(**ROWS[row].network, seed=seed)
    lamp.train(net, seed=seed)
    gated = bool(find_gates(net))
    errors = {how: lamp.error(net, gates=how) if gated else None for how in ("frozen", "swapped")}
    return {
        "row": row,
        "seed": seed,
        "error": lamp.error(net),
        **errors,
        "swing": lamp.swing(net),
        "parameters": sum(p.numel() for p in net.parameters()),
        "seconds": round(time.perf_counter() - start, 2),
    }


def read_runs(path: Path) -> list[dict[str, Any]]:
    """The runs of a file, one a line; a last line that was cut short is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def missing(runs: list[dict[str, Any]], seeds: int) -> Iterator[tuple[str, int]]:
    """What is to be run yet, seed by seed."""
    done = {(one["row"], one["seed"]) for one in runs}
    return ((row, seed) for seed in range(seeds) for row in ROWS if (row, seed) not in done)

"""Measure every part of an SE block, and every relative, on the lamp (chapters 1, 7 and 10).

    python -m senet_edu.measure.lamp                                # 20 seeds, an hour and a half of one idle core
    python -m senet_edu.measure.lamp --seeds 2 --rows plain se_r2 --out /tmp

Trains each row below with each seed and measures it on the same 256 new pictures. Rows are paired by seed: equal seeds
mean equal training pictures in equal order. Runs go to `runs/lamp.jsonl` as they end, and the same command goes on with
those that are missing; then it writes `lamp.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from senet_edu import lamp, store
from senet_edu.commandline import guarded, positive
from senet_edu.gates import find_gates

HOLDS = {
    "results/lamp.json": store.Holding(
        "errors of every part and every relative of SE on the lamp, 20 seeds, with gates frozen and swapped",
        (
            "01_why_channels",
            "02_squeeze",
            "06_learning_to_gate",
            "07_does_it_help",
            "09_are_gates_explanations",
            "10_relatives",
        ),
    ),
}
SEEDS = 20
PARTIAL = Path("runs/lamp.jsonl")
NUMBERS = ("error", "frozen", "swapped", "swing")


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


def by_hand() -> dict[str, float]:
    """Errors on the same pictures without a network: nothing done, gray world, white patch."""
    on = lamp.held_out()
    cures = {"nothing": torch.clone, "gray_world": lamp.gray_world, "white_patch": lamp.white_patch}
    return {name: (cure(on.seen) - on.true).abs().mean().item() for name, cure in cures.items()}


def measure(
    rows: Sequence[str] = tuple(ROWS), seeds: int = SEEDS, *, partial: Path = PARTIAL, progress: bool = False
) -> dict[str, Any]:
    """Train what `partial` does not hold yet, seed by seed, and collect it.

    Returns:
        `rows`, by name: `group`, `title`, `network`, `parameters`, and by seed the `error` and, where there are gates,
        the errors with gates `frozen` and `swapped` and their `swing`; `by_hand`; `seconds` of all runs.

    Raises:
        OSError: `partial` cannot be written; what it held is kept.
        ValueError: there is no such row, `seeds` is below 1, or `partial` is damaged.
    """
    if unknown := sorted(set(rows) - set(ROWS)):
        raise ValueError(f"rows must be of {', '.join(ROWS)}; got {', '.join(unknown)}")
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds!r}")
    before = store.read_lines(partial, "Move it away to measure anew") if partial.exists() else []
    runs = {(one["row"], one["seed"]): one for one in before}
    partial.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        for row in rows:
            if (row, seed) not in runs:
                runs[row, seed] = run(row, seed)
                store.replace_file(partial, "".join(json.dumps(one) + "\n" for one in runs.values()).encode())
                if progress:
                    print(f"{row}, seed {seed}: {runs[row, seed]['error']:.4f}", flush=True)
    found: dict[str, Any] = {}
    for row in rows:
        of_row = [runs[row, seed] for seed in range(seeds)]
        found[row] = asdict(ROWS[row]) | {"parameters": of_row[0]["parameters"]}
        found[row] |= {name: [one[name] for one in of_row] for name in NUMBERS if of_row[0][name] is not None}
    seconds = sum(runs[row, seed]["seconds"] for row in rows for seed in range(seeds))
    return {"rows": found, "by_hand": by_hand(), "test_pictures": lamp.TEST, "seconds": seconds}


@guarded("Stopped. The same command goes on with the runs that are missing.")
def main(argv: Sequence[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = argparse.ArgumentParser(
        "python -m senet_edu.measure.lamp", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--seeds", type=positive, default=SEEDS, help="for every row (%(default)s)")
    parser.add_argument("--partial", type=Path, default=PARTIAL, help="where runs go as they end (%(default)s)")
    parser.add_argument("--out", type=Path, default=store.RESULTS, help="folder (%(default)s)")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    results = measure(args.rows, args.seeds, partial=args.partial, progress=True)
    about = store.about(
        torch.device("cpu"),
        command=store.typed(parser.prog, argv),
        seeds=range(args.seeds),
        settings={"steps": lamp.STEPS, "batch": lamp.BATCH, "rate": lamp.RATE, "optimizer": "Adam, one cycle"},
        data={"name": "tiles under a lamp", "train": lamp.STEPS * lamp.BATCH, "test": lamp.TEST},
        seconds=results.pop("seconds"),
        processes=1,
    )
    path = store.keep("lamp", store.rounded(results, 5), about, folder=args.out)
    for row, one in results["rows"].items():
        print(f"{row:16} {one['parameters']:6,} {statistics.mean(one['error']):.4f}")
    print(f"{path.name}: {path.stat().st_size:,} bytes, {about['seconds']:.0f} s")


if __name__ == "__main__":
    main()

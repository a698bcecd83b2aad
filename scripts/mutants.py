"""Plant faults of one line, one at a time, and run the test that must see each: that tests pass says little else.

    python scripts/mutants.py                  # all
    python scripts/mutants.py train/step fold  # those in files whose path has one of these words in it

The faults are where parts are joined, for there a test of each part alone sees nothing. They are planted in a copy, so
the tree stays as it is. Ends with 1 where a test passed in spite of its fault.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Mutant(NamedTuple):
    """A text that stands once in a file of the package, what takes its place, and the tests, as pytest's arguments."""

    file: str
    old: str
    new: str
    tests: str


MUTANTS = [Mutant(*line) for line in (
    ("train/step.py", "self.optimizer.zero_grad()", "pass", "train/test_step.py -k one_computes_by_hand"),
    ("train/step.py", 'group["lr"].copy_(rate if', 'group["lr"].copy_(self.rate_table[0] if',
     "train/test_step.py -k one_computes_by_hand"),
    ("train/step.py", 'bilinear", antialias=True', 'bilinear", antialias=False',
     "train/test_step.py -k one_computes_by_hand"),
    ("train/step.py", ' if group["times"] == 1 else rate * group["times"]', "", "train/test_step.py -k own_rate"),
    ("train/step.py", "loss.detach() * self.share", "loss.detach()", "train/test_step.py -k one_computes_by_hand"),
    ("train/step.py", "recipe.seed * 1_000_003 + epoch", "recipe.seed * 1_000_003",
     "train/test_step.py -k one_computes_by_hand"),
    ("train/step.py", "self.scaler.update()", "pass", "train/test_step.py -k overflows"),
    ("train/step.py", "self.t.fill_(self.total)", "self.t.fill_(0)", "train/test_step.py -k every_address"),
    ("train/step.py", "bool(self.graphs) and self.hooked()", "False", "train/test_step.py -k watches"),
    ("train/optimizer.py", "nesterov=True", "nesterov=False", "train/test_step.py -k one_computes_by_hand"),
    ("train/optimizer.py", "momentum=recipe.momentum", "momentum=0.9", "train/test_step.py -k one_computes_by_hand"),
    ("train/optimizer.py", '"weight_decay": recipe.weight_decay', '"weight_decay": 5e-4',
     "train/test_step.py -k one_computes_by_hand"),
    ("train/optimizer.py", "if p.ndim > 1 and p not in gated", "if p.ndim > 1", "train/test_recipe.py -k decay"),
    ("train/optimizer.py", "return max(recipe.warmup, 2 / total)", "return recipe.warmup",
     "train/test_recipe.py -k rates"),
    ("train/loop.py", "evaluate(step.final, *self.test)", "evaluate(step.model, *self.test)",
     "train/test_loop.py -k running_average"),
    ("train/loop.py", "if not (sound and math", "if not (math", "train/test_loop.py -k ruins"),
    ("train/loop.py", "self.about, len(self.history))", "self.about, 0)", "train/test_folder.py -k every_session"),
    ("train/checkpoint.py", 't.detach().to("cpu", copy=True)', 't.detach().to("cpu")',
     "train/test_folder.py -k state_that_a_thread"),
    ("train/checkpoint.py", 'if was["about"]["data"] != data:', "if False:", "train/test_folder.py -k other_data"),
    ("train/distributed.py", "device=device) * weight)", "device=device))",
     "train/test_distributed.py -k two_processes"),
    ("train/distributed.py", "variance * count / (count - 1)", "variance", "train/test_distributed.py -k batch_norm"),
    ("data/augment.py", "torch.randint(room, (2, count)", "torch.randint(max(room - 1, 1), (2, count)",
     "data/test_augment.py"),
    ("data/augment.py", 'mode="reflect"', 'mode="replicate"', "data/test_augment.py"),
    ("gates.py", "return by_pattern | by_name", "return by_name | by_pattern", "test_gates.py -k wildcards"),
    ("gates.py", "if module is self.module() and (threading", "if (threading", "test_gates.py -k shallow"),
    ("gates.py", "if not _in_backward():  # where", "if True:  # where", "test_gates.py -k checkpointing"),
    ("surgery.py", "blocks[path].train(model.training)", "blocks[path]", "test_surgery.py -k modes"),
    ("surgery.py", "return 2 * self.gate(x)", "return self.gate(x)", "test_surgery.py -k start_as"),
    ("fold.py", "layer.bias.mul_(s)", "pass", "test_fold.py -k negative"),
    ("fold.py", "            put_back()", "            pass", "test_fold.py -k cannot_be_folded"),
    ("measure/intervals.py", "statistics.stdev(d)", "statistics.pstdev(d)", "measure/test_intervals.py"),
    ("measure/intervals.py", "min(len(d) - 1, len(T975))", "min(len(d), len(T975))", "measure/test_intervals.py"),
    ("resnet.py", "n=3, cutoff=0.5)", "n=3, cutoff=0.99)", "test_resnet.py -k unknown"),
    ("explorables/lib/net.js", "sum: copy(output)", "sum: copy(residual)",
     "figures/test_net.py -k 'overrides_and_maps and not chromium'"),
    ("explorables/lib/net.js", "changed ||= gates.some", "changed = gates.some",
     "figures/test_net.py -k 'behind and not chromium'"),
    ("explorables/lib/class_layers.js", "(variance[c] * N) / (N - 1)", "variance[c]",
     "figures/test_class_training.py -k 'every_gradient and not chromium'"),
    ("explorables/lib/class_net.js", '1 && !name.includes(".se.")', "1",
     "figures/test_class_training.py -k 'fifty and not chromium'"),
    ("explorables/lib/class_worker.js", "net.best(logits) === labels[n]", "net.best(logits) !== labels[n]",
     "figures/test_class_training.py -k 'goes_to_pytorch and node'"),
    ("explorables/lib/class_worker.js", "(1e3 * images) / ms", "images / ms",
     "figures/test_class_training.py -k images_a_second"),
    ("explorables/lib/class_batches.js", "top: below(2 * PADDING + 1), left", "top: PADDING, left",
     "figures/test_class_training.py -k shifts"),
)]  # fmt: skip


def copy_tracked(to: Path) -> None:
    """The files that git knows, as they are now."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def outcome(tree: Path, mutant: Mutant) -> str:
    """`"seen"`, `"SURVIVED"`, or `"NOT TRIED"` where the text or the tests are not there, or all tests were skipped."""
    path = tree / "senet_edu" / mutant.file
    source = path.read_text(encoding="utf-8")
    if source.count(mutant.old) != 1:
        return "NOT TRIED"
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8", newline="\n")
    environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *shlex.split(f"tests/{mutant.tests}")]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    path.write_text(source, encoding="utf-8", newline="\n")
    if done.returncode == 1:
        return "seen"
    return "SURVIVED" if done.returncode == 0 and " passed" in done.stdout else "NOT TRIED"


def outcomes(tree: Path, mutants: Sequence[Mutant]) -> Iterator[str]:
    for mutant in mutants:
        found = outcome(tree, mutant)
        print(f"{found:9}  {mutant.file}: {mutant.old!r} -> {mutant.new!r}", flush=True)
        yield found


def main(words: Sequence[str]) -> int:
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.file for word in words)]
    with tempfile.TemporaryDirectory() as folder:
        copy_tracked(Path(folder))
        found = list(outcomes(Path(folder), chosen))
    print(f"{found.count('seen')} of {len(found)} faults were seen")
    return int(set(found) != {"seen"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

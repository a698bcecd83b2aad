"""Train on CIFAR-10: one recipe, one loop, on a GPU or a CPU.

    python -m senet_edu.train --recipe laptop --seed 0 --out runs/se_resnet20

`RECIPES` has the recipes by name; every entry of one has an option that overrides it. The folder receives
`history.jsonl` (a first line about the run, then a line an epoch), `checkpoint.pt` after every epoch and, at the end,
`model.safetensors`. `--resume` goes on from the checkpoint and starts anew where there is none; without it, a folder
that holds a run is refused, unless `--overwrite` says to replace it. `--profile` trains a few steps and prints where
the time goes. On several devices: `torchrun --nproc-per-node 2 -m senet_edu.train …`, the same options, and the same
result but for rounding.

Where the time goes, and what is done about it: the whole data set lies on the device, and crop and flip are one gather
a batch; tensors are channels-last; arithmetic is bfloat16 where the processor has it (float16 with loss scaling on
older GPUs); early epochs see smaller images (progressive resizing), where a step costs a quarter; and a GPU repeats a
recorded step, so that it need not wait for Python.
"""

from senet_edu.machine import precision
from senet_edu.store import replace_file
from senet_edu.train.checkpoint import describe_run
from senet_edu.train.loop import Run, evaluate, train
from senet_edu.train.optimizer import make_optimizer, make_scheduler
from senet_edu.train.pack import train_many
from senet_edu.train.profile import profile_steps
from senet_edu.train.recipe import RECIPES, NamedRecipe, Recipe, read_recipe

__all__ = [
    "RECIPES",
    "NamedRecipe",
    "Recipe",
    "Run",
    "describe_run",
    "evaluate",
    "make_optimizer",
    "make_scheduler",
    "precision",
    "profile_steps",
    "read_recipe",
    "replace_file",
    "train",
    "train_many",
]

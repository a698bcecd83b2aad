"""SGD with a learning rate that lies on the device, and the one cycle of that rate."""

from __future__ import annotations

import torch
from torch import nn

from senet_edu.gates import find_blocks
from senet_edu.train.recipe import Recipe

FIRST, LAST = 25.0, 1e4  # the rate begins at the peak / 25, and ends at a ten-thousandth of that


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD with Nesterov momentum; only weights that a batch norm follows decay, and those of the classifier.

    Batch norm takes the scale out of a convolution's weights, so decay only sets how large a step is to them. The
    layers of an attention block have no batch norm: there decay pulls every gate toward the constant σ(0) = 1/2.

    Every group says under `times` by how much its rate differs from the schedule's.
    """
    gated = {p for block in find_blocks(model).values() for p in block.module.parameters()}
    decay = [p for p in model.parameters() if p.ndim > 1 and p not in gated]
    rest = [p for p in model.parameters() if p.ndim <= 1 or p in gated]
    groups = [
        {"params": decay, "weight_decay": recipe.weight_decay, "times": 1.0},
        {"params": rest, "weight_decay": 0.0, "times": 1.0},
    ]
    if recipe.bn_shift_lr != 1:
        shifts = {m.bias for m in model.modules() if isinstance(m, nn.BatchNorm2d) and m.affine}
        groups[1]["params"] = [p for p in rest if p not in shifts]
        times = recipe.bn_shift_lr
        rate = recipe.lr * times
        groups.append({"params": [p for p in rest if p in shifts], "weight_decay": 0.0, "times": times, "lr": rate})
    optimizer = torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=True, fused=True)
    for p in model.parameters():  # else they hold what lay in memory if float16 overflows in the first step
        optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)
    return optimizer


def one_cycle(recipe: Recipe, steps: int) -> list[float]:
    """The learning rate of every step of a run with so many steps an epoch.

    Up to the peak in the share `warmup` of the steps, then down to nearly zero, both in a straight line (Smith and
    Topin, 2018, https://arxiv.org/abs/1708.07120). To the last bit what `make_scheduler` gives; written out, because a
    GPU that repeats a recorded step must find the rates in its memory.
    """
    total = recipe.epochs * steps + 1  # the rate reaches its end one step after the last
    first = recipe.lr / FIRST
    last = first / LAST
    turn = float(_rise(recipe, total) * total) - 1
    rates = []
    for step in range(total - 1):
        if step <= turn:
            rates.append((recipe.lr - first) * (step / turn) + first)
        else:
            rates.append((last - recipe.lr) * ((step - turn) / (total - 1 - turn)) + recipe.lr)
    return rates


def make_scheduler(optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    """The rates of `one_cycle` as one of PyTorch's schedulers, for a loop of one's own."""
    total = recipe.epochs * steps + 1
    rates = [recipe.lr * group.get("times", 1.0) for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        rates,
        total,
        pct_start=_rise(recipe, total),
        anneal_strategy="linear",
        cycle_momentum=False,
        div_factor=FIRST,
        final_div_factor=LAST,
    )


def _rise(recipe: Recipe, total: int) -> float:
    """The share of the steps in which the rate rises: at least one step, also in the tiniest run."""
    return max(recipe.warmup, 2 / total)

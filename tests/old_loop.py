"""The training loop as it was before steps became objects: an independent statement of what a recipe means.

It shares with the package the networks, `crop_flip`, `cutout` and `normalize`, and nothing of `senet_edu.train`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from senet_edu.data import ImageData, crop_flip, cutout, draw_shifts, normalize, pad
from senet_edu.gates import find_gates
from senet_edu.resnet import create_model
from senet_edu.train import Recipe

FIELDS = """model model_options data epochs batch_size lr warmup momentum weight_decay label_smoothing sizes flip cutout
ema compile seed""".split()


def optimizer_of(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    gated = {p for name in find_gates(model) for p in model.get_submodule(name).parameters()}
    decay = [p for p in model.parameters() if p.ndim > 1 and p not in gated]
    rest = [p for p in model.parameters() if p.ndim <= 1 or p in gated]
    groups = [{"params": decay, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=True, fused=True)
    for p in model.parameters():
        optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)
    return optimizer


def old_train(
    recipe: Recipe, data: ImageData, dtype: torch.dtype, on_step: Callable[[int, nn.Module], None], epochs: int = 10**9
) -> tuple[nn.Module, list[dict[str, float]], dict[str, Any]]:
    """The model, the losses and rates an epoch, and a checkpoint as it was written then.

    Args:
        epochs: after which to stop, if that is earlier.
    """
    batch_size = min(recipe.batch_size, len(data.train_images))
    steps = len(data.train_images) // batch_size
    torch.manual_seed(recipe.seed)
    model = create_model(recipe.model, num_classes=len(data.classes), **recipe.model_options)
    model = model.to(memory_format=torch.channels_last)
    optimizer = optimizer_of(model, recipe)
    total = recipe.epochs * steps + 1
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        recipe.lr,
        total,
        pct_start=max(recipe.warmup, 2 / total),
        anneal_strategy="linear",
        cycle_momentum=False,
    )
    scaler = torch.amp.GradScaler("cpu", enabled=dtype == torch.float16)
    state = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
    final = model
    if recipe.ema:
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
        state["average"], final = average, average.module
    side = data.train_images.shape[2]
    padded, labels = pad(data.train_images, side // 8), data.train_labels
    room = padded.shape[2] - side + 1
    mirrored = torch.randint(2, (len(labels),), generator=torch.Generator().manual_seed(recipe.seed))
    history = []
    for epoch in range(min(epochs, recipe.epochs)):
        model.train()
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
        order = torch.randperm(len(labels), generator=generator)
        shifts = draw_shifts(len(labels), room, generator)
        if recipe.flip == "alternating":
            shifts[:, 2] = (mirrored[order] + epoch) % 2
        holes = torch.randint(side, (len(labels), 2), generator=generator)
        size = recipe.size_at(epoch)
        sums = torch.zeros(2)
        for step in range(steps):
            batch = slice(step * batch_size, (step + 1) * batch_size)
            x, y = normalize(crop_flip(padded, order[batch], shifts[batch], side)), labels[order[batch]]
            if recipe.cutout:
                x = cutout(x, holes[batch], recipe.cutout)
            if size != side:
                x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
            with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
                logits = model(x)
                loss = F.cross_entropy(logits, y, label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            lr = optimizer.param_groups[0]["lr"]
            scheduler.step()
            if recipe.ema:
                average.update_parameters(model)
            sums += torch.stack([loss.detach() * batch_size, (logits.argmax(1) == y).sum()])
            on_step(epoch * steps + step + 1, model)
        loss, correct = (part / (steps * batch_size) for part in sums.tolist())
        assert math.isfinite(loss)
        row = {"epoch": epoch + 1, "size": size, "lr": round(lr, 6), "train_loss": loss, "train_accuracy": correct}
        history.append(row)
    checkpoint = {name: part.state_dict() for name, part in state.items()}
    then = {name: value for name, value in asdict(recipe).items() if name in FIELDS}
    about = {
        "recipe": then,
        "data": {"name": data.name, "train": len(data.train_images), "test": len(data.test_images)},
        "versions": {"python": "3.11.7", "torch": "2.9.0"},
        "hardware": "a processor, threads: 7",
        "processes": 1,
        "precision": str(dtype).removeprefix("torch."),
        "command": "the first command",
    }
    return final, history, checkpoint | {"recipe": then, "about": about, "history": history}

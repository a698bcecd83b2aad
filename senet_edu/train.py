"""Train on CIFAR-10: one recipe, one loop, on a GPU or a CPU.

    python -m senet_edu.train --recipe laptop --seed 0 --out runs/se_resnet20

`RECIPES` has the recipes by name; nearly every entry of one has an option that overrides it. The folder receives
`history.jsonl` (a first line about the run, then a line an epoch), `checkpoint.pt` after every epoch and, at the end,
`model.safetensors`. `--resume` goes on from the checkpoint and starts anew where there is none. `--profile` trains a
few steps and prints where the time goes. On several devices: `torchrun --nproc-per-node 2 -m senet_edu.train …`, the
same options, and the same result.

Where the time goes, and what is done about it: the whole data set lies on the device as uint8; crop and flip are one
gather a batch; tensors are channels-last; arithmetic is bfloat16 where the processor has it (float16 with loss scaling
on older GPUs); and early epochs see smaller images (progressive resizing), where a step costs a quarter.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NoReturn

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.profiler import ProfilerActivity, profile, record_function
from tqdm.auto import tqdm

from senet_edu import data as datasets
from senet_edu import distributed
from senet_edu.data import ImageData, crop_flip, cutout, draw_shifts, normalize, pad
from senet_edu.gates import find_gates
from senet_edu.resnet import create_model


def _entry(default: Any, why: str) -> Any:
    """A field of `Recipe` that says what it is for; the command line's help and chapter 7 show it."""
    return field(default=default, metadata={"why": why})


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the trained weights, apart from the hardware's rounding.

    None of the values was chosen by looking at the test set. A value out of range raises a ValueError that names it.
    """

    model: str = _entry("se_resnet20", "the network, a name that create_model knows")
    model_options: dict[str, Any] = field(default_factory=dict, metadata={"why": "keyword arguments for create_model"})
    data: str = _entry("cifar10", "the data set: cifar10, cifar100, or procedural, which needs no files")
    epochs: int = _entry(50, "passes over the training images; few, so that a CPU can do it")
    batch_size: int = _entry(128, "images a step: enough for batch norm, and few enough for many steps")
    lr: float = _entry(0.25, "peak of the one-cycle learning rate; brief, so above the usual 0.1")
    warmup: float = _entry(0.2, "share of the steps in which the rate rises, before it falls to zero")
    momentum: float = _entry(0.9, "of SGD, in Nesterov's form: about the last 10 gradients decide a step")
    weight_decay: float = _entry(5e-4, "pulls weights toward zero: convolutions' and the classifier's, not the gates'")
    label_smoothing: float = _entry(0.1, "share of the target that goes to all classes, against overconfidence")
    sizes: tuple[tuple[float, int], ...] = _entry(
        ((0.0, 16), (0.3, 24), (0.6, 32)), "(share of the epochs done, side of the training images from then on)"
    )
    flip: str = _entry("alternating", "mirror each image in every second epoch; random: toss a coin each time")
    cutout: int = _entry(0, "side of a square that is hidden in each training image; 0: none")
    ema: float = _entry(0.0, "share that a running average of the weights keeps in each step; 0: no average")
    compile: bool = _entry(False, "let torch.compile fuse operations; pays on a GPU, when many steps follow")
    seed: int = _entry(0, "decides the first weights, the order of the images, crops and flips")

    def __post_init__(self) -> None:
        right = {name: getattr(self, name) > 0 for name in ("epochs", "batch_size", "lr")}
        right["warmup"] = 0 < self.warmup < 1
        right["momentum"] = 0 < self.momentum < 1
        right["weight_decay"] = self.weight_decay >= 0
        right["label_smoothing"] = 0 <= self.label_smoothing <= 1
        right["flip"] = self.flip in ("alternating", "random")
        right["cutout"] = self.cutout >= 0
        right["ema"] = 0 <= self.ema < 1
        right["seed"] = 0 <= self.seed < 2**32
        right["sizes"] = self.sizes[0][0] == 0 and list(self.sizes) == sorted(self.sizes) and self.sizes[0][1] > 0
        for f in fields(self):
            if not right.get(f.name, True):
                raise ValueError(f"{f.name} ({f.metadata['why']}) cannot be {getattr(self, f.name)!r}")

    def size_at(self, epoch: int) -> int:
        """Side of the training images in an epoch, counted from 0."""
        return [size for start, size in self.sizes if epoch >= start * self.epochs][-1]


@dataclass(frozen=True)
class NamedRecipe:
    """A recipe for a kind of machine, and the reason for every entry in which it differs from the default one."""

    title: str
    recipe: Recipe
    why: dict[str, str]


RECIPES = {
    "laptop": NamedRecipe(
        "SE-ResNet-20 on a CPU",
        Recipe(model_options={"reduction": 4}),
        {
            "model_options": "with 16 channels in the first stage, r = 16 would leave one hidden unit",
        },
    ),
    "colab": NamedRecipe(
        "SE-ResNet-20 on a free GPU",
        Recipe(model_options={"reduction": 4}, epochs=100, batch_size=512, lr=0.5, sizes=((0.0, 32),)),
        {
            "model_options": "as in laptop: the same network",
            "epochs": "a GPU has the time to come near what He et al. reach in 164 epochs",
            "batch_size": "this small network leaves a GPU idle between small batches",
            "lr": "larger batches have less noise and bear a larger step",
            "sizes": "at 16 x 16, starting the operations takes longer than computing them",
        },
    ),
    "fast": NamedRecipe(
        "SE-ResNet-18 with the CIFAR stem",
        Recipe("se_resnet18_cifar", epochs=40, batch_size=512, lr=0.4, sizes=((0.0, 32),), cutout=8, compile=True),
        {
            "model": "widths of 64 to 512: r = 16 leaves 4 to 32 hidden units",
            "epochs": "a fifth of the usual 200; one cycle needs few",
            "batch_size": "fills a GPU",
            "lr": "for four times the batch; wide networks want less than the narrow one of colab",
            "sizes": "full size throughout, for accuracy",
            "cutout": "40 times the parameters of SE-ResNet-20 could learn the images by heart",
            "compile": "fuses batch norm, ReLU and gates, which wait for memory",
        },
    ),
    "sprint": NamedRecipe(
        "SE-ResNet-10 with the CIFAR stem, in seconds",
        Recipe("se_resnet10_cifar", epochs=15, batch_size=512, lr=0.4, sizes=((0.0, 24), (0.5, 32)), compile=True),
        {
            "model": "one block a stage: 4.9 million parameters at half the arithmetic of SE-ResNet-18",
            "epochs": "as few as 94 % may allow",
            "batch_size": "fills a GPU, and leaves 97 steps an epoch",
            "lr": "as in fast",
            "sizes": "the first half at 24 x 24 costs 9/16; smaller would not fill a GPU",
            "compile": "fuses batch norm, ReLU and gates, which wait for memory",
        },
    ),
}
"""By name. On a CPU, `laptop` was run in full; what the others reach on a GPU was not measured."""


@dataclass(frozen=True)
class Run:
    """What `train` returns: the model in eval mode, the facts of the run, and a dictionary an epoch."""

    model: nn.Module
    about: dict[str, Any]
    history: list[dict[str, Any]]


def precision(device: torch.device) -> torch.dtype:
    """The dtype for autocast: bfloat16 where the hardware computes it, else float16 on GPUs, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    if device.type == "cpu" and {"avx512_bf16", "amx_bf16"} & set(_cpuinfo("flags").split()):
        return torch.bfloat16
    return torch.float32


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """SGD with Nesterov momentum; only weights that a batch norm follows decay, and those of the classifier.

    Batch norm takes the scale out of a convolution's weights, so decay only sets how large a step is to them. The
    layers of an attention block have no batch norm: there decay pulls every gate toward the constant σ(0) = 1/2.
    """
    gated = {p for name in find_gates(model) for p in model.get_submodule(name).parameters()}
    decay = [p for p in model.parameters() if p.ndim > 1 and p not in gated]
    rest = [p for p in model.parameters() if p.ndim <= 1 or p in gated]
    groups = [{"params": decay, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=True, fused=True)
    for p in model.parameters():  # else they hold what lay in memory if float16 overflows in the first step
        optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)
    return optimizer


def make_scheduler(optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> torch.optim.lr_scheduler.OneCycleLR:
    """One cycle over so many steps an epoch: up to the peak in the share `warmup`, then down to zero, both linearly."""
    total = recipe.epochs * steps + 1  # the rate reaches zero one step after the last
    rise = max(recipe.warmup, 2 / total)  # at least one step, also in the tiniest run
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.lr, total, pct_start=rise, anneal_strategy="linear", cycle_momentum=False
    )


@torch.inference_mode()
def evaluate(
    model: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 500, *, mirror: bool = False
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy (0..1) in float32 of a model on uint8 images `(N, 3, H, W)`.

    The model is left in eval mode. Images and labels may be on another device than the model.

    Args:
        mirror: show each image also mirrored, and take the mean of the two answers' logits (test-time flip). It costs
            twice the time and is another classifier: every accuracy of the book that does not say so is without it.
    """
    model.eval()
    device = next(model.parameters()).device
    loss = correct = torch.zeros((), device=device)
    for x, y in zip(images.split(batch_size), labels.split(batch_size)):
        x, y = normalize(x.to(device)), y.to(device)
        logits = (model(x) + model(x.flip(3))) / 2 if mirror else model(x)
        loss = loss + F.cross_entropy(logits, y, reduction="sum")
        correct = correct + (logits.argmax(1) == y).sum()
    return loss.item() / len(labels), correct.item() / len(labels)


def train(
    recipe: Recipe,
    *,
    data: ImageData | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    device: str | torch.device | None = None,
    eval_every: int = 1,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    on_step: Callable[[int, nn.Module], None] | None = None,
    progress: bool = True,
    command: str = "",
) -> Run:
    """Train a network by a recipe.

    On a CPU, the same recipe on the same number of threads gives the same weights, also when it was broken off and
    resumed. GPUs add in varying order, so there the last digits differ. In a process group (see `distributed`), every
    process takes its part of each batch, and only process 0 writes, shows a bar and calls `on_epoch`.

    Args:
        recipe: what to train and how.
        data: the data set; loaded by `recipe.data` when left out.
        out: folder for the history, the checkpoint and the weights; nothing is written without one. An earlier run in
            it is replaced, unless it is resumed.
        resume: go on from the checkpoint in `out`, if there is one.
        device: a GPU if there is one, by default.
        eval_every: measure on the test set after every so many epochs, and always after the last.
        on_epoch: called with each epoch's dictionary.
        on_step: called with the number of steps done and the model, in training mode and with the gradients of the
            last step: before the first step and after each. It must leave the mode as it was.
        progress: show a bar with loss, accuracy (both of the epoch so far) and remaining time.
        command: the command line, for the record.

    Raises:
        FloatingPointError: the loss or the weights are no longer finite. The last checkpoint is kept.
        OSError: a file cannot be written. What was there before is kept.
        ValueError: the checkpoint in `out` is damaged, or was made by another recipe or from other data; the device
            cannot be used; the network does not know an option.
    """
    if eval_every < 1:
        raise ValueError(f"eval_every must be at least 1 epoch, got {eval_every!r}")
    device = distributed.usable(device)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True  # shapes repeat, so it pays to try which algorithm is fastest
    data = data or datasets.load(recipe.data)
    rank, processes = distributed.rank(), distributed.processes()
    batch_size = min(recipe.batch_size, len(data.train_images))
    if batch_size % processes:
        raise ValueError(f"batch_size must be a multiple of the {processes} processes, got {batch_size!r}")
    share = batch_size // processes
    steps = len(data.train_images) // batch_size  # an epoch; the remainder differs from epoch to epoch

    torch.manual_seed(recipe.seed)
    try:
        model = create_model(recipe.model, num_classes=len(data.classes), **recipe.model_options)
    except TypeError as error:
        raise ValueError(f"{recipe.model} cannot be built with {recipe.model_options}: {error}") from error
    model = model.to(device, memory_format=torch.channels_last)
    optimizer = make_optimizer(model, recipe)
    scheduler = make_scheduler(optimizer, recipe, steps)
    dtype = precision(device)
    low = dtype != torch.float32
    scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)

    state = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "scaler": scaler}
    final = model  # what is tested and kept
    if recipe.ema:
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
        state["average"], final = average, average.module
    about = describe_run(recipe, data, device, command)
    history: list[dict[str, Any]] = []
    if out is not None:
        out = Path(out)
        out.mkdir(parents=True, exist_ok=True)
        if resume and (out / "checkpoint.pt").exists():
            about, history = load_checkpoint(out / "checkpoint.pt", about, state, device)
        elif rank == 0:
            for name in ("checkpoint.pt", "model.safetensors"):  # of an earlier run
                (out / name).unlink(missing_ok=True)
        distributed.wait()  # before anybody writes, all have looked
        if rank == 0:
            write_history(out, about, history)  # also shows now, not after an epoch, whether the folder can be written

    side = data.train_images.shape[2]
    padded, labels = pad(data.train_images.to(device), side // 8), data.train_labels.to(device)
    room = padded.shape[2] - side + 1
    test = [part[rank::processes].to(device) for part in (data.test_images, data.test_labels)]
    # Every image is mirrored in every second epoch, half of them in the even ones. So two epochs show each both ways,
    # where chance would often show the same one twice (alternating flip: Jordan 2024, arXiv 2404.00498).
    mirrored = torch.randint(2, (len(labels),), generator=torch.Generator().manual_seed(recipe.seed)).to(device)
    forward = distributed.parallel(model)
    if recipe.compile:
        forward = torch.compile(forward, dynamic=False)  # once for each size of the images

    def diverged(what: str) -> FloatingPointError:
        return FloatingPointError(
            f"{what} in epoch {epoch + 1}: train anew with a lower lr than {recipe.lr}. The checkpoint of the epoch "
            "before is kept, if there was one."
        )

    total, done = recipe.epochs * steps, len(history) * steps
    with tqdm(total=total, initial=done, unit="batch", desc=recipe.model, disable=not progress or rank > 0) as bar:
        for epoch in range(len(history), recipe.epochs):
            started = time.perf_counter()
            model.train()
            # Order and crops depend on the seed and the epoch alone, so a resumed run repeats them. They are drawn on
            # the CPU, the same for every device, and copied once: a copy in every step would make a GPU wait.
            generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
            order = torch.randperm(len(labels), generator=generator).to(device)
            shifts = draw_shifts(len(labels), room, generator).to(device)
            if recipe.flip == "alternating":
                shifts[:, 2] = (mirrored[order] + epoch) % 2
            holes = torch.randint(side, (len(labels), 2), generator=generator).to(device)
            size = recipe.size_at(epoch)
            sums = torch.zeros(2, device=device)  # of the loss, of the right answers
            for step in range(steps):
                if on_step is not None and step == epoch == 0:
                    on_step(0, model)
                start = step * batch_size + rank * share
                batch = slice(start, start + share)
                with record_function("augmentation"):
                    x, y = normalize(crop_flip(padded, order[batch], shifts[batch], side)), labels[order[batch]]
                    if recipe.cutout:
                        x = cutout(x, holes[batch], recipe.cutout)
                    if size != side:
                        x = F.interpolate(x, size=(size, size), mode="bilinear", antialias=True)
                with record_function("forward pass"), torch.autocast(device.type, dtype, enabled=low):
                    logits = forward(x)
                    loss = F.cross_entropy(logits, y, label_smoothing=recipe.label_smoothing)
                with record_function("backward pass"):
                    optimizer.zero_grad()
                    scaler.scale(loss).backward()
                with record_function("optimizer"):
                    scaler.step(optimizer)
                    scaler.update()
                    lr = optimizer.param_groups[0]["lr"]
                    scheduler.step()
                    if recipe.ema:
                        average.update_parameters(model)
                    sums += torch.stack([loss.detach() * share, (logits.argmax(1) == y).sum()])
                if on_step is not None:
                    on_step(epoch * steps + step + 1, model)
                bar.update()
                if step % 20 == 19 or step + 1 == steps:  # reading the numbers waits for the device: not every step
                    seen = (step + 1) * batch_size
                    train_loss, train_accuracy = (part / seen for part in distributed.total(sums).tolist())
                    bar.set_postfix(loss=f"{train_loss:.3f}", acc=f"{train_accuracy:.1%}", epoch=epoch + 1)
                    if not math.isfinite(train_loss):
                        raise diverged(f"the loss of {recipe.model} became {train_loss}")
            seconds = time.perf_counter() - started
            row = {"epoch": epoch + 1, "size": size, "lr": round(lr, 6)}
            row |= {"train_loss": train_loss, "train_accuracy": train_accuracy}
            row |= {"seconds": round(seconds, 2), "images_per_second": round(steps * batch_size / seconds, 1)}
            if (epoch + 1) % eval_every == 0 or epoch + 1 == recipe.epochs:
                found = evaluate(final, *test)
                row["test_loss"], row["test_accuracy"] = distributed.mean(found, len(test[1]), device)
            # The losses above were computed before the last step, which may have been the one that ruined the weights.
            sound = torch.stack([t.isfinite().all() for t in final.state_dict().values()]).all()
            if not (sound and math.isfinite(row.get("test_loss", 0.0))):
                raise diverged(f"the weights of {recipe.model} went out of range")
            history.append(row)
            if out is not None and rank == 0:
                save_checkpoint(out / "checkpoint.pt", recipe, state, about, history)
                write_history(out, about, history)
            if on_epoch is not None and rank == 0:
                on_epoch(row)
    if out is not None and rank == 0:
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in final.state_dict().items()}
        replace_file(out / "model.safetensors", safetensors.torch.save(weights))
    return Run(final.eval(), about, history)


def describe_run(recipe: Recipe, data: ImageData, device: torch.device, command: str = "") -> dict[str, Any]:
    """Recipe, data, versions, hardware and command: what a reader needs to repeat the run."""
    cpu = _cpuinfo("model name") or platform.processor() or platform.machine()
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return {
        "recipe": asdict(recipe),
        "data": {"name": data.name, "train": len(data.train_images), "test": len(data.test_images)},
        "versions": {"python": platform.python_version(), "torch": str(torch.__version__)},
        "hardware": gpu or f"{cpu}, threads: {torch.get_num_threads()}",
        "processes": distributed.processes(),
        "precision": str(precision(device)).removeprefix("torch."),
        "command": command,
    }


def _cpuinfo(key: str) -> str:
    """What Linux says of the processor; empty on other systems."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: under another name first, then renamed.

    Raises:
        OSError: it cannot be written; a file that was there before is untouched.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a power cut after the renaming could leave an empty file
        os.replace(partial, path)
    except OSError as error:
        kept = " The one from before is kept." if path.exists() else ""
        raise OSError(f"cannot write {path}: {error.strerror or error}.{kept}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def write_history(out: Path, about: dict[str, Any], history: list[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in [about, *history])
    replace_file(out / "history.jsonl", lines.encode())


def save_checkpoint(path: Path, recipe: Recipe, state: dict[str, Any], about: dict, history: list) -> None:
    checkpoint = {name: part.state_dict() for name, part in state.items()}
    checkpoint |= {"recipe": asdict(recipe), "about": about, "history": history}
    buffer = io.BytesIO()
    torch.save(checkpoint, buffer)
    replace_file(path, buffer.getvalue())


def load_checkpoint(path: Path, about: dict, state: dict[str, Any], device: torch.device) -> tuple[dict, list]:
    """Put a checkpoint into the parts of `state`; returns the facts and the history of the run that made it."""
    try:
        checkpoint = torch.load(path, map_location=device, weights_only=True)
        was = checkpoint["recipe"] | {"images": checkpoint["about"]["data"]}
    except Exception as error:  # damaged files raise a dozen kinds of them
        raise ValueError(f"{path} is damaged, or no checkpoint: {error!r}. Delete it to train anew.") from error
    now = about["recipe"] | {"images": about["data"]}
    differ = [f"{name} was {was.get(name)!r} and is now {now[name]!r}" for name in now if was.get(name) != now[name]]
    if differ:
        raise ValueError(f"{path} is of another run: {', '.join(differ)}. Use another folder, or the same recipe.")
    try:
        for name, part in state.items():
            if checkpoint[name]:  # empty for the scaler of a run that had no need of one
                part.load_state_dict(checkpoint[name])
    except (KeyError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path} does not fit this network, perhaps it is of another version: {error}") from error
    return checkpoint["about"], checkpoint["history"]


def parse_option(text: str) -> tuple[str, Any]:
    """`"reduction=4"` to `("reduction", 4)`; what is not JSON stays a string."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


PARTS = ("augmentation", "forward pass", "backward pass", "optimizer")


def profile_steps(recipe: Recipe, data: ImageData, device: str | torch.device | None = None, steps: int = 20) -> str:
    """Where the time of a training step goes, as text: on a CPU by part of the loop, then by operation.

    Trains so many steps at the recipe's last, largest size, after a few to warm up. Nothing is kept. A GPU has no
    parts: autograd starts the backward pass from a thread of its own, where the profiler does not see to which it
    belongs.
    """
    short = replace(recipe, epochs=1, sizes=((0.0, recipe.sizes[-1][1]),))

    def run(count: int) -> None:
        part = data.subset(train=count * recipe.batch_size, test=1)
        train(short, data=part, device=device, progress=False)

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler tells standard error of its own states otherwise
    run(3)  # loads kernels, compiles
    on_gpu = distributed.usable(device).type == "cuda"
    activities = [ProfilerActivity.CPU] + on_gpu * [ProfilerActivity.CUDA]
    with profile(activities=activities) as recorded:
        started = time.perf_counter()
        run(steps)
        seconds = time.perf_counter() - started
    events = recorded.key_averages()
    batch_size = min(recipe.batch_size, len(data.train_images))
    done = min(steps, len(data.train_images) // batch_size)
    lines = [f"{done} steps of {batch_size} images in {seconds:.2f} s, with the profiler's own work"]
    if not on_gpu:
        parts = {event.key: event.cpu_time_total / 1e3 for event in events if event.key in PARTS}  # ms
        whole = sum(parts.values())
        lines += [f"{name:15}{parts[name] / done:9.2f} ms a step  {parts[name] / whole:4.0%}" for name in PARTS]
    key = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    return "\n".join(lines) + "\n\n" + events.table(sort_by=key, row_limit=12, max_name_column_width=48)


def stop(message: str) -> NoReturn:
    """End the program with a message, which of several processes only the first prints."""
    first = os.environ.get("RANK", "0") == "0"
    raise SystemExit(f"\n{message}" if first else 1) from None


def main(argv: list[str] | None = None) -> None:
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser("python -m senet_edu.train", description="Train a network of the book.")
    titles = "; ".join(f"{name}: {named.title}" for name, named in RECIPES.items())
    parser.add_argument("--recipe", choices=RECIPES, help=f"start from it, change what else is given. {titles}")
    for f in fields(Recipe):
        if f.name not in ("model_options", "sizes"):
            flag, why = "--" + f.name.replace("_", "-"), f.metadata["why"]
            switch = {"action": argparse.BooleanOptionalAction}  # also --no-compile, where a recipe has it
            kind = switch if isinstance(f.default, bool) else {"type": type(f.default)}
            parser.add_argument(flag, default=argparse.SUPPRESS, help=f"{why} ({f.default})", **kind)
    parser.add_argument(
        "--model-option", type=parse_option, action="append", default=[], metavar="NAME=VALUE", help="for create_model"
    )
    parser.add_argument("--out", type=Path, help="folder for history, checkpoint and weights")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out, if there is one")
    parser.add_argument("--device", help="cuda, cpu, … (a GPU if there is one)")
    parser.add_argument("--eval-every", type=int, default=1, metavar="EPOCHS", help="between tests (%(default)s)")
    parser.add_argument("--profile", action="store_true", help="print where the time of a step goes, and keep nothing")
    args = vars(parser.parse_args(argv))
    rest = {name: args.pop(name) for name in ("out", "resume", "eval_every")}
    show_profile = args.pop("profile")
    if rest["out"] is None and not show_profile:
        parser.error("the following arguments are required: --out")
    named, options = args.pop("recipe"), dict(args.pop("model_option"))
    several = int(os.environ.get("WORLD_SIZE", "1"))
    start = ["python"] if several == 1 else ["torchrun", "--nproc-per-node", str(several)]
    rest["command"] = shlex.join([*start, "-m", "senet_edu.train", *argv])
    try:
        with distributed.process_group(args.pop("device")) as device:
            recipe = RECIPES[named].recipe if named else Recipe()
            if args.get("model", recipe.model) == recipe.model:  # another model has options of its own
                options = recipe.model_options | options
            recipe = replace(recipe, **args, model_options=options)
            if show_profile:
                print(profile_steps(recipe, datasets.load(recipe.data), device))
                return
            run = train(recipe, device=device, **rest)
            if distributed.rank() == 0:
                accuracy = run.history[-1]["test_accuracy"]
                print(f"Test accuracy {accuracy:.2%}. Weights: {rest['out'] / 'model.safetensors'}")
    except KeyboardInterrupt:
        stop("Stopped. The same command with --resume goes on after the last finished epoch.")
    except (FloatingPointError, OSError, ValueError) as error:
        stop(f"Error: {error}")


if __name__ == "__main__":
    main()

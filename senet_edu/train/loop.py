"""The loop: epochs of steps, what is measured between them, and what is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from senet_edu import checks, machine
from senet_edu import data as datasets
from senet_edu.data import ImageData, normalize
from senet_edu.modes import evaluating
from senet_edu.train import distributed
from senet_edu.train.checkpoint import Folder, describe_run, resumed, same_run
from senet_edu.train.recipe import Recipe
from senet_edu.train.step import Record, Shared, Step, cuda_graph

OnEpoch = Callable[[dict[str, Any]], None]
OnStep = Callable[[int, nn.Module], None]
GLANCE = 20  # steps between two looks at the loss


@dataclass(frozen=True)
class Run:
    """What `train` returns: the model in eval mode, the facts of the run, and a dictionary an epoch."""

    model: nn.Module
    about: dict[str, Any]
    history: list[dict[str, Any]]


@torch.inference_mode()
def evaluate(
    model: nn.Module, images: Tensor, labels: Tensor, batch_size: int = 500, *, mirror: bool = False
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy (0..1) in float32 of a model on uint8 images `(N, 3, H, W)`.

    The model's mode is put back. Images and labels may be on another device than the model. A GPU computes in whole
    float32 here, without the 10 bits of TF32.

    Args:
        mirror: show each image also mirrored, and take the mean of the two answers' logits (test-time flip). It costs
            twice the time and is another classifier: every accuracy of the book that does not say so is without it.

    Raises:
        ValueError: model is no module; there are no images, not as many labels, or labels that the model has no answer
            for.
    """
    checks.module("model", model)
    checks.images("images", images)
    checks.labels("labels", labels, len(images))
    checks.flag("mirror", mirror)
    checks.whole("batch_size", batch_size, least=1)
    device = next(model.parameters(), images).device
    loss = correct = torch.zeros((), device=device)
    with evaluating(model), settings(allow_tf32=False):
        for n, (x, y) in enumerate(zip(images.split(batch_size), labels.split(batch_size))):
            x, y = normalize(x.to(device)), y.to(device)
            logits = (model(x) + model(x.flip(3))) / 2 if mirror else model(x)
            if n == 0:  # a GPU would stop for good at a label that has no logit
                checks.labels("labels", labels, len(images), logits.shape[1])
            loss = loss + F.cross_entropy(logits, y, reduction="sum")
            correct = correct + (logits.argmax(1) == y).sum()
    return loss.item() / len(labels), correct.item() / len(labels)


@contextmanager
def settings(**changes: bool) -> Iterator[None]:
    """Switches of cuDNN while the context is open; then they are what they were."""
    cudnn = torch.backends.cudnn
    before = {name: getattr(cudnn, name) for name in changes}
    try:
        for name, value in changes.items():
            setattr(cudnn, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(cudnn, name, value)


@contextmanager
def compiling(wanted: bool) -> Iterator[None]:
    """Room for many networks and sizes in the compiler's memory, while the context is open.

    PyTorch gives up on a function after eight compilations; ours is one for all networks (`step.loss_of`).
    """
    if not wanted:  # slow to import
        yield
        return
    import torch._dynamo as dynamo

    name = "recompile_limit" if hasattr(dynamo.config, "recompile_limit") else "cache_size_limit"
    with dynamo.config.patch({name: 64}):
        yield


def hold_out(data: ImageData, count: int) -> ImageData:
    """The same images with `count` of the training images in place of the test images, to choose values by.

    Which ones is the same for every seed and recipe: else a comparison would also compare images.

    Raises:
        ValueError: `count` leaves no image to train on.
    """
    if not count:
        return data
    checks.whole("holdout", count, least=0, most=len(data.train_images) - 1)
    order = torch.randperm(len(data.train_images), generator=torch.Generator().manual_seed(0))
    held, kept = order[:count].sort().values, order[count:].sort().values
    images, labels = data.train_images, data.train_labels
    return replace(
        data,
        train_images=images[kept],
        train_labels=labels[kept],
        test_images=images[held],
        test_labels=labels[held],
    )


def images_for(recipe: Recipe, data: ImageData | None, *, whole: bool = False) -> ImageData:
    """What a recipe trains and tests on; or the whole data set, of which nothing is held out yet.

    Raises:
        ValueError: `data` is no data set, or `recipe.data` names none.
    """
    if data is None:
        data = datasets.load(recipe.data)
    if not isinstance(data, ImageData):
        raise ValueError(f"data must be ImageData, got {type(data).__name__}")
    return data if whole else hold_out(data, recipe.holdout)


def computing(device: str | torch.device | None) -> torch.device:
    """A device that computes: any that can be used, but "meta", which only knows shapes.

    Raises:
        ValueError: it cannot be used here.
    """
    found = machine.usable(device)
    if found.type == "meta":
        raise ValueError("device 'meta' computes nothing; choose cpu or cuda")
    return found


class Training:
    """One run on its way: a step, its folder, and what is known so far."""

    def __init__(
        self,
        step: Step,
        about: dict[str, Any],
        folder: Folder,
        *,
        eval_every: int = 1,
        on_epoch: OnEpoch | None = None,
        on_step: OnStep | None = None,
        progress: bool = True,
    ) -> None:
        self.step, self.recipe, self.about, self.folder = step, step.recipe, about, folder
        self.eval_every, self.on_epoch, self.on_step = eval_every, on_epoch, on_step
        self.history: list[dict[str, Any]] = []
        self.test = [part[step.rank :: step.processes] for part in (step.shared.test_images, step.shared.test_labels)]
        self.bar = tqdm(
            total=self.recipe.epochs * step.steps,
            unit="batch",
            desc=self.recipe.model,
            disable=not progress or step.rank > 0,
        )

    def resume(self) -> None:
        """Go on from the folder's checkpoint.

        Raises:
            ValueError: it is damaged, or of another run.
        """
        path = self.folder.path / "checkpoint.pt"
        saved = self.folder.load(self.step.device)
        same_run(path, saved, self.recipe, self.about["data"])
        self.history = saved["history"]
        try:
            self.step.load(saved, len(self.history))
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ValueError(f"{path} does not fit this network, perhaps it is of another version: {error}") from error
        done = len(self.history) == self.recipe.epochs
        self.about = saved["about"] if done else resumed(saved["about"], self.about, len(self.history))
        self.bar.update(self.step.total)

    @property
    def epoch(self) -> int:
        """Epochs done, which is the number of the next one from 0."""
        return len(self.history)

    @property
    def finished(self) -> bool:
        return self.epoch == self.recipe.epochs

    def begin(self) -> None:
        self._started, self._starting = time.perf_counter(), self.step.starting
        self.step.begin(self.epoch)

    def advance(self, count: int = 1) -> bool:
        """Up to so many steps of the epoch; tells whether any are left.

        Raises:
            FloatingPointError: the loss is no longer finite.
        """
        step = self.step
        with step.on():
            for _ in range(min(count, step.left)):
                if self.on_step is not None and step.total == 0:
                    self.on_step(0, step.model)
                step.run()
                if self.on_step is not None:
                    self.on_step(step.total, step.model)
                self.bar.update()
                if step.done % GLANCE == 0 or not step.left:
                    self._glance()
        if not step.left:
            step.prepare(self.epoch + 1)
        return step.left > 0

    def _glance(self) -> None:
        """Loss and accuracy of the epoch so far, for the bar; only where looking makes nobody wait."""
        found = self.step.peek()
        if found is not None:
            loss, accuracy = found
            self.bar.set_postfix(loss=f"{loss:.3f}", acc=f"{100 * accuracy:.1f} %", epoch=self.epoch + 1)
            self._finite(loss)

    def _finite(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise self._diverged(f"the loss of {self.recipe.model} became {loss}")

    def _diverged(self, what: str) -> FloatingPointError:
        return FloatingPointError(
            f"{what} in epoch {self.epoch + 1}: train anew with a lower lr than {self.recipe.lr}. The checkpoint of "
            "the epoch before is kept, if there was one."
        )

    def finish(self) -> None:
        """Read, test and keep the epoch. The only waiting for the device.

        Raises:
            FloatingPointError: loss or weights are no longer finite. Nothing of this epoch is kept.
            OSError: a file could not be written.
        """
        step, number = self.step, self.epoch + 1
        with step.on():
            loss, accuracy = step.read()
            self._finite(loss)
            row: dict[str, Any] = {"epoch": number, "size": step.size, "lr": round(step.lr, 6)}
            row |= {"train_loss": loss, "train_accuracy": accuracy} | self._seconds()
            if number % self.eval_every == 0 or number == self.recipe.epochs:
                found = evaluate(step.final, *self.test)
                row["test_loss"], row["test_accuracy"] = distributed.mean(found, len(self.test[1]), step.device)
            # The losses above were computed before the last step, which may have been the one that ruined the weights.
            sound = torch.stack([t.isfinite().all() for t in step.final.state_dict().values()]).all()
            if not (sound and math.isfinite(row.get("test_loss", 0.0))):
                raise self._diverged(f"the weights of {self.recipe.model} went out of range")
            self.history.append(row)
            self.folder.save(step.state(), self.about, self.history)
        if self.on_epoch is not None and step.rank == 0:
            self.folder.wait()  # it may look into the folder
            self.on_epoch(row)

    def _seconds(self) -> dict[str, float]:
        """How long the epoch took; what was spent on compiling and recording stands apart."""
        starting = self.step.starting - self._starting
        seconds = time.perf_counter() - self._started - starting
        images = self.step.steps * self.step.batch_size
        row = {"seconds": round(seconds, 2), "images_per_second": round(images / seconds, 1)}
        return row | ({"seconds_to_start": round(starting, 2)} if starting else {})

    def close(self) -> Run:
        """Keep the weights."""
        with self.step.on():
            self.folder.save_weights(self.step.final)
        if self.step.stream is not None:
            self.step.stream.synchronize()
        self.bar.close()
        return Run(self.step.final.eval(), self.about, self.history)


def train(
    recipe: Recipe,
    *,
    data: ImageData | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str | torch.device | None = None,
    eval_every: int = 1,
    on_epoch: OnEpoch | None = None,
    on_step: OnStep | None = None,
    progress: bool = True,
    command: str = "",
    capture: bool = True,
) -> Run:
    """Train a network by a recipe.

    On a CPU, the same recipe on the same number of threads gives the same weights, also when it was broken off and
    resumed. GPUs add in varying order, so there the last digits differ. In a process group (see `distributed`), every
    process takes its part of each batch, and only process 0 writes, shows a bar and calls `on_epoch`.

    The caller's random numbers and PyTorch's settings are left as they were.

    Args:
        recipe: what to train and how.
        data: the data set; loaded by `recipe.data` when left out.
        out: folder for the history, the checkpoint and the weights; nothing is written without one.
        resume: go on from the checkpoint in `out`, if there is one. The history then names every session.
        overwrite: replace an earlier run in `out`.
        device: a GPU if there is one, by default.
        eval_every: measure on the test set after every so many epochs, and always after the last.
        on_epoch: called with each epoch's dictionary.
        on_step: called with the number of steps done and the model, in training mode and with the gradients of the
            last step: before the first step and after each. It must leave the mode as it was. On a GPU, hooks that it
            sets are called from the next epoch on, if not at once.
        progress: show a bar with loss, accuracy (both of the epoch so far) and remaining time.
        command: the command line, for the record.
        capture: on a GPU, record the step as a CUDA graph and repeat that; else carry out each step in Python. With
            several processes it is always the latter.

    Raises:
        FloatingPointError: the loss or the weights are no longer finite. The last checkpoint is kept.
        OSError: a file cannot be written. What was there before is kept.
        ValueError: `out` holds a run that is neither to be resumed nor replaced, or another training is at work there;
            the checkpoint is damaged, or was made by another recipe or from other data; the data does not fit
            together; the device cannot be used; the network does not know an option.
    """
    if not isinstance(recipe, Recipe):
        raise ValueError(f"recipe must be a Recipe, such as RECIPES['laptop'].recipe, got {checks.shown(recipe)}")
    checks.whole("eval_every", eval_every, least=1)
    resume, overwrite = checks.flag("resume", resume), checks.flag("overwrite", overwrite)
    folder = Folder(out)
    device = computing(device)
    data = images_for(recipe, data)
    about = describe_run(recipe, data, device, command)
    shared = Shared(data, device, recipe.padding)
    record = cuda_graph if capture and device.type == "cuda" and distributed.processes() == 1 else None
    turn = turns(
        recipe,
        shared,
        about,
        folder,
        resume=resume,
        overwrite=overwrite,
        record=record,
        eval_every=eval_every,
        on_epoch=on_epoch,
        on_step=on_step,
        progress=progress,
    )
    with (
        settings(benchmark=True),
        compiling(recipe.compile),
        closing(turn),
    ):  # shapes repeat: try which algorithm is fastest
        while True:
            try:
                next(turn)
            except StopIteration as end:
                return end.value


def turns(
    recipe: Recipe,
    shared: Shared,
    about: dict[str, Any],
    folder: Folder,
    *,
    resume: bool,
    overwrite: bool,
    record: Record | None,
    **options: Any,
) -> Generator[None, None, Run]:
    """A whole run in turns: it yields when all steps of an epoch are queued on the device, so that others may queue.

    Args:
        options: of `Training`.

    Raises:
        FloatingPointError, OSError, ValueError: see `train`.
    """
    with folder:
        going_on = folder.claim(resume, overwrite)
        training = Training(Step(shared, recipe, record=record), about, folder, **options)
        with training.bar:
            if going_on:
                training.resume()
            distributed.wait()  # before anybody writes, all have looked
            folder.write_history(training.about, training.history)  # shows now whether the folder can be written
            while not training.finished:
                training.begin()
                while training.advance(GLANCE):
                    pass
                yield
                training.finish()
            return training.close()

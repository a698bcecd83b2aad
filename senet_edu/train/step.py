"""One step of training as an object over buffers that never move.

`Step.body` is the whole of it: augmentation, both passes, optimizer, running average. Nothing in it waits for the
host, takes a number from it or draws a random one: the order of the images, their crops, the learning rates and the
number of the step lie on the device. So a GPU can record the body once for each size of the images and repeat it
without Python (a CUDA graph), and several networks can take turns on one device over one copy of the data. The first
steps at a size are ordinary ones; they load kernels and let cuDNN and the compiler choose. Then one is recorded.
"""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.profiler import record_function

from senet_edu import machine
from senet_edu.data import MEAN, STD, ImageData, cutout, draw_shifts, pad
from senet_edu.resnet import create_model
from senet_edu.train import distributed
from senet_edu.train.optimizer import make_optimizer, one_cycle
from senet_edu.train.recipe import Recipe

WARM = 3  # ordinary steps at a size before one is recorded

Record = Callable[["Step"], Any]
"""Carries out one step and returns something whose `replay()` carries out the next ones."""


class Shared:
    """A data set on a device, for any number of networks; nothing in it is ever written.

    Each pixel of the padded images is one int32 with its three channels, so a crop is one gather of whole pixels.
    """

    def __init__(self, data: ImageData, device: torch.device, padding: int = 4) -> None:
        """
        Raises:
            ValueError: the images are not square; `padding` is too wide.
        """
        if data.train_images.shape[2] != data.train_images.shape[3]:
            raise ValueError(f"data.train_images must be square, got {tuple(data.train_images.shape)}")
        self.device, self.padding, self.classes = device, padding, len(data.classes)
        self.side = data.train_images.shape[2]
        padded = pad(data.train_images.to(device), self.side * padding // 32)  # (N, 3, W, W)
        self.count, _, self.wide, _ = padded.shape
        self.pixels = padded[:, 2].to(torch.int32)
        for channel in (1, 0):  # in place: this is the largest of all tensors
            self.pixels.bitwise_left_shift_(8).bitwise_or_(padded[:, channel])
        self.pixels = self.pixels.flatten()  # (N * W * W,)
        self.shift = torch.tensor([0, 8, 16], dtype=torch.int32, device=device)
        self.labels = data.train_labels.to(device)
        self.mean = torch.tensor(MEAN, device=device).view(1, 1, 1, 3) * 255
        self.std = torch.tensor(STD, device=device).view(1, 1, 1, 3) * 255
        steps = torch.arange(self.side, device=device)
        self.rows, self.cols = (steps * self.wide).view(1, -1, 1), steps.view(1, 1, -1)
        self.test_images, self.test_labels = data.test_images.to(device), data.test_labels.to(device)
        if device.type == "cuda":  # the streams of the networks do not wait for this one
            torch.cuda.synchronize(device)

    def crops(self, start: Tensor, sign: Tensor) -> Tensor:
        """Normalized crops `(B, 3, side, side)`, channels-last.

        Args:
            start: where in `pixels` the first pixel of each crop lies, `(B,)`.
            sign: 1, or -1 for a mirrored crop, whose rows are read backward, `(B,)`.
        """
        pixels = self.pixels[start[:, None, None] + self.rows + sign[:, None, None] * self.cols]  # (B, side, side)
        channels = (pixels[..., None] >> self.shift) & 255
        return ((channels - self.mean) / self.std).permute(0, 3, 1, 2)


class Tables(NamedTuple):
    """What an epoch shows: a row a step, an entry an image."""

    start: Tensor  # first pixel of the crop, (steps, B)
    sign: Tensor  # 1, or -1 for a mirrored one, (steps, B)
    index: Tensor  # of the image, (steps, B)
    holes: Tensor  # centers for cutout, (steps, B, 2)


def loss_of(model: nn.Module, x: Tensor, y: Tensor, label_smoothing: float) -> tuple[Tensor, Tensor]:
    """Loss `()` and logits `(B, classes)`. One function for all networks: it is compiled once for those of one kind."""
    logits = model(x)
    return F.cross_entropy(logits, y, label_smoothing=label_smoothing), logits


class Step:
    """One network, and all that training it needs, on one device.

        step.begin(epoch)
        while step.left:
            step.run()
        loss, accuracy = step.read()

    Whatever touches the network's tensors must do so inside `with step.on()`: on a GPU each network has a stream.
    """

    def __init__(self, shared: Shared, recipe: Recipe, *, record: Record | None = None) -> None:
        """
        Args:
            record: what records a step (`cuda_graph`); None carries out each one in Python.

        Raises:
            ValueError: the network is unknown or does not know an option; the batch does not divide among processes.
        """
        self.shared, self.recipe, self.device, self.record = shared, recipe, shared.device, record
        self.rank, self.processes = distributed.rank(), distributed.processes()
        self.batch_size = min(recipe.batch_size, shared.count)
        if self.batch_size % self.processes:
            raise ValueError(
                f"batch_size must be a multiple of the {self.processes} processes, got {self.batch_size!r}"
            )
        self.share = self.batch_size // self.processes
        self.steps = shared.count // self.batch_size  # an epoch; the remainder differs from epoch to epoch
        self.stream = torch.cuda.Stream(self.device) if self.device.type == "cuda" and record else None
        self.dtype = machine.precision(self.device)
        with self.on():
            self._build()
            self._make_buffers()
        self.graphs: dict[tuple[int, bool], Any] = {}  # by size, and by whether the average goes on
        self.seen: dict[tuple[int, bool], int] = {}  # ordinary steps, likewise
        self.total = self.done = 0  # steps of the run, of the epoch
        self.size = recipe.size_at(0)
        self.averaging = self.fresh = self.watched = False
        self.starting = 0.0  # seconds that went into warming up and recording
        self._drawn: tuple[int, Tables] | None = None

    def on(self) -> AbstractContextManager:
        """This network's place on the device."""
        return nullcontext() if self.stream is None else torch.cuda.stream(self.stream)

    def _build(self) -> None:
        recipe = self.recipe
        for option in ("num_classes", "in_channels", "features_only"):
            if option in recipe.model_options:
                raise ValueError(
                    f"model_options must not hold {option!r}, which the images decide; got {recipe.model_options!r}"
                )
        with torch.random.fork_rng(devices=[]):  # the caller's random numbers stay as they were
            torch.random.default_generator.manual_seed(recipe.seed)
            try:
                model = create_model(recipe.model, num_classes=self.shared.classes, **recipe.model_options)
            except TypeError as error:
                raise ValueError(f"{recipe.model} cannot be built with {recipe.model_options}: {error}") from error
        self.model = model.to(self.device, memory_format=torch.channels_last)
        self.optimizer = make_optimizer(self.model, recipe)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)
        self.average = None
        if recipe.ema:
            self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)
            both = [(*net.parameters(), *net.buffers()) for net in (self.average.module, self.model)]
            self.pairs = [
                [[t.detach() for t in part if t.is_floating_point() == kind] for part in both] for kind in (True, False)
            ]
        self.forward = distributed.parallel(self.model)
        self.loss = loss_of
        if recipe.compile:  # once for each size of the images
            self.loss = torch.compile(loss_of, dynamic=False, fullgraph=self.processes == 1)

    def _make_buffers(self) -> None:
        def integers(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.long, device=self.device)

        shape = (self.steps, self.share)
        self.tables = Tables(integers(*shape), integers(*shape), integers(*shape), integers(*shape, 2))
        self.k, self.t = integers(1), integers(1)  # number of the step in the epoch, in the run
        self.sums = torch.zeros(2, device=self.device)  # of the loss, of the right answers
        self._arrived: torch.cuda.Event | None = None  # when it has happened, `_copied` holds the sums
        self._copied, self._copied_at = torch.zeros(2, pin_memory=self.device.type == "cuda"), 0
        self.rates = one_cycle(self.recipe, self.steps)
        self.rate_table = torch.tensor(self.rates, device=self.device)
        for group in self.optimizer.param_groups:  # float32 on the device, where the kernel reads it
            group["lr"] = torch.zeros((), device=self.device)
        # Every image is mirrored in every second epoch, half of them in the even ones. So two epochs show each both
        # ways, where chance would often show the same one twice (alternating flip: Jordan 2024, arXiv 2404.00498).
        generator = torch.Generator().manual_seed(self.recipe.seed)
        self.mirrored = torch.randint(2, (self.shared.count,), generator=generator)

    def draw(self, epoch: int) -> Tables:
        """What an epoch shows, drawn on the CPU and so the same for every device.

        It depends on the seed and the epoch alone, so a resumed run repeats it. A process takes its part of each batch.
        """
        recipe, shared = self.recipe, self.shared
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + epoch)
        order = torch.randperm(shared.count, generator=generator)
        top, left, flip = draw_shifts(shared.count, shared.wide - shared.side + 1, generator).unbind(1)
        if recipe.flip == "alternating":
            flip = (self.mirrored[order] + epoch) % 2
        holes = torch.randint(shared.side, (shared.count, 2), generator=generator)
        start = order * shared.wide**2 + top * shared.wide + left + flip * (shared.side - 1)

        def mine(values: Tensor) -> Tensor:
            batches = values[: self.steps * self.batch_size].unflatten(0, (self.steps, self.batch_size))
            part = batches[:, self.rank * self.share : (self.rank + 1) * self.share].contiguous()
            return part.pin_memory() if self.device.type == "cuda" else part

        return Tables(*map(mine, (start, 1 - 2 * flip, order, holes)))

    def prepare(self, epoch: int) -> None:
        """Draw an epoch before it begins, while the device is busy with the one before."""
        if epoch < self.recipe.epochs:
            self._drawn = (epoch, self.draw(epoch))

    def begin(self, epoch: int) -> None:
        """Get ready for an epoch, counted from 0."""
        if self._drawn is None or self._drawn[0] != epoch:
            self._drawn = (epoch, self.draw(epoch))
        with self.on():
            for buffer, values in zip(self.tables, self._drawn[1]):
                buffer.copy_(values, non_blocking=True)
            self.k.zero_()
            self.sums.zero_()
            self.model.train()
        self._drawn = None
        self._arrived = None
        self.watched = bool(self.graphs) and self.hooked()
        self.size, self.done = self.recipe.size_at(epoch), 0
        was, self.averaging = self.averaging, self.recipe.averages_at(epoch)
        self.fresh |= self.averaging and not was  # its first step copies the weights

    @property
    def left(self) -> int:
        """Steps of the epoch that are left."""
        return self.steps - self.done

    @property
    def lr(self) -> float:
        """The learning rate of the last step."""
        return self.rates[self.total - 1]

    @property
    def final(self) -> nn.Module:
        """What is tested and kept: the running average, once it has begun."""
        return self.average.module if self.average is not None and self.averaging else self.model

    def batch(self) -> tuple[Tensor, Tensor]:
        """Augmented images `(B, 3, size, size)` and labels `(B,)` of step `k`."""
        start, sign, index, holes = (table.index_select(0, self.k)[0] for table in self.tables)
        x = self.shared.crops(start, sign)
        if self.recipe.cutout:
            x = cutout(x, holes, self.recipe.cutout).contiguous(memory_format=torch.channels_last)
        if self.size != self.shared.side:
            x = F.interpolate(x, size=(self.size, self.size), mode="bilinear", antialias=True)
        return x, self.shared.labels[index]

    def body(self) -> None:
        """One step. This, and nothing else, is what a GPU records."""
        with record_function("augmentation"):
            x, y = self.batch()
        low = self.dtype != torch.float32
        with (
            record_function("forward pass"),
            torch.autocast(self.device.type, self.dtype, enabled=low, cache_enabled=False),
        ):
            loss, logits = self.loss(self.forward, x, y, self.recipe.label_smoothing)
        with record_function("backward pass"):
            self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
        with record_function("optimizer"):
            rate = self.rate_table.index_select(0, self.t)[0]
            for group in self.optimizer.param_groups:
                group["lr"].copy_(rate if group["times"] == 1 else rate * group["times"])
            self.scaler.step(self.optimizer)
            self.scaler.update()
            if self.averaging:
                self._move_average()
            self.sums += torch.stack([loss.detach() * self.share, (logits.argmax(1) == y).sum()])
            self.k += 1
            self.t += 1

    @torch.no_grad()
    def _move_average(self) -> None:
        for mine, its in self.pairs:
            if self.fresh:
                torch._foreach_copy_(mine, its)
            else:
                self.average.multi_avg_fn(mine, its, None)

    def run(self) -> None:
        """The next step of the epoch: repeated where it was recorded at this size, else carried out."""
        if not self.left:
            raise RuntimeError("the epoch has no step left: begin the next")  # it would read beyond the tables
        key = (self.size, self.averaging)
        seen = self.seen.get(key, 0)
        graph = self.graphs.get(key)
        with self.on():
            if graph is not None and not self.fresh and not self.watched:
                graph.replay()
            elif seen > WARM or not (self.record or self.recipe.compile):
                self.body()
            else:
                self._start(key, record=self.record is not None and seen == WARM and not self.fresh)
        if graph is None:
            self.seen[key] = seen + 1
        self.fresh = False
        self.done += 1
        self.total += 1

    def _start(self, key: tuple[int, bool], record: bool) -> None:
        """One of the first steps at a size, while no other network keeps the device busy."""
        started = time.perf_counter()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        if record and not self.hooked():
            try:
                self.graphs[key] = self.record(self)
            except RuntimeError as error:
                text = f"the step of {self.recipe.model} cannot be recorded, so each is carried out: {error}"
                warnings.warn(text, stacklevel=2)
                self.record = None
                self.body()
        else:
            self.body()
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        self.starting += time.perf_counter() - started

    def hooked(self) -> bool:
        """Whether anybody watches the network by hooks, which a recorded step would not call."""
        kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
        return any(getattr(module, kind) for module in self.model.modules() for kind in kinds)

    def read(self) -> tuple[float, float]:
        """Mean loss and accuracy (0..1) of the epoch so far. Reading waits for the device."""
        with self.on():
            loss, correct = distributed.total(self.sums).tolist()
        seen = self.done * self.batch_size
        return loss / seen, correct / seen

    def peek(self) -> tuple[float, float] | None:
        """What `read` gives, where that is to be had without waiting: a GPU's numbers of a little earlier, or None."""
        if self.device.type != "cuda" or self.processes > 1:
            return self.read()
        found = None
        if self._arrived is not None and self._arrived.query():
            found = tuple((self._copied / self._copied_at).tolist())
        if self._arrived is None or found is not None:
            self._copied.copy_(self.sums, non_blocking=True)
            self._copied_at = self.done * self.batch_size
            self._arrived = torch.cuda.Event()
            self._arrived.record()
        return found

    def state(self) -> dict[str, Any]:
        """Everything that a later `load` needs to go on, as tensors of this device."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        state["scaler"] = self.scaler.state_dict()
        if self.average is not None:
            begun = sum(not self.recipe.averages_at(epoch) for epoch in range(self.recipe.epochs)) * self.steps
            self.average.n_averaged.fill_(max(0, self.total - begun))
            state["average"] = self.average.state_dict()
        return state

    def load(self, state: dict[str, Any], epochs: int) -> None:
        """Go on after so many epochs. Values are copied into place, so what was recorded stays right.

        Raises:
            AttributeError, KeyError, RuntimeError, TypeError, ValueError: the state is not of this network.
        """
        with self.on():
            self.model.load_state_dict(state["model"])
            saved = state["optimizer"]
            for mine, its in zip(self.optimizer.param_groups, saved["param_groups"], strict=True):
                for p, number in zip(mine["params"], its["params"], strict=True):
                    momentum = saved["state"][number]["momentum_buffer"]
                    if momentum.shape != p.shape:
                        raise ValueError(f"a momentum is {tuple(momentum.shape)} and should be {tuple(p.shape)}")
                    self.optimizer.state[p]["momentum_buffer"].copy_(momentum)
            if state["scaler"]:  # empty for a run that had no need of one
                self.scaler.load_state_dict(state["scaler"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            self.total, self.fresh = epochs * self.steps, False
            self.averaging = epochs > 0 and self.recipe.averages_at(epochs - 1)
            self.t.fill_(self.total)


def cuda_graph(step: Step) -> torch.cuda.CUDAGraph:
    """Record a step as a CUDA graph. Recording computes nothing, so the graph is then carried out once."""
    gc.collect()  # the collector could otherwise free memory of the GPU, which a recording does not survive
    pool = next((graph.pool() for graph in step.graphs.values()), None)  # the sizes of one network never run at once
    step.optimizer.zero_grad(set_to_none=True)  # gradients are then made in the graph's memory
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, pool=pool, stream=step.stream, capture_error_mode="thread_local"):
        step.body()
    graph.replay()
    return graph

"""One step: what it computes, that it is what the loop before it computed, and that a GPU could record it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from old_loop import old_train
from torch import Tensor, nn
from training_tools import SIDE, STEPS, TINY, HostFree, tape, weights, without_time

from senet_edu import machine
from senet_edu.data import MEAN, STD, ImageData, crop_flip, draw_shifts, normalize, pad, procedural
from senet_edu.gates import record_gates
from senet_edu.relatives import ATTENTION
from senet_edu.resnet import create_model
from senet_edu.train import Recipe, train, train_many
from senet_edu.train import step as module
from senet_edu.train.loop import compiling
from senet_edu.train.step import WARM, Shared, Step

RECIPES = {
    "plain": replace(TINY, model="resnet8", model_options={}),
    "sizes": replace(TINY, epochs=3, sizes=((0.0, 8), (0.4, 12), (0.7, SIDE))),
    "average, cutout": replace(TINY, ema=0.9, cutout=8, sizes=((0.0, 12),)),
    "coin, one batch": replace(TINY, flip="random", batch_size=1000, epochs=3),
    "random, sizes, average": replace(TINY, flip="random", ema=0.8, sizes=((0.0, 8), (0.5, 12))),
}
each_recipe = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)


def use(dtype: torch.dtype, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(machine, "precision", lambda device: dtype)


# ---- Bit for bit what it was


@each_recipe
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_every_step_is_that_of_the_old_loop(
    recipe: Recipe, dtype: torch.dtype, data: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(dtype, monkeypatch)
    now: list[Tensor] = []
    run = train(recipe, data=data, progress=False, on_step=lambda step, model: now.append(weights(model)))
    then: list[Tensor] = [now[0]]
    model, history, _ = old_train(recipe, data, dtype, lambda step, model: then.append(weights(model)))
    assert len(now) == len(then) == recipe.epochs * max(1, len(data.train_images) // recipe.batch_size) + 1
    assert [torch.equal(a, b) for a, b in zip(now, then)] == [True] * len(then)
    assert torch.equal(weights(run.model), weights(model))
    assert [{name: row[name] for name in history[0]} for row in run.history] == history


def test_a_changed_bit_would_be_seen(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison above can fail: here the images are divided by another number in the last digit."""
    use(torch.float32, monkeypatch)
    nearly = tuple(np.nextafter(np.float32(s), np.float32(1)).item() for s in STD)
    monkeypatch.setattr(module, "STD", nearly)
    run = train(replace(TINY, epochs=1), data=data, progress=False)
    model, _, _ = old_train(replace(TINY, epochs=1), data, torch.float32, lambda step, model: None)
    assert not torch.equal(weights(run.model), weights(model))


@pytest.mark.parametrize("side, padding", [(32, 4), (32, 2), (16, 4), (8, 0)])
def test_one_gather_of_whole_pixels_is_crop_flip(side: int, padding: int) -> None:
    images = torch.randint(256, (20, 3, side, side), dtype=torch.uint8)
    labels = torch.randint(10, (20,))
    data = ImageData("noise", images, labels, images, labels, tuple("0123456789"))
    shared = Shared(data, torch.device("cpu"), padding)
    wide = side + 2 * (side * padding // 32)
    assert shared.wide == wide and len(shared.pixels) == 20 * wide**2
    index, shifts = torch.randperm(20)[:7], draw_shifts(7, wide - side + 1, torch.Generator().manual_seed(1))
    expected = normalize(crop_flip(pad(images, (wide - side) // 2), index, shifts, side))
    top, left, flip = shifts.unbind(1)
    found = shared.crops(index * wide**2 + top * wide + left + flip * (side - 1), 1 - 2 * flip)
    assert torch.equal(found, expected) and found.stride() == expected.stride()


# ---- By hand: the joined loop against NumPy, over several steps


class Flat(nn.Module):
    """Ten weights a pixel and channel, and biases: a network whose gradient is a line of NumPy."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3 * 4 * 4, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x[..., :4, :4].flatten(1))  # all of an image in training; testing shows larger ones


PAD = SIDE // 8
HAND = replace(TINY, lr=0.3, warmup=0.4, momentum=0.8, weight_decay=0.03, label_smoothing=0.2, sizes=((0.0, 4),))


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """`(N, 3, S, S)` to `(N, 3, size, size)`: each pixel a mean, with weights that fall off like a tent."""
    side = images.shape[2]
    scale = side / size
    away = np.abs((np.arange(side) + 0.5)[None, :] - (np.arange(size)[:, None] + 0.5) * scale) / scale
    tent = np.maximum(0, 1 - away)
    tent /= tent.sum(1, keepdims=True)
    return np.einsum("is,ncst,jt->ncij", tent, images, tent)


def by_hand(data: ImageData, w: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[float], list[float]]:
    """Weights and biases after a run of `HAND`, its mean losses and its last rates by epoch, in float64."""
    count, classes = len(data.train_labels), 10
    images = np.pad(data.train_images.numpy().astype(float), ((0, 0), (0, 0), (PAD, PAD), (PAD, PAD)), mode="reflect")
    images = (images / 255 - np.reshape(MEAN, (1, 3, 1, 1))) / np.reshape(STD, (1, 3, 1, 1))
    labels = data.train_labels.numpy()
    first_flip = torch.randint(2, (count,), generator=torch.Generator().manual_seed(0)).numpy()
    total = HAND.epochs * STEPS
    peak = HAND.warmup * (total + 1) - 1
    rates = np.interp(np.arange(total), [0, peak, total], [HAND.lr / 25, HAND.lr, HAND.lr / 25e4])
    v_w, v_b = np.zeros_like(w), np.zeros_like(b)
    losses, last = [], []
    for epoch in range(HAND.epochs):
        generator = torch.Generator().manual_seed(epoch)
        order = torch.randperm(count, generator=generator).numpy()
        top, left = torch.randint(2 * PAD + 1, (2, count), generator=generator).numpy()
        seen = []
        for step in range(STEPS):
            at = range(step * HAND.batch_size, (step + 1) * HAND.batch_size)
            crops = np.stack([images[order[i], :, top[i] : top[i] + SIDE, left[i] : left[i] + SIDE] for i in at])
            mirror = np.array([(first_flip[order[i]] + epoch) % 2 for i in at])
            crops[mirror == 1] = crops[mirror == 1][..., ::-1]
            x = shrink(crops, 4).reshape(len(at), -1)
            target = np.full((len(at), classes), HAND.label_smoothing / classes)
            target[np.arange(len(at)), labels[order[list(at)]]] += 1 - HAND.label_smoothing
            logits = x @ w.T + b
            p = np.exp(logits - logits.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            seen.append(-(target * np.log(p)).sum(1).mean())
            g_w = (p - target).T @ x / len(at) + HAND.weight_decay * w  # biases do not decay
            g_b = (p - target).mean(0)
            v_w, v_b = HAND.momentum * v_w + g_w, HAND.momentum * v_b + g_b
            lr = rates[epoch * STEPS + step]
            w, b = w - lr * (g_w + HAND.momentum * v_w), b - lr * (g_b + HAND.momentum * v_b)
        losses.append(np.mean(seen))
        last.append(lr)
    return w, b, losses, last


def compare_with_hand(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    use(torch.float32, monkeypatch)
    monkeypatch.setattr(module, "create_model", lambda *args, **options: Flat())
    torch.manual_seed(0)
    fresh = Flat().fc
    w, b, losses, rates = by_hand(data, fresh.weight.detach().double().numpy(), fresh.bias.detach().double().numpy())
    run = train(HAND, data=data, progress=False)
    np.testing.assert_allclose(run.model.fc.weight.detach().numpy(), w, atol=1e-5)
    np.testing.assert_allclose(run.model.fc.bias.detach().numpy(), b, atol=1e-5)
    assert [row["train_loss"] for row in run.history] == pytest.approx(losses, abs=1e-5)
    assert [row["lr"] for row in run.history] == pytest.approx(rates, abs=1e-6)


def test_the_joined_loop_is_what_one_computes_by_hand(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    compare_with_hand(data, monkeypatch)


sgd, interpolate = torch.optim.SGD, F.interpolate
FAULTS = {
    "the rate stays": (module, "one_cycle", lambda recipe, steps: [recipe.lr] * 99),
    "no Nesterov": (torch.optim, "SGD", lambda *a, **k: sgd(*a, **k | {"nesterov": False})),
    "another momentum": (torch.optim, "SGD", lambda *a, **k: sgd(*a, **k | {"momentum": 0.9})),
    "another decay": (torch.optim, "SGD", lambda g, **k: sgd([g[0] | {"weight_decay": 5e-4}, *g[1:]], **k)),
    "no antialiasing": (F, "interpolate", lambda *a, **k: interpolate(*a, **k | {"antialias": False})),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_in_a_joint_of_the_loop_is_found(fault, data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*fault)
    with pytest.raises(AssertionError):
        compare_with_hand(data, monkeypatch)


def test_shifts_of_batch_norms_move_by_their_own_rate(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the first step, which has no momentum yet, and of what does not decay."""
    use(torch.float32, monkeypatch)
    moved = []
    for times in (1.0, 4.0):
        step = steps_of(replace(TINY, bn_shift_lr=times), data)
        before = {name: p.detach().clone() for name, p in step.model.named_parameters()}
        step.begin(0)
        step.run()
        moved.append({name: p.detach() - before[name] for name, p in step.model.named_parameters()})
    for name, far in moved[1].items():
        times = 4 if name.endswith(".bias") and name != "fc.bias" else 1
        torch.testing.assert_close(far, times * moved[0][name], atol=1e-7, rtol=1e-4)
    assert moved[0]["layer1.0.bn1.bias"].abs().max() > 1e-5


# ---- What a GPU could record


def steps_of(recipe: Recipe, data: ImageData, record=None) -> Step:
    return Step(Shared(data, torch.device("cpu"), recipe.padding), recipe, record=record)


def walk(step: Step, after_each=lambda step: None) -> list[Tensor]:
    """The weights after each step of a whole run."""
    seen = []
    for epoch in range(step.recipe.epochs):
        step.begin(epoch)
        while step.left:
            step.run()
            seen.append(torch.cat([weights(step.model), weights(step.final)]))
        after_each(step)
    return seen


@each_recipe
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_nothing_in_a_step_waits_for_the_host_or_comes_from_it(
    recipe: Recipe, dtype: torch.dtype, data: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(dtype, monkeypatch)
    step = steps_of(recipe, data)
    step.begin(0)
    step.run()  # the first makes the scaler's scale, and copies the running average
    step.begin(1)
    with HostFree() as check:
        step.body()
    assert check.found == []


HOST_FAULTS = {
    "item": lambda step, x: x * step.rate_table[0].item(),
    "a table at a number of the device": lambda step, x: x * step.rate_table[step.t[0]],
    "a new tensor": lambda step, x: x - torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1),
    "a mask": lambda step, x: x + x[x > 0].mean(),
    "tolist": lambda step, x: x * sum(step.sums.tolist()),
    "a range on the host": lambda step, x: x + torch.arange(x.shape[3]),
    "a draw": lambda step, x: F.dropout(x, 0.1),
}


@pytest.mark.parametrize("fault", HOST_FAULTS.values(), ids=HOST_FAULTS)
def test_what_waits_for_the_host_is_found(fault, data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    use(torch.float32, monkeypatch)
    step = steps_of(TINY, data)
    step.begin(0)
    step.run()
    whole = step.batch
    monkeypatch.setattr(step, "batch", lambda: (fault(step, whole()[0]), whole()[1]))
    with HostFree() as check:
        step.body()
    assert check.found != []


LONG = {"sizes": ((0.0, 8), (0.5, 12)), "epochs": 4}
RECORDED = {
    "sizes": replace(TINY, **LONG),
    "average, cutout": replace(TINY, **LONG, ema=0.9, cutout=8),
    "average from the second epoch": replace(TINY, **LONG, ema=0.9, ema_from=0.25),
    "shifts of their own rate": replace(TINY, epochs=3, bn_shift_lr=4.0, flip="random"),
}


@pytest.mark.parametrize("recipe", RECORDED.values(), ids=RECORDED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_a_recorded_step_repeated_is_the_step_carried_out(
    recipe: Recipe, dtype: torch.dtype, data: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the same memory, over epochs, sizes and a running average; in float16 with the scaler."""
    use(dtype, monkeypatch)
    plain, recorded = steps_of(recipe, data), steps_of(recipe, data, tape)
    sums = {id(step): [] for step in (plain, recorded)}
    each = [walk(step, lambda s: sums[id(s)].append(s.read())) for step in (plain, recorded)]
    assert [torch.equal(a, b) for a, b in zip(*each, strict=True)] == [True] * len(each[0])
    assert sums[id(plain)] == sums[id(recorded)]
    assert recorded.graphs and not plain.graphs
    assert len(recorded.graphs) <= 3


def test_a_recorded_step_goes_through_overflows_of_float16(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scale backs off and grows again; a step that overflows changes nothing but the scale."""
    use(torch.float16, monkeypatch)
    seen = []
    for record in (None, tape):
        step = steps_of(replace(TINY, epochs=6), data, record)
        step.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**32, growth_interval=4)
        scales: list[float] = []
        after = walk(step, lambda s, scales=scales: scales.append(s.scaler.get_scale()))
        seen.append((after, scales))
    (plain, scales), (recorded, others) = seen
    assert scales == others and min(scales) < 2.0**32 and len(set(scales)) > 1
    assert all(torch.equal(a, b) for a, b in zip(plain, recorded, strict=True))
    same = [torch.equal(a, b) for a, b in zip(plain, plain[1:])]
    assert not all(same)


def number_of_step(step: Step) -> None:
    """A fault: the rate of the step at which it was recorded."""
    rate = step.rates[step.total]
    step.rate_table.fill_(rate)


def row_of_tables(step: Step) -> None:
    """A fault: the images of the step at which it was recorded."""
    step.k.fill_(step.done)


@pytest.mark.parametrize("fault", [number_of_step, row_of_tables])
def test_a_number_of_python_in_a_step_is_found(fault, data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    use(torch.float32, monkeypatch)
    whole = Step.body
    monkeypatch.setattr(Step, "body", lambda step: (fault(step), whole(step)))
    plain, recorded = (walk(steps_of(replace(TINY, epochs=4), data, record)) for record in (None, tape))
    assert not torch.equal(plain[-1], recorded[-1])


def test_the_first_steps_at_a_size_are_carried_out_and_the_next_is_recorded(data: ImageData) -> None:
    step = steps_of(replace(TINY, **LONG), data, tape)
    sizes = []
    for epoch in range(4):
        step.begin(epoch)
        while step.left:
            step.run()
            sizes.append(tuple(size for size, _ in step.graphs))
    assert sizes == [()] * WARM + [(8,)] * (2 * STEPS) + [(8, 12)] * (2 * STEPS - WARM)
    assert step.starting > 0
    with pytest.raises(RuntimeError, match="no step left"):
        step.run()


def test_a_step_that_somebody_watches_is_carried_out(data: ImageData) -> None:
    """A recorded step calls no hooks, so whoever sets some would see nothing."""
    recipe = replace(TINY, epochs=3)
    step = steps_of(recipe, data, tape)
    for epoch in (0, 1):
        step.begin(epoch)
        while step.left:
            step.run()
    assert step.graphs
    with record_gates(step.model) as gates:
        step.begin(2)
        while step.left:
            step.run()
    assert all(len(s) == STEPS * 16 for s in gates.values()) and len(gates) == 3
    expected = walk(steps_of(recipe, data))
    assert torch.equal(weights(step.model), expected[-1][: len(expected[-1]) // 2])
    with record_gates(steps_of(TINY, data, tape).model):
        pass
    watched = steps_of(recipe, data, tape)
    with record_gates(watched.model):
        walk(watched)
    assert not watched.graphs


def test_what_cannot_be_recorded_is_carried_out_and_says_so(data: ImageData) -> None:
    def refuse(step: Step) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    recipe = replace(TINY, epochs=3)
    step = steps_of(recipe, data, refuse)
    with pytest.warns(UserWarning, match="the step of se_resnet8 cannot be recorded, .*: operation not permitted"):
        found = walk(step)
    assert torch.equal(found[-1], walk(steps_of(recipe, data))[-1])


def test_loading_keeps_every_address(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was recorded knows its memory by address: a state is copied into it, before and after a recording."""
    use(torch.float16, monkeypatch)
    recipe = replace(TINY, epochs=5, ema=0.9)
    first = steps_of(recipe, data, tape)
    walked = []
    for epoch in range(5):
        first.begin(epoch)
        while first.left:
            first.run()
        walked.append(weights(first.final))
        if epoch == 2:
            saved = torch.utils._pytree.tree_map_only(Tensor, Tensor.clone, first.state())

    def addresses() -> list[int]:
        momentum = [first.optimizer.state[p]["momentum_buffer"] for p in first.model.parameters()]
        tensors = [*first.model.state_dict().values(), *momentum, first.t, first.scaler._scale]
        tensors += [*first.average.module.state_dict().values(), *(g["lr"] for g in first.optimizer.param_groups)]
        return [t.data_ptr() for t in tensors]

    before = addresses()
    first.load(saved, 3)
    assert addresses() == before and torch.equal(weights(first.final), walked[2])
    for epoch in (3, 4):
        first.begin(epoch)
        while first.left:
            first.run()
    assert torch.equal(weights(first.final), walked[4])


def test_one_compilation_a_size_serves_all_networks_of_one_kind(
    data: ImageData, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether PyTorch's compiler computes the same is PyTorch's to test; here, that it is asked but once."""
    use(torch.float32, monkeypatch)
    compiled: list[int] = []

    def backend(graph: torch.fx.GraphModule, inputs: list) -> object:
        compiled.append(len(inputs))
        return graph.forward

    compile_with = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **options: compile_with(f, backend=backend, **options))
    torch._dynamo.reset()
    recipe = replace(TINY, compile=True, sizes=((0.0, 8), (0.5, 12)))
    train_many([replace(recipe, seed=seed) for seed in range(3)], data=data, at_once=1, progress=False)
    assert len(compiled) == 2
    eager = train(replace(recipe, seed=2, compile=False), data=data, progress=False)
    assert torch.equal(weights(train(replace(recipe, seed=2), data=data, progress=False).model), weights(eager.model))
    assert len(compiled) == 2


def test_networks_of_every_kind_compile_whole_and_are_more_than_pytorch_keeps_by_itself() -> None:
    torch._dynamo.reset()
    before = torch._dynamo.config.recompile_limit
    x, y = torch.randn(2, 3, 8, 8), torch.tensor([0, 1])
    compiled = torch.compile(module.loss_of, backend="eager", fullgraph=True, dynamic=False)
    with compiling(True):
        for attention in ATTENTION:
            compiled(create_model("se_resnet8", attention=attention), x, y, 0.1)[0].backward()
    assert torch._dynamo.config.recompile_limit == before < len(ATTENTION)
    torch._dynamo.reset()


def test_a_network_draws_its_first_weights_apart(data: ImageData) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one = steps_of(TINY, data)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(7)
    assert torch.equal(weights(steps_of(TINY, data).model), weights(one.model))


def test_data_that_cannot_be_trained_on_is_refused(data: ImageData) -> None:
    with pytest.raises(ValueError, match=r"data.train_images must be square, got \(53, 3, 16, 14\)"):
        train(TINY, data=replace(data, train_images=data.train_images[..., :14]), progress=False)
    with pytest.raises(ValueError, match="data must be ImageData, got list"):
        train(TINY, data=[], progress=False)


def test_the_history_of_a_run_with_a_recorded_step_tells_what_starting_took(data: ImageData, monkeypatch) -> None:
    run = train(replace(TINY, compile=False), data=data, progress=False)
    assert all("seconds_to_start" not in row for row in run.history)
    monkeypatch.setattr(torch, "compile", lambda f, **options: f)
    run = train(replace(TINY, compile=True, sizes=((0.0, 8), (0.5, 12))), data=data, progress=False)
    assert all(row["seconds_to_start"] > 0 for row in run.history)
    assert without_time(run.history) == without_time(
        train(replace(TINY, sizes=((0.0, 8), (0.5, 12))), data=data, progress=False).history
    )


def test_procedural_data_has_the_sizes_that_the_tests_expect() -> None:
    assert procedural(4, 2).train_images.shape == (4, 3, 32, 32)

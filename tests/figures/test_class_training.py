"""Classifiers that train in the page, `lib/class_net.js` and around it, against PyTorch in float64 and the book's own
data, augmentation and files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from javascript import in_chromium, in_node, script
from safetensors.torch import load as load_safetensors
from torch import Tensor, nn

from senet_edu import SEBlock, create_model
from senet_edu.data import crop_flip, normalize, pad, procedural
from senet_edu.data.procedural import OUTLINES, TEXTURES, _draw
from senet_edu.gates import record_gates
from senet_edu.measure.ablations import shrink
from senet_edu.train.optimizer import make_optimizer, make_scheduler
from senet_edu.train.recipe import Recipe

Call = Callable[[str, Any], Any]
SCRIPT = script("lib/class_trainer.js", "lib/drawn.js")
KERNELS = {"WebAssembly": True, "JavaScript": False}
NETWORKS = {
    "SE": {"classes": 10, "se": True, "reduction": 4},
    "plain": {"classes": 10, "se": False},
    "SE r = 16, 3 classes": {"classes": 3, "se": True, "reduction": 16},
    "plain, 2 classes": {"classes": 2, "se": False},
}
BATCH = 24

# One pass over a batch: loss, every gradient, running statistics, and then the answers by them.
GRADIENTS = """
async ({ options, state, pixels, labels }) => {
  const net = SE["lib/class_worker.js"].engine.network(options), images = Uint8Array.from(pixels);
  net.load(state);
  const { loss, right } = net.gradients({ pixels: images, labels });
  const lists = (found) => Object.fromEntries(Object.entries(found).map(([name, list]) => [name, [...list]]));
  const running = Object.fromEntries(
    Object.entries(net.state()).filter(([name]) => !net.derivatives()[name]).map(([name, { data }]) => [
      name, Array.from(data, Number),
    ]),
  );
  const answers = net.classify(images).map((logits) => [...logits]);
  const { kernel, count } = net, gradients = lists(net.derivatives()), gates = lists(net.gates());
  return { loss, right, kernel, count, gradients, running, answers, gates };
}
"""
STEPS = """
async ({ options, state, batches, steps }) => {
  const net = SE["lib/class_worker.js"].engine.network(options);
  net.load(state);
  const read = batches.map(({ pixels, labels }) => ({ pixels: Uint8Array.from(pixels), labels }));
  return Array.from({ length: steps }, (_, i) => net.train(read[i % read.length]).loss);
}
"""


@pytest.fixture(scope="module", params=["node", "chromium"])
def engine(request: pytest.FixtureRequest) -> Call:
    if request.param == "chromium":
        return in_chromium(SCRIPT, request.getfixturevalue("browser"))
    return in_node(SCRIPT)


@pytest.fixture(scope="module")
def node() -> Call:
    return in_node(SCRIPT)


@pytest.fixture(scope="module")
def drawn() -> tuple[Tensor, Tensor]:
    data = procedural(80, 1, 3)
    return shrink(data.train_images, 16), data.train_labels


def model_for(options: dict[str, Any], *, restless: bool = True) -> nn.Module:
    torch.manual_seed(1)
    reduction = {"reduction": options["reduction"]} if options["se"] else {}
    model = create_model("se_resnet8" if options["se"] else "resnet8", num_classes=options["classes"], **reduction)
    for module in model.modules():
        if restless and isinstance(module, nn.BatchNorm2d):  # else scales and shifts are where mistakes do not show
            nn.init.uniform_(module.weight, -0.3, 1.2)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return model


def state_of(model: nn.Module) -> dict[str, list[float]]:
    return {name: tensor.flatten().tolist() for name, tensor in model.state_dict().items()}


def as_bytes(images: Tensor) -> list[int]:
    """Pixel by pixel, as JavaScript has them."""
    return images.permute(0, 2, 3, 1).flatten().tolist()


def evaluated(model: nn.Module, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits by running statistics, and the gates of each SE block."""
    model.eval()
    with torch.no_grad():
        if not any(isinstance(module, SEBlock) for module in model.modules()):
            return model(x), {}
        with record_gates(model) as gates:
            return model(x), gates


def distance(found: list[float], truth: Tensor) -> float:
    """Norm of the difference over the norm of the truth."""
    return ((torch.tensor(found, dtype=torch.float64).view(truth.shape) - truth).norm() / truth.norm()).item()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_gradient_is_pytorchs(engine: Call, drawn: tuple[Tensor, Tensor], name: str, kernel: str) -> None:
    options = NETWORKS[name]
    images, labels = drawn[0][:BATCH], drawn[1][:BATCH] % options["classes"]
    model = model_for(options)
    data = {"options": options | {"batch": BATCH, "simd": KERNELS[kernel]}, "state": state_of(model)}
    found = engine(GRADIENTS, data | {"pixels": as_bytes(images), "labels": labels.tolist()})

    model.double().train()
    x = normalize(images).double()
    logits = model(x)
    loss = F.cross_entropy(logits, labels, label_smoothing=0.1)
    loss.backward()
    assert found["kernel"] == kernel
    assert found["count"] == sum(p.numel() for p in model.parameters())
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-6)
    assert found["right"] == (logits.argmax(1) == labels).sum()
    assert set(found["gradients"]) == {parameter for parameter, _ in model.named_parameters()}
    for parameter, tensor in model.named_parameters():
        assert tensor.grad is not None and tensor.grad.norm() > 0, parameter
        assert distance(found["gradients"][parameter], tensor.grad) < 2e-5, parameter

    buffers = dict(model.named_buffers())
    assert set(found["running"]) == set(buffers)
    for buffer, tensor in buffers.items():
        assert found["running"][buffer] == pytest.approx(tensor.flatten().tolist(), rel=1e-5, abs=1e-6), buffer
    answers, gates = evaluated(model, x)
    assert torch.allclose(torch.tensor(found["answers"], dtype=torch.float64), answers, atol=1e-5)
    assert set(found["gates"]) == set(gates)
    for block, values in found["gates"].items():
        assert values == pytest.approx(gates[block][-1].tolist(), abs=1e-6), block


@pytest.mark.parametrize("what", ["batch", "shortcut"])
def test_a_wrong_gradient_is_noticed(node: Call, drawn: tuple[Tensor, Tensor], what: str) -> None:
    """The comparison sees a part that is missing: the way back through a batch's statistics or through a shortcut."""
    options = NETWORKS["SE"]
    images, labels = drawn[0][:BATCH], drawn[1][:BATCH]
    model = model_for(options)
    data = {"options": options | {"batch": BATCH}, "state": state_of(model)}
    found = node(GRADIENTS, data | {"pixels": as_bytes(images), "labels": labels.tolist()})
    model.double().train()
    if what == "shortcut":
        model.layer2[0].downsample.register_forward_hook(lambda module, args, out: out.detach())
    else:  # as batch norm with the statistics of this batch, held fixed
        norm = model.layer2[0].bn1

        def fixed(x: Tensor) -> Tensor:
            mean, variance = x.detach().mean((0, 2, 3)), x.detach().var((0, 2, 3), unbiased=False)
            return F.batch_norm(x, mean, variance, norm.weight, norm.bias)

        norm.forward = fixed
    F.cross_entropy(model(normalize(images).double()), labels, label_smoothing=0.1).backward()
    assert distance(found["gradients"]["layer1.0.conv1.weight"], model.layer1[0].conv1.weight.grad) > 1e-3


@pytest.mark.parametrize("name", ["SE", "plain"])
def test_fifty_steps_are_pytorchs(engine: Call, drawn: tuple[Tensor, Tensor], name: str) -> None:
    """The book's optimizer and cycle: which weights decay, Nesterov's momentum, the rate of every step.

    With larger rates single precision goes its own way, PyTorch's too: at 0.05 it ends 0.002 from its double one.
    """
    images, labels = drawn
    model = model_for(NETWORKS[name], restless=False)
    recipe = Recipe(epochs=10, lr=0.01, batch_size=16)
    batches = [
        {"pixels": as_bytes(images[i : i + 16]), "labels": labels[i : i + 16].tolist()} for i in range(0, 80, 16)
    ]
    options = NETWORKS[name] | {"batch": 16, "steps": 50, "rate": recipe.lr}
    found = engine(STEPS, {"options": options, "state": state_of(model), "batches": batches, "steps": 50})

    model.double().train()
    optimizer = make_optimizer(model, recipe)
    scheduler = make_scheduler(optimizer, recipe, 5)
    losses = []
    for step in range(50):
        part = slice(step % 5 * 16, step % 5 * 16 + 16)
        loss = F.cross_entropy(model(normalize(images[part]).double()), labels[part], label_smoothing=0.1)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    assert losses[-1] < 0.95 * losses[0]
    assert found[:10] == pytest.approx(losses[:10], abs=1e-5)
    assert found == pytest.approx(losses, abs=1e-3)


INITIAL = """
async ({ se, seeds }) => {
  const { network } = SE["lib/class_worker.js"].engine, all = {};
  for (const seed of seeds)
    for (const [name, { shape, data }] of Object.entries(network({ se, seed }).state()))
      (all[name] ??= { shape, data: [] }).data.push(...Array.from(data, Number));
  return all;
}
"""


@pytest.mark.parametrize("se", [True, False])
def test_first_weights_are_distributed_as_pytorchs(node: Call, se: bool) -> None:
    """Shapes and names are the state_dict's; standard deviations, within four of their own errors, are its too."""
    found = node(INITIAL, {"se": se, "seeds": [0, 1, 2, 3]})
    models = [create_model("se_resnet8", reduction=4) if se else create_model("resnet8") for _ in range(16)]
    truth = {name: torch.stack([m.state_dict()[name].double() for m in models]) for name in models[0].state_dict()}
    assert {name: one["shape"] for name, one in found.items()} == {n: list(t.shape[1:]) for n, t in truth.items()}
    for name, tensor in truth.items():
        values = torch.tensor(found[name]["data"], dtype=torch.float64)
        if tensor.unique().numel() == 1:
            assert (values == tensor.flatten()[0]).all(), name
            continue
        spread, count = tensor.std().item(), values.numel()
        few = 4 * (1 / count + 1 / tensor.numel()) ** 0.5
        assert values.std().item() == pytest.approx(spread, rel=few), name
        assert values.mean().item() == pytest.approx(0, abs=few * spread), name
        assert values.abs().max() <= 1.6 * tensor.abs().max(), name  # uniform or normal


DRAW = """
async ({ labels, numbers }) => {
  const { drawnImage, halve, DRAWN_CLASSES } = SE["lib/drawn.js"];
  const whole = labels.map((label, i) => {
    const left = numbers[i].values();
    const image = drawnImage(label, () => left.next().value);
    return left.next().done ? image : null;
  });
  return { names: DRAWN_CLASSES, whole: whole.map((one) => [...one]), half: whole.map((one) => [...halve(one)]) };
}
"""


def test_the_drawn_set_has_a_twin(node: Call) -> None:
    """Equal random numbers give equal pictures. JavaScript computes in double precision and Python in single: where a
    value falls between two bytes it may be rounded to the other one, in fewer than one pixel in a thousand."""
    count, seed = 40, 6
    images, labels = _draw(count, torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    torch.randperm(count, generator=generator)
    shapes = [1] * 8 + [3] * 3 + [1024]  # place, radius, angles, period and phases; colors; grain
    numbers = torch.cat([torch.rand(count, *[n], generator=generator) for n in shapes], dim=1)
    found = node(DRAW, {"labels": labels.tolist(), "numbers": numbers.double().tolist()})
    assert found["names"] == [f"{texture} {outline}" for outline in OUTLINES for texture in TEXTURES]
    for key, truth in (("whole", images), ("half", shrink(images, 16))):
        side = truth.shape[2]
        twin = torch.tensor(found[key]).view(count, side, side, 3).permute(0, 3, 1, 2)
        difference = (twin - truth.int()).abs()
        assert difference.max() <= 1, key
        assert (difference > 0).double().mean() < (1e-3 if key == "whole" else 1e-2), key


SHIFTS = """
async ({ pixels, shifts }) => {
  const { crop } = SE["lib/class_worker.js"].engine, images = Uint8Array.from(pixels);
  const out = new Uint8Array(768 * shifts.length);
  shifts.forEach(([top, left, flip], n) => crop(images, n % 2, { top, left, flip: flip === 1 }, out, n));
  return [...out];
}
"""


def test_crops_are_the_books(node: Call, drawn: tuple[Tensor, Tensor]) -> None:
    images = drawn[0][:2]
    shifts = torch.cartesian_prod(torch.arange(5), torch.arange(5), torch.arange(2))
    truth = crop_flip(pad(images, 2), torch.arange(len(shifts)) % 2, shifts, 16)
    assert node(SHIFTS, {"pixels": as_bytes(images), "shifts": shifts.tolist()}) == as_bytes(truth)


BATCHES = """
async ({ labels, classes, batch, count }) => {
  const { batches, PIXELS } = SE["lib/class_worker.js"].engine;
  // The number of a picture is its color, and the left half of each is black.
  const images = Uint8Array.from({ length: labels.length * PIXELS }, (_, i) =>
    Math.floor(i / 3) % 16 < 8 ? 0 : 1 + Math.floor(i / PIXELS));
  const take = (seed) => {
    const next = batches({ classes, images, labels: Uint8Array.from(labels), seed, batch });
    return Array.from({ length: count }, () => {
      const { pixels, labels } = next();
      return [...labels].map((label, n) => {
        const one = pixels.subarray(n * PIXELS, (n + 1) * PIXELS);
        return { label, index: Math.max(...one) - 1, flip: one[3 * (16 * 8 + 1)] > 0 };
      });
    });
  };
  return [take(1), take(1), take(2)];
}
"""


def test_every_batch_holds_all_classes(node: Call) -> None:
    """Also where one has more pictures than another: of each all come before one comes again, mirrored in turn."""
    labels = [0] * 4 + [1] * 10 + [2]
    first, again, other = node(BATCHES, {"labels": labels, "classes": 3, "batch": 8, "count": 15})
    assert first == again != other
    for batch in first:
        counts = [sum(one["label"] == k for one in batch) for k in range(3)]
        assert min(counts) >= 2 and max(counts) <= 3
    shown = [one for batch in first for one in batch]
    assert all(labels[one["index"]] == one["label"] for one in shown)
    for k, size in enumerate((4, 10, 1)):
        order = [one["index"] for one in shown if one["label"] == k]
        assert len(order) == 40
        for start in range(0, 40, size):
            assert len(set(order[start : start + size])) == size
    for index in range(15):
        flips = [one["flip"] for one in shown if one["index"] == index]
        assert all(flips[i] != flips[i + 1] for i in range(len(flips) - 1))
    assert len({one["flip"] for one in shown[:8]}) == 2


DRAWN_SHIFTS = """
async (count) => {
  const { batches, PIXELS } = SE["lib/class_worker.js"].engine;
  // A pixel's color is its row and its column.
  const images = Uint8Array.from({ length: PIXELS }, (_, i) => [i / 48, (i / 3) % 16, 0][i % 3]);
  const next = batches({ classes: 1, images, labels: Uint8Array.of(0), seed: 3, batch: count });
  const { pixels } = next();
  return Array.from({ length: count }, (_, n) => {
    const [row, column, , , beside] = pixels.subarray(n * PIXELS + 3 * (16 * 8 + 8));
    return [row - 6, beside > column ? column - 6 : column - 5, beside > column];
  });
}
"""


def test_all_shifts_are_equally_likely(node: Call) -> None:
    """Up to two pixels each way, 2 being none; five of each kind within five standard errors."""
    shifts = node(DRAWN_SHIFTS, 2000)
    for axis in (0, 1):
        counts = [sum(one[axis] == shift for one in shifts) for shift in range(5)]
        assert sum(counts) == 2000 and all(abs(count - 400) < 5 * (2000 * 0.2 * 0.8) ** 0.5 for count in counts)
    assert abs(sum(one[0] == one[1] for one in shifts) - 400) < 90  # one says nothing of the other


TRAIN = """
async ({ options, classes, count, names, workers }) => {
  let fromWorker = false;
  globalThis.Worker &&= !workers ? undefined : class extends Worker {
    set onmessage(f) {
      super.onmessage = (event) => ((fromWorker = true), f(event));
    }
  };
  const { classTrainer } = SE["lib/class_trainer.js"], { drawnSet } = SE["lib/drawn.js"];
  const drawn = drawnSet({ count, seed: 5, classes }), held = drawnSet({ count: 20, seed: 6, classes });
  const seen = [];
  let done, paused;
  const over = new Promise((resolve) => (done = resolve));
  const trainer = classTrainer({ classes, options, ...drawn, held }, (progress) => {
    seen.push(progress);
    paused();
    if (progress.done) done();
  });
  const { kernel, count: weights, speed } = await trainer.ready;
  const fresh = await trainer.weights();
  for (let i = 0; i < 3; i++) {
    const stopped = new Promise((resolve) => (paused = resolve));
    trainer.step();
    await stopped;
  }
  trainer.start();
  await over;
  trainer.start(); // nothing is left to do
  const pictures = drawnSet({ count: 32, seed: 7, classes }).images, answers = [];
  for (let i = 0; i < 32; i++) answers.push(await trainer.answer(pictures.slice(768 * i, 768 * (i + 1))));
  const file = await trainer.safetensors({ names });
  const wrong = await trainer.answer(new Uint8Array(3)).catch(({ message }) => message);
  trainer.close();
  // The same network, that learns from the same batches with nobody between.
  const { batches, network } = SE["lib/class_worker.js"].engine, twin = network({ ...options, classes });
  const next = batches({ classes, ...drawn, seed: options.seed, batch: options.batch });
  const alone = Array.from({ length: options.steps }, () => twin.train(next()));
  const listed = ({ gates }) => Object.fromEntries(Object.entries(gates).map(([name, list]) => [name, [...list]]));
  return {
    kernel, weights, speed, seen, wrong, fromWorker, alone, held: [[...held.images], [...held.labels]],
    tracked: Number(fresh.get("bn1.num_batches_tracked").data[0]), names: [...fresh.keys()],
    pictures: [...pictures], file: [...file],
    answers: answers.map(({ probabilities }) => [...probabilities]), gates: answers.map(listed),
  };
}
"""


@pytest.fixture(scope="module", params=["node", "page", "worker"])
def place(request: pytest.FixtureRequest) -> tuple[Call, bool]:
    """Where it trains, and whether workers are allowed; node has none of the web's kind."""
    if request.param == "node":
        return in_node(SCRIPT), False
    return in_chromium(SCRIPT, request.getfixturevalue("browser")), request.param == "worker"


@pytest.mark.parametrize("se", [True, False])
def test_a_trained_network_goes_to_pytorch(place: tuple[Call, bool], se: bool) -> None:
    """What the page trains and saves, create_model loads strictly, and answers the same with the same gates."""
    options = {"se": se, "steps": 60, "rate": 0.05, "batch": 16, "seed": 2} | ({"reduction": 8} if se else {})
    call, workers = place
    data = {"options": options, "classes": 4, "count": 80, "names": ["a", "b", "c", "d"], "workers": workers}
    found = call(TRAIN, data)
    assert found["fromWorker"] == workers
    reduction = {"reduction": 8} if se else {}
    model = create_model("se_resnet8" if se else "resnet8", num_classes=4, **reduction)
    assert found["weights"] == sum(p.numel() for p in model.parameters())
    assert set(found["names"]) == set(model.state_dict())
    assert found["kernel"] == "WebAssembly" and found["speed"] > 0
    assert found["wrong"] == "a picture must be 768 bytes, got 3"

    seen = found["seen"]
    assert [one["step"] for one in seen] == sorted({one["step"] for one in seen})
    assert [one["step"] for one in seen[:3]] == [1, 2, 3]
    assert [one["heldAccuracy"] is None for one in seen[:3]] == [True, True, False]  # measured 20 times in 60 steps
    assert [one["done"] for one in seen] == [False] * (len(seen) - 1) + [True]
    assert seen[-1]["step"] == seen[-1]["steps"] == 60
    assert seen[-1]["loss"] < seen[0]["loss"] and 0 <= seen[-1]["heldAccuracy"] <= 1
    assert all(one["imagesPerSecond"] > 0 and not one["blown"] for one in seen)
    assert found["tracked"] == 0  # the trial of the speed has left no trace
    since = [0, *(one["step"] for one in seen)]  # each report is the mean of the steps since the one before
    for before, now, one in zip(since, since[1:], seen):
        steps = found["alone"][before:now]
        assert one["loss"] == pytest.approx(sum(step["loss"] for step in steps) / len(steps), rel=1e-6)
        assert one["accuracy"] == pytest.approx(sum(step["right"] for step in steps) / len(steps) / 16)

    raw = bytes(found["file"])
    model.load_state_dict(load_safetensors(raw))
    assert model.bn1.num_batches_tracked == 60
    header = raw[8 : 8 + int.from_bytes(raw[:8], "little")]
    assert b'"classes":"[\\"a\\",\\"b\\",\\"c\\",\\"d\\"]"' in header
    images = torch.tensor(found["pictures"], dtype=torch.uint8).view(32, 16, 16, 3).permute(0, 3, 1, 2)
    logits, gates = evaluated(model, normalize(images))
    assert torch.allclose(torch.tensor(found["answers"]), logits.softmax(1), atol=1e-4)
    held, labels = (torch.tensor(part, dtype=torch.uint8) for part in found["held"])
    right = evaluated(model, normalize(held.view(20, 16, 16, 3).permute(0, 3, 1, 2)))[0].argmax(1) == labels
    assert seen[-1]["heldAccuracy"] == pytest.approx(right.double().mean().item())
    for block, values in gates.items():
        assert torch.allclose(torch.tensor([one[block] for one in found["gates"]]), values, atol=1e-4)
    assert len(gates) == (3 if se else 0)


CLOCK = """
async ({ batch }) => {
  let ms = 0;
  globalThis.performance = { now: () => (ms += 10) }; // a step, measured at both ends, takes 10 ms
  const { classTrainer } = SE["lib/class_trainer.js"], { drawnSet } = SE["lib/drawn.js"];
  return new Promise((resolve) => {
    const drawn = drawnSet({ count: 8, seed: 1, classes: 2 });
    const trainer = classTrainer({ classes: 2, options: { batch }, ...drawn }, (progress) => {
      trainer.close();
      resolve(progress);
    });
    trainer.step();
  });
}
"""


def test_images_a_second(node: Call) -> None:
    assert node(CLOCK, {"batch": 8})["imagesPerSecond"] == pytest.approx(800)


BLOWN = """
async ({ rate }) => {
  const { classTrainer } = SE["lib/class_trainer.js"], { drawnSet } = SE["lib/drawn.js"];
  return new Promise((resolve) => {
    const trainer = classTrainer({ classes: 2, options: { steps: 200, rate, batch: 8 }, ...drawnSet({ count: 8, seed: 1,
      classes: 2 }) }, (progress) => progress.blown && (trainer.close(), resolve(progress)));
    trainer.start();
  });
}
"""


def test_a_loss_without_bounds_stops(node: Call) -> None:
    progress = node(BLOWN, {"rate": 1e30})
    assert progress["blown"] and progress["done"] and progress["step"] < 200


REFUSED = """
async (cases) => {
  const { classTrainer } = SE["lib/class_trainer.js"];
  return cases.map(({ bytes, labels, classes = 2, options, held }) => {
    const set = (length, labels) => ({ images: new Uint8Array(length), labels: Uint8Array.from(labels) });
    try {
      classTrainer({ classes, options, ...set(bytes, labels), held: held && set(...held) }, () => {});
    } catch ({ name, message }) {
      return `${name}: ${message}`;
    }
  });
}
"""


def test_what_does_not_fit_is_refused(node: Call) -> None:
    fits = {"bytes": 1536, "labels": [0, 1]}
    cases = {
        "images must be 768 bytes for each of 2 labels, got 1535": fits | {"bytes": 1535},
        "labels must be below 2, the number of classes, got 2": fits | {"labels": [0, 2]},
        "every class must have a picture, got none of class 1": fits | {"labels": [0, 0]},
        "held.images must be 768 bytes for each of 1 labels, got 5": fits | {"held": [5, [0]]},
        "classes must be a whole number, at least 2, got 1": fits | {"classes": 1},
        "steps must be a whole number, at least 1, got 0": fits | {"options": {"steps": 0}},
        "batch must be a whole number, at least 2, got 1.5": fits | {"options": {"batch": 1.5}},
        "reduction must be a whole number, at least 1, got 0": fits | {"options": {"reduction": 0}},
        "rate must be above 0, got -1": fits | {"options": {"rate": -1}},
        "options are se,reduction,seed,steps,batch,rate,simd, got lr": fits | {"options": {"lr": 1}},
    }
    assert node(REFUSED, list(cases.values())) == [f"RangeError: {message}" for message in cases]

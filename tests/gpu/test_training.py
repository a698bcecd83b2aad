"""Training on a GPU: a recorded step is the step, networks that share the device are as if alone, nobody waits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from training_tools import interrupt, read_history, weights, without_time

from senet_edu import create_model, machine, record_gates
from senet_edu.data import ImageData, normalize
from senet_edu.gates import override_gates
from senet_edu.train import Recipe, evaluate, train, train_many
from senet_edu.train.step import WARM, Shared, Step, cuda_graph

RECIPE = Recipe(
    "se_resnet8", {"reduction": 4}, "procedural", epochs=4, batch_size=64, lr=0.02, sizes=((0.0, 8), (0.5, 16)), ema=0.9
)
CUDA = torch.device("cuda")
CLOSE = {"atol": 5e-3, "rtol": 5e-3}
"""After the 80 steps of `RECIPE`. On a CPU, a last digit changed at the beginning moved a weight by 4e-4."""


@pytest.fixture
def float32(monkeypatch: pytest.MonkeyPatch, exact: None) -> None:
    monkeypatch.setattr(machine, "precision", lambda device: torch.float32)


def step_of(recipe: Recipe, data: ImageData, record=None, device: torch.device = CUDA) -> Step:
    return Step(Shared(data, device, recipe.padding), recipe, record=record)


def walk(step: Step, epochs: int | None = None) -> Iterator[Tensor]:
    """The weights after each epoch."""
    for epoch in range(epochs or step.recipe.epochs):
        step.begin(epoch)
        while step.left:
            step.run()
        with step.on():
            yield torch.cat([weights(step.model), weights(step.final)]).cpu()


def test_a_step_on_a_gpu_is_that_on_a_cpu(data: ImageData, float32: None) -> None:
    gpu, cpu = step_of(RECIPE, data), step_of(RECIPE, data, device=torch.device("cpu"))
    for step in (gpu, cpu):
        step.begin(0)
        for _ in range(5):
            step.run()
    torch.testing.assert_close(weights(gpu.model).cpu(), weights(cpu.model), atol=1e-4, rtol=1e-4)
    assert gpu.read() == pytest.approx(cpu.read(), rel=1e-4)


def test_images_on_a_gpu_are_those_on_a_cpu_to_the_bit(data: ImageData, float32: None) -> None:
    recipe = replace(RECIPE, cutout=4, sizes=((0.0, 16),))
    batches = []
    for device in (CUDA, torch.device("cpu")):
        step = step_of(recipe, data, device=device)
        step.begin(0)
        x, y = step.batch()
        assert x.is_contiguous(memory_format=torch.channels_last)
        batches.append((x.cpu(), y.cpu()))
    assert all(torch.equal(a, b) for a, b in zip(*batches))


def test_a_recorded_step_is_the_step_carried_out(data: ImageData, float32: None) -> None:
    """Over two sizes and a running average; in the first twenty steps nearly to the bit."""
    plain, recorded = step_of(RECIPE, data), step_of(RECIPE, data, cuda_graph)
    for epoch, (one, other) in enumerate(zip(walk(plain), walk(recorded), strict=True)):
        if epoch == 0:
            torch.testing.assert_close(other, one, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(other, one, **CLOSE)
    assert {size for size, _ in recorded.graphs} == {8, 16} and recorded.starting > 0
    assert plain.read() == pytest.approx(recorded.read(), rel=1e-3)


def test_the_steps_between_reading_never_wait_for_the_host(data: ImageData) -> None:
    for record in (None, cuda_graph):
        step = step_of(replace(RECIPE, sizes=((0.0, 16),)), data, record)
        step.begin(0)
        for _ in range(WARM + 1):
            step.run()
        torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(5):
                step.run()
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_memory_does_not_grow_while_a_step_is_repeated(data: ImageData) -> None:
    step = step_of(replace(RECIPE, epochs=12, sizes=((0.0, 16),)), data, cuda_graph)
    for _ in walk(step, 1):
        pass
    before = torch.cuda.memory_allocated()
    for _ in walk(step, 11):
        pass
    assert torch.cuda.memory_allocated() <= before + 2**20


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_trains_and_a_scaler_goes_through_an_overflow(data, monkeypatch, dtype) -> None:
    monkeypatch.setattr(machine, "precision", lambda device: dtype)
    step = step_of(replace(RECIPE, epochs=6), data, cuda_graph)
    if dtype == torch.float16:
        step.scaler = torch.amp.GradScaler("cuda", init_scale=2.0**32, growth_interval=20)
    losses = []
    for found in walk(step):
        losses.append(step.read()[0])
        assert found.isfinite().all()
    assert losses[-1] < losses[0]
    if dtype == torch.float16:
        assert step.scaler.get_scale() < 2.0**32


def test_a_compiled_step_is_the_step(data: ImageData, float32: None) -> None:
    recipe = replace(RECIPE, epochs=2)
    plain, compiled = step_of(recipe, data), step_of(replace(recipe, compile=True), data, cuda_graph)
    for one, other in zip(walk(plain, 1), walk(compiled, 1)):
        torch.testing.assert_close(other, one, **CLOSE)


def test_four_at_once_are_what_each_is_alone(data: ImageData, float32: None) -> None:
    recipes = [replace(RECIPE, seed=seed) for seed in range(3)] + [replace(RECIPE, model="resnet8", model_options={})]
    alone = [train(recipe, data=data, progress=False) for recipe in recipes]
    together = train_many([*recipes, replace(RECIPE, lr=1e30)], data=data, at_once=5, progress=False)
    assert isinstance(together.pop(), FloatingPointError)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(weights(one.model), weights(other.model), **CLOSE)
        assert one.history[-1]["test_loss"] == pytest.approx(other.history[-1]["test_loss"], rel=1e-2)


def test_a_run_that_is_broken_off_goes_on(data: ImageData, tmp_path: Path, float32: None) -> None:
    unbroken = train(RECIPE, data=data, progress=False)
    with pytest.raises(KeyboardInterrupt):
        train(RECIPE, data=data, out=tmp_path, on_epoch=interrupt, progress=False)
    resumed = train(RECIPE, data=data, out=tmp_path, resume=True, progress=False)
    torch.testing.assert_close(weights(resumed.model), weights(unbroken.model), **CLOSE)
    about, *rows = read_history(tmp_path)
    assert len(about["sessions"]) == 2 and about["hardware"] == torch.cuda.get_device_name()
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4] and len(without_time(rows)) == 4


def test_gates_are_recorded_and_set_on_a_gpu(data: ImageData, exact: None) -> None:
    model = create_model("se_resnet8", reduction=4).eval()
    x = normalize(data.test_images[:50])
    with record_gates(model) as gates, torch.no_grad():
        expected = model(x)
    on_gpu = create_model("se_resnet8", reduction=4).to(CUDA).eval()
    on_gpu.load_state_dict(model.state_dict())
    with record_gates(on_gpu) as found, torch.no_grad():
        logits = on_gpu(x.to(CUDA))
    torch.testing.assert_close(logits.cpu(), expected, atol=1e-4, rtol=1e-4)
    assert found.keys() == gates.keys()
    for name, s in gates.items():
        torch.testing.assert_close(found[name].cpu(), s, atol=1e-5, rtol=1e-4)
    name = next(iter(gates))
    with override_gates(model, {name: 0.0}), override_gates(on_gpu, {name: 0.0}), torch.no_grad():
        torch.testing.assert_close(on_gpu(x.to(CUDA)).cpu(), model(x), atol=1e-4, rtol=1e-4)


def test_evaluation_is_in_float32(data: ImageData) -> None:
    torch.backends.cudnn.allow_tf32 = True
    model: nn.Module = create_model("se_resnet8", reduction=4).eval()
    on_cpu = evaluate(model, data.test_images, data.test_labels)
    on_gpu = evaluate(model.to(CUDA), data.test_images, data.test_labels)
    assert on_gpu == pytest.approx(on_cpu, rel=1e-4) and torch.backends.cudnn.allow_tf32


def test_two_processes_on_one_gpu_are_told_that_each_needs_its_own(tmp_path: Path) -> None:
    if torch.cuda.device_count() > 1:
        pytest.skip("there is more than one GPU")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "senet_edu.train", "--data", "procedural", "--epochs", "1", "--out", str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert done.returncode != 0 and "every process needs a GPU of its own, and there are 1" in done.stderr

"""Training: what a recipe decides, what a kill cannot destroy, and what the errors say.

The networks are real ones on images of 8 pixels, so that a step takes milliseconds.
"""

import argparse
import errno
import json
import math
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from senet_edu import data as datasets
from senet_edu import train as training
from senet_edu.data import crop_flip, draw_shifts
from senet_edu.resnet import create_model
from senet_edu.train import RECIPES, Recipe, evaluate, make_optimizer, make_scheduler, profile_steps, train

TINY = Recipe(
    model="se_resnet20", model_options={"reduction": 4}, data="procedural", epochs=2, batch_size=16, sizes=((0.0, 8),)
)
STEPS = 3  # an epoch


@pytest.fixture(scope="module", autouse=True)
def on_the_cpu():
    """Where equal means bit for bit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


@pytest.fixture(scope="module")
def data(on_the_cpu):
    return datasets.procedural(STEPS * TINY.batch_size + 5, 40)  # five images too many for a whole batch


@pytest.fixture(scope="module")
def unbroken(data, tmp_path_factory):
    """A whole run of `TINY`: its folder and what `train` returned."""
    out = tmp_path_factory.mktemp("unbroken")
    return out, train(TINY, data=data, out=out, progress=False, command="the command")


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([tensor.flatten().double() for tensor in model.state_dict().values()])


def read_history(out) -> list[dict]:
    return [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]


def without_time(history: list[dict]) -> list[dict]:
    return [{k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in history]


# ---- What a run leaves behind


def test_run_returns_the_model_the_facts_and_a_row_an_epoch(unbroken):
    out, run = unbroken
    assert not run.model.training
    assert [row["epoch"] for row in run.history] == [1, 2]
    for row in run.history:
        assert row["size"] == 8
        assert row["train_loss"] > 0 and row["test_loss"] > 0
        assert 0 <= row["train_accuracy"] <= 1 and 0 <= row["test_accuracy"] <= 1
        assert row["images_per_second"] == pytest.approx(STEPS * TINY.batch_size / row["seconds"], rel=0.2)


def test_history_file_has_the_facts_and_then_a_line_an_epoch(unbroken):
    out, run = unbroken
    about, *rows = read_history(out)
    assert rows == run.history
    assert about["recipe"]["model"] == "se_resnet20" and about["recipe"]["seed"] == 0
    assert set(about["recipe"]) == {f.name for f in fields(Recipe)}
    assert about["data"] == {"name": "procedural", "train": 53, "test": 40}
    assert about["versions"] == {"python": sys.version.split()[0], "torch": torch.__version__}
    assert about["hardware"] and about["precision"] in ("float32", "bfloat16", "float16")
    assert about["command"] == "the command"


def test_weights_file_has_the_weights(unbroken):
    out, run = unbroken
    model = create_model("se_resnet20", reduction=4)
    model.load_state_dict(load_file(out / "model.safetensors"))
    assert torch.equal(weights(model), weights(run.model))


def test_no_folder_no_files(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(replace(TINY, epochs=1), data=data, progress=False)
    assert not list(tmp_path.iterdir())


def test_on_epoch_and_eval_every(data):
    rows = []
    run = train(replace(TINY, epochs=3), data=data, eval_every=2, on_epoch=rows.append, progress=False)
    assert rows == run.history
    assert ["test_accuracy" in row for row in rows] == [False, True, True]  # every second, and always the last


# ---- Determinism


def test_same_seed_same_weights_and_another_seed_others(data, unbroken):
    _, run = unbroken
    again = train(TINY, data=data, progress=False)
    assert torch.equal(weights(again.model), weights(run.model))
    assert without_time(again.history) == without_time(run.history)
    other = train(replace(TINY, seed=1), data=data, progress=False)
    assert not torch.equal(weights(other.model), weights(run.model))


KILLED = """
import json, os, signal, sys
import torch
from senet_edu import data, train

torch.set_num_threads(int(sys.argv[2]))
crop_flip, calls = train.crop_flip, 0

def crop_then_die(*args):
    global calls
    calls += 1
    if calls == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return crop_flip(*args)

train.crop_flip = crop_then_die
recipe = train.Recipe(**json.loads(sys.argv[4]) | {"sizes": ((0.0, 8),)})
train.train(recipe, data=data.procedural(int(sys.argv[5]), 40), out=sys.argv[1], device="cpu", progress=False)
"""


def test_killed_in_an_epoch_and_resumed_gives_the_weights_of_an_unbroken_run(data, unbroken, tmp_path):
    _, run = unbroken
    recipe = {f.name: getattr(TINY, f.name) for f in fields(Recipe) if f.name != "sizes"}
    second_step_of_second_epoch = STEPS + 2
    command = [sys.executable, "-c", KILLED, tmp_path, torch.get_num_threads(), second_step_of_second_epoch]
    command += [json.dumps(recipe), len(data.train_images)]
    assert subprocess.run([str(part) for part in command]).returncode == -signal.SIGKILL
    assert len(read_history(tmp_path)) == 2  # the facts and the first epoch
    assert not (tmp_path / "model.safetensors").exists()

    resumed = train(TINY, data=data, out=tmp_path, resume=True, progress=False)
    assert torch.equal(weights(resumed.model), weights(run.model))
    assert without_time(resumed.history) == without_time(run.history)
    assert read_history(tmp_path)[1:] == resumed.history


def live(out, seconds):
    """A run in a process of its own, shot after so many seconds unless it is done before; tells whether it was shot."""
    lives = multiprocessing.get_context("forkserver")  # a server that has loaded what is slow to load
    lives.set_forkserver_preload(["senet_edu.train", "torch._dynamo"])  # the second by the first step of an optimizer
    process = lives.Process(target=run_to_the_end, args=(out,))
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def run_to_the_end(out):
    torch.set_num_threads(1)
    train(TINY, data=datasets.procedural(53, 40), out=out, resume=True, device="cpu", progress=False)


def test_twenty_kills_at_random_moments_change_nothing(tmp_path):
    """Also in the middle of writing a file. The moments are random, but all of them within the time of a run."""
    assert not live(tmp_path / "first", 600)
    start = time.perf_counter()
    assert not live(tmp_path / "unbroken", 600)
    whole = time.perf_counter() - start
    unbroken = (tmp_path / "unbroken" / "model.safetensors").read_bytes()
    delays = random.Random(0)
    shot = 0
    for i in range(20):
        out = tmp_path / str(i)
        shot += live(out, delays.uniform(0.05, 1) * whole)
        before = len(read_history(out)) - 1 if (out / "history.jsonl").exists() else 0
        assert not live(out, 600)
        assert (out / "model.safetensors").read_bytes() == unbroken
        assert len(read_history(out)) - 1 == TINY.epochs >= before
    assert shot >= 10


def test_resume_without_a_checkpoint_starts_anew_and_with_a_finished_one_changes_nothing(data, unbroken, tmp_path):
    _, run = unbroken
    fresh = train(TINY, data=data, out=tmp_path, resume=True, progress=False)
    again = train(TINY, data=data, out=tmp_path, resume=True, progress=False)
    assert torch.equal(weights(fresh.model), weights(run.model))
    assert torch.equal(weights(again.model), weights(run.model))
    assert again.history == fresh.history


def test_a_new_run_leaves_nothing_of_an_earlier_one_to_resume_from(data, tmp_path, monkeypatch):
    train(TINY, data=data, out=tmp_path, progress=False)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "crop_flip", interrupt)
        train(TINY, data=data, out=tmp_path, progress=False)
    assert [path.name for path in tmp_path.iterdir()] == ["history.jsonl"]
    assert len(read_history(tmp_path)) == 1


def interrupt(*args):
    raise KeyboardInterrupt


# ---- Errors


def test_another_recipe_or_other_data_cannot_be_resumed(data, unbroken):
    out, _ = unbroken
    before = (out / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match=r"lr was 0.25 and is now 0.1, seed was 0 and is now 3"):
        train(replace(TINY, lr=0.1, seed=3), data=data, out=out, resume=True)
    with pytest.raises(ValueError, match=r"images was .*53.* and is now .*60"):
        train(TINY, data=datasets.procedural(60, 40), out=out, resume=True)
    assert (out / "checkpoint.pt").read_bytes() == before


def test_a_checkpoint_is_never_half_written(data, unbroken, tmp_path, monkeypatch):
    def fill_the_disk(row):
        monkeypatch.setattr(os, "fsync", no_space)

    def no_space(file):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match=r"cannot write .*checkpoint.pt: No space left on device. The one .* is kept"):
        train(TINY, data=data, out=tmp_path, on_epoch=fill_the_disk, progress=False)
    monkeypatch.undo()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "history.jsonl"]
    resumed = train(TINY, data=data, out=tmp_path, resume=True, progress=False)  # from the intact first epoch
    assert torch.equal(weights(resumed.model), weights(unbroken[1].model))


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda path: path.write_bytes(path.read_bytes()[:20_000]), "is damaged, or no checkpoint"),
        (lambda path: path.write_bytes(b""), "is damaged, or no checkpoint"),
        (lambda path: torch.save({"weights": torch.zeros(3)}, path), "is damaged, or no checkpoint"),
        (lambda path: change_a_shape(path), "does not fit this network"),
    ],
    ids=["truncated", "empty", "something else", "a shape"],
)
def test_a_damaged_checkpoint_is_an_error_that_names_it(data, unbroken, tmp_path, damage, message):
    shutil.copytree(unbroken[0], tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.pt"
    damage(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"checkpoint.pt {message}"):
        train(TINY, data=data, out=tmp_path / "run", resume=True, progress=False)
    assert path.read_bytes() == before and (tmp_path / "run" / "model.safetensors").exists()


def change_a_shape(path):
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["model"]["fc.weight"] = torch.zeros(11, 64)
    torch.save(checkpoint, path)


def test_a_folder_that_cannot_be_written_fails_before_training(data, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "crop_flip", interrupt)  # it must not come to that
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        train(TINY, data=data, out=tmp_path / "file")
    (tmp_path / "run" / ".history.jsonl.partial").mkdir(parents=True)
    with pytest.raises(OSError, match="history.jsonl"):
        train(TINY, data=data, out=tmp_path / "run")


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(data, tmp_path, monkeypatch):
    with pytest.raises(FloatingPointError, match=r"se_resnet20 became (nan|inf) in epoch 1: .*lower lr than 1e\+30"):
        train(replace(TINY, lr=1e30), data=data, out=tmp_path, progress=False)

    def poison(row):
        monkeypatch.setattr(training, "normalize", lambda x: datasets.normalize(x) * math.nan)

    with pytest.raises(FloatingPointError, match="in epoch 2"):
        train(TINY, data=data, out=tmp_path, on_epoch=poison, progress=False)
    assert len(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["history"]) == 1


def test_weights_that_the_last_step_of_an_epoch_ruins_are_not_kept(data, tmp_path):
    """The loss is computed before the step, so it says nothing of that one."""

    def ruin(step, model):
        if step == 2 * STEPS:
            model.layer1[0].conv1.weight.data[0] = math.inf

    with pytest.raises(FloatingPointError, match="weights of se_resnet20 went out of range in epoch 2"):
        train(TINY, data=data, out=tmp_path, on_step=ruin, progress=False)
    assert len(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["history"]) == 1
    assert len(read_history(tmp_path)) == 2 and not (tmp_path / "model.safetensors").exists()


def test_momentum_is_whole_where_float16_overflows_in_the_first_step(data, monkeypatch):
    """The scaler skips such a step. The weights are then those of the steps after it, as if it had not been."""
    monkeypatch.setattr(training, "precision", lambda device: torch.float16)
    seen = []

    class Overflows(torch.amp.GradScaler):
        def scale(self, loss):
            return super().scale(loss) * (math.inf if not seen else 1)

    monkeypatch.setattr(torch.amp, "GradScaler", Overflows)
    train(TINY, data=data, progress=False, on_step=lambda step, model: step and seen.append(weights(model)))
    assert all(w.isfinite().all() for w in seen)
    assert max(w.abs().max() for w in seen) < 100


@pytest.mark.parametrize(
    "name, value",
    [
        ("momentum", 1.0),
        ("weight_decay", -1e-4),
        ("label_smoothing", 2.0),
        ("seed", -1),
        ("epochs", 0),
        ("batch_size", -1),
        ("lr", 0.0),
        ("lr", math.nan),
        ("warmup", 1.5),
        ("flip", "sometimes"),
        ("cutout", -1),
        ("ema", 1.0),
        ("sizes", ((0.5, 16),)),
        ("sizes", ((0.0, 16), (0.7, 32), (0.5, 24))),
    ],
)
def test_a_recipe_out_of_range_names_the_value(name, value):
    with pytest.raises(ValueError, match=name):
        Recipe(**{name: value})


# ---- Several processes

SHARED = """
import json, sys
from pathlib import Path

import torch

from senet_edu import data, train
from senet_edu.data import procedural

train.precision = lambda device: torch.float32  # bfloat16 would round halves of a sum to other digits
train.datasets.load = lambda name: procedural(int(sys.argv[1]), 41)  # the test images do not divide by 2, either
train.main(sys.argv[2:])
"""


def test_two_processes_reach_the_weights_of_one(tmp_path):
    """The same global batches, so the same weights but for rounding; with a low rate, lest a few steps blow that up."""
    (tmp_path / "shared.py").write_text(SHARED)
    options = (
        "--model se_resnet20 --model-option reduction=4 --epochs 2 --batch-size 16 --lr 0.001 --device cpu".split()
    )
    start = {"one": [], "two": ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]}
    for name, launcher in start.items():
        command = [sys.executable, *launcher, tmp_path / "shared.py", "53", *options, "--out", tmp_path / name]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Test accuracy") == 1  # one talks
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in start)
    assert one.keys() == two.keys()
    for key in one:
        torch.testing.assert_close(two[key], one[key], atol=1e-5, rtol=1e-5, msg=lambda text, key=key: f"{key}: {text}")
    facts, *rows = read_history(tmp_path / "two")
    assert facts["processes"] == 2 and facts["command"].startswith("torchrun --nproc-per-node 2 -m senet_edu.train ")
    for row, expected in zip(rows, read_history(tmp_path / "one")[1:], strict=True):
        assert row["train_loss"] == pytest.approx(expected["train_loss"], abs=1e-5)
        assert row["test_loss"] == pytest.approx(expected["test_loss"], abs=1e-4)
        assert row["train_accuracy"] == pytest.approx(expected["train_accuracy"], abs=0.03)


def test_a_batch_that_does_not_divide_among_the_processes(data, monkeypatch):
    monkeypatch.setattr(training.distributed, "processes", lambda: 3)
    with pytest.raises(ValueError, match="batch_size must be a multiple of the 3 processes, got 16"):
        train(TINY, data=data, progress=False)


# ---- The parts of a recipe


def test_progressive_sizes_change_at_their_share_of_the_epochs(data):
    third = Recipe(epochs=10, sizes=((0.0, 16), (1 / 3, 24), (0.75, 32)))  # a share that falls within an epoch
    assert [third.size_at(epoch) for epoch in range(10)] == [16] * 4 + [24] * 4 + [32] * 2
    seen = []
    model = create_model("resnet20")
    recipe = replace(TINY, model="resnet20", model_options={}, epochs=4, sizes=((0.0, 8), (0.5, 12), (0.75, 32)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "create_model", lambda *args, **kwargs: model)
        model.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[2]) if module.training else None)
        run = train(recipe, data=data.subset(train=16), progress=False)
    assert seen == [8, 8, 12, 32]
    assert [row["size"] for row in run.history] == seen


@pytest.mark.parametrize("attention", ["se", "cbam"])
def test_weight_decay_leaves_norms_biases_and_gates_alone(attention):
    model = create_model("se_resnet20", attention=attention)
    groups = make_optimizer(model, Recipe()).param_groups
    decay = {parameter: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert len(decay) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        followed_by_norm_or_last = re.search(r"(conv\d|downsample\.0|fc)\.weight$", name) and ".se." not in name
        assert decay[parameter] == (5e-4 if followed_by_norm_or_last else 0.0), name


def flips(recipe, data, monkeypatch) -> list[dict[int, int]]:
    """Whether each image was mirrored, epoch by epoch."""
    seen = []

    def spy(padded, index, shifts, size):
        seen.append(dict(zip(index.tolist(), shifts[:, 2].tolist())))
        return crop_flip(padded, index, shifts, size)

    monkeypatch.setattr(training, "crop_flip", spy)
    train(replace(recipe, epochs=2, batch_size=len(data.train_images)), data=data, progress=False)
    assert all(epoch.keys() == set(range(len(data.train_images))) for epoch in seen)
    return seen


def test_two_epochs_show_every_image_both_ways(data, monkeypatch):
    """Alternating flip: what is mirrored in one epoch is not in the next, and half is mirrored at a time."""
    first, second = flips(TINY, data, monkeypatch)
    assert all(first[i] + second[i] == 1 for i in first)
    assert 0.3 < sum(first.values()) / len(first) < 0.7


def test_a_coin_for_each_flip_shows_half_of_the_images_the_same_way_twice(data, monkeypatch):
    first, second = flips(replace(TINY, flip="random"), data, monkeypatch)
    assert 0.3 < sum(first[i] == second[i] for i in first) / len(first) < 0.7


def test_cutout_hides_a_square_of_each_training_image(data, monkeypatch):
    """A square of 8 with its center in the image shows at least 4 x 4 of it, and at most 8 x 8."""
    seen = []
    monkeypatch.setattr(training, "cutout", lambda x, *rest: seen.append((x, datasets.cutout(x, *rest))) or seen[-1][1])
    train(replace(TINY, epochs=1, cutout=8), data=data, progress=False)
    (before, after), *_ = seen
    hidden = (after == 0).all(1) & (before != 0).any(1)
    assert before.shape[2:] == (32, 32)  # before the images shrink
    assert all(14 <= n <= 64 for n in hidden.sum((1, 2)).tolist())
    assert len({tuple(mask.nonzero()[0].tolist()) for mask in hidden}) > 4  # a place of its own for each


def test_running_average_of_weights_is_what_is_tested_kept_and_resumed(data, tmp_path):
    """Against the average by hand over the weights of all steps: a_0 = w_1, then a_t = 0.9 a + 0.1 w_t."""
    steps = []
    recipe = replace(TINY, ema=0.9)
    run = train(recipe, data=data, progress=False, on_step=lambda step, model: steps.append(weights(model)))
    expected = steps[1]
    for w in steps[2:]:
        expected = 0.9 * expected + 0.1 * w
    found = weights(run.model)
    kinds = [t.is_floating_point() for t in run.model.state_dict().values() for _ in range(t.numel())]
    averaged = torch.tensor(kinds)  # all but the counters of the batch norms
    torch.testing.assert_close(found[averaged], expected[averaged], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(found[averaged], steps[-1][averaged], atol=1e-3)

    with pytest.raises(KeyboardInterrupt):
        train(recipe, data=data, out=tmp_path, progress=False, on_epoch=interrupt)
    resumed = train(recipe, data=data, out=tmp_path, resume=True, progress=False)
    assert torch.equal(weights(resumed.model), found)
    kept = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(kept[name], t) for name, t in run.model.state_dict().items())


def test_on_step_comes_before_the_first_step_and_after_each(data):
    seen = []
    train(TINY, data=data, progress=False, on_step=lambda step, model: seen.append((step, model.training)))
    assert seen == [(step, True) for step in range(2 * STEPS + 1)]


def test_compile_is_asked_for_a_forward_pass_for_each_size(data, monkeypatch):
    """Whether PyTorch's compiler computes the same is PyTorch's to test; here, that a recipe can ask for it."""
    asked = []
    monkeypatch.setattr(torch, "compile", lambda model, **options: asked.append((model, options)) or model)
    run = train(replace(TINY, epochs=1, compile=True), data=data, progress=False)
    assert asked == [(run.model, {"dynamic": False})]


def test_every_entry_of_a_named_recipe_has_a_reason():
    for name, named in RECIPES.items():
        default = Recipe()
        differ = {f.name for f in fields(Recipe) if getattr(named.recipe, f.name) != getattr(default, f.name)}
        assert set(named.why) == differ, name
        create_model(named.recipe.model, **named.recipe.model_options)


def test_profile_says_where_the_time_goes(data):
    text = profile_steps(TINY, data, steps=2)
    assert "2 steps of 16 images" in text and "convolution" in text
    shares = [int(share) for share in re.findall(r"ms a step +(\d+)%", text)]
    assert len(shares) == len(training.PARTS) and abs(sum(shares) - 100) <= 2 and shares[1] > 5 and shares[2] > 5
    assert "1 steps of 53 images" in profile_steps(replace(TINY, batch_size=1000), data, steps=2)


def test_learning_rate_rises_to_the_peak_and_falls_to_zero_on_straight_lines():
    recipe, steps = Recipe(epochs=10, lr=0.5, warmup=0.3), 7
    optimizer = make_optimizer(nn.Linear(1, 1), recipe)
    scheduler = make_scheduler(optimizer, recipe, steps)
    rates = []
    for _ in range(recipe.epochs * steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    peak = 0.3 * (recipe.epochs * steps + 1) - 1
    expected = np.interp(range(len(rates)), [0, peak, len(rates)], [0.5 / 25, 0.5, 0])
    assert rates == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("steps", range(1, 12))
def test_the_shortest_runs_have_a_schedule_too(steps):
    optimizer = make_optimizer(nn.Linear(1, 1), Recipe(epochs=1))
    scheduler = make_scheduler(optimizer, Recipe(epochs=1), steps)
    for _ in range(steps):
        assert 0 < optimizer.param_groups[0]["lr"] <= Recipe.lr
        optimizer.step()
        scheduler.step()


def test_test_time_flip_is_the_mean_of_two_answers(data):
    model = create_model("resnet20").eval()
    x, y = datasets.normalize(data.test_images), data.test_labels
    with torch.no_grad():
        logits = torch.stack([model(x), model(datasets.normalize(data.test_images.flip(3)))]).mean(0)
    loss, accuracy = evaluate(model, data.test_images, y, batch_size=16, mirror=True)
    assert loss == pytest.approx(nn.functional.cross_entropy(logits, y).item(), rel=1e-5)
    assert accuracy == (logits.argmax(1) == y).double().mean().item()


def test_evaluate_equals_a_loop_over_single_images(data):
    torch.manual_seed(0)
    model = create_model("resnet20")
    loss, accuracy = evaluate(model, data.test_images, data.test_labels, batch_size=17)
    assert not model.training
    losses, right = [], 0
    mean, std = np.array(datasets.MEAN), np.array(datasets.STD)
    for image, label in zip(data.test_images.numpy(), data.test_labels.numpy()):
        x = ((image / 255 - mean[:, None, None]) / std[:, None, None])[None]
        with torch.no_grad():
            logits = model(torch.tensor(x, dtype=torch.float32))[0].double().numpy()
        losses.append(np.log(np.exp(logits).sum()) - logits[label])
        right += logits.argmax() == label
    assert loss == pytest.approx(np.mean(losses), rel=1e-5)
    assert accuracy == pytest.approx(right / 40)


def test_the_loss_is_that_of_smoothed_labels_on_augmented_images(data, monkeypatch):
    """One step of one batch, computed apart: the targets by hand, the augmented images by slicing."""
    monkeypatch.setattr(training, "precision", lambda device: torch.float32)
    one = data.subset(train=16)
    run = train(replace(TINY, epochs=1, sizes=((0.0, 32),), label_smoothing=0.3), data=one, progress=False)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(16, generator=generator)
    padded = datasets.pad(one.train_images)[order]
    shifts = draw_shifts(16, padded.shape[2] - 31, generator).tolist()
    crops = torch.stack([x[:, top : top + 32, left : left + 32] for x, (top, left, _) in zip(padded, shifts)])
    mirrored = torch.randint(2, (16,), generator=torch.Generator().manual_seed(0))[order]
    crops = torch.where(mirrored[:, None, None, None] == 1, crops.flip(3), crops)
    torch.manual_seed(0)
    model = create_model("se_resnet20", reduction=4)
    log_p = model(datasets.normalize(crops)).log_softmax(1).double()
    targets = 0.7 * nn.functional.one_hot(one.train_labels[order], 10) + 0.3 / 10
    assert run.history[0]["train_loss"] == pytest.approx(-(targets * log_p).sum(1).mean().item(), rel=1e-5)


# ---- Precision


def test_precision_of_a_cpu_is_bfloat16_where_the_processor_computes_it(monkeypatch):
    cpu = torch.device("cpu")
    for flags, dtype in {
        "fpu sse avx512_bf16 avx2": torch.bfloat16,
        "amx_bf16": torch.bfloat16,
        "avx2 avx512f": torch.float32,
        "": torch.float32,
    }.items():
        monkeypatch.setattr(training, "_cpuinfo", lambda key, flags=flags: flags)
        assert training.precision(cpu) == dtype


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_precision_is_that_of_the_forward_pass_alone(data, tmp_path, monkeypatch, dtype):
    """float16 scales the loss, as on older GPUs; the scale is part of the checkpoint."""
    seen = set()

    def watched(*args, **kwargs):
        model = create_model(*args, **kwargs)
        model.layer1[0].conv1.register_forward_hook(lambda conv, args, out: seen.add((conv.training, out.dtype)))
        return model

    monkeypatch.setattr(training, "create_model", watched)
    monkeypatch.setattr(training, "precision", lambda device: dtype)
    run = train(TINY, data=data, out=tmp_path, progress=False)
    assert seen == {(True, dtype), (False, torch.float32)}  # testing is always in float32
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in run.model.parameters())
    assert run.about["precision"] == str(dtype).removeprefix("torch.")
    scale = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["scaler"]
    assert bool(scale) == (dtype == torch.float16)
    again = train(TINY, data=data, out=tmp_path, resume=True, progress=False)
    assert torch.equal(weights(again.model), weights(run.model))


# ---- Command line


@pytest.fixture
def tiny_cli(data, monkeypatch):
    monkeypatch.setattr(training.datasets, "load", lambda name: data.subset(train=16))


def test_command_line_trains_and_records_itself(tiny_cli, tmp_path, capsys):
    line = f"--model resnet20 --model-option zero_init_residual=true --epochs 1 --seed 4 --out {tmp_path}"
    training.main(line.split())
    about, row = read_history(tmp_path)
    assert about["command"] == f"python -m senet_edu.train {line}"
    assert about["recipe"]["seed"] == 4 and about["recipe"]["model_options"] == {"zero_init_residual": True}
    out = capsys.readouterr().out
    assert f"Test accuracy {row['test_accuracy']:.2%}" in out and str(tmp_path / "model.safetensors") in out


def test_command_line_starts_from_a_recipe(tiny_cli, tmp_path, capsys):
    training.main(f"--recipe colab --epochs 1 --batch-size 8 --cutout 4 --out {tmp_path}".split())
    found = read_history(tmp_path)[0]["recipe"]
    expected = replace(RECIPES["colab"].recipe, epochs=1, batch_size=8, cutout=4)
    assert found == json.loads(json.dumps({f.name: getattr(expected, f.name) for f in fields(Recipe)}))
    training.main(f"--recipe fast --model resnet20 --no-compile --epochs 1 --batch-size 8 --out {tmp_path}".split())
    assert read_history(tmp_path)[0]["recipe"]["compile"] is False
    training.main(f"--recipe colab --model resnet20 --epochs 1 --batch-size 8 --out {tmp_path}".split())
    assert read_history(tmp_path)[0]["recipe"]["model_options"] == {}  # r is no option of the plain network


def test_command_line_prints_a_profile_and_keeps_nothing(tiny_cli, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    training.main("--profile --model resnet20 --batch-size 4".split())
    assert "backward pass" in capsys.readouterr().out and not list(tmp_path.iterdir())
    with pytest.raises(SystemExit):
        training.main([])
    assert "required: --out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options, message",
    [
        (["--model", "se_resnet21"], "did you mean .*se_resnet20"),
        (["--epochs", "0"], "epochs .* cannot be 0"),
        (["--lr", "1e30"], "train anew with a lower lr"),
        (["--out", "/dev/null/x"], "/dev/null"),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
        (["--model-option", "colour=3"], "se_resnet20 cannot be built with .*colour"),
        (["--model-option", "reduction=abc"], "se_resnet20 cannot be built with .*abc"),
        (["--label-smoothing", "2"], "label_smoothing .* cannot be 2"),
    ],
)
def test_command_line_says_what_is_wrong_in_a_line(tiny_cli, tmp_path, options, message):
    with pytest.raises(SystemExit, match=message):
        training.main(["--epochs", "2", "--out", str(tmp_path), *options])


def test_command_line_says_after_ctrl_c_how_to_go_on(tiny_cli, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "crop_flip", interrupt)
    with pytest.raises(SystemExit, match="--resume"):
        training.main(["--out", str(tmp_path)])


def test_model_options_are_json_or_strings():
    assert training.parse_option("reduction=4") == ("reduction", 4)
    assert training.parse_option("bias=true") == ("bias", True)
    assert training.parse_option("placement=pre") == ("placement", "pre")
    for wrong in ("reduction", "=4"):
        with pytest.raises(argparse.ArgumentTypeError, match="NAME=VALUE"):
            training.parse_option(wrong)


def test_help_explains_every_option(capsys):
    with pytest.raises(SystemExit):
        training.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for f in fields(Recipe):
        if f.name not in ("model_options", "sizes"):
            assert f"{f.metadata['why']} ({f.default})" in text

"""A whole run: what it returns and leaves as it found it, what it measures, and how it fails."""

from __future__ import annotations

import math
import random
import re
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from training_tools import SIDE, STEPS, TINY, interrupt, read_history, weights, without_time

from senet_edu import data as datasets
from senet_edu import machine
from senet_edu.data import ImageData, draw_shifts
from senet_edu.resnet import create_model
from senet_edu.train import Recipe, Run, evaluate, profile_steps, train
from senet_edu.train import step as steps
from senet_edu.train.loop import hold_out
from senet_edu.train.profile import PARTS

# ---- What a run leaves behind


def test_run_returns_the_model_the_facts_and_a_row_an_epoch(unbroken: tuple[Path, Run]) -> None:
    out, run = unbroken
    assert not run.model.training
    assert [row["epoch"] for row in run.history] == [1, 2]
    for row in run.history:
        assert row["size"] == 8
        assert row["train_loss"] > 0 and row["test_loss"] > 0
        assert 0 <= row["train_accuracy"] <= 1 and 0 <= row["test_accuracy"] <= 1
        images, half = STEPS * TINY.batch_size, 0.005  # seconds are rounded to hundredths
        assert images / (row["seconds"] + half) <= row["images_per_second"] + 0.1
        assert row["images_per_second"] - 0.1 <= images / max(row["seconds"] - half, 1e-9)


def test_history_file_has_the_facts_and_then_a_line_an_epoch(unbroken: tuple[Path, Run]) -> None:
    out, run = unbroken
    about, *rows = read_history(out)
    assert rows == run.history
    assert about["recipe"]["model"] == "se_resnet8" and about["recipe"]["seed"] == 0
    assert set(about["recipe"]) == {f.name for f in fields(Recipe)}
    assert about["data"] == {"name": "procedural", "train": 53, "test": 40}
    assert about["versions"]["python"] == sys.version.split()[0] and about["versions"]["torch"] == torch.__version__
    assert about["hardware"] and about["precision"] in ("float32", "bfloat16", "float16")
    assert about["command"] == "the command" and about["threads"] == torch.get_num_threads()
    (session,) = about["sessions"]
    assert session.pop("from_epoch") == 1
    assert session == {key: about[key] for key in session} and set(about) - set(session) == {
        "recipe",
        "data",
        "sessions",
    }
    assert session["revision"] == machine.revision()


def test_weights_file_has_the_weights(unbroken: tuple[Path, Run]) -> None:
    out, run = unbroken
    model = create_model("se_resnet8", reduction=4)
    model.load_state_dict(load_file(out / "model.safetensors"))
    assert torch.equal(weights(model), weights(run.model))
    assert sorted(path.name for path in out.iterdir()) == ["checkpoint.pt", "history.jsonl", "model.safetensors"]


def test_no_folder_no_files(data: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    train(replace(TINY, epochs=1), data=data, progress=False)
    assert not list(tmp_path.iterdir())


def test_on_epoch_and_eval_every(data: ImageData) -> None:
    rows: list[dict] = []
    run = train(replace(TINY, epochs=3), data=data, eval_every=2, on_epoch=rows.append, progress=False)
    assert rows == run.history
    assert ["test_accuracy" in row for row in rows] == [False, True, True]  # every second, and always the last
    for wrong in (0, 1.5, True):
        with pytest.raises(ValueError, match="eval_every"):
            train(TINY, data=data, eval_every=wrong)


def test_on_step_comes_before_the_first_step_and_after_each(data: ImageData) -> None:
    seen = []
    train(TINY, data=data, progress=False, on_step=lambda step, model: seen.append((step, model.training)))
    assert seen == [(step, True) for step in range(2 * STEPS + 1)]


def test_the_bar_counts_steps_and_shows_loss_and_accuracy(data: ImageData, capfd: pytest.CaptureFixture) -> None:
    run = train(replace(TINY, epochs=1), data=data)
    shown = capfd.readouterr().err
    row = run.history[0]
    assert "se_resnet8" in shown and "3/3" in shown
    assert f"acc={100 * row['train_accuracy']:.1f} %, epoch=1, loss={row['train_loss']:.3f}" in shown


# ---- What it leaves as it found it


def test_same_seed_same_weights_and_another_seed_others(data: ImageData, unbroken: tuple[Path, Run]) -> None:
    _, run = unbroken
    again = train(TINY, data=data, progress=False)
    assert torch.equal(weights(again.model), weights(run.model))
    assert without_time(again.history) == without_time(run.history)
    other = train(replace(TINY, seed=1), data=data, progress=False)
    assert not torch.equal(weights(other.model), weights(run.model))


def state_of_everything() -> list:
    cudnn = torch.backends.cudnn
    return [random.getstate(), np.random.get_state()[1].tolist(), cudnn.benchmark, cudnn.allow_tf32]


def test_the_callers_random_numbers_and_settings_stay(data: ImageData, tmp_path: Path) -> None:
    torch.manual_seed(11)
    torch.rand(3)
    before, expected = torch.get_rng_state(), state_of_everything()
    train(TINY, data=data, out=tmp_path, progress=False)
    assert torch.equal(torch.get_rng_state(), before) and state_of_everything() == expected
    with pytest.raises(FloatingPointError):
        train(replace(TINY, lr=1e30), data=data, progress=False)
    assert torch.equal(torch.get_rng_state(), before) and state_of_everything() == expected


def test_settings_are_those_of_training_and_of_testing_while_it_lasts(data: ImageData, monkeypatch) -> None:
    """Algorithms are tried out in training; what is called float32 is not TF32."""
    seen = set()

    def watched(*args: object, **options: object) -> nn.Module:
        model = create_model(*args, **options)
        cudnn = torch.backends.cudnn
        model.register_forward_hook(lambda m, a, out: seen.add((m.training, cudnn.benchmark, cudnn.allow_tf32)))
        return model

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(steps, "create_model", watched)
    train(TINY, data=data, progress=False)
    assert seen == {(True, True, True), (False, True, False)}
    assert torch.backends.cudnn.allow_tf32


def test_evaluate_puts_the_mode_of_every_module_back(data: ImageData) -> None:
    model = create_model("resnet8").train()
    model.layer2.eval()
    before = [module.training for module in model.modules()]
    evaluate(model, data.test_images, data.test_labels)
    assert [module.training for module in model.modules()] == before


# ---- What is measured


def test_evaluate_equals_a_loop_over_single_images(data: ImageData) -> None:
    torch.manual_seed(0)
    model = create_model("resnet8").eval()
    loss, accuracy = evaluate(model, data.test_images, data.test_labels, batch_size=17)
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


def test_test_time_flip_is_the_mean_of_two_answers(data: ImageData) -> None:
    model = create_model("resnet8").eval()
    x, y = datasets.normalize(data.test_images), data.test_labels
    with torch.no_grad():
        logits = torch.stack([model(x), model(datasets.normalize(data.test_images.flip(3)))]).mean(0)
    loss, accuracy = evaluate(model, data.test_images, y, batch_size=16, mirror=True)
    assert loss == pytest.approx(nn.functional.cross_entropy(logits, y).item(), rel=1e-5)
    assert accuracy == (logits.argmax(1) == y).double().mean().item()


def test_evaluate_says_what_does_not_fit(data: ImageData) -> None:
    model = create_model("resnet8")
    with pytest.raises(ValueError, match="images must be uint8"):
        evaluate(model, datasets.normalize(data.test_images), data.test_labels)
    with pytest.raises(ValueError, match=r"labels must be int64 \(40,\)"):
        evaluate(model, data.test_images, data.test_labels[:3])
    with pytest.raises(ValueError, match="labels must be from 0 to 9, got 1 to 10"):  # as of another data set
        evaluate(model, data.test_images[:10], torch.arange(1, 11))
    with pytest.raises(ValueError, match="model must be a module, got 'resnet8'"):
        evaluate("resnet8", data.test_images, data.test_labels)
    _, accuracy = evaluate(torch.nn.Flatten(), data.test_images, data.test_labels)  # no parameters, no device
    assert 0 <= accuracy <= 1
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        evaluate(model, data.test_images, data.test_labels, 0)


def test_the_loss_is_that_of_smoothed_labels_on_augmented_images(data: ImageData, monkeypatch) -> None:
    """One step of one batch, computed apart: the targets by hand, the augmented images by slicing."""
    monkeypatch.setattr(machine, "precision", lambda device: torch.float32)
    one = data.subset(train=16)
    run = train(replace(TINY, epochs=1, sizes=((0.0, SIDE),), label_smoothing=0.3), data=one, progress=False)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(16, generator=generator)
    padded = datasets.pad(one.train_images, SIDE // 8)[order]
    shifts = draw_shifts(16, padded.shape[2] - SIDE + 1, generator).tolist()
    crops = torch.stack([x[:, top : top + SIDE, left : left + SIDE] for x, (top, left, _) in zip(padded, shifts)])
    mirrored = torch.randint(2, (16,), generator=torch.Generator().manual_seed(0))[order]
    crops = torch.where(mirrored[:, None, None, None] == 1, crops.flip(3), crops)
    torch.manual_seed(0)
    model = create_model("se_resnet8", reduction=4)
    log_p = model(datasets.normalize(crops)).log_softmax(1).double()
    targets = 0.7 * nn.functional.one_hot(one.train_labels[order], 10) + 0.3 / 10
    assert run.history[0]["train_loss"] == pytest.approx(-(targets * log_p).sum(1).mean().item(), rel=1e-5)


def shown_flips(recipe: Recipe, data: ImageData) -> list[dict[int, int]]:
    """Whether each image is mirrored, epoch by epoch."""
    shared = steps.Shared(data, torch.device("cpu"))
    step = steps.Step(shared, replace(recipe, epochs=2, batch_size=len(data.train_images)))
    tables = [step.draw(epoch) for epoch in range(2)]
    return [dict(zip(t.index[0].tolist(), (t.sign[0] == -1).int().tolist())) for t in tables]


def test_two_epochs_show_every_image_both_ways(data: ImageData) -> None:
    """Alternating flip: what is mirrored in one epoch is not in the next, and half is mirrored at a time."""
    first, second = shown_flips(TINY, data)
    assert first.keys() == second.keys() == set(range(53)) and all(first[i] + second[i] == 1 for i in first)
    assert 0.3 < sum(first.values()) / len(first) < 0.7


def test_a_coin_for_each_flip_shows_half_of_the_images_the_same_way_twice(data: ImageData) -> None:
    first, second = shown_flips(replace(TINY, flip="random"), data)
    assert 0.3 < sum(first[i] == second[i] for i in first) / len(first) < 0.7


def test_cutout_hides_a_square_of_each_training_image(data: ImageData) -> None:
    """A square of 8 with its center in the image shows at least 4 x 4 of it, and at most 8 x 8."""
    shared = steps.Shared(data, torch.device("cpu"))
    whole, cut = (steps.Step(shared, replace(TINY, sizes=((0.0, SIDE),), cutout=cutout)) for cutout in (0, 8))
    for step in (whole, cut):
        step.begin(0)
    before, after = whole.batch()[0], cut.batch()[0]
    hidden = (after == 0).all(1) & (before != 0).any(1)
    assert all(14 <= n <= 64 for n in hidden.sum((1, 2)).tolist())
    assert len({tuple(mask.nonzero()[0].tolist()) for mask in hidden}) > 4  # a place of its own for each
    assert torch.equal(before[~hidden[:, None].expand_as(before)], after[~hidden[:, None].expand_as(after)])


def averaged(model: nn.Module) -> Tensor:
    """Which of `weights(model)` are averaged: all but the counters of the batch norms."""
    return torch.tensor([t.is_floating_point() for t in model.state_dict().values() for _ in range(t.numel())])


@pytest.mark.parametrize("ema_from, first", [(0.0, 1), (0.5, STEPS + 1)])
def test_running_average_of_weights_is_what_is_tested_kept_and_resumed(
    data: ImageData, tmp_path: Path, ema_from: float, first: int
) -> None:
    """Against the average by hand over the weights of its steps: a_0 = w_1, then a_t = 0.9 a + 0.1 w_t."""
    seen: list[Tensor] = []
    recipe = replace(TINY, ema=0.9, ema_from=ema_from)
    run = train(recipe, data=data, progress=False, on_step=lambda step, model: seen.append(weights(model)))
    expected = seen[first]
    for w in seen[first + 1 :]:
        expected = 0.9 * expected + 0.1 * w
    found, where = weights(run.model), averaged(run.model)
    torch.testing.assert_close(found[where], expected[where], atol=1e-5, rtol=1e-4)
    assert not torch.allclose(found[where], seen[-1][where], atol=1e-3)
    loss, accuracy = evaluate(run.model, data.test_images, data.test_labels)
    assert run.history[-1]["test_loss"] == loss and run.history[-1]["test_accuracy"] == accuracy

    with pytest.raises(KeyboardInterrupt):
        train(recipe, data=data, out=tmp_path, progress=False, on_epoch=interrupt)
    average = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["average"]
    assert average["n_averaged"].item() == (STEPS if ema_from == 0 else 0)
    resumed = train(recipe, data=data, out=tmp_path, resume=True, progress=False)
    assert torch.equal(weights(resumed.model), found)
    kept = load_file(tmp_path / "model.safetensors")
    assert all(torch.equal(kept[name], t) for name, t in run.model.state_dict().items())


def test_before_the_average_begins_the_network_itself_is_tested(data: ImageData) -> None:
    late = train(replace(TINY, ema=0.9, ema_from=0.9), data=data, progress=False)  # in no epoch of two
    plain = train(TINY, data=data, progress=False)
    assert torch.equal(weights(late.model), weights(plain.model))
    assert without_time(late.history) == without_time(plain.history)


def test_held_out_images_are_tested_and_never_trained_on(data: ImageData) -> None:
    part = hold_out(data, 10)
    assert len(part.train_labels) == 43 and len(part.test_labels) == 10
    images = {image.numpy().tobytes() for image in data.train_images}
    trained, tested = ({image.numpy().tobytes() for image in x} for x in (part.train_images, part.test_images))
    assert trained | tested == images and not trained & tested
    assert torch.equal(hold_out(data, 10).test_images, part.test_images)  # the same for every seed
    recipe = replace(TINY, epochs=1, holdout=10)
    run = train(recipe, data=data, progress=False)
    assert run.about["data"] == {"name": "procedural", "train": 43, "test": 10}
    assert run.about["recipe"]["holdout"] == 10
    other = train(recipe, data=replace(data, test_images=255 - data.test_images), progress=False)
    assert without_time(other.history) == without_time(run.history)
    assert run.history[0]["test_accuracy"] == evaluate(run.model, part.test_images, part.test_labels)[1]
    with pytest.raises(ValueError, match="holdout must be .*at most 52, got 53"):
        train(replace(recipe, holdout=53), data=data, progress=False)


def test_padding_is_that_of_images_of_32(data: ImageData) -> None:
    for padding, wide in ((0, SIDE), (2, SIDE + 2), (4, SIDE + 4)):
        assert steps.Shared(data, torch.device("cpu"), padding).wide == wide
    narrow = train(replace(TINY, epochs=1, padding=0), data=data, progress=False)
    assert not torch.equal(weights(narrow.model), weights(train(replace(TINY, epochs=1), data=data).model))


# ---- Failures


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_checkpoint(data: ImageData, tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"se_resnet8 became (nan|inf) in epoch 1: .*lower lr than 1e\+30"):
        train(replace(TINY, lr=1e30), data=data, out=tmp_path / "a", progress=False)

    def poison(step: int, model: nn.Module) -> None:
        if step == STEPS + 1:
            model.conv1.weight.data.fill_(math.nan)

    with pytest.raises(FloatingPointError, match="in epoch 2"):
        train(TINY, data=data, out=tmp_path / "b", on_step=poison, progress=False)
    assert len(torch.load(tmp_path / "b" / "checkpoint.pt", weights_only=True)["history"]) == 1


@pytest.mark.parametrize("epoch, eval_every", [(2, 1), (1, 2)], ids=["tested", "not tested"])
def test_weights_that_the_last_step_of_an_epoch_ruins_are_not_kept(
    data: ImageData, tmp_path: Path, epoch: int, eval_every: int
) -> None:
    """The loss is computed before the step, so it says nothing of that one. A test does, where there is one."""

    def ruin(step: int, model: nn.Module) -> None:
        if step == epoch * STEPS:
            model.layer1[0].conv1.weight.data[0] = math.inf

    with pytest.raises(FloatingPointError, match=f"weights of se_resnet8 went out of range in epoch {epoch}"):
        train(TINY, data=data, out=tmp_path, on_step=ruin, eval_every=eval_every, progress=False)
    assert len(read_history(tmp_path)) == epoch and not (tmp_path / "model.safetensors").exists()
    assert (tmp_path / "checkpoint.pt").exists() == (epoch == 2)


def test_momentum_is_whole_where_float16_overflows_in_the_first_step(data: ImageData, monkeypatch) -> None:
    """The scaler skips such a step. The weights are then those of the steps after it, as if it had not been."""
    monkeypatch.setattr(machine, "precision", lambda device: torch.float16)
    seen: list[Tensor] = []

    class Overflows(torch.amp.GradScaler):
        def scale(self, loss: Tensor) -> Tensor:
            return super().scale(loss) * (math.inf if not seen else 1)

    monkeypatch.setattr(torch.amp, "GradScaler", Overflows)
    train(TINY, data=data, progress=False, on_step=lambda step, model: step and seen.append(weights(model)))
    assert all(w.isfinite().all() for w in seen)
    assert max(w.abs().max() for w in seen) < 100


def test_what_is_no_recipe_or_no_network_is_named(data: ImageData) -> None:
    with pytest.raises(ValueError, match="recipe must be a Recipe, .*got 'laptop'"):
        train("laptop")
    with pytest.raises(ValueError, match="did you mean .*se_resnet20"):
        train(replace(TINY, model="se_resnet21"), data=data)
    with pytest.raises(ValueError, match="se_resnet8 cannot be built with .*colour"):
        train(replace(TINY, model_options={"colour": 3}), data=data)
    for option, value in {"num_classes": 7, "in_channels": 1, "features_only": True}.items():
        with pytest.raises(ValueError, match=f"model_options must not hold {option!r}, which the images decide"):
            train(replace(TINY, model_options={option: value}), data=data)


# ---- Precision, profile


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_precision_is_that_of_the_forward_pass_alone(data: ImageData, tmp_path: Path, monkeypatch, dtype) -> None:
    """float16 scales the loss, as on older GPUs; the scale is part of the checkpoint."""
    seen = set()

    def watched(*args: object, **kwargs: object) -> nn.Module:
        model = create_model(*args, **kwargs)
        model.layer1[0].conv1.register_forward_hook(lambda conv, args, out: seen.add((conv.training, out.dtype)))
        return model

    monkeypatch.setattr(steps, "create_model", watched)
    monkeypatch.setattr(machine, "precision", lambda device: dtype)
    run = train(TINY, data=data, out=tmp_path, progress=False)
    assert seen == {(True, dtype), (False, torch.float32)}  # testing is always in float32
    assert all(p.dtype == torch.float32 and p.isfinite().all() for p in run.model.parameters())
    assert run.about["precision"] == str(dtype).removeprefix("torch.")
    scale = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["scaler"]
    assert bool(scale) == (dtype == torch.float16)
    again = train(TINY, data=data, out=tmp_path, resume=True, progress=False)
    assert torch.equal(weights(again.model), weights(run.model))


def test_profile_says_where_the_time_goes(data: ImageData) -> None:
    text = profile_steps(TINY, data, steps=2)
    assert "2 steps of 16 images" in text and "convolution" in text
    shares = [int(share) for share in re.findall(r"ms a step +(\d+) %", text)]
    assert len(shares) == len(PARTS) and abs(sum(shares) - 100) <= 2 and shares[1] > 5 and shares[2] > 5
    assert "1 steps of 53 images" in profile_steps(replace(TINY, batch_size=1000, holdout=9), data, steps=2)
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        profile_steps(TINY, data, steps=0)

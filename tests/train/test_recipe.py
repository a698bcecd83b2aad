"""Recipes: what they refuse, how they grow, and the rates and groups that follow from them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import asdict, fields, replace

import numpy as np
import pytest
import torch
from old_loop import FIELDS
from torch import nn
from training_tools import TINY

from senet_edu.resnet import create_model
from senet_edu.se import SEBlock
from senet_edu.train import RECIPES, Recipe, make_optimizer, make_scheduler, read_recipe
from senet_edu.train.optimizer import one_cycle
from senet_edu.train.recipe import differences


@pytest.mark.parametrize(
    "name, value",
    [
        ("model", ""),
        ("model", 20),
        ("model_options", [4]),
        ("model_options", {4: 4}),
        ("data", None),
        ("epochs", 0),
        ("epochs", True),
        ("epochs", 2.5),
        ("batch_size", -1),
        ("batch_size", "16"),
        ("lr", 0.0),
        ("lr", math.nan),
        ("lr", math.inf),
        ("lr", None),
        ("warmup", 0.0),
        ("warmup", 1.5),
        ("momentum", 1.0),
        ("momentum", False),
        ("weight_decay", -1e-4),
        ("weight_decay", math.inf),
        ("label_smoothing", 2.0),
        ("sizes", ()),
        ("sizes", 32),
        ("sizes", ((0.0,),)),
        ("sizes", ((0.5, 16),)),
        ("sizes", ((0.0, 0),)),
        ("sizes", ((0.0, -3),)),
        ("sizes", ((0.0, 16.0),)),
        ("sizes", ((0.0, 16), (1.5, 32))),
        ("sizes", ((0.0, 16), (math.nan, 32))),
        ("sizes", ((0.0, 16), (0.0, 32))),
        ("sizes", ((0.0, 16), (0.7, 32), (0.5, 24))),
        ("flip", "sometimes"),
        ("flip", None),
        ("cutout", -1),
        ("cutout", 1.5),
        ("ema", 1.0),
        ("ema", math.nan),
        ("compile", 1),
        ("seed", -1),
        ("seed", 2**32),
        ("seed", 0.0),
        ("holdout", -1),
        ("padding", 1.5),
        ("bn_shift_lr", 0.0),
        ("ema_from", 1.0),
    ],
)
def test_a_recipe_out_of_range_names_the_entry_and_the_value(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{name} \(.*{re.escape(repr(value))}"):
        Recipe(**{name: value})


def test_every_entry_is_checked_and_has_a_reason() -> None:
    for f in fields(Recipe):
        assert f.metadata["why"] and callable(f.metadata["check"])


def test_lists_from_a_file_are_the_tuples_they_were() -> None:
    recipe = replace(RECIPES["laptop"].recipe, lr=1)
    assert read_recipe(json.loads(json.dumps(asdict(recipe)))) == recipe
    assert Recipe(sizes=[[0, 16], [0.5, 32]]).sizes == ((0.0, 16), (0.5, 32))


def test_a_recipe_from_before_an_entry_was_there_is_the_same_recipe() -> None:
    """A later entry's default means "as before". So runs that are stored without it stay what they were."""
    for named in RECIPES.values():
        then = {name: value for name, value in asdict(named.recipe).items() if name in FIELDS}
        assert set(then) == set(FIELDS) < {f.name for f in fields(Recipe)}
        neutral = {f.name: f.default for f in fields(Recipe) if f.name not in FIELDS}
        assert read_recipe(then) == replace(named.recipe, **neutral)
    with pytest.raises(ValueError, match="the recipe has entries that this version does not know: gravity"):
        read_recipe(asdict(TINY) | {"gravity": 9.81})
    with pytest.raises(ValueError, match="the recipe lacks lr, seed"):
        read_recipe({name: value for name, value in asdict(TINY).items() if name not in ("lr", "seed")})
    with pytest.raises(ValueError, match="^lr .* got -1"):
        read_recipe(asdict(TINY) | {"lr": -1})


def test_differences_are_told_entry_by_entry() -> None:
    assert differences(TINY, TINY) == []
    assert differences(TINY, replace(TINY, lr=0.5, seed=3)) == ["lr was 0.25 and is now 0.5", "seed was 0 and is now 3"]


def test_every_entry_of_a_named_recipe_has_a_reason() -> None:
    for name, named in RECIPES.items():
        default = Recipe()
        differ = {f.name for f in fields(Recipe) if getattr(named.recipe, f.name) != getattr(default, f.name)}
        assert set(named.why) == differ, name
        assert named.measured.startswith("not measured") or "%" in named.measured
        create_model(named.recipe.model, **named.recipe.model_options)


def test_progressive_sizes_change_at_their_share_of_the_epochs() -> None:
    third = Recipe(epochs=10, sizes=((0.0, 16), (1 / 3, 24), (0.75, 32)))  # a share that falls within an epoch
    assert [third.size_at(epoch) for epoch in range(10)] == [16] * 4 + [24] * 4 + [32] * 2


def test_the_average_goes_on_from_its_share_of_the_epochs() -> None:
    recipe = Recipe(epochs=5, ema=0.9, ema_from=0.5)
    assert [recipe.averages_at(epoch) for epoch in range(5)] == [False, False, False, True, True]
    assert not any(replace(recipe, ema=0.0).averages_at(epoch) for epoch in range(5))


@pytest.mark.parametrize("attention", ["se", "cbam"])
def test_weight_decay_leaves_norms_biases_and_gates_alone(attention: str) -> None:
    model = create_model("se_resnet20", attention=attention)
    groups = make_optimizer(model, Recipe()).param_groups
    decay = {parameter: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert len(decay) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        followed_by_norm_or_last = re.search(r"(conv\d|downsample\.0|fc)\.weight$", name) and ".se." not in name
        assert decay[parameter] == (5e-4 if followed_by_norm_or_last else 0.0), name


@pytest.mark.parametrize("model", [SEBlock(16), nn.Sequential(nn.Conv2d(3, 16, 3), SEBlock(16))], ids=["alone", "last"])
@pytest.mark.parametrize("wrapped", [lambda model: model, lambda model: torch.compile(model, backend="eager")])
def test_gates_of_a_block_alone_or_of_a_wrapped_network_do_not_decay(wrapped: Callable, model: nn.Module) -> None:
    """Blocks are named as the reader knows them, which is not always a path to a module."""
    decaying = make_optimizer(wrapped(model), Recipe()).param_groups[0]
    assert decaying["weight_decay"] == 5e-4
    assert [p.shape for p in decaying["params"]] == [p.shape for p in model.parameters() if p.ndim == 4]


def test_shifts_of_batch_norms_can_have_a_rate_of_their_own() -> None:
    model = create_model("se_resnet8", reduction=4, bias=True)
    groups = make_optimizer(model, Recipe(bn_shift_lr=8.0)).param_groups
    times = {parameter: group["times"] for group in groups for parameter in group["params"]}
    assert len(times) == sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        shift = re.search(r"(bn\d|downsample\.1)\.bias$", name)
        assert times[parameter] == (8.0 if shift else 1.0), name


@pytest.mark.parametrize("warmup", [0.2, 0.37])
@pytest.mark.parametrize(
    "epochs, steps", [(1, 1), (1, 2), (1, 3), (2, 1), (1, 7), (3, 5), (10, 7), (15, 97), (100, 97)]
)
def test_the_rates_are_those_of_pytorchs_scheduler_to_the_last_bit(epochs: int, steps: int, warmup: float) -> None:
    recipe = Recipe(epochs=epochs, lr=0.4, warmup=warmup, bn_shift_lr=2.0)
    optimizer = make_optimizer(nn.Sequential(nn.Linear(1, 1), nn.BatchNorm2d(1)), recipe)
    scheduler = make_scheduler(optimizer, recipe, steps)
    rates = []
    for _ in range(epochs * steps):
        rates.append(optimizer.param_groups[0]["lr"])
        assert 0 < rates[-1] <= 0.4 and optimizer.param_groups[2]["lr"] == pytest.approx(2 * rates[-1])
        optimizer.step()
        scheduler.step()
    assert one_cycle(recipe, steps) == rates
    assert rates[0] == pytest.approx(0.4 / 25)  # also in the tiniest run, which has one step to rise


def test_learning_rate_rises_to_the_peak_and_falls_to_zero_on_straight_lines() -> None:
    recipe, steps = Recipe(epochs=10, lr=0.5, warmup=0.3), 7
    rates = one_cycle(recipe, steps)
    peak = 0.3 * (recipe.epochs * steps + 1) - 1
    assert rates == pytest.approx(np.interp(range(len(rates)), [0, peak, len(rates)], [0.5 / 25, 0.5, 0]), abs=1e-5)


def test_momentum_begins_at_zero_and_is_there_before_the_first_step() -> None:
    model = create_model("resnet8")
    optimizer = make_optimizer(model, Recipe())
    assert all(torch.equal(optimizer.state[p]["momentum_buffer"], torch.zeros_like(p)) for p in model.parameters())

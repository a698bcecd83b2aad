"""The lamp: the task, the networks, training, and what gates do there."""

from __future__ import annotations

import pytest
import torch

from senet_edu import lamp, record_gates
from senet_edu.gates import find_gates
from senet_edu.relatives import ATTENTION


@pytest.fixture(scope="module")
def pair() -> dict[str, torch.nn.Module]:
    """Both networks after 150 steps on the same pictures."""
    torch.set_num_threads(1)
    nets = {"plain": lamp.network(None, channels=18), "se": lamp.network("se", reduction=2)}
    for net in nets.values():
        lamp.train(net, steps=150)
    return nets


def test_pictures_are_tiles_under_a_lamp() -> None:
    seen, true, color = lamp.pictures(50, 1)
    assert seen.shape == true.shape == (50, 3, 36, 36) and color.shape == (50, 3, 1, 1)
    assert torch.equal(seen, true * color)
    blocks = true.unfold(2, 6, 6).unfold(3, 6, 6).flatten(4)  # (N, 3, 6, 6, 36)
    assert torch.equal(blocks.amin(4), blocks.amax(4))
    assert 0.2 <= color.min() < 0.25 and 0.95 < color.max() <= 1
    assert abs(true.mean() - 0.5) < 0.01


def test_pictures_follow_their_seed_and_leave_the_global_state() -> None:
    state = torch.random.get_rng_state()
    assert torch.equal(lamp.pictures(3, 7).seen, lamp.pictures(3, 7).seen)
    assert not torch.equal(lamp.pictures(3, 7).seen, lamp.pictures(3, 8).seen)
    lamp.network(seed=4)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_cures_by_hand() -> None:
    on = lamp.held_out()
    errors = [
        (cure(on.seen) - on.true).abs().mean().item() for cure in (torch.clone, lamp.gray_world, lamp.white_patch)
    ]
    assert errors == pytest.approx([0.200, 0.038, 0.0135], abs=0.001)
    flat = torch.full((1, 3, 4, 4), 0.2) * torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1)
    assert torch.allclose(lamp.gray_world(flat), torch.full((1, 3, 4, 4), 0.5))
    assert torch.allclose(lamp.white_patch(flat), torch.ones(1, 3, 4, 4))
    assert lamp.gray_world(torch.zeros(1, 3, 4, 4)).isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        ({"attention": None}, 3203),
        ({"attention": None, "channels": 18}, 3927),
        ({"attention": None, "channels": 32}, 11011),
        ({"reduction": 2}, 3715),
        ({"reduction": 2, "layers": (2,)}, 3459),
        ({"attention": "constant"}, 3235),
    ],
)
def test_networks_have_so_many_weights(arguments: dict, parameters: int) -> None:
    assert sum(p.numel() for p in lamp.network(**arguments).parameters()) == parameters


@pytest.mark.parametrize("attention", [*ATTENTION, "constant"])
def test_every_relative_fits(attention: str) -> None:
    net = lamp.network(attention)
    assert net(torch.rand(2, 3, 36, 36)).shape == (2, 3, 36, 36)
    assert {name.partition(".")[0] for name in find_gates(net)} == {"se1", "se2"}


def test_placements_put_the_block_there() -> None:
    order = {name: [part for part, _ in lamp.network(placement=name).named_children()] for name in lamp.PLACEMENTS}
    assert order["standard"] == ["conv1", "se1", "relu1", "conv2", "se2", "relu2", "conv3"]
    assert order["pre"] == ["se1", "conv1", "relu1", "se2", "conv2", "relu2", "conv3"]
    assert order["post"] == ["conv1", "relu1", "se1", "conv2", "relu2", "se2", "conv3"]
    assert lamp.network(placement="pre", reduction=2).se1.channels == 3


def test_a_seed_says_the_weights_and_a_gate_leaves_those_of_the_first_convolution() -> None:
    assert torch.equal(lamp.network(seed=1).conv3.weight, lamp.network(seed=1).conv3.weight)
    assert not torch.equal(lamp.network(seed=1).conv1.weight, lamp.network(seed=2).conv1.weight)


def test_two_networks_see_the_same_pictures() -> None:
    def seen_by(channels: int) -> list[torch.Tensor]:
        net, seen = lamp.network(None, channels=channels), []
        net.conv1.register_forward_pre_hook(lambda module, args: seen.append(args[0].clone()))
        lamp.train(net, seed=5, steps=3)
        return seen

    assert all(map(torch.equal, seen_by(4), seen_by(6)))


def test_training_says_its_losses() -> None:
    steps: list[tuple[int, float]] = []
    losses = lamp.train(lamp.network(None), steps=3, on_step=lambda step, loss: steps.append((step, loss)))
    assert steps == list(enumerate(losses, 1))


def test_se_wins_and_its_gates_are_why(pair: dict[str, torch.nn.Module]) -> None:
    plain, own = lamp.error(pair["plain"]), lamp.error(pair["se"])
    assert own < 0.8 * plain
    assert lamp.error(pair["se"], gates="frozen") > 1.6 * own
    assert lamp.error(pair["se"], gates="swapped") > 2 * own


def test_training_widens_the_swing_of_the_gates(pair: dict[str, torch.nn.Module]) -> None:
    assert lamp.swing(lamp.network("se", reduction=2)) < 0.06 < 0.1 < lamp.swing(pair["se"])
    assert lamp.swing(pair["plain"]) == 0


def test_a_constant_gate_is_frozen_already() -> None:
    net = lamp.network("constant")
    assert lamp.error(net) == pytest.approx(lamp.error(net, gates="frozen"))
    assert lamp.swing(net) == 0


def test_replaced_gates() -> None:
    net, seen = lamp.network("se", reduction=2), lamp.held_out(4).seen
    with record_gates(net) as own:
        net(seen)
    frozen, swapped = (lamp.replaced(net, seen, how) for how in ("frozen", "swapped"))
    assert torch.equal(frozen["se1"], own["se1"].mean(0, keepdim=True))
    assert torch.equal(swapped["se2"], own["se2"][[3, 0, 1, 2]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lamp.pictures(0), "count must be at least 1, got 0"),
        (lambda: lamp.network(channels=0), "channels must be at least 1, got 0"),
        (lambda: lamp.network(placement="behind"), "placement must be one of standard, pre, post; got 'behind'"),
        (lambda: lamp.network(layers=(3,)), r"layers must be of 1 and 2, got \(3,\)"),
        (lambda: lamp.network(None, reduction=2), "a plain network takes no options, got reduction"),
        (lambda: lamp.network("sea"), "did you mean 'se'"),
        (lambda: lamp.train(lamp.network(), steps=0), "steps must be at least 1, got 0"),
        (lambda: lamp.train(lamp.network(), rate=0), "rate must be more than 0, got 0"),
        (lambda: lamp.error(lamp.network(), gates="mine"), "gates must be one of own, frozen, swapped; got 'mine'"),
        (lambda: lamp.error(lamp.network(None), gates="frozen"), "has no SE block"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_a_rate_that_is_too_high_is_said() -> None:
    net = lamp.network(None)
    with torch.no_grad():
        net.conv3.weight.fill_(float("inf"))
    with pytest.raises(ValueError, match="no longer finite at step 1"):
        lamp.train(net, steps=2)

"""The gates of networks of other libraries, found by what the blocks do."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torchvision.models as tv
from torch import Tensor, nn

from senet_edu import SEBlock, create_model, fold_gates, insert_se, override_gates, record_gates
from senet_edu.audit import audit
from senet_edu.cost import se_cost
from senet_edu.gates import find_blocks, find_gates
from senet_edu.interop import _WithGates


def of_torchvision(name: str) -> nn.Module:
    return tv.get_model(name, weights=None)


def of_timm(name: str) -> nn.Module:
    timm = pytest.importorskip("timm", reason="timm is needed to look into its networks")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return timm.create_model(name)


def of_pytorchcv(name: str) -> nn.Module:
    provider = pytest.importorskip("pytorchcv.model_provider", reason="pytorchcv is needed to look into its networks")
    return provider.get_model(name, pretrained=False)


def of_transformers(name: str) -> nn.Module:
    library = pytest.importorskip("transformers", reason="transformers is needed to look into its networks")
    if name == "regnet":
        config = library.RegNetConfig(
            embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], groups_width=4
        )
        return library.RegNetModel(config)
    config = library.EfficientNetConfig(width_coefficient=0.5, depth_coefficient=0.5, hidden_dim=640, image_size=64)
    return library.EfficientNetModel(config)


def of_monai(name: str) -> nn.Module:
    nets = pytest.importorskip("monai.networks.nets", reason="MONAI is needed to look into its networks")
    return getattr(nets, name)(spatial_dims=2, in_channels=3, num_classes=2)


def of_smp(name: str) -> nn.Module:
    library = pytest.importorskip("segmentation_models_pytorch", reason="it is needed to look into its networks")
    return library.Unet(name, encoder_weights=None)


WITH_SE = [
    (of_torchvision, "mobilenet_v3_small", 9),
    (of_torchvision, "mobilenet_v3_large", 8),
    (of_torchvision, "efficientnet_b0", 16),
    (of_torchvision, "regnet_y_400mf", 16),
    (of_timm, "seresnet18", 8),
    (of_timm, "seresnext26ts", 8),
    (of_timm, "legacy_seresnet18", 8),
    (of_timm, "efficientnet_b0", 16),
    (of_timm, "regnety_002", 13),
    (of_timm, "mobilenetv3_small_050", 9),
    (of_timm, "ghostnet_100", 7),
    (of_timm, "ecaresnet26t", 8),
    (of_timm, "ese_vovnet19b_dw", 4),
    (of_timm, "eca_nfnet_l0", 12),
    (of_timm, "semnasnet_075", 8),
    (of_timm, "rexnet_100", 13),
    (of_pytorchcv, "seresnet18", 8),
    (of_pytorchcv, "seresnet20_cifar10", 9),
    (of_pytorchcv, "mobilenetv3_small_w7d20", 9),
    (of_pytorchcv, "mnasnet_small", 10),
    (of_pytorchcv, "sepreresnet18", 8),
    (of_pytorchcv, "cbam_resnet18", 8),  # its channel gates
    (of_transformers, "regnet", 4),
    (of_transformers, "efficientnet", 10),
    (of_monai, "SEResNet50", 16),
    (of_smp, "se_resnet50", 16),
    (of_smp, "timm-efficientnet-b0", 16),
]
WITHOUT_SE = [
    (of_torchvision, "resnet18"),
    (of_torchvision, "shufflenet_v2_x0_5"),
    (of_torchvision, "densenet121"),
    (of_timm, "convnext_atto"),
    (of_timm, "vit_tiny_patch16_224"),
    (of_timm, "gmlp_ti16_224"),  # has submodules called `gate`: spatial gating units
    (of_timm, "gcresnext26ts"),  # registers a `gate` in each block and never calls it
    (of_timm, "skresnet18"),  # gates among two branches
    (of_pytorchcv, "resnet18"),
]


def answer(model: nn.Module, x: Tensor) -> Tensor:
    output = model(x)
    return output if isinstance(output, Tensor) else output[0]


@torch.no_grad()
def settled(model: nn.Module, x: Tensor) -> nn.Module:
    """Gates that differ: random weights, and batch norms with the statistics of x, so that nothing fades."""
    generator = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            if not module.weight.any():  # a residual that starts at zero
                module.weight.fill_(0.5)
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            std = (2 / module.weight[0].numel()) ** 0.5
            module.weight.copy_(std * torch.randn(module.weight.shape, generator=generator))
    for name, parameter in model.named_parameters():
        if name.endswith(".gain") and not parameter.any():  # the same in NFNet
            parameter.fill_(1.0)
    model.train()(x)
    return model.eval()


@pytest.mark.parametrize(("library", "name", "count"), WITH_SE, ids=lambda value: getattr(value, "__name__", value))
def test_gates_of_other_libraries(library: Callable[[str], nn.Module], name: str, count: int) -> None:
    size = 32 if "cifar" in name else 224 if library is of_pytorchcv else 64  # pytorchcv pools a fixed 7x7
    x = torch.randn(2, 3, size, size)
    model = settled(library(name), x)
    assert len(find_gates(model)) == count
    with torch.no_grad(), record_gates(model) as gates:
        plain = answer(model, x)
    blocks = find_blocks(model)
    assert set(gates) == set(blocks) and len(gates) == count
    assert all(s.ndim == 2 and len(s) == 2 for s in gates.values())

    block = list(gates)[-1]
    new = torch.rand_like(gates[block])

    def predicted(module: nn.Module, args: tuple, output: Tensor) -> Tensor:
        """The block, by equation 4: its input, each channel times the new gate."""
        return args[0] * new[:, :, None, None]

    with torch.no_grad():
        with override_gates(model, {block: new}):
            overridden = answer(model, x)
        handle = blocks[block].module.register_forward_hook(predicted)
        expected = answer(model, x)
        handle.remove()
        again = answer(model, x)
    torch.testing.assert_close(overridden, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())
    assert (overridden - plain).norm() > 1e-3 * plain.norm() and torch.equal(again, plain)


@pytest.mark.parametrize(("library", "name"), WITHOUT_SE, ids=lambda value: getattr(value, "__name__", value))
def test_nothing_is_found_where_there_is_no_se(library: Callable[[str], nn.Module], name: str) -> None:
    model = library(name)
    assert find_gates(model) == {}
    with pytest.raises(ValueError, match=f"model {type(model).__name__} has no SE block"), record_gates(model):
        pass


class Router(nn.Module):
    """A mixture of experts, as in Mixtral: its `gate` is a linear layer to the experts."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(8, 4)
        self.experts = nn.ModuleList(nn.Linear(8, 8) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        weights = self.gate(x).softmax(-1)
        return sum(weights[..., i, None] * expert(x) for i, expert in enumerate(self.experts))


class Swish(nn.Module):
    """x · σ(x), a gate for each number and none for a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


def test_a_submodule_called_gate_is_not_enough() -> None:
    assert find_gates(nn.Sequential(Router(), Swish())) == {}


# The forms in which the block is written, in any number of axes


class Blog(nn.Module):
    """The common form, with its pool of a fixed size where `side` says so."""

    def __init__(self, channels: int, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool
        self.excitation = nn.Sequential(
            nn.Linear(channels, channels // 2, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // 2, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        s = self.excitation(self.pool(x).flatten(1))
        return x * s.view(*s.shape, *[1] * (x.ndim - 2)).expand_as(x)


class Tokens(nn.Module):
    """SE for `(N, L, C)`, or `(N, H, W, C)`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1, self.fc2, self.act = nn.Linear(channels, 4), nn.Linear(4, channels), nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        z = x.flatten(1, -2).mean(1)
        return x * self.act(self.fc2(self.fc1(z).relu())).view(len(x), *[1] * (x.ndim - 2), -1)


@pytest.mark.parametrize(
    ("block", "shape"),
    [
        (Blog(6, nn.AdaptiveAvgPool1d(1)), (2, 6, 9)),
        (Blog(6, nn.AdaptiveAvgPool2d(1)), (2, 6, 4, 4)),
        (Blog(6, nn.AdaptiveAvgPool3d(1)), (2, 6, 2, 4, 3)),
        (Tokens(6), (2, 9, 6)),
        (Tokens(6), (2, 4, 5, 6)),
    ],
)
def test_blocks_in_any_number_of_axes(block: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    with torch.no_grad(), record_gates(block) as gates:
        y = block(x)
    (s,) = gates.values()
    assert s.shape == (2, 6)
    axis = x.shape.index(6)
    torch.testing.assert_close(y, x * s.view([n if i in (0, axis) else 1 for i, n in enumerate(shape)]))


class Functional(nn.Module):
    """The gates come from a function, and no submodule puts them out."""

    def __init__(self, channels: int, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.fc1, self.fc2, self.function = nn.Linear(channels, 4), nn.Linear(4, channels), function

    def forward(self, x: Tensor) -> Tensor:
        z = self.fc1(x.mean((2, 3))).relu()
        return x * self.function(self.fc2(z))[:, :, None, None]


class TwoRows(nn.Module):
    """As CBAM's first half: the sigmoid of a sum, so that no submodule puts out even what goes into it."""

    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 8))

    def forward(self, x: Tensor) -> Tensor:
        s = torch.sigmoid(self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3))))
        return x * s[:, :, None, None]


FUNCTIONS = {
    "sigmoid": torch.sigmoid,
    "sigmoid written out": lambda o: 1 / (1 + (-o).exp()),
    "hardsigmoid": F.hardsigmoid,
    "hardsigmoid written out": lambda o: F.relu6(o + 3) / 6,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_sigmoid_that_forward_calls_as_a_function(name: str) -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), Functional(8, FUNCTIONS[name])).eval()
    x = torch.randn(2, 3, 8, 8)
    block = find_blocks(model)["1"]
    assert block.gate is model[1].fc2 and block.function == name.split()[0]
    with torch.no_grad(), record_gates(model) as gates:
        y = model(x)
    u = model[0](x)
    torch.testing.assert_close(y, u * gates["1"][:, :, None, None])
    for new in (0.0, 1.0, torch.rand(8), torch.rand(2, 8)):
        s = torch.as_tensor(new).expand(2, 8)
        with torch.no_grad(), override_gates(model, {"1": new}), record_gates(model) as seen:
            y = model(x)
        torch.testing.assert_close(seen["1"], s)
        torch.testing.assert_close(y, u * s[:, :, None, None])
    with torch.no_grad(), override_gates(model, {"1": lambda s: s / 2}):
        torch.testing.assert_close(model(x), u * gates["1"][:, :, None, None] / 2)
    with override_gates(model, {"1": 1.5}), pytest.raises(ValueError, match=r"overrides\['1'\] must be from 0 to 1"):
        model(x)
    s = torch.tensor([0.0, 0.3, 1.0, 0.5, 0.6, 0.7, 0.8, 0.9], requires_grad=True)
    with override_gates(model, {"1": s}):
        model(x).sum().backward()
    expected = u.sum((0, 2, 3)) * torch.tensor([0, 1, 0, 1, 1, 1, 1, 1])
    torch.testing.assert_close(s.grad, expected.detach(), rtol=1e-3, atol=1e-3)


def test_every_tool_knows_what_the_function_makes_of_it() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), Functional(8, torch.sigmoid)).eval()
    x = torch.randn(4, 3, 8, 8)
    with torch.no_grad(), record_gates(model) as gates:
        model(x)
    (row,) = audit(model, x)
    assert row.verdict == "ok" and row.mean == pytest.approx(gates["1"].mean().item())
    assert [cost.multiply_adds for cost in se_cost(model, (3, 8, 8))] == [288, 64, 288]
    assert torch.equal(_WithGates(model, find_blocks(model))(x)[1], gates["1"])
    with torch.no_grad(), override_gates(model, {"1": gates["1"].mean(0)}):
        expected = model(x)
    assert fold_gates(model, x).folded == {"1": "0"}
    torch.testing.assert_close(model(x), expected)


def test_gates_that_cannot_be_reached_are_said_to_be_there() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3), TwoRows())
    assert find_gates(model) == {}
    with pytest.raises(ValueError, match=r"\['1'\] scale their channels.* self.gate = nn.Sigmoid\(\)"):
        with record_gates(model):
            pass


def test_a_block_of_one_size_needs_an_example() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), Blog(8, nn.AvgPool2d(14)))
    x = torch.randn(2, 3, 14, 14)
    assert find_gates(model) == {}
    with torch.no_grad(), record_gates(model, example=x) as gates:
        model(x)
    assert {name: s.shape for name, s in gates.items()} == {"1": (2, 8)}


def test_own_blocks_beside_those_of_others() -> None:
    model = tv.mobilenet_v3_small(weights=None).eval()
    insert_se(model, "features.0", input_size=(3, 64, 64))
    assert len(find_gates(model)) == 10


def test_shapes_without_numbers() -> None:
    """On the meta device there is nothing to compare, so the trial has numbers of its own."""
    with torch.device("meta"):
        model = tv.mobilenet_v3_small(weights=None).eval()
        with record_gates(model) as gates:
            model(torch.empty(2, 3, 64, 64))
    assert len(gates) == 9 and all(s.device.type == "meta" and len(s) == 2 for s in gates.values())


def test_the_trial_touches_nothing() -> None:
    """Neither weights and statistics, nor modes, nor random numbers, nor hooks of others."""
    model = tv.mobilenet_v3_small(weights=None).train()
    calls: list[nn.Module] = []
    for module in model.modules():
        module.register_forward_hook(lambda module, args, output: calls.append(module))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(3)
    find_gates(model)
    after = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(after, torch.rand(1)) and calls == []
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())


def test_a_changed_module_is_tried_again() -> None:
    model = nn.Sequential(Blog(8, nn.AdaptiveAvgPool2d(1)))
    assert find_gates(model) == {"0": model[0].excitation[3]}
    model[0].excitation[3] = nn.Tanh()
    assert find_gates(model) == {"0": model[0].excitation[3]}


def test_compiled_and_parallel_wrappers_have_no_part_in_the_names() -> None:
    plain = create_model("se_resnet8")
    names = list(find_gates(plain))
    wrapped = torch.optim.swa_utils.AveragedModel(nn.DataParallel(plain))
    compiled = torch.compile(plain, backend="eager")
    inner = create_model("se_resnet8")
    inner.layer1 = torch.compile(inner.layer1, backend="eager")
    for model in (wrapped, compiled, inner, nn.DataParallel(compiled)):
        assert list(find_gates(model)) == names
    own = nn.Module()  # a name that the reader gave stays
    own.module = SEBlock(8)
    assert list(find_gates(own)) == ["module"]

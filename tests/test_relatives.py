"""The relatives of SE against timm's modules with copied weights, or against the formula written in NumPy."""

from __future__ import annotations

import copy
import runpy
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from senet_edu import SEBlock, create_model, override_gates, record_gates
from senet_edu.relatives import (
    ATTENTION,
    CBAM,
    ECA,
    ESE,
    CBAMChannel,
    CBAMSpatial,
    CoordinateAttention,
    GatherExcite,
    GatherExciteTheta,
    NoSqueeze,
    ScSE,
    SimAM,
    SpatialSE,
    make_attention,
)
from senet_edu.se import global_average

C = 16
ALL = pytest.mark.parametrize("name", ATTENTION)


def maps(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def trained(block: nn.Module) -> nn.Module:
    """In float64 and evaluation mode, every weight and running statistic away from its initial value."""
    generator = torch.Generator().manual_seed(2)
    for tensor in (*block.parameters(), *block.buffers()):
        if tensor.is_floating_point():
            tensor.data.copy_(torch.rand(tensor.shape, generator=generator) + 0.1)
    for tensor in block.parameters():
        tensor.data.sub_(0.6)
    return block.double().eval()


def sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def numpy_of(tensor: Tensor) -> np.ndarray:
    return tensor.detach().numpy()


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """By order, with 1x1 convolutions from and to linear layers."""
    ours, theirs = list(source.state_dict().values()), target.state_dict()
    assert [v.numel() for v in ours] == [v.numel() for v in theirs.values()]
    target.load_state_dict({k: v.reshape(t.shape) for (k, t), v in zip(theirs.items(), ours, strict=True)})


# --- against timm ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "make", "theirs", "options"),
    [
        (C, ECA, "eca.EcaModule", {}),
        (256, ECA, "eca.EcaModule", {}),
        (C, ESE, "squeeze_excite.EffectiveSEModule", {}),
        (C, partial(CBAM, reduction=4), "cbam.CbamModule", {"rd_ratio": 1 / 4}),
        (C, partial(CBAM, kernel_size=5), "cbam.CbamModule", {"spatial_kernel_size": 5}),
        (C, GatherExcite, "gather_excite.GatherExcite", {"extent": 0, "use_mlp": False}),
        (C, partial(GatherExcite, extent=2), "gather_excite.GatherExcite", {"extent": 2, "use_mlp": False}),
        (C, partial(GatherExcite, extent=4), "gather_excite.GatherExcite", {"extent": 4, "use_mlp": False}),
        (C, CoordinateAttention, "coord_attn.CoordAttn", {"rd_channels": 8, "bias": True}),
    ],
)
def test_equals_timm(channels: int, make, theirs: str, options: dict) -> None:
    module, name = theirs.split(".")
    layers = pytest.importorskip(f"timm.layers.{module}", reason="compares with timm's module, which is not installed")
    theirs = getattr(layers, name)(channels, **options).double().eval()
    ours = trained(make(channels))
    copy_weights(ours, theirs)
    x = maps(2, channels, 9, 6)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)
    ours.train(), theirs.train()  # the batch norms use the statistics of the batch
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-12, atol=1e-12)


# --- against the formula --------------------------------------------------------------------------------------------


def test_simam_is_its_formula() -> None:
    x = numpy_of(maps(2, C, 5, 3))
    mean = x.mean((2, 3), keepdims=True)
    variance = x.var((2, 3), ddof=1, keepdims=True)
    gates = sigmoid((x - mean) ** 2 / (4 * (variance + 0.01)) + 0.5)
    np.testing.assert_allclose(SimAM(C, lam=0.01)(torch.from_numpy(x)).numpy(), x * gates, rtol=1e-12)


def test_simam_on_one_pixel_is_finite() -> None:
    x = maps(2, C, 1, 1)
    torch.testing.assert_close(SimAM(C)(x), x * sigmoid(0.5))


def test_scse_is_its_formula() -> None:
    block = trained(ScSE(C))
    x = numpy_of(maps(2, C, 5, 3))
    w1, w2 = numpy_of(block.channel.fc1.weight), numpy_of(block.channel.fc2.weight)
    assert w1.shape == (C // 2, C)
    by_channel = sigmoid(np.maximum(x.mean((2, 3)) @ w1.T, 0) @ w2.T)[:, :, None, None]
    w, b = numpy_of(block.spatial.conv.weight), numpy_of(block.spatial.conv.bias)
    assert w.shape == (1, C, 1, 1)  # one gate a pixel
    by_pixel = sigmoid(np.einsum("nchw,c->nhw", x, w[0, :, 0, 0]) + b)[:, None]
    np.testing.assert_allclose(numpy_of(block(torch.from_numpy(x))), by_channel * x + by_pixel * x, rtol=1e-12)


def test_no_squeeze_is_its_formula() -> None:
    block = trained(NoSqueeze(C, 4, bias=True))
    x = numpy_of(maps(2, C, 5, 3))
    w1, b1, w2, b2 = (numpy_of(p).squeeze() for p in block.parameters())
    hidden = np.maximum(np.einsum("hc,ncij->nhij", w1, x) + b1[:, None, None], 0)
    gates = sigmoid(np.einsum("ch,nhij->ncij", w2, hidden) + b2[:, None, None])
    np.testing.assert_allclose(numpy_of(block(torch.from_numpy(x))), x * gates, rtol=1e-12)


def test_no_squeeze_on_one_pixel_is_se() -> None:
    block, se = trained(NoSqueeze(C, 4)), SEBlock(C, 4).double()
    copy_weights(block, se)
    x = maps(2, C, 1, 1)
    torch.testing.assert_close(block(x), se(x))


@pytest.mark.parametrize("extent", [2, 4])
def test_gather_excite_theta_is_its_formula(extent: int) -> None:
    block = trained(GatherExciteTheta(3, extent=extent))
    x = numpy_of(maps(2, 3, 9, 6))

    y = x
    convs = [m for m in block.gather if isinstance(m, nn.Conv2d)]
    bns = [m for m in block.gather if isinstance(m, nn.BatchNorm2d)]
    assert len(convs) == len(bns) == np.log2(extent)
    for i, (conv, bn) in enumerate(zip(convs, bns, strict=True)):
        if i > 0:
            y = np.maximum(y, 0)
        padded = np.pad(y, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
        y = np.einsum("ncijkl,ckl->ncij", windows, numpy_of(conv.weight)[:, 0])
        mean, var, weight, bias = (
            numpy_of(t)[:, None, None] for t in (bn.running_mean, bn.running_var, bn.weight, bn.bias)
        )
        y = (y - mean) / np.sqrt(var + bn.eps) * weight + bias
    rows = np.arange(9) * y.shape[2] // 9  # nearest neighbor
    columns = np.arange(6) * y.shape[3] // 6
    gates = sigmoid(y[:, :, rows][:, :, :, columns])
    np.testing.assert_allclose(numpy_of(block(torch.from_numpy(x))), x * gates, rtol=1e-12)


def softmax(a: np.ndarray) -> np.ndarray:
    e = np.exp(a - a.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


@pytest.mark.parametrize(
    ("name", "squeeze", "gate"),
    [
        ("se", np.mean, sigmoid),
        ("se_max", np.max, sigmoid),
        ("se_relu", np.mean, lambda a: np.maximum(a, 0)),
        ("se_tanh", np.mean, np.tanh),
        ("se_softmax", np.mean, softmax),
    ],
)
def test_ablations_are_their_formulas(name: str, squeeze, gate) -> None:
    block = trained(make_attention(name, C, reduction=4))
    x = numpy_of(maps(2, C, 5, 3))
    w1, w2 = (numpy_of(p) for p in block.parameters())
    s = gate(np.maximum(squeeze(x, axis=(2, 3)) @ w1.T, 0) @ w2.T)
    np.testing.assert_allclose(numpy_of(block(torch.from_numpy(x))), x * s[:, :, None, None], rtol=1e-10)


@pytest.mark.parametrize(("channels", "k"), [(1, 1), (8, 3), (16, 3), (64, 3), (128, 5), (256, 5), (512, 5), (2048, 7)])
def test_eca_kernel_grows_with_the_channels(channels: int, k: int) -> None:
    assert ECA(channels).conv.weight.numel() == k


# --- one interface --------------------------------------------------------------------------------------------------


@ALL
def test_gates_multiply_the_input(name: str) -> None:
    """Any height and width; what `record_gates` sees is what the input was multiplied with."""
    block = trained(make_attention(name, C))
    x = maps(2, C, 7, 5)
    with record_gates(block) as gates:
        y = block(x)
    assert y.shape == x.shape and not torch.equal(y, x)
    s = [gate[:, :, None, None] if gate.ndim == 2 else gate for gate in gates.values()]
    assert len(s) == (2 if name in ("cbam", "scse") else 1)
    factor = s[0] if len(s) == 1 else s[0] + s[1] if name == "scse" else s[0] * s[1]
    torch.testing.assert_close(y, x * factor, rtol=1e-12, atol=1e-12)


@ALL
def test_overridden_gates(name: str) -> None:
    """Gates of one make a block the identity; scSE sums two copies."""
    block = trained(make_attention(name, C))
    x = maps(2, C, 5, 5)
    with record_gates(block) as gates:
        block(x)
    with override_gates(block, dict.fromkeys(gates, 1.0)):
        torch.testing.assert_close(block(x), 2 * x if name == "scse" else x)


@ALL
def test_gradients(name: str) -> None:
    torch.manual_seed(0)
    block = make_attention(name, 4).double()  # in training mode: batch norms with the statistics of the batch
    x = maps(2, 4, 4, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, *_: block(x), (x, *block.parameters()))
    trained(block)(x).square().sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in block.parameters())


@ALL
def test_channels_last_deepcopy_and_state_dict(name: str) -> None:
    block = trained(make_attention(name, C))
    x = maps(2, C, 6, 4)
    y = block(x)
    last = block(x.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(copy.deepcopy(block)(x), y)
    other = make_attention(name, C).double().eval()
    other.load_state_dict(block.state_dict())
    torch.testing.assert_close(other(x), y)


@ALL
def test_bfloat16_autocast(name: str) -> None:
    block = make_attention(name, C)
    x = maps(2, C, 4, 4).float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = block(x)
    torch.testing.assert_close(y.float(), block(x), rtol=0.05, atol=0.05)
    y.float().sum().backward()
    assert x.grad.isfinite().all()


@ALL
def test_compiles_without_a_break(name: str) -> None:
    block = make_attention(name, C).eval()
    torch._dynamo.reset()  # so that the blocks do not count as recompilations of one another
    x = maps(2, C, 5, 4).float()
    torch.testing.assert_close(torch.compile(block, backend="aot_eager", fullgraph=True)(x), block(x))


@ALL
def test_wrong_input(name: str) -> None:
    block = make_attention(name, C)
    for shape in [(2, C + 1, 4, 4), (C, 4, 4)]:
        with pytest.raises(ValueError, match=f"x must be .N, {C}, H, W., got"):
            block(torch.zeros(shape))
    with pytest.raises(ValueError, match="channels must be at least 1, got 0"):
        make_attention(name, 0)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (NoSqueeze, {"reduction": 0}, "reduction must be at least 1, got 0"),
        (NoSqueeze, {"min_hidden": 0}, "min_hidden must be at least 1, got 0"),
        (ECA, {"kernel_size": 4}, "kernel_size must be odd and positive, got 4"),
        (ECA, {"kernel_size": -1}, "kernel_size must be odd and positive, got -1"),
        (CBAMChannel, {"reduction": 0}, "reduction must be at least 1, got 0"),
        (CBAMSpatial, {"kernel_size": 2}, "kernel_size must be odd and positive, got 2"),
        (GatherExcite, {"extent": 1}, "extent must be at least 2, or None for the whole map; got 1"),
        (GatherExciteTheta, {"extent": 6}, "extent must be a power of two and at least 2, got 6"),
        (GatherExciteTheta, {"extent": 1}, "extent must be a power of two and at least 2, got 1"),
        (SimAM, {"lam": 0}, "lam must be more than 0, got 0"),
        (SimAM, {"lam": float("nan")}, "lam must be a finite number, more than 0, got nan"),
        (ECA, {"kernel_size": "3"}, "kernel_size must be a whole number, got '3'"),
        (NoSqueeze, {"reduction": 2.5}, "reduction must be a whole number, at least 1, got 2.5"),
        (GatherExcite, {"extent": 2.0}, "extent must be a whole number, got 2.0"),
        (CoordinateAttention, {"bias": None}, "bias must be True or False, got None"),
        (CoordinateAttention, {"min_hidden": 0}, "min_hidden must be at least 1, got 0"),
    ],
)
def test_wrong_options(make, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(C, **options)


# --- the shared squeeze, and what the benchmark compares -------------------------------------------------------------


@pytest.mark.parametrize("shape", [(2, 16, 9, 5), (2, 16, 8, 8)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_global_average_is_the_mean(shape: tuple[int, ...], memory_format: torch.memory_format) -> None:
    x = maps(*shape).float().contiguous(memory_format=memory_format).requires_grad_()
    weight = maps(2, 16).float()
    results = []
    for z in (global_average(x), x.mean((2, 3))):
        (gradient,) = torch.autograd.grad((z * weight).sum(), x)
        results.append((z, gradient))
    assert results[0][0].shape == (2, 16)
    torch.testing.assert_close(results[0], results[1], rtol=1e-6, atol=1e-7)


def test_global_average_of_float16_does_not_overflow() -> None:
    assert global_average(torch.full((1, 1, 256, 256), 1.5, dtype=torch.float16)).item() == 1.5


def test_benchmark_compares_the_same_function() -> None:
    bench = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "bench_se_block.py"))
    x = maps(2, 64, 5, 4).float()
    blocks = bench["contenders"](64)
    assert {"ours", "torchvision", "blog"} <= set(blocks)
    floor, ours = blocks.pop("multiply"), blocks.pop("ours")
    torch.testing.assert_close(floor(x), x / 2)
    for block in blocks.values():
        weights = [p for p in block.parameters() if p.ndim > 1]
        for source, target in zip(ours.parameters(), weights, strict=True):  # equal hidden widths
            target.data.copy_(source.data.reshape(target.shape))
        for bias in (p for p in block.parameters() if p.ndim == 1):
            nn.init.zeros_(bias)
        torch.testing.assert_close(block(x), ours(x))


# --- by name or class -----------------------------------------------------------------------------------------------


def test_make_attention_takes_names_classes_and_functions() -> None:
    assert isinstance(make_attention("simam", C), SimAM)
    assert make_attention(ECA, C, kernel_size=5).conv.weight.numel() == 5
    assert make_attention(partial(GatherExcite, extent=4), C).extent == 4
    assert isinstance(make_attention(lambda channels: SpatialSE(channels), C), SpatialSE)
    assert make_attention(lambda channels, **options: SEBlock(channels, **options), C, reduction=2).reduction == 2


@pytest.mark.parametrize(
    ("attention", "options", "message"),
    [
        ("ec", {}, "got 'ec'; did you mean 'eca'"),
        ("transformer", {}, "attention must be one of se, .*; got 'transformer'$"),
        (SEBlock(C), {}, "attention must be a name, a class or a function, got SEBlock"),
        (lambda channels: None, {}, "must make a module, got None"),
        (None, {}, "attention must be a name, a class or a function, got None"),
        ("eca", {"reduction": 8}, "attention 'eca' does not take reduction=8; its options: kernel_size"),
        ("simam", {"reduction": 8, "bias": True}, "'simam' does not take reduction=8, bias=True; its options: lam"),
        ("ese", {"bias": True}, "'ese' does not take bias=True; its options: none"),
        ("se_max", {"squeeze": "avg"}, "'se_max' does not take squeeze='avg'"),
        (ECA, {"reduction": 8}, "'ECA' does not take reduction=8"),
        (lambda channels: ECA(channels), {"reduction": 8}, "does not take reduction=8"),
    ],
)
def test_make_attention_refuses(attention, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_attention(attention, C, **options)


@ALL
def test_in_a_network(name: str) -> None:
    """Every block of an SE-ResNet has it, where `placement` says, and its gates are recorded."""
    model = create_model("se_resnet20", attention=name, placement="identity").eval()
    plain = create_model("resnet20")
    expected = sum(
        sum(p.numel() for p in make_attention(name, channels).parameters()) for channels in (16, 32, 64) for _ in "123"
    )
    assert sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in plain.parameters()) == expected
    with torch.no_grad(), record_gates(model) as gates:
        assert model(torch.randn(2, 3, 16, 16)).shape == (2, 10)
    blocks = [f"layer{i}.{j}.se" for i in (1, 2, 3) for j in range(3)]
    parts = ("", ".channel", ".spatial")
    assert {path for path in gates} <= {block + part for block in blocks for part in parts}
    assert len(gates) == (18 if name in ("cbam", "scse") else 9)


def test_network_with_a_class_or_options() -> None:
    model = create_model("se_resnet20", attention=partial(ECA, kernel_size=7))
    assert model.layer3[2].se.conv.weight.numel() == 7
    assert create_model("se_resnet20", attention="cbam", reduction=4).layer1[0].se.channel.fc1.out_features == 4
    with pytest.raises(ValueError, match="'eca' does not take reduction=8"):
        create_model("se_resnet20", attention="eca", reduction=8)
    with pytest.raises(ValueError, match="got 'ecca'; did you mean 'eca'"):
        create_model("se_resnet20", attention="ecca")


def test_network_defaults_are_those_of_se() -> None:
    torch.manual_seed(0)
    model = create_model("se_resnet20")
    se = model.layer3[0].se
    assert type(se) is SEBlock and (se.reduction, se.fc1.out_features, se.fc1.bias) == (16, 4, None)
    assert create_model("se_resnet20", reduction=4, bias=True).layer3[0].se.fc1.bias.shape == (16,)


def test_network_leaves_the_initialization_to_the_attention() -> None:
    """The network's fan-out initialization would give scSE's spatial gate, with one output, logits far from zero."""
    model = create_model("se_resnet20", attention="scse")
    assert model.layer3[0].se.spatial.conv.weight.abs().max() <= 64**-0.5

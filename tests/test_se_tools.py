"""An SE block and its networks in the tools of an engineer: graphs, exports, other shapes, masks."""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from senet_edu import SEBlock, create_model, record_gates
from senet_edu.relatives import ATTENTION, CBAMChannel, CBAMSpatial, SpatialSE, make_attention

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")  # `torch.jit` says that it is old


def large_maps() -> tuple[SEBlock, Tensor]:
    """Maps whose sum is past the largest float16, 65504: 112 · 112 · 10."""
    torch.manual_seed(0)
    block = SEBlock(8, 2).eval()
    for parameter in block.parameters():
        parameter.data.mul_(0.01)
    return block, torch.full((2, 8, 112, 112), 10.0)


def calls(graph: torch.fx.GraphModule) -> list[str]:
    return [
        str(node.target) for node in graph.graph.nodes if node.op in ("call_function", "call_method", "call_module")
    ]


# Graphs


@pytest.mark.parametrize("block", [SEBlock(6, 2), SEBlock(6, 2, squeeze="max")])
def test_fx(block: nn.Module) -> None:
    graph = torch.fx.symbolic_trace(block)
    for shape in [(2, 6, 4, 4), (1, 6, 7, 5)]:
        x = torch.randn(shape)
        torch.testing.assert_close(graph(x), block(x))
    with pytest.raises(AssertionError, match="four axes"):
        graph(torch.randn(2, 6, 9))


def test_fx_refuses_the_mask_that_it_could_not_know() -> None:
    graph = torch.fx.symbolic_trace(SEBlock(6, 2))
    with pytest.raises(AssertionError, match="takes no mask"):
        graph(torch.randn(2, 6, 4, 4), torch.ones(2, 4, 4, dtype=torch.bool))


@pytest.mark.parametrize("placement", ["standard", "pre", "post", "identity"])
def test_networks_in_fx_and_script(placement: str) -> None:
    model = create_model("se_resnet8", placement=placement).eval()
    x = torch.randn(2, 3, 32, 32)
    for graph in (torch.fx.symbolic_trace(model), torch.jit.script(model)):
        torch.testing.assert_close(graph(x), model(x))


def test_features_by_torchvision() -> None:
    feature_extraction = pytest.importorskip("torchvision.models.feature_extraction")
    model = create_model("se_resnet18").eval()
    assert "layer4.1.se.gate" in feature_extraction.get_graph_node_names(model)[1]
    nodes = {"layer4.1.se.gate": "gates", "layer4": "map"}
    extractor = feature_extraction.create_feature_extractor(model, nodes)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad(), record_gates(model) as gates:
        model(x)
    with torch.no_grad():
        found = extractor(x)
        torch.testing.assert_close(found["map"], model.forward_features(x))
    torch.testing.assert_close(found["gates"], gates["layer4.1.se"])


@pytest.mark.parametrize("squeeze", ["avg", "max"])
def test_script(squeeze: str) -> None:
    block = SEBlock(6, 2, squeeze=squeeze)
    scripted = torch.jit.script(block)
    for shape in [(2, 6, 4, 4), (2, 6, 9), (2, 6, 2, 3, 4)]:
        x = torch.randn(shape)
        torch.testing.assert_close(scripted(x), block(x))
    x, mask = torch.randn(2, 6, 9), torch.arange(9) < torch.tensor([[9], [4]])
    torch.testing.assert_close(scripted(x, mask), block(x, mask))
    last = SEBlock(6, 2, squeeze=squeeze, channel_dim=-1)
    torch.testing.assert_close(torch.jit.script(last)(x.mT), last(x.mT))


def exported(block: nn.Module, x: Tensor, free: bool = False) -> nn.Module:
    sizes = {axis: torch.export.Dim.DYNAMIC for axis in (0, 2, 3) if free}
    return torch.export.export(block, (x,), dynamic_shapes=(sizes,)).module()


def traced(block: nn.Module, x: Tensor) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("error", torch.jit.TracerWarning)  # nothing depends on this very input
        return torch.jit.trace(block, x)


RELATIVES = {name: {} for name in ATTENTION} | {
    "ge_theta_minus, extent 4": {"extent": 4},
    "CBAM channel": {"of": CBAMChannel},
    "CBAM spatial": {"of": CBAMSpatial},
    "sSE": {"of": SpatialSE},
}


def relative(name: str) -> nn.Module:
    torch.manual_seed(0)
    options = dict(RELATIVES[name])
    return make_attention(options.pop("of", name.partition(",")[0]), 8, **options).eval()


@pytest.mark.parametrize("name", RELATIVES)
def test_relatives_in_every_graph_at_every_size(name: str) -> None:
    """As SE itself: what was made from one batch answers for others."""
    block = relative(name)
    x = torch.randn(2, 8, 16, 16)
    makers = {
        "fx": lambda block, x: torch.fx.symbolic_trace(block),
        "script": lambda block, x: torch.jit.script(block),
        "trace": traced,
        "export": lambda block, x: exported(block, x, free=True),
    }
    for tool, make in makers.items():
        graph = make(block, x)
        for other in (x, torch.randn(3, 8, 18, 14)):
            torch.testing.assert_close(graph(other), block(other), msg=f"{name} in {tool}")


@pytest.mark.parametrize("name", RELATIVES)
def test_relatives_in_float16(name: str) -> None:
    """Their graphs, too, hold no sum of a whole map: here it would be past 65504."""
    block = relative(name)
    x = 3 * torch.randn(2, 8, 112, 112, generator=torch.Generator().manual_seed(0)) + 8
    with torch.no_grad():
        expected = block(x)
        half = torch.jit.trace(copy.deepcopy(block), x).half()
        torch.testing.assert_close(half(x.half()).float(), expected, rtol=1e-2, atol=5e-2)


@pytest.mark.parametrize("attention", ["eca", "cbam", "scse", "ge_theta", "coordinate"])
def test_networks_of_relatives_in_fx_and_script(attention: str) -> None:
    model = create_model("se_resnet8", attention=attention).eval()
    x = torch.randn(2, 3, 32, 32)
    for graph in (torch.fx.symbolic_trace(model), torch.jit.script(model)):
        torch.testing.assert_close(graph(x), model(x))


def test_relatives_keep_their_speaking_errors() -> None:
    for name in RELATIVES:
        with pytest.raises(ValueError, match=r"x must be \(N, 8, H, W\), got \(2, 7, 4, 4\)"):
            relative(name)(torch.randn(2, 7, 4, 4))


def test_every_graph_is_safe_in_float16() -> None:
    """Made in float32 and then turned to float16, as exporters do."""
    block, x = large_maps()
    expected = block(x)
    makers = {
        "trace": traced,
        "script": lambda block, x: torch.jit.script(block),
        "fx": lambda block, x: torch.fx.symbolic_trace(block),
        "export": exported,
    }
    for name, make in makers.items():
        out = make(copy.deepcopy(block), x).half()(x.half())
        assert out.isfinite().all(), name
        torch.testing.assert_close(out.float(), expected, rtol=1e-2, atol=1e-2, msg=name)
    torch.testing.assert_close(copy.deepcopy(block).half()(x.half()).float(), expected, rtol=1e-2, atol=1e-2)


def test_a_compiled_block_takes_the_mean() -> None:
    graphs = []

    def backend(graph: torch.fx.GraphModule, inputs: list) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    torch._dynamo.reset()
    block, x = large_maps()
    torch.compile(block.train(), backend=backend, fullgraph=True)(x)
    assert "mean" in calls(graphs[0]) and "sum" not in calls(graphs[0])


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("train", [True, False])
def test_export_with_free_sizes(strict: bool, train: bool) -> None:
    model = create_model("se_resnet8").train(train)
    n, h, w = (torch.export.Dim(name, min=2) for name in "nhw")
    sizes = ({0: n, 2: 4 * h, 3: 4 * w},)
    program = torch.export.export(model, (torch.randn(2, 3, 32, 24),), dynamic_shapes=sizes, strict=strict)
    assert not any("sum" in name for name in calls(program.graph_module))
    x = torch.randn(5, 3, 40, 64)
    torch.testing.assert_close(program.module()(x), copy.deepcopy(model)(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("free", [False, True])
def test_onnx_has_seven_nodes_a_block(tmp_path: Path, free: bool) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is needed to read an ONNX file")
    pytest.importorskip("onnxscript", reason="onnxscript is needed to export ONNX")
    block, path = SEBlock(8, 2).eval(), tmp_path / "block.onnx"
    sizes = {i: torch.export.Dim(name) for i, name in ((0, "n"), (2, "h"), (3, "w"))} if free else {}
    with torch.no_grad():
        torch.onnx.export(block, (torch.randn(2, 8, 6, 5),), path, dynamo=True, dynamic_shapes=(sizes,), verbose=False)
    nodes = Counter(node.op_type for node in onnx.load(path).graph.node)
    assert nodes.total() == 7 and nodes["ReduceMean"] == 1 and "ReduceSum" not in nodes, nodes
    ort = pytest.importorskip("onnxruntime", reason="onnxruntime is needed to run an ONNX file")
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    x = torch.randn((3, 8, 9, 4) if free else (2, 8, 6, 5))
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(y), block(x).detach(), rtol=1e-4, atol=1e-5)


def test_gradients_still_take_the_fast_way() -> None:
    """Eager training divides the sums: `mean` would write a map of equal gradients for each channel."""
    x = torch.randn(2, 6, 5, 4, requires_grad=True)
    z = SEBlock(6, 2).squeeze(x)
    assert z.grad_fn.name() == "DivBackward0"
    with torch.no_grad():
        torch.testing.assert_close(z, SEBlock(6, 2).squeeze(x), rtol=1e-6, atol=1e-7)


# Other shapes


@pytest.mark.parametrize("squeeze", ["avg", "max"])
@pytest.mark.parametrize("shape", [(2, 6, 9), (2, 6, 4, 5), (2, 6, 3, 4, 5)])
def test_any_number_of_axes(shape: tuple[int, ...], squeeze: str) -> None:
    """A signal, a map, a volume: all are a long row of places, and the block cannot tell."""
    block = SEBlock(6, 2, squeeze=squeeze)
    x = torch.randn(shape)
    row = x.flatten(2)
    s = block.excite(row.mean(2) if squeeze == "avg" else row.amax(2))
    torch.testing.assert_close(block(x), (row * s[:, :, None]).view(shape))
    last = SEBlock(6, 2, squeeze=squeeze, channel_dim=-1)
    last.load_state_dict(block.state_dict())
    torch.testing.assert_close(last(x.movedim(1, -1)), block(x).movedim(1, -1))
    assert "channel_dim=-1" in repr(last)


def test_channels_last_is_named_when_the_axis_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"x must be \(N, …, 6\), got \(2, 6, 9\)"):
        SEBlock(6, 2, channel_dim=-1)(torch.randn(2, 6, 9))
    with pytest.raises(ValueError, match="channel_dim must be 1 or -1, got 2"):
        SEBlock(6, channel_dim=2)


# Masks


@pytest.mark.parametrize("squeeze", ["avg", "max"])
@pytest.mark.parametrize("channel_dim", [1, -1])
def test_padding_moves_no_gate(squeeze: str, channel_dim: int) -> None:
    """Sequences of 9, 4 and 6 places, padded with whatever; then each by itself."""
    block = SEBlock(6, 2, squeeze=squeeze, channel_dim=channel_dim)
    lengths = (9, 4, 6)
    parts = [torch.randn(1, 6, length) for length in lengths]
    padded = torch.stack([nn.functional.pad(part[0], (0, 9 - part.shape[2]), value=50.0) for part in parts])
    mask = torch.arange(9) < torch.tensor(lengths)[:, None]
    turned = (lambda x: x) if channel_dim == 1 else (lambda x: x.mT)
    with record_gates(block) as gates:
        out = turned(block(turned(padded), mask))
    for i, part in enumerate(parts):
        with record_gates(block) as alone:
            expected = turned(block(turned(part)))
        torch.testing.assert_close(gates["se"][i : i + 1], alone["se"])
        torch.testing.assert_close(out[i : i + 1, :, : lengths[i]], expected)
    with record_gates(block) as unmasked:
        block(turned(padded))
    assert not torch.allclose(unmasked["se"][1:], gates["se"][1:])


def test_masks_of_maps_and_their_gradients() -> None:
    block = SEBlock(3, 1, bias=True).double()
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    mask = torch.rand(2, 4, 5) < 0.5
    z = torch.stack([u[:, m].mean(1) for u, m in zip(x, mask)])
    torch.testing.assert_close(block.squeeze(x, mask), z)
    assert torch.autograd.gradcheck(lambda x: block(x, mask), x)


def test_a_sample_of_padding_alone_has_the_gates_of_zero() -> None:
    for squeeze in ("avg", "max"):
        z = SEBlock(3, 1, squeeze=squeeze).squeeze(
            torch.full((1, 3, 4), torch.nan), torch.zeros(1, 4, dtype=torch.bool)
        )
        assert torch.equal(z, torch.zeros(1, 3))


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (torch.ones(2, 4, dtype=torch.bool), r"mask must be torch.bool \(2, 4, 5\), got torch.bool \(2, 4\)"),
        (torch.ones(2, 4, 5), r"mask must be torch.bool \(2, 4, 5\), got torch.float32 \(2, 4, 5\)"),
        ("all", "got 'all'"),
    ],
)
def test_wrong_masks(mask: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SEBlock(3, 1)(torch.randn(2, 3, 4, 5), mask)


# Parts as modules


def test_gate_and_act_as_modules() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 6, 4, 4)
    for gate, act in ((nn.Identity(), nn.SiLU()), (nn.Identity, nn.SiLU), (lambda: nn.Identity(), "silu")):
        block = SEBlock(6, hidden=5, gate=gate, act=act)
        z = x.mean((2, 3))
        s = nn.functional.silu(z @ block.fc1.weight.T) @ block.fc2.weight.T
        torch.testing.assert_close(block(x), x * s[:, :, None, None])
        assert block.fc1.out_features == 5


def test_blocks_of_a_network_do_not_share_a_module() -> None:
    """Or its gates would be recorded under one name."""
    model = create_model("se_resnet8", gate=nn.Hardsigmoid(), act=nn.SiLU())
    with record_gates(model) as gates:
        model(torch.randn(2, 3, 32, 32))
    assert list(gates) == ["layer1.0.se", "layer2.0.se", "layer3.0.se"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"act": "swish"}, "act must be one of relu, silu, gelu, hardswish; got 'swish'"),
        ({"gate": lambda: None}, "gate must make a module, got None"),
        ({"gate": None}, "gate must be one of sigmoid, .*; got None"),
        ({"hidden": 0}, "hidden must be at least 1, got 0"),
        ({"bias": "no"}, "bias must be True or False, got 'no'"),
    ],
)
def test_wrong_parts(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SEBlock(6, **options)


def test_speaking_errors_of_the_steps() -> None:
    block = SEBlock(6, 2)
    with pytest.raises(ValueError, match=r"z must be \(N, 6\), got \(2, 5\)"):
        block.excite(torch.randn(2, 5))
    with pytest.raises(ValueError, match=r"s must be \(N, 6\), got \(2, 5\)"):
        block.rescale(torch.randn(2, 6, 4, 4), torch.randn(2, 5))
    with pytest.raises(ValueError, match="x must be a tensor, got None"):
        block(None)
    with pytest.raises(ValueError, match="x must hold floating-point numbers, got torch.int64"):
        block(torch.zeros(2, 6, 4, 4, dtype=torch.int64))

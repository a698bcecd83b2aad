"""Recording and overriding gates: what is seen, what is changed, and that nothing stays behind."""

import copy
import io
import math
import threading
import warnings

import numpy as np
import pytest
import torch
import torch.utils.checkpoint
from torch import nn

from senet_edu import SEBlock, compare_layers, create_model, find_gates, fold_gates, override_gates, record_gates
from senet_edu.audit import audit
from senet_edu.resnet import BasicBlock, ResNet

NAMES = ["layer1.0.se", "layer1.1.se", "layer2.0.se"]


def network(placement="standard"):
    """Three residual blocks with 8, 8 and 16 channels."""
    torch.manual_seed(0)
    make_se = None if placement == "none" else lambda channels: SEBlock(channels, 2)
    return ResNet(BasicBlock, (2, 1), (8, 16), stem="cifar", num_classes=4, make_se=make_se, placement=placement)


@pytest.fixture
def model():
    return network().eval()


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(3, 3, 8, 8)


def hooks_left(model):
    return [m for m in model.modules() if m._forward_hooks or m._forward_pre_hooks]


def expected_gates(model, x):
    """What the blocks compute on the inputs that they get, caught by overriding nothing but `excite`."""
    found = {}
    for name in NAMES:
        block = model.get_submodule(name)

        def excite(z, block=block, name=name):
            found[name] = torch.sigmoid((z @ block.fc1.weight.T).clamp(min=0) @ block.fc2.weight.T).detach()
            return found[name]

        block.excite = excite
    with torch.no_grad():
        model(x)
    for name in NAMES:
        del model.get_submodule(name).excite
    return found


# Recording


def test_records_the_gates(model, x):
    with record_gates(model) as gates:
        out = model(x)
    assert list(gates) == NAMES
    assert [s.shape for s in gates.values()] == [(3, 8), (3, 8), (3, 16)]
    for name, s in expected_gates(model, x).items():
        torch.testing.assert_close(gates[name], s)
        assert not gates[name].requires_grad
    assert torch.equal(out, model(x))


def test_hooks_are_gone(model, x):
    with record_gates(model) as gates:
        model(x)
        assert hooks_left(model)
    assert hooks_left(model) == []
    model(x)
    assert gates["layer1.0.se"].shape == (3, 8)  # nothing was added

    with pytest.raises(RuntimeError, match="stop"), record_gates(model), override_gates(model, {NAMES[0]: 0.5}):
        raise RuntimeError("stop")
    assert hooks_left(model) == []
    with pytest.raises(RuntimeError, match="channels"), record_gates(model):
        model(torch.randn(1, 5, 8, 8))
    assert hooks_left(model) == []


def test_several_passes_are_concatenated(model, x):
    with record_gates(model) as whole:
        model(x)
    with record_gates(model) as parts:
        model(x[:1])
        assert parts["layer2.0.se"].shape == (1, 16)
        model(x[1:2])
        model(x[2:])
    for name in NAMES:
        torch.testing.assert_close(parts[name], whole[name])


def test_dictionary(model, x):
    with record_gates(model) as gates:
        assert len(gates) == 0
        with pytest.raises(KeyError, match="run the model first"):
            gates["layer1.0.se"]
        model(x)
    assert dict(gates).keys() == set(NAMES)
    assert "layer9.0.se" not in gates and gates.get("layer9.0.se") is None
    with pytest.raises(KeyError, match="no gates of 'layer9.0.se'; recorded are: layer1.0.se, "):
        gates["layer9.0.se"]
    assert repr(gates) == "Gates(layer1.0.se: (3, 8), layer1.1.se: (3, 8), layer2.0.se: (3, 16))"


def test_training_is_not_disturbed(x):
    grads = []
    for record in (False, True):
        model = network().train()
        if record:
            with record_gates(model) as gates:
                out = model(x)
            assert list(gates) == NAMES
        else:
            out = model(x)
        out.square().sum().backward()
        grads.append([p.grad for p in model.parameters()])
        statistics = model.bn1.running_mean.clone()
    assert all(torch.equal(a, b) for a, b in zip(*grads))
    assert torch.equal(model.bn1.running_mean, statistics)


def test_a_recorded_gate_is_a_copy(x):
    block = SEBlock(3, 1, gate="relu")
    block.rescale = lambda x, s: x * s.mul_(0)[:, :, None, None]  # a block that overwrites its gates
    with torch.no_grad(), record_gates(block) as gates:
        block(x.abs())
    assert gates["se"].any()


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_without_gradients(model, x, context):
    with record_gates(model) as gates, context():
        model(x)
    for name, s in expected_gates(model, x).items():
        torch.testing.assert_close(gates[name], s)
        scale = torch.ones(s.shape[1], requires_grad=True)
        (gates[name] * scale).sum().backward()  # an inference tensor would refuse
        torch.testing.assert_close(scale.grad, s.sum(0))


def test_autocast(model, x):
    with record_gates(model) as gates, torch.autocast("cpu", dtype=torch.bfloat16):
        model(x)
    for name, s in expected_gates(model, x).items():
        assert gates[name].dtype == torch.bfloat16
        torch.testing.assert_close(gates[name].float(), s, rtol=0, atol=0.05)


def test_nested_recorders(model, x):
    with record_gates(model) as outer:
        model(x)
        with record_gates(model) as inner:
            model(x[:1])
        model(x)
    assert len(outer["layer1.0.se"]) == 7 and len(inner["layer1.0.se"]) == 1


def test_a_block_by_itself(x):
    block = SEBlock(3, 1)
    with record_gates(block) as gates:
        out = block(x)
    torch.testing.assert_close(out, x * gates["se"][:, :, None, None])


def test_any_block_with_a_gate_counts():
    class ECA(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)
            self.gate = nn.Sigmoid()

        def forward(self, x):
            return x * self.gate(self.conv(x.mean((2, 3))[:, None])[:, 0])[:, :, None, None]

    class Named(nn.Sequential):
        gate = "sigmoid"  # not a module: not a block

    x = torch.randn(2, 6, 4, 4)
    model = Named(ECA(), SEBlock(6, 2))
    with record_gates(model) as gates:
        model(x)
    assert {name: tuple(s.shape) for name, s in gates.items()} == {"0": (2, 6), "1": (2, 6)}


def test_a_model_without_se_blocks(x):
    plain = network("none")
    for context in (record_gates, lambda model: override_gates(model, {})):
        with pytest.raises(ValueError, match="ResNet has no SE block"), context(plain):
            pass


# Overriding


def test_gates_of_one_are_the_plain_network(model, x):
    plain = network("none").eval()
    plain.load_state_dict({name: w for name, w in model.state_dict().items() if ".se." not in name})
    before = model(x)
    with override_gates(model, dict.fromkeys(NAMES, 1.0)):
        torch.testing.assert_close(model(x), plain(x))
    assert torch.equal(model(x), before)
    assert not torch.allclose(before, plain(x))
    assert hooks_left(model) == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.25, lambda s: torch.full_like(s, 0.25)),
        (1, lambda s: torch.ones_like(s)),
        (torch.arange(16.0), lambda s: torch.arange(16.0).expand(3, 16)),
        (torch.arange(16), lambda s: torch.arange(16.0).expand(3, 16)),
        (torch.arange(48.0).view(3, 16), lambda s: torch.arange(48.0).view(3, 16)),
        (torch.arange(3.0)[:, None], lambda s: torch.arange(3.0)[:, None].expand(3, 16)),
        ([0.5] * 16, lambda s: torch.full_like(s, 0.5)),
        (np.arange(16), lambda s: torch.arange(16.0).expand(3, 16)),
        (np.float64(0.25), lambda s: torch.full_like(s, 0.25)),
        (lambda s: s.flip(0), lambda s: s.flip(0)),
        (lambda s: s.mean(0), lambda s: s.mean(0).expand(3, 16)),
        (lambda s: 0.5, lambda s: torch.full_like(s, 0.5)),
    ],
)
def test_values(model, x, value, expected):
    with record_gates(model) as own:
        model(x)
    with override_gates(model, {"layer2.0.se": value}), record_gates(model) as gates:
        model(x)
    torch.testing.assert_close(gates["layer2.0.se"], expected(own["layer2.0.se"]))
    assert torch.equal(gates["layer1.1.se"], own["layer1.1.se"])  # the other blocks are left alone


def test_order_of_nested_contexts(model, x):
    override = override_gates(model, {"layer2.0.se": 0.0})
    with record_gates(model) as before, override, record_gates(model) as after:
        model(x)
    assert (before["layer2.0.se"] > 0).all() and (after["layer2.0.se"] == 0).all()

    with override_gates(model, {"layer2.0.se": 0.5}), override_gates(model, {"layer2.0.se": lambda s: s / 2}):
        with record_gates(model) as gates:
            model(x)
    assert (gates["layer2.0.se"] == 0.25).all()


def test_gradients_flow_through_an_override(x):
    block = SEBlock(3, 1)
    gate = torch.full((3,), 0.5, requires_grad=True)
    with override_gates(block, {"se": gate}):
        block(x).sum().backward()
    torch.testing.assert_close(gate.grad, x.sum((0, 2, 3)))


def test_override_under_autocast(model, x):
    with override_gates(model, {"layer2.0.se": torch.full((16,), 0.5)}), record_gates(model) as gates:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            model(x)
    assert gates["layer2.0.se"].dtype == torch.bfloat16 and (gates["layer2.0.se"] == 0.5).all()


@pytest.mark.parametrize("name", ["layer2.1.se", "layer2.0", "se", "layer2.0.se.gate"])
def test_unknown_block(model, name):
    message = f"overrides names '{name}', .* known are: layer1.0.se, layer1.1.se, layer2.0.se"
    with pytest.raises(ValueError, match=message), override_gates(model, {name: 1.0}):
        pass
    assert hooks_left(model) == []


@pytest.mark.parametrize("shape", [(8,), (2, 16), (3, 16, 1), (3, 16, 1, 1)])
def test_wrong_shape(model, x, shape):
    given = str(shape).replace("(", r"\(").replace(")", r"\)")
    message = rf"'layer2.0.se'\] must broadcast to the gates' shape \(3, 16\), got {given}"
    for value in (torch.ones(shape), lambda s: torch.ones(shape)):
        with pytest.raises(ValueError, match=message), override_gates(model, {"layer2.0.se": value}):
            model(x)
    assert hooks_left(model) == []


@pytest.mark.parametrize("value", ["one", None, ["a"], {}, [[0.5], [0.5, 1.0]]])
def test_wrong_value(model, value):
    with pytest.raises(ValueError, match="must be a number, a tensor or a function, or a list or an array of numbers"):
        with override_gates(model, {"layer2.0.se": value}):
            pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "must be finite, got nan"),
        (math.inf, "must be finite, got inf"),
        ([0.5, math.nan], "must be finite"),
        (torch.ones(16, dtype=torch.complex64), "must be real, got torch.complex64"),
    ],
)
def test_gates_that_would_spoil_the_answer(model, value, message):
    with pytest.raises(ValueError, match=message), override_gates(model, {"layer2.0.se": value}):
        pass


def test_overrides_must_be_a_dictionary(model):
    for overrides in (None, 1.0, ["layer2.0.se"]):
        with pytest.raises(ValueError, match="overrides must be a dictionary"), override_gates(model, overrides):
            pass
    for thing in (None, torch.zeros(1), "model"):
        with pytest.raises(ValueError, match="model must be a module"), record_gates(thing):
            pass


def test_wildcards(model, x):
    everything = {"*": 0.25, "layer1.*": 0.5, "layer1.1.se": 1.0}
    with override_gates(model, everything), record_gates(model) as gates:
        model(x)
    assert [s.unique().item() for s in gates.values()] == [0.5, 1.0, 0.25]
    with override_gates(model, dict(reversed(everything.items()))), record_gates(model) as gates:
        model(x)  # a later pattern goes before an earlier one, a name before both
    assert [s.unique().item() for s in gates.values()] == [0.25, 1.0, 0.25]
    with pytest.raises(ValueError, match="overrides names 'layer9.*', which is not an SE block"):
        with override_gates(model, {"layer9.*": 1.0}):
            pass


# Copies, threads, checkpoints: whose gates are these?


@pytest.mark.parametrize("copied", [copy.deepcopy, torch.optim.swa_utils.AveragedModel, lambda m: pickled(m)])
def test_a_copy_made_inside_is_neither_recorded_nor_overridden(model, x, copied):
    expected = model(x)
    with override_gates(model, {"layer1.0.se": 0.0}), record_gates(model) as gates:
        twin = copied(model)
        twin(x)
        assert len(gates) == 0
        model(x)
    torch.testing.assert_close(twin.eval()(x), expected)
    twin(x)
    assert len(gates["layer1.0.se"]) == 3


def test_a_shallow_copy_of_a_gate_shares_its_hooks_and_is_not_recorded(model, x):
    gate = model.layer1[0].se.gate
    with record_gates(model) as gates:
        copy.copy(gate)(torch.zeros(5, 8))
        assert len(gates) == 0
        model(x)
    assert len(gates["layer1.0.se"]) == len(x)


def pickled(model):
    buffer = io.BytesIO()
    torch.save(model, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing_records_once(x, reentrant):
    block = SEBlock(3, 1)
    input = x.requires_grad_()
    with record_gates(block) as gates, override_gates(block, {"se": lambda s: s / 2}):
        out = torch.utils.checkpoint.checkpoint(block, input, use_reentrant=reentrant)
        out.sum().backward()
    assert gates["se"].shape == (3, 3)
    gradient, input.grad = input.grad, None
    with override_gates(block, {"se": lambda s: s / 2}):
        block(input).sum().backward()
    torch.testing.assert_close(gradient, input.grad)


def test_a_context_belongs_to_its_thread(model, x):
    """Two servers on one model: each sees its own gates, and no other's override."""
    expected = model(x)
    seen, started = {}, threading.Barrier(2)

    def serve(n):
        with torch.no_grad(), record_gates(model) as gates, override_gates(model, {"layer2.0.se": float(n)}):
            started.wait(10)
            for _ in range(20):
                model(x[:n])
            seen[n] = gates
            started.wait(10)

    threads = [threading.Thread(target=serve, args=(n,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {n: len(gates["layer1.0.se"]) for n, gates in seen.items()} == {1: 20, 2: 40}
    assert torch.equal(model(x), expected)


def test_a_model_inside_of_vmap(model, x):
    with pytest.raises(ValueError, match="'layer1.0.se' cannot be recorded inside of torch.vmap"):
        with record_gates(model):
            torch.vmap(lambda image: model(image[None]))(x)


def test_a_graph_has_no_blocks(x):
    model = nn.Sequential(SEBlock(3, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graphs = [torch.jit.trace(model, x), torch.jit.script(model), torch.export.export(model, (x,)).module()]
    for graph in graphs:
        with pytest.raises(ValueError, match="it is a graph, made by a tool"), record_gates(graph):
            pass


# Compiled models


def test_compiled_models():
    torch._dynamo.reset()
    torch.manual_seed(0)
    x = torch.randn(3, 4, 5, 5)
    model = nn.Sequential(SEBlock(4, 2), SEBlock(4, 2))
    runs = []

    def backend(graph, inputs):
        def run(*args):
            runs.append(1)
            return graph(*args)

        return run

    with record_gates(model) as expected:
        out = model(x)
    compiled = torch.compile(model, backend=backend)
    in_place = nn.Sequential(*model)
    in_place.compile(backend=backend)
    for other in (compiled, in_place):
        other(x)  # compiled before there are hooks
        assert runs
        runs.clear()
        with record_gates(other) as gates:
            torch.testing.assert_close(other(x), out)
        with override_gates(other, {"0": 0.0}):
            assert not other(x).any()
        assert runs == []  # eager in the contexts
        assert list(gates) == ["0", "1"]
        for name in expected:
            torch.testing.assert_close(gates[name], expected[name])
        torch.testing.assert_close(other(x), out)
        assert runs  # compiled again
        runs.clear()


def stance():
    return torch._dynamo.eval_frame._stance.stance


def test_the_stance_of_the_compiler_is_given_back_in_any_order(x):
    """Contexts that end in another order than they began, in one thread or two, left it at `force_eager` for good."""
    import torch._dynamo

    block = SEBlock(3, 1)
    first, second = record_gates(block), record_gates(block)
    first.__enter__()
    second.__enter__()
    assert stance() == "force_eager"
    first.__exit__(None, None, None)
    assert stance() == "force_eager"
    second.__exit__(None, None, None)
    assert stance() == "default"

    opened, closed = threading.Event(), threading.Event()

    def other():
        with record_gates(block):
            opened.set()
            closed.wait(10)

    thread = threading.Thread(target=other)
    with record_gates(block):
        thread.start()
        opened.wait(10)
    closed.set()
    thread.join()
    assert stance() == "default"
    with torch.compiler.set_stance("fail_on_recompile"):
        with record_gates(block):
            assert stance() == "force_eager"
        assert stance() == "fail_on_recompile"
    assert stance() == "default"


@pytest.mark.parametrize("answer", [None, "half", {}, [None]])
def test_a_function_that_returns_no_gates_is_named(answer):
    model = create_model("se_resnet8")
    with pytest.raises(ValueError, match=r"overrides\['layer1.0.se'\] must return .* got "):
        with override_gates(model, {"layer1.0.se": lambda s: answer}):
            model(torch.randn(2, 3, 32, 32))


def test_a_function_that_returns_what_is_not_finite_is_named(model, x):
    def spoiled(s):
        return s / 0

    with override_gates(model, {"layer1.0.se": spoiled}):
        with pytest.raises(ValueError, match=r"overrides\['layer1.0.se'\] must return finite gates"):
            model(x)


def test_saved_gates_are_an_ordinary_dictionary(model, x, tmp_path):
    with torch.no_grad(), record_gates(model) as gates:
        model(x)
    torch.save(gates, tmp_path / "gates.pt")
    again = torch.load(tmp_path / "gates.pt")  # by default it reads tensors and containers, and runs no code
    assert list(again) == list(gates) and all(torch.equal(again[name], s) for name, s in gates.items())


def test_an_input_that_does_not_suit_is_named_as_the_reader_calls_it(model):
    x = torch.zeros(2, 5, 32, 32)
    for name, call in {
        "x": lambda: compare_layers(model, model, x),
        " x": lambda: audit(model, x),
        "  x": lambda: fold_gates(model, x),
        "example": lambda: find_gates(model, example=x),
    }.items():
        with pytest.raises(
            ValueError, match=rf"^{name.strip()}=torch.float32 \(2, 5, 32, 32\) does not suit ResNet: Given"
        ):
            call()

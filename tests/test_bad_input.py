"""Bad arguments: each is answered by a ValueError that names the argument, before anything else happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import senet_edu
from senet_edu import SEBlock, convert_state_dict, create_model, export_onnx, insert_se, list_models, make_attention
from senet_edu.cost import cost_by_module, measure_latency, multiply_adds, se_cost, se_parameters
from senet_edu.gates import find_gates, override_gates, record_gates
from senet_edu.relatives import ATTENTION

NUMBERS = ("16", None, 2.5, float("nan"), float("inf"), 0, -1, True, [16])
X = torch.randn(2, 16, 4, 4)


def opened(context: object) -> None:
    with context:  # type: ignore[attr-defined]
        pass


def network() -> nn.Module:
    return create_model("se_resnet8")


def cases() -> dict[str, tuple[str, Callable[[], object]]]:
    """By a name: the argument that the error must name, and the call."""
    found: dict[str, tuple[str, Callable[[], object]]] = {}

    def add(argument: str, what: str, call: Callable[[], object]) -> None:
        found[f"{what} {len(found)}"] = argument, call

    for bad in NUMBERS:
        add("channels", f"SEBlock channels={bad!r}", lambda bad=bad: SEBlock(bad))
        add("reduction", f"SEBlock reduction={bad!r}", lambda bad=bad: SEBlock(16, bad))
        add("min_hidden", f"SEBlock min_hidden={bad!r}", lambda bad=bad: SEBlock(16, min_hidden=bad))
        for name in ATTENTION:
            add("channels", f"{name} channels={bad!r}", lambda bad=bad, name=name: make_attention(name, bad))
        for option in ("num_classes", "in_channels", "groups", "base_width"):
            if not (option == "num_classes" and bad == 0 and not isinstance(bad, bool)):
                call = lambda bad=bad, option=option: create_model("resnet50", **{option: bad})  # noqa: E731
                add(option, f"resnet50 {option}={bad!r}", call)
        add("stages", f"se_parameters {bad!r}", lambda bad=bad: se_parameters(bad))
        add("input_size", f"multiply_adds {bad!r}", lambda bad=bad: multiply_adds(network(), bad))
        add("repeats", f"latency {bad!r}", lambda bad=bad: measure_latency({"a": nn.ReLU()}, X, bad))
        if bad != "16":
            add("name", f"create_model {bad!r}", lambda bad=bad: create_model(bad))
    for bad in (None, 3, "yes", 1.0):
        add("bias", f"SEBlock bias={bad!r}", lambda bad=bad: SEBlock(16, bias=bad))
    for bad in (None, 3, "swish", [], b"sigmoid"):
        for option in ("gate", "act", "squeeze"):
            add(option, f"SEBlock {option}={bad!r}", lambda bad=bad, o=option: SEBlock(16, **{o: bad}))
        for option in ("placement", "stride_in", "stem"):
            call = lambda bad=bad, o=option: create_model("se_resnet50", **{o: bad})  # noqa: E731
            add(option, f"se_resnet50 {option}={bad!r}", call)
        add("attention", f"make_attention {bad!r}", lambda bad=bad: make_attention(bad, 16))
    for bad in (None, 3, [1.0], torch.zeros(2, 16), torch.zeros(2, 8, 4, 4), torch.zeros(2, 16, 4, 4).long()):
        for name in ("se", "eca", "cbam", "simam", "no_squeeze", "coordinate"):
            add("x", f"{name} of {type(bad).__name__}", lambda bad=bad, n=name: make_attention(n, 16)(bad))
    for bad in (None, 3, torch.zeros(2, 8), torch.zeros(16)):
        add("z", "excite", lambda bad=bad: SEBlock(16).excite(bad))
        add("s", "rescale", lambda bad=bad: SEBlock(16).rescale(X, bad))
    for bad in (None, "model", 3, torch.zeros(2)):
        add("model", f"find {type(bad).__name__}", lambda bad=bad: find_gates(bad))
        add("model", f"record {type(bad).__name__}", lambda bad=bad: opened(record_gates(bad)))
        add("model", f"override {type(bad).__name__}", lambda bad=bad: opened(override_gates(bad, {})))
        add("model", f"insert {type(bad).__name__}", lambda bad=bad: insert_se(bad, "0"))
        add("model", f"cost {type(bad).__name__}", lambda bad=bad: cost_by_module(bad, (3, 32, 32)))
        add("model", f"se_cost {type(bad).__name__}", lambda bad=bad: se_cost(bad, (3, 32, 32)))
        add("state_dict", f"convert {type(bad).__name__}", lambda bad=bad: convert_state_dict(bad, "timm"))
    for bad in (None, "x", {}, ["a"], float("nan"), float("inf"), 1j, torch.ones(16, dtype=torch.complex64)):
        call = lambda bad=bad: opened(override_gates(network(), {"layer1.0.se": bad}))  # noqa: E731
        add("overrides", f"override with {bad!r}", call)
    for bad in ({"layer9": 1.0}, {3: 1.0}, 3, None, "layer1.0.se"):
        add("overrides", f"overrides={bad!r}", lambda bad=bad: opened(override_gates(network(), bad)))
    for bad in ([], 3, [3], None, "nowhere", nn.LSTM):
        add("after", f"insert after {bad!r}", lambda bad=bad: insert_se(network(), bad, input_size=(3, 32, 32)))
    for bad in (None, 3, "large", (), (3, 0, 8), (5, 32, 32)):
        add("input_size", f"insert size {bad!r}", lambda bad=bad: insert_se(network(), "layer1", input_size=bad))
    for bad in (None, 7, "", b"x"):
        add("path", f"export to {bad!r}", lambda bad=bad: export_onnx(network(), bad))
    for bad in (None, 3):
        add("pattern", f"list_models {bad!r}", lambda bad=bad: list_models(bad))
    for bad in (None, 3, (), "16", (16, 32), (16, 32, 0), (16, 32, "64")):
        add("planes", f"planes={bad!r}", lambda bad=bad: create_model("resnet20", planes=bad))
    return found


CASES = cases()


@pytest.mark.parametrize("case", CASES)
def test_bad_arguments_are_named(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    argument, call = CASES[case]
    with pytest.raises(ValueError, match=argument):
        call()
    assert list(tmp_path.iterdir()) == []


def test_how_many() -> None:
    print(f"{len(CASES)} bad arguments, each answered by a ValueError that names it")
    assert len(CASES) > 300


def test_options_that_do_not_exist_have_a_near_name() -> None:
    with pytest.raises(TypeError, match="did you mean 'reduction'"):
        senet_edu.se_resnet20(reducton=4)  # type: ignore[call-arg]

"""A reader's own network in the page: from a file of weights, and from a model; against PyTorch."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import safetensors.torch
import torch
from javascript import in_chromium, in_node, script
from torch import Tensor, nn

from senet_edu import create_model, record_gates
from senet_edu.data import CLASSES, MEAN, STD, normalize, procedural
from senet_edu.explorables.lib.net import export_browser

ABOUT = {"classes": list(CLASSES), "mean": list(MEAN), "std": list(STD)}
RUN = """
async ({ file, spec, weights, about, images, simd }) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const { tensorsOf, specOf } = SE["lib/spec.js"];
  const made = file ? specOf(tensorsOf(bytes(file)), about) : { spec, bytes: bytes(weights) };
  const net = SE["lib/worker.js"].load(made.spec, made.bytes, { simd });
  return { name: made.spec.name, kernel: net.kernel, results: images.map((image) => {
    const { logits, gates } = net.run(Uint8ClampedArray.from(image));
    return { logits: [...logits], gates: Object.fromEntries(Object.entries(gates).map(([k, s]) => [k, [...s]])) };
  }) };
}
"""
REFUSED = """
async ({ file, about }) => {
  const { tensorsOf, specOf } = SE["lib/spec.js"];
  try {
    specOf(tensorsOf(Uint8Array.from(atob(file), (c) => c.charCodeAt(0))), about);
  } catch (error) {
    return error.message;
  }
}
"""


@pytest.fixture(scope="module")
def text() -> str:
    return script("lib/worker.js", "lib/spec.js")


@pytest.fixture(scope="module", params=["node", "Chromium"])
def engine(request: pytest.FixtureRequest, text: str) -> Callable[[str, Any], Any]:
    if request.param == "node":
        return in_node(text)
    return in_chromium(text, request.getfixturevalue("browser"))


def lived(name: str, **options: Any) -> nn.Module:
    """A network whose batch norms have seen something, and whose gates are not all one half."""
    torch.manual_seed(3)
    model = create_model(name, **{"num_classes": 10, **options})
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1)
        nn.init.normal_(norm.bias, std=0.2)
        norm.momentum = None  # the means of what it sees next
    images = procedural(1, 16, seed=5).test_images
    with torch.no_grad():
        model(normalize(images))
    for norm in norms:
        norm.momentum = 0.1
    return model.eval()


def saved(model: nn.Module) -> str:
    """As senet_edu.train writes it."""
    content = safetensors.torch.save({key: tensor.contiguous() for key, tensor in model.state_dict().items()})
    return base64.b64encode(content).decode()


def pictures() -> Tensor:
    return procedural(1, 6, seed=8).test_images


def rgba(images: Tensor) -> list[list[int]]:
    alpha = torch.full_like(images[:, :1], 255)
    return torch.cat([images, alpha], dim=1).permute(0, 2, 3, 1).flatten(1).tolist()


NETWORKS = [
    ("se_resnet8", {}),
    ("se_resnet20", {}),
    ("se_resnet32", {"reduction": 4}),
    ("resnet8", {}),
    ("resnet32", {}),
    ("se_resnet20", {"stages": [2, 3], "planes": (8, 16, 24)}),
]


@pytest.mark.parametrize("way", ["file", "model"])
@pytest.mark.parametrize(("name", "options"), NETWORKS)
def test_it_answers_as_pytorch(engine: Callable, name: str, options: dict[str, Any], way: str) -> None:
    model, images = lived(name, **options), pictures()
    data: dict[str, Any] = {"images": rgba(images), "about": ABOUT, "simd": True}
    if way == "file":
        data["file"] = saved(model)
    else:
        spec, weights = export_browser(model)
        data |= {"spec": spec, "weights": base64.b64encode(weights).decode()}
    answer = engine(RUN, data)
    gated = name.startswith("se_")
    with torch.no_grad(), record_gates(model) if gated else nullcontext({}) as gates:
        logits = model(normalize(images))
    ours = torch.tensor([result["logits"] for result in answer["results"]])
    torch.testing.assert_close(ours, logits, atol=1e-4, rtol=0)
    assert logits.std(0).mean() > 0.05  # the pictures are told apart
    for block, s in gates.items():
        own = torch.tensor([result["gates"][block] for result in answer["results"]])
        torch.testing.assert_close(own, s, atol=1e-4, rtol=0)
    assert bool(gates) == gated
    assert not gated or max(s.std(0).max() for s in gates.values()) > 1e-3  # and gates follow them
    if way == "file":
        assert answer["name"] == name.replace("se_", "SE-").replace("resnet", "ResNet-")


def test_the_plain_kernel_gives_the_same(text: str) -> None:
    if not shutil.which("node"):
        pytest.skip("no node on this machine")
    model, images = lived("se_resnet8"), pictures()
    answer = in_node(text)(RUN, {"file": saved(model), "images": rgba(images), "about": ABOUT, "simd": False})
    assert answer["kernel"] == "JavaScript"
    with torch.no_grad():
        logits = model(normalize(images))
    torch.testing.assert_close(torch.tensor([one["logits"] for one in answer["results"]]), logits, atol=1e-4, rtol=0)


def without(model: nn.Module, *names: str, **more: Tensor) -> bytes:
    kept = {key: tensor.contiguous() for key, tensor in model.state_dict().items() if key not in names}
    return safetensors.torch.save(kept | more)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: b"not one", "it is no safetensors file"),
        (lambda: b"\x10" + bytes(7) + b"{ no JSON here }", "it is no safetensors file"),
        (lambda: without(create_model("resnet8"))[:-9], "it ends within"),
        (lambda: safetensors.torch.save({"a": torch.ones(3)}), "it has no conv1.weight, but a"),
        (lambda: without(create_model("resnet18", num_classes=10)), "it has 11,"),
        (lambda: without(create_model("resnet8", stem="imagenet")), "its conv1.weight is 16 × 3 × 7 × 7"),
        (lambda: without(create_model("resnet164", num_classes=10)), "it has bottlenecks"),
        (lambda: without(create_model("resnet8", num_classes=100)), "it tells 100 classes apart"),
        (lambda: without(create_model("se_resnet8", bias=True)), "its SE blocks have biases"),
        (
            lambda: without(create_model("se_resnet8", placement="pre")),
            "its layer2.0.se.fc1.weight is 1 × 16, not any × 32",
        ),
        (lambda: without(create_model("se_resnet8", attention="eca")), "it has layer1.0.se."),
        (lambda: without(create_model("resnet8"), "layer2.0.bn1.bias"), "it has no layer2.0.bn1.bias"),
        (lambda: without(create_model("resnet8").double()), "is stored as F64; single or half precision"),
        (
            lambda: without(create_model("resnet8"), **{"fc.bias": torch.full((10,), torch.nan)}),
            "fc.bias has numbers that",
        ),
    ],
)
def test_what_does_not_fit_is_named(text: str, make: Callable[[], bytes], says: str) -> None:
    message = in_node(text)(REFUSED, {"file": base64.b64encode(make()).decode(), "about": ABOUT})
    assert says in message


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: create_model("resnet164", num_classes=10), "Bottleneck"),
        (lambda: create_model("se_resnet8", placement="post"), "layer1.0 has SEBlock, placement='post'"),
        (lambda: create_model("se_resnet8", squeeze="max"), "squeeze"),
        (lambda: create_model("resnet8", num_classes=100), "out_features=100"),
        (lambda: create_model("resnet8", planes=(6, 12, 24)), "multiples of four, got .6, 12, 24."),
        (lambda: create_model("resnet18_cifar"), "at most 3,000,000 weights"),
    ],
)
def test_a_model_that_does_not_fit_is_named(make: Callable[[], nn.Module], says: str) -> None:
    with pytest.raises(ValueError, match=f"(?s)model must .*{says}"):
        export_browser(make())

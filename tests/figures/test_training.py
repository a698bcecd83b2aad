"""Training in the page, `lib/lamp_net.js` and below, in node and in Chromium, against PyTorch in float64."""

import pytest
import torch
import torch.nn.functional as F
from javascript import in_chromium, in_node, script

from senet_edu import lamp

NETWORKS = {
    "plain 16": {"channels": 16},
    "plain 18": {"channels": 18},
    "plain 32": {"channels": 32},
    "SE 16": {"channels": 16, "se": {"reduction": 2}},
    "SE 18": {"channels": 18, "se": {"reduction": 2}},
    "SE r = 8": {"channels": 16, "se": {"reduction": 8}},
    "SE max": {"channels": 16, "se": {"reduction": 2, "squeeze": "max"}},
    "SE tanh": {"channels": 16, "se": {"reduction": 2, "gate": "tanh"}},
    "SE softmax": {"channels": 16, "se": {"reduction": 2, "gate": "softmax"}},
    "SE in layer 1": {"channels": 16, "se": {"reduction": 2, "layers": [1]}},
    "SE in layer 2": {"channels": 16, "se": {"reduction": 2, "layers": [2]}},
}
KERNELS = {"WebAssembly": True, "JavaScript": False}

# One pass over given pictures: the loss and every gradient, then so many steps on the same pictures in turn.
GRADIENTS = """
async ({ options, weights, pictures }) => {
  const { network } = SE["lib/lamp_worker.js"].engine;
  const net = network(options);
  net.load(weights);
  const loss = net.gradients(pictures);
  const gradients = Object.fromEntries(Object.entries(net.derivatives()).map(([name, list]) => [name, [...list]]));
  const padding = net.padding();
  return { kernel: net.kernel, count: net.count, loss, gradients, padding };
}
"""
STEPS = """
async ({ options, weights, batches }) => {
  const net = SE["lib/lamp_worker.js"].engine.network(options);
  net.load(weights);
  const losses = batches.map((pictures) => net.train(pictures));
  return { losses, padding: net.padding() };
}
"""
SCRIPT = script("lib/lamp_worker.js")


@pytest.fixture(scope="module", params=["node", "chromium"])
def engine(request):
    if request.param == "chromium":
        return in_chromium(SCRIPT, request.getfixturevalue("browser"))
    return in_node(SCRIPT)


def torch_network(channels, se=None):
    if se is None:
        return lamp.network(None, channels=channels, seed=3)
    options = {name: value for name, value in se.items() if name != "layers"}
    return lamp.network("se", channels=channels, layers=tuple(se.get("layers", (1, 2))), seed=3, **options)


def weights(net):
    return {name: tensor.flatten().tolist() for name, tensor in net.state_dict().items()}


def as_json(pictures):
    """What JavaScript sees: pixel by pixel, and the lamp's color."""
    rgb = pictures.true.permute(0, 2, 3, 1).flatten(1).tolist()
    return [{"rgb": one, "lamp": lamp.flatten().tolist()} for one, lamp in zip(rgb, pictures.lamp)]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_gradient_is_pytorchs(engine, name, kernel):
    net, pictures = torch_network(**NETWORKS[name]), lamp.pictures(4, 5)
    options = NETWORKS[name] | {"simd": KERNELS[kernel]}
    found = engine(GRADIENTS, {"options": options, "weights": weights(net), "pictures": as_json(pictures)})
    net = net.double()
    loss = (net(pictures.true.double() * pictures.lamp.double()) - pictures.true.double()).abs().mean()
    loss.backward()
    assert found["kernel"] == kernel
    assert found["count"] == sum(p.numel() for p in net.parameters())
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-6)
    assert set(found["gradients"]) == {parameter for parameter, _ in net.named_parameters()}
    for parameter, tensor in net.named_parameters():
        gradient = torch.tensor(found["gradients"][parameter], dtype=torch.float64).view(tensor.shape)
        assert gradient.norm() > 0, parameter
        assert (gradient - tensor.grad).norm() / tensor.grad.norm() < 2e-5, parameter
    assert found["padding"] == 0


@pytest.mark.parametrize("name", ["plain 18", "SE 16"])
def test_fifty_steps_are_pytorchs(engine, name):
    net = torch_network(**NETWORKS[name])
    batches = [lamp.pictures(16, seed) for seed in range(10)]
    data = {"weights": weights(net), "batches": [as_json(batches[i % 10]) for i in range(50)]}
    # Pictures are sent once: JSON of 800 of them would be large.
    data["batches"] = [as_json(one) for one in batches]
    steps = STEPS.replace("batches.map(", "Array.from({ length: 50 }, (_, i) => batches[i % 10]).map(")
    found = engine(steps, data | {"options": NETWORKS[name] | {"steps": 50}})
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=50)
    losses = []
    for step in range(50):
        seen, true, _ = batches[step % 10]
        loss = (net(seen) - true).abs().mean()
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step < 49:
            cycle.step()
    assert losses[-1] < 0.7 * losses[0]
    assert found["losses"] == pytest.approx(losses, abs=1e-3)
    assert found["padding"] == 0


def test_a_wrong_gradient_is_noticed(engine):
    """The comparison sees a part that is missing: the way back through the squeeze."""
    net, pictures = torch_network(16, {"reduction": 2}), lamp.pictures(4, 5)
    data = {"options": {"se": {"reduction": 2}}, "weights": weights(net), "pictures": as_json(pictures)}
    found = engine(GRADIENTS, data)["gradients"]["conv1.weight"]
    for block in (net.se1, net.se2):
        squeeze = block.squeeze
        block.squeeze = lambda x, squeeze=squeeze: squeeze(x).detach()
    (net(pictures.seen) - pictures.true).abs().mean().backward()
    wrong = net.conv1.weight.grad
    assert (torch.tensor(found).view(wrong.shape) - wrong).norm() / wrong.norm() > 1e-3


LOSSES = """
async ({ logits, label, weights, gradients, rates }) => {
  const { crossEntropy, sgd } = SE["lib/lamp_worker.js"].train;
  const m = Float32Array.from([...weights, ...weights]), update = sgd(weights.length, { decay: 0.01 });
  for (let i = 0; i < gradients.length; i++) {
    m.set(gradients[i], weights.length);
    update(m, 0, weights.length, { rate: rates[i], momentum: 0.9 });
  }
  return { ...crossEntropy(logits, label), weights: [...m.slice(0, weights.length)] };
}
"""


def test_cross_entropy_and_sgd_are_pytorchs(engine):
    logits, weight = torch.randn(10), torch.randn(7)
    gradients, rates = torch.randn(5, 7), [0.1, 0.2, 0.3, 0.2, 0.1]
    data = {"logits": logits.tolist(), "label": 3, "weights": weight.tolist(), "gradients": gradients.tolist()}
    found = engine(LOSSES, data | {"rates": rates})
    logits.requires_grad_()
    loss = F.cross_entropy(logits[None], torch.tensor([3]))
    loss.backward()
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert found["gradient"] == pytest.approx(logits.grad.tolist(), rel=1e-4, abs=1e-6)
    parameter = torch.nn.Parameter(weight.clone())
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    for gradient, rate in zip(gradients, rates):
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = gradient.clone()
        optimizer.step()
    assert found["weights"] == pytest.approx(parameter.tolist(), rel=1e-5, abs=1e-6)


RUN = """
async ({ options, seeds }) => {
  const { network, held, TEST } = SE["lib/lamp_worker.js"].engine;
  return seeds.map((seed) => {
    const net = network({ ...options, seed });
    for (let i = 0; i < 400; i++) net.train();
    return held(TEST).reduce((sum, { rgb, lamp }) => (net.see(rgb, lamp), net.forward(), sum + net.error()), 0) / TEST;
  });
}
"""


def test_the_page_comes_where_pytorch_comes():
    """Errors of 400 steps, of two seeds each: in the page as in Python, give or take 0.008."""
    call = in_node(SCRIPT)
    plain = call(RUN, {"options": {"channels": 18}, "seeds": [0, 1]})
    se = call(RUN, {"options": {"se": {"reduction": 2}}, "seeds": [0, 1]})
    assert plain == pytest.approx([0.116, 0.116], abs=0.008)
    assert se == pytest.approx([0.063, 0.063], abs=0.008)


def test_the_way_back_is_short():
    """The backward pass of SE fits a screen: under 40 lines."""
    source = script("lib/block.js")
    start = source.index("const back = ")
    assert source[start : source.index("return { excite, back }")].count("\n") < 40

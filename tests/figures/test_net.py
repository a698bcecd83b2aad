"""The network of the page, `explorables/lib/net.js`, in node and in Chromium, against PyTorch."""

import base64
import json
import shutil
import subprocess
import sys
from contextlib import ExitStack, nullcontext

import pytest
import torch
from torch import nn

from senet_edu import create_model, load_pretrained, override_gates, record_gates
from senet_edu.data import normalize, procedural
from senet_edu.explorables.lib.net import export_browser
from senet_edu.explorables.lib.scripts import FIGURES, in_a_page, needed
from senet_edu.resnet import BasicBlock

SCRIPT = "".join(map(in_a_page, needed("lib/worker.js")))
TOLERANCE = 1e-3
BLOCKS = [f"layer{stage}.{i}.se" for stage in (1, 2, 3) for i in range(3)]
CHANNELS = dict(zip(BLOCKS, [16] * 3 + [32] * 3 + [64] * 3))
PER_BLOCK = [2, 2, 2, 3, 2, 2, 3, 2, 2]  # convolutions; the stem is one more

RUN = """
async ({ spec, weights, images, cases, options }) => {
  const net = SE["lib/worker.js"].load(spec, Uint8Array.from(atob(weights), (c) => c.charCodeAt(0)), options);
  const numbers = (list) => list && Float32Array.from(list, (v) => v ?? NaN);
  const plain = (value) =>
    ArrayBuffer.isView(value) ? [...value]
    : value?.constructor === Object ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value;
  const results = cases.map(({ image, overrides = {}, maps = [] }) => {
    const edits = Object.entries(overrides).map(([name, { pin, permute }]) =>
      [name, permute ? { pin: numbers(pin), permute: Int32Array.from(permute) } : numbers(pin)]);
    const before = net.convolutions;
    try {
      const result = net.run(Uint8ClampedArray.from(images[image]), { overrides: Object.fromEntries(edits), maps });
      return plain({ ...result, convolutions: net.convolutions - before });
    } catch (error) {
      return { error: error.message };
    }
  });
  return { kernel: net.kernel, results };
}
"""

# Six calls at once, then one that is wrong, then one after it; each answer as the logits, null or a message.
WORKER = """
async ({ spec, weights, images, workers }) => {
  const Real = globalThis.Worker;
  let fromWorker = 0;
  if (workers === "allowed") globalThis.Worker = class extends Real {
    constructor(url) { super(url); this.addEventListener("message", () => fromWorker++); }
  };
  if (workers === "missing") delete globalThis.Worker;
  if (workers === "refused") globalThis.Worker = class { // by a policy: it is made, and fails later
    constructor() { setTimeout(() => this.onerror()); }
    postMessage() {}
    terminate() {}
  };
  const bytes = Uint8Array.from(atob(weights), (c) => c.charCodeAt(0));
  const pixels = images.map((image) => Uint8ClampedArray.from(image));
  const net = SE["lib/worker.js"].worker(spec, bytes), order = [];
  const calls = pixels.slice(0, 6).map(async (image, i) => {
    const result = await net.run(image);
    if (result) order.push(i);
    return result && [...result.logits];
  });
  const answers = await Promise.all(calls);
  const wrong = await net.run(new Uint8ClampedArray(3)).catch((error) => error.message);
  const after = [...(await net.run(pixels[6])).logits];
  net.close();
  const reference = SE["lib/worker.js"].load(spec, bytes);
  const expected = pixels.map((image) => [...reference.run(image).logits]);
  return { answers, order, wrong, after, expected, fromWorker, convolutions: net.convolutions };
}
"""


def in_node(function, data):
    """Runs an async JavaScript function on JSON."""
    code = f"""
        {SCRIPT}
        const data = JSON.parse(require("fs").readFileSync(0));
        ({function})(data).then((result) => process.stdout.write(JSON.stringify(result)));
    """
    process = subprocess.run(["node", "-e", code], input=json.dumps(data), capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def in_chromium(browser):
    """The same in a page that is a file."""

    def call(function, data):
        page = browser.new_page()
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((FIGURES / "lib" / "style.css").as_uri())  # any file: what counts is that no server is needed
        page.add_script_tag(content=SCRIPT)
        result = page.evaluate(function, data)
        page.close()
        assert not errors
        return result

    return call


@pytest.fixture(scope="module", params=["node", "chromium"])
def engine(request):
    if request.param == "chromium":
        return in_chromium(request.getfixturevalue("browser"))
    return in_node if shutil.which("node") else pytest.skip("no node on this machine")


@pytest.fixture(scope="module")
def models():
    return {name: load_pretrained(name) for name in ("se_resnet20", "resnet20")}


@pytest.fixture(scope="module")
def exports(models):
    """For JavaScript: each network's spec and weights."""
    pairs = {name: export_browser(model) for name, model in models.items()}
    return {name: {"spec": spec, "weights": base64.b64encode(data).decode()} for name, (spec, data) in pairs.items()}


@pytest.fixture(scope="module")
def images():
    """32 of them `(32, 3, 32, 32)` uint8: drawn ones, noise, black and white."""
    noise = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(5))
    flat = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 32, 32)
    return torch.cat([procedural(1, 26, seed=5).test_images, noise, flat])


@pytest.fixture(scope="module")
def rgba(images):
    """The same as JavaScript takes them, with an alpha that must not matter."""
    alpha = torch.arange(32 * 32).view(1, 1, 32, 32).expand(len(images), 1, 32, 32) % 256
    return torch.cat([images, alpha.to(torch.uint8)], dim=1).permute(0, 2, 3, 1).flatten(1).tolist()


@torch.no_grad()
def truth(model, images, overrides=None):
    """Logits, by block the gates as used, and by block the residuals u; from PyTorch."""
    residuals = {}
    hooks = [
        block.register_forward_pre_hook(lambda _, args, name=name: residuals.update({name: args[0]}))
        for name, block in model.named_modules()
        if name in BLOCKS
    ]
    try:
        with override_gates(model, overrides or {}), record_gates(model) as gates:
            logits = model(normalize(images))
    finally:
        for hook in hooks:
            hook.remove()
    return logits, gates, residuals


@torch.no_grad()
def joints(model, images, overrides=None):
    """By residual block, `layer1.0`: what is added to the residual `(N, C, H, W)`, and the block's output."""
    found = {}
    blocks = {name: block for name, block in model.named_modules() if isinstance(block, BasicBlock)}
    with override_gates(model, overrides) if overrides else nullcontext(), ExitStack() as stack:
        for name, block in blocks.items():
            way = block.downsample or nn.Identity()
            look = block.register_forward_hook(lambda _, args, out, n=name, w=way: found.update({n: (w(args[0]), out)}))
            stack.callback(look.remove)
        model(normalize(images))
    return found


def close(ours, theirs):
    torch.testing.assert_close(torch.tensor(ours, dtype=theirs.dtype), theirs, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("simd", [True, False], ids=["WebAssembly", "JavaScript"])
@pytest.mark.parametrize("name", ["se_resnet20", "resnet20"])
def test_forward_pass(engine, models, exports, images, rgba, name, simd):
    data = {**exports[name], "images": rgba, "options": {"simd": simd}}
    answer = engine(RUN, data | {"cases": [{"image": i} for i in range(len(images))]})
    assert answer["kernel"] == ("WebAssembly" if simd else "JavaScript")
    results = answer["results"]
    assert [result["convolutions"] for result in results] == [21] * len(images)
    if name == "se_resnet20":
        logits, gates, residuals = truth(models[name], images)
        for block in BLOCKS:
            close([result["gates"][block] for result in results], gates[block])
            close([result["own"][block] for result in results], gates[block])
            close([result["z"][block] for result in results], residuals[block].mean((2, 3)))
    else:
        with torch.no_grad():
            logits = models[name](normalize(images))
        assert all(result["gates"] == result["own"] == result["z"] == {} for result in results)
    ours = torch.tensor([result["logits"] for result in results])
    close(ours.tolist(), logits)
    assert torch.equal(ours.argmax(1), logits.argmax(1))
    assert len(ours.argmax(1).unique()) > 2  # the images are not all one answer
    close([result["probabilities"] for result in results], logits.softmax(1))


def test_overrides_and_maps(engine, models, exports, images, rgba):
    """Mute, pin and permute, alone and together; each also gives the maps before and after the rescale."""
    shuffled = torch.randperm(32, generator=torch.Generator().manual_seed(1))
    ramp = torch.linspace(0, 1.5, 64)  # a gate may be pinned beyond 1, too
    some = torch.where(torch.arange(32) % 3 == 0, 0.25, torch.nan)

    def pinned(values):
        return lambda s: torch.where(values.isnan(), s, values)

    mute = torch.full((16,), torch.nan).index_fill(0, torch.tensor([0, 7, 15]), 0)
    cases = [
        ({"layer1.1.se": (mute, None)}, {"layer1.1.se": pinned(mute)}),
        ({"layer3.2.se": (ramp, None)}, {"layer3.2.se": ramp}),
        ({"layer2.0.se": (None, shuffled)}, {"layer2.0.se": lambda s: s[:, shuffled]}),
        (
            {"layer2.0.se": (some, shuffled), "layer1.1.se": (mute, None), "layer3.2.se": (ramp, None)},
            {"layer2.0.se": lambda s: pinned(some)(s[:, shuffled]), "layer1.1.se": pinned(mute), "layer3.2.se": ramp},
        ),
    ]
    edits = [
        {
            block: {
                "pin": None if pin is None else [None if v != v else v for v in pin.tolist()],
                "permute": None if permute is None else permute.tolist(),
            }
            for block, (pin, permute) in case.items()
        }
        for case, _ in cases
    ]
    shown = ["layer1.1.se", "layer2.0.se", "layer3.2.se"]
    runs = [{"image": i, "overrides": edit, "maps": shown} for edit in edits for i in (0, 27)]
    results = engine(RUN, {**exports["se_resnet20"], "images": rgba, "cases": runs})["results"]
    plain = truth(models["se_resnet20"], images[[0, 27]])[0]
    for k, (_, overrides) in enumerate(cases):
        logits, gates, residuals = truth(models["se_resnet20"], images[[0, 27]], overrides)
        around = joints(models["se_resnet20"], images[[0, 27]], overrides)
        assert (logits - plain).abs().max() > 10 * TOLERANCE  # the edit matters
        part = results[2 * k : 2 * k + 2]
        close([result["logits"] for result in part], logits)
        for block in BLOCKS:
            close([result["gates"][block] for result in part], gates[block])
        for block in shown:
            for i, result in enumerate(part):
                maps, u = result["maps"][block], residuals[block][i]
                assert maps["shape"] == list(u.shape)
                close(maps["before"], u.flatten())
                close(maps["after"], (u * gates[block][i][:, None, None]).flatten())
                shortcut, out = around[block.removesuffix(".se")]
                close(maps["shortcut"], shortcut[i].flatten())
                close(maps["sum"], out[i].flatten())


def test_maps_of_a_network_without_se(engine, models, exports, images, rgba):
    case = {"image": 0, "maps": ["layer1.1", "layer2.0"]}
    (result,) = engine(RUN, {**exports["resnet20"], "images": rgba, "cases": [case]})["results"]
    around = joints(models["resnet20"], images[[0]])
    for block in case["maps"]:
        maps, (shortcut, out) = result["maps"][block], around[block]
        assert "after" not in maps or maps["after"] is None
        close(maps["shortcut"], shortcut[0].flatten())
        close(maps["sum"], out[0].flatten())
        close([max(0, u + x) for u, x in zip(maps["before"], maps["shortcut"])], out[0].flatten())


def test_a_gate_edit_computes_what_is_behind_it(engine, models, exports, images, rgba):
    edits = [{block: {"pin": [0.0] * channels}} for block, channels in CHANNELS.items()]
    runs = [{"image": 0}]
    for edit in edits:
        runs += [{"image": 0, "overrides": edit}, {"image": 0, "overrides": edit}, {"image": 0}]
    two = edits[5] | edits[7]
    runs += [{"image": 0, "overrides": two}, {"image": 0, "overrides": edits[5]}, {"image": 0, "overrides": two}]
    wrong = {"image": 0, "overrides": edits[2] | {"layer3.0.se": {"pin": [0.0]}}}  # refused, and nothing is half done
    runs += [{"image": 0}, wrong, {"image": 0, "overrides": edits[2]}, {"image": 1, "overrides": edits[2]}]
    results = engine(RUN, {**exports["se_resnet20"], "images": rgba, "cases": runs})["results"]

    behind = [sum(PER_BLOCK[k + 1 :]) for k in range(9)]
    expected = [21]
    for k in range(9):
        expected += [behind[k], 0, behind[k]]  # the edit, the same again, and back
    expected += [behind[5], behind[7], behind[7], behind[5], None, behind[2], 21]
    assert [result.get("convolutions") for result in results] == expected
    assert results[-3] == {"error": "overrides of layer3.0.se must be 64 numbers, got 1"}

    for run, result in zip(runs, results):
        if "error" in result:
            continue
        overrides = {block: edit["pin"][0] for block, edit in run.get("overrides", {}).items()}
        logits, gates, _ = truth(models["se_resnet20"], images[[run["image"]]], overrides)
        close([result["logits"]], logits)
        for block in BLOCKS:
            close([result["gates"][block]], gates[block])


def test_wrong_arguments(engine, exports, rgba):
    def errors(name, cases):
        data = {**exports[name], "images": [*rgba, [0, 0, 0]], "cases": cases}
        return [result["error"] for result in engine(RUN, data)["results"]]

    unknown = {"image": 0, "overrides": {"layer4.0.se": {"pin": [0]}}}
    assert errors("se_resnet20", [{"image": 32}, unknown, {"image": 0, "maps": ["fc"]}]) == [
        "pixels, RGBA, must be 4096 numbers, got 3",
        "no block is called layer4.0.se",
        "no block is called fc",
    ]
    assert errors("resnet20", [{"image": 0, "overrides": {"layer1.0": {"pin": [0]}}}]) == ["layer1.0 has no gates"]


@pytest.mark.parametrize("workers", ["allowed", "missing", "refused"])
def test_latest_call_wins(engine, exports, rgba, workers):
    """Calls overtaken before they start are dropped, answers keep their order, and the last call has its answer."""
    if workers == "allowed" and engine is in_node:
        pytest.skip("node has no workers of the web's kind")
    answer = engine(WORKER, {**exports["se_resnet20"], "images": rgba[:7], "workers": workers})
    assert answer["fromWorker"] == (4 if workers == "allowed" else 0)
    assert answer["order"] == [0, 5]
    assert answer["answers"] == [answer["expected"][0], None, None, None, None, answer["expected"][5]]
    assert answer["wrong"] == "pixels, RGBA, must be 4096 numbers, got 3"
    assert answer["after"] == answer["expected"][6]
    assert answer["convolutions"] == 3 * 21  # of the images that were dropped, none


def test_export_is_exact(models):
    """What is stored is what the shipped file has; scale and shift are the batch norm's."""
    model = models["se_resnet20"]
    spec, data = export_browser(model)
    assert json.loads(json.dumps(spec)) == spec
    assert len(data) == spec["bytes"] < 600_000
    assert [block["se"] for block in spec["blocks"]] == BLOCKS

    def stored(name):
        about = spec["tensors"][name]
        dtype = getattr(torch, about["dtype"])
        shape = about["shape"]
        count = torch.Size(shape).numel()
        return torch.frombuffer(bytearray(data), dtype=dtype, count=count, offset=about["offset"]).view(shape).float()

    block = model.layer2[0]
    assert torch.equal(stored("layer2.0.conv2.weight"), block.conv2.weight)
    assert torch.equal(stored("layer2.0.se.fc1.weight"), block.se.fc1.weight)
    assert torch.equal(stored("fc.bias"), model.fc.bias)
    x = torch.randn(2, 32, 4, 4)
    for conv, norm in (("conv1", block.bn1), ("downsample.0", block.downsample[1])):
        scale, shift = (stored(f"layer2.0.{conv}.{part}")[:, None, None] for part in ("scale", "shift"))
        torch.testing.assert_close(x * scale + shift, norm(x))


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(2, 2),
        lambda: create_model("resnet18_cifar"),
        lambda: create_model("resnet20", num_classes=100),
        lambda: create_model("se_resnet20", placement="pre"),
        lambda: create_model("se_resnet20", bias=True),
        lambda: create_model("se_resnet20", attention="eca"),
    ],
)
def test_other_architectures_are_refused(make):
    with pytest.raises(ValueError, match="model must "):
        export_browser(make())


def test_what_half_precision_cannot_hold_is_stored_in_single():
    model = create_model("resnet20")
    nn.init.constant_(model.layer3[1].conv2.weight, 1e5)
    spec, data = export_browser(model)
    about = spec["tensors"]["layer3.1.conv2.weight"]
    assert about["dtype"] == "float32"
    assert torch.frombuffer(bytearray(data), dtype=torch.float32, count=1, offset=about["offset"]) == 1e5
    nn.init.constant_(model.layer3[1].conv2.weight, torch.inf)
    with pytest.raises(ValueError, match="layer3.1.conv2.weight"):
        export_browser(model)


def test_bench_says_what_it_needs(root):
    bench = [sys.executable, "scripts/bench_browser.py", "--json"]
    process = subprocess.run(bench, cwd=root, env={"CHROMIUM": "nowhere"}, capture_output=True, text=True, timeout=60)
    assert process.returncode == 1
    assert "This needs Chromium" in process.stderr and process.stdout == ""

"""Bad arguments: each is answered by a ValueError that names the argument, before anything else happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import senet_edu
from senet_edu import (
    SEBlock,
    compare_layers,
    convert_state_dict,
    create_model,
    data,
    export_onnx,
    fold_gates,
    insert_se,
    lamp,
    list_models,
    load_pretrained,
    machine,
    make_attention,
    receptive,
    remove_se,
    tokens,
    train,
    zoo,
)
from senet_edu import analysis as an
from senet_edu.audit import audit, load_model
from senet_edu.checks import shown
from senet_edu.cost import (
    cost_by_module,
    cost_by_stage,
    count_parameters,
    measure_latency,
    multiply_adds,
    se_cost,
    se_parameters,
)
from senet_edu.explorables import Block, Guess, Lamp, Verdict
from senet_edu.gates import find_blocks, find_gates, override_gates, record_gates
from senet_edu.relatives import ATTENTION

Case = tuple[str, str, Callable[[], object]]
"""The argument that the error must name, what is called, and the call."""

NUMBERS = ("16", None, 2.5, float("nan"), float("inf"), 0, -1, True, [16])
COUNTS = ("1", None, 2.5, float("nan"), -1, True)
SHARES = ("1", None, float("nan"), float("inf"), -1, True)
THINGS = (None, 3, "halve", [])
NO_FLAG = (None, 3, "yes", 1.0)
NO_MODULE = (None, "model", 3, torch.zeros(2))

X = torch.randn(2, 16, 4, 4)
IMAGES = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
LABELS = torch.tensor([0, 1, 0, 1])
SHIFTS = torch.zeros(4, 3, dtype=torch.int64)
GATES = torch.full((4, 5), 0.5)
NO_IMAGES = (None, 3, [1], torch.zeros(4, 3, 8, 8), IMAGES[:, :1], IMAGES[0])
NO_LABELS = (None, 3, [0, 1, 0, 1], torch.zeros(4), torch.tensor([0, 1, 0, -1]))
NO_GATES = (None, 3, [1.0], torch.full((4,), 0.5), torch.full((4, 5), float("nan")))
PARTS = {"train_images": IMAGES, "train_labels": LABELS, "test_images": IMAGES, "test_labels": LABELS}
PARTS |= {"name": "four", "classes": ("a", "b")}
SET = data.ImageData(**PARTS)
BLOCKS = {f"layer{stage}.{i}.se": GATES for stage in (1, 2, 3) for i in (0, 1)}


def opened(context: object) -> None:
    with context:  # type: ignore[attr-defined]
        pass


def network() -> nn.Module:
    return create_model("se_resnet8")


def with_each(bad: object, function: Callable[..., object], *names: str, **others: object) -> Iterator[Case]:
    """One case for each option that gets the bad value while all others are good."""
    for name in names:
        yield (
            name,
            f"{getattr(function, '__name__', 'call')} {name}={shown(bad)}",
            lambda n=name: function(**others | {n: bad}),
        )


def blocks() -> Iterator[Case]:
    for bad in NUMBERS:
        yield from with_each(bad, SEBlock, "channels", "reduction", "min_hidden", channels=16)
        for name in ATTENTION:
            yield "channels", f"{name} channels={bad!r}", lambda bad=bad, name=name: make_attention(name, bad)
    for bad in COUNTS:
        yield "kernel_size", f"cbam {bad!r}", lambda bad=bad: make_attention("cbam", 16, kernel_size=bad)
        if bad is not None:
            yield "hidden", f"SEBlock hidden={bad!r}", lambda bad=bad: SEBlock(16, hidden=bad)
            yield "kernel_size", f"eca {bad!r}", lambda bad=bad: make_attention("eca", 16, kernel_size=bad)
    for bad in ("1", None, 2.5, float("nan"), 0, True, [1]):
        yield "channel_dim", f"SEBlock channel_dim={bad!r}", lambda bad=bad: SEBlock(16, channel_dim=bad)
    for bad in ("1", None, float("nan"), -1.0, 0, True):
        yield "lam", f"simam {bad!r}", lambda bad=bad: make_attention("simam", 16, lam=bad)
    for bad in NO_FLAG:
        yield from with_each(bad, SEBlock, "bias", channels=16)
    for bad in (None, 3, "swish", [], b"sigmoid"):
        yield from with_each(bad, SEBlock, "gate", "act", "squeeze", channels=16)
        yield "attention", f"make_attention {bad!r}", lambda bad=bad: make_attention(bad, 16)
    for bad in (None, 3, [1.0], torch.zeros(2, 16), torch.zeros(2, 8, 4, 4), torch.zeros(2, 16, 4, 4).long()):
        for name in ("se", "eca", "cbam", "simam", "no_squeeze", "coordinate"):
            yield "x", f"{name} of {type(bad).__name__}", lambda bad=bad, n=name: make_attention(n, 16)(bad)
    for bad in (None, 3, torch.zeros(2, 8), torch.zeros(16)):
        yield "z", "excite", lambda bad=bad: SEBlock(16).excite(bad)
        yield "s", "rescale", lambda bad=bad: SEBlock(16).rescale(X, bad)


def networks() -> Iterator[Case]:
    for bad in NUMBERS:
        for option in ("num_classes", "in_channels", "groups", "base_width"):
            if not (option == "num_classes" and bad == 0 and not isinstance(bad, bool)):
                yield from with_each(bad, senet_edu.resnet50, option)
        if bad != "16":
            yield "name", f"create_model {bad!r}", lambda bad=bad: create_model(bad)
    for bad in COUNTS:
        yield from with_each(bad, senet_edu.resnet8, "drop_rate")
        if bad is not None:
            yield from with_each(bad, senet_edu.se_resnet8, "reduction", "min_hidden")
    for bad in NO_FLAG:
        yield from with_each(bad, senet_edu.resnet8, "zero_init_residual", "features_only")
    for bad in (None, 3, "swish", [], b"sigmoid"):
        yield from with_each(bad, senet_edu.se_resnet50, "placement", "stride_in", "stem")
    for bad in (3, "x", 1.5, [9]):
        yield from with_each(bad, senet_edu.se_resnet8, "stages")
    for bad in (None, 3, (), "16", (16, 32), (16, 32, 0), (16, 32, "64")):
        yield from with_each(bad, senet_edu.resnet20, "planes")
    for bad in (None, 3):
        yield "pattern", f"list_models {bad!r}", lambda bad=bad: list_models(bad)
    for bad in THINGS:
        for function in (load_pretrained, zoo.load_history, data.load):
            yield from with_each(bad, function, "name")


def surgery() -> Iterator[Case]:
    for bad in (None, "x", {}, ["a"], float("nan"), float("inf"), 1j, torch.ones(16, dtype=torch.complex64)):
        call = lambda bad=bad: opened(override_gates(network(), {"layer1.0.se": bad}))  # noqa: E731
        yield "overrides", f"override with {bad!r}", call
    for bad in ({"layer9": 1.0}, {3: 1.0}, 3, None, "layer1.0.se"):
        yield "overrides", f"overrides={bad!r}", lambda bad=bad: opened(override_gates(network(), bad))
    for bad in ([], 3, [3], None, "nowhere", nn.LSTM):
        yield "after", f"insert after {bad!r}", lambda bad=bad: insert_se(network(), bad, input_size=(3, 32, 32))
    for bad in (None, 3, "large", (), (3, 0, 8), (5, 32, 32)):
        yield "input_size", f"insert size {bad!r}", lambda bad=bad: insert_se(network(), "layer1", input_size=bad)
    small = {"after": "layer1", "input_size": (3, 32, 32)}
    for bad in COUNTS:
        yield "reduction", f"insert {bad!r}", lambda bad=bad: insert_se(network(), **small, reduction=bad)
    for bad in (1.5, 3, "halve", []):
        yield "start", f"insert start {bad!r}", lambda bad=bad: insert_se(network(), **small, start=bad)
    for bad in THINGS:
        yield "names", f"remove {bad!r}", lambda bad=bad: remove_se(network(), bad)
        yield from with_each(bad, fold_gates, "x", model=network())
        yield from with_each(bad, audit, "x", model=network())
        yield from with_each(bad, compare_layers, "x", model=network(), other=network())
    for bad in (3, "halve", [], {"layer1.0.se": "x"}, {"layer1.0.se": 1.0}, {"nowhere": torch.ones(16)}):
        yield from with_each(bad, fold_gates, "gates", model=network(), x=torch.zeros(2, 3, 32, 32))
    for bad in COUNTS:
        if bad != 2.5:
            yield from with_each(bad, fold_gates, "spread", model=network(), x=torch.zeros(2, 3, 32, 32))
    for bad in (None, 7, "", b"x"):
        yield "path", f"export to {bad!r}", lambda bad=bad: export_onnx(network(), bad)
    to = {"model": network(), "path": "x.onnx"}
    for bad in (None, 3, "large", (), (3, 0, 8)):
        yield from with_each(bad, export_onnx, "input_size", **to)
    for bad in NO_FLAG:
        yield from with_each(bad, export_onnx, "free_size", **to)
    for bad in ("18", 18.5, 9, True):
        yield from with_each(bad, export_onnx, "opset_version", **to)
    for bad in (3, "x", (None,), torch.zeros(1, 3, 32, 32)):
        yield from with_each(bad, export_onnx, "example", **to)
    for bad in THINGS:
        weights = {"fc.weight": torch.zeros(2, 2)}
        yield from with_each(bad, convert_state_dict, "source", state_dict=weights)
        yield from with_each(bad, convert_state_dict, "target", state_dict=weights, source="timm")


def models() -> Iterator[Case]:
    """What takes a network gets something else."""
    size = (3, 32, 32)
    calls: dict[str, Callable[[object], object]] = {
        "find_gates": find_gates,
        "find_blocks": find_blocks,
        "record_gates": lambda bad: opened(record_gates(bad)),
        "override_gates": lambda bad: opened(override_gates(bad, {})),
        "insert_se": lambda bad: insert_se(bad, "0"),
        "remove_se": remove_se,
        "fold_gates": lambda bad: fold_gates(bad, X),
        "audit": lambda bad: audit(bad, X),
        "export_onnx": lambda bad: export_onnx(bad, "x.onnx"),
        "compare_layers": lambda bad: compare_layers(bad, network(), X),
        "count_parameters": count_parameters,
        "cost_by_module": lambda bad: cost_by_module(bad, size),
        "cost_by_stage": lambda bad: cost_by_stage(bad, size),
        "multiply_adds": lambda bad: multiply_adds(bad, size),
        "se_cost": lambda bad: se_cost(bad, size),
        "receptive_fields": receptive.receptive_fields,
        "evaluate": lambda bad: train.evaluate(bad, IMAGES, LABELS),
        "gates_of": lambda bad: an.gates_of(bad, IMAGES),
        "answers": lambda bad: an.answers(bad, IMAGES, [{}]),
        "calibrate_batch_norm": lambda bad: an.calibrate_batch_norm(bad, IMAGES),
    }
    for bad in NO_MODULE:
        what = type(bad).__name__
        for name, call in calls.items():
            yield "model", f"{name} {what}", lambda bad=bad, call=call: call(bad)
        yield "other", f"compare {what}", lambda bad=bad: compare_layers(network(), bad, torch.zeros(2, 3, 32, 32))
        yield "models", f"measure_latency {what}", lambda bad=bad: measure_latency(bad, X)
        yield "state_dict", f"convert {what}", lambda bad=bad: convert_state_dict(bad, "timm")
        for call in (lambda net: lamp.train(net, steps=1), lamp.error, lamp.swing):
            yield "net", f"lamp {what}", lambda bad=bad, call=call: call(bad)
    for bad in THINGS:
        yield "source", f"load_model {bad!r}", lambda bad=bad: load_model(bad)


def costs() -> Iterator[Case]:
    for bad in NUMBERS:
        yield "stages", f"se_parameters {bad!r}", lambda bad=bad: se_parameters(bad)
        yield "reduction", f"se_parameters {bad!r}", lambda bad=bad: se_parameters([(3, 256)], bad)
        yield "input_size", f"multiply_adds {bad!r}", lambda bad=bad: multiply_adds(network(), bad)
        yield "repeats", f"latency {bad!r}", lambda bad=bad: measure_latency({"a": nn.ReLU()}, X, bad)
    for bad in NO_FLAG:
        yield from with_each(bad, se_parameters, "bias", stages=[(3, 256)])
        yield from with_each(bad, multiply_adds, "elementwise", model=network(), input_size=(3, 32, 32))
    for bad in (3, "gpu", [], 1.5):
        yield from with_each(bad, machine.usable, "device")


def data_sets() -> Iterator[Case]:
    for bad in NO_IMAGES:
        yield from with_each(bad, data.normalize, "images")
        yield from with_each(bad, data.pad, "images")
        yield from with_each(bad, data.crop_flip, "padded", index=LABELS, shifts=SHIFTS, size=4)
        yield from with_each(bad, data.ImageData, "train_images", "test_images", **PARTS)
    for bad in NO_LABELS:
        yield from with_each(bad, data.ImageData, "train_labels", "test_labels", **PARTS)
    for bad in (None, 3, [1], torch.zeros(4), torch.zeros(4, 2)):
        maps = torch.zeros(4, 3, 8, 8)
        yield from with_each(bad, data.crop_flip, "index", "shifts", padded=IMAGES, index=LABELS, shifts=SHIFTS, size=4)
        yield from with_each(bad, data.cutout, "images", images=maps, centers=LABELS, size=2)
        if not isinstance(bad, Tensor) or bad.ndim == 1:
            yield from with_each(bad, data.cutout, "centers", images=maps, size=2)
    for bad in COUNTS:
        yield from with_each(bad, data.procedural, "train", "test", train=10, test=10)
        yield from with_each(bad, data.pad, "padding", images=IMAGES)
        yield from with_each(bad, data.cutout, "size", images=torch.zeros(4, 3, 8, 8), centers=torch.zeros(4, 2))
        yield from with_each(bad, data.draw_shifts, "count", "room", count=3, room=3, generator=torch.Generator())
        if bad is not None:
            yield from with_each(bad, SET.subset, "train", "test")
    for bad in ("1", None, 2.5, float("nan"), True):
        yield from with_each(bad, data.procedural, "seed", train=10, test=10)
    for bad in (3, "", [], b"x"):
        yield from with_each(bad, data.data_folder, "root")
    for bad in NO_FLAG:
        yield from with_each(bad, data.load_cifar10, "download")
        yield from with_each(bad, data.load_cifar100, "download")


def statistics() -> Iterator[Case]:
    by_block = (an.class_means, an.class_share, an.within_class_spread, an.pattern_similarity, an.summarize)
    means = {"a": GATES.mean(0)}
    for bad in NO_LABELS:
        for function in by_block:
            yield from with_each(bad, function, "labels", gates=GATES)
        yield from with_each(bad, an.observations, "labels", gates=BLOCKS)
        yield from with_each(bad, an.replace_gates, "labels", kind="mean", gates={"a": GATES}, means=means)
        yield from with_each(bad, an.toward_donor, "labels", before=LABELS, after=LABELS, donor=LABELS)
        yield from with_each(bad, train.evaluate, "labels", model=network(), images=IMAGES)
        if not (isinstance(bad, Tensor) and bad.dtype == torch.int64):
            yield from with_each(bad, an.donors, "labels", generator=torch.Generator(), same_class=False)
            answers = {"before": LABELS, "after": LABELS, "labels": LABELS}
            yield from with_each(bad, an.effect, "before", "after", "labels", **answers)
    for bad in NO_GATES:
        for function in by_block:
            yield from with_each(bad, function, "gates", labels=LABELS)
        for function in (an.openers, lambda gates: an.observations(gates, LABELS)):
            yield "gates", f"{function.__name__} {bad!r}", lambda bad=bad, f=function: f({**BLOCKS, "layer3.1.se": bad})
            yield "gates", f"{function.__name__} {bad!r}", lambda bad=bad, f=function: f(bad)
        yield from with_each(bad, an.replace_gates, "gates", kind="mean", means=means, labels=LABELS)
    for bad in NO_IMAGES:
        for function in (an.gates_of, an.calibrate_batch_norm):
            yield from with_each(bad, function, "images", model=network())
        yield from with_each(bad, an.answers, "images", model=network(), overrides=[{}])
        yield from with_each(bad, train.evaluate, "images", model=network(), labels=LABELS)
    for bad in COUNTS:
        yield from with_each(bad, an.gates_of, "batch_size", model=network(), images=IMAGES)
        yield from with_each(bad, an.answers, "batch_size", model=network(), images=IMAGES, overrides=[{}])
        yield from with_each(bad, train.evaluate, "batch_size", model=network(), images=IMAGES, labels=LABELS)
        yield from with_each(bad, an.openers, "k", gates={"a": GATES})
        if bad is not None:
            yield from with_each(bad, an.class_means, "num_classes", gates=GATES, labels=LABELS)
    for bad in THINGS:
        yield from with_each(bad, an.replace_gates, "kind", gates={"a": GATES}, means=means, labels=LABELS)


def training() -> Iterator[Case]:
    recipe = train.Recipe(data="procedural", epochs=1)
    for bad in COUNTS:
        yield from with_each(bad, train.Recipe, "epochs", "batch_size", "cutout", "holdout", "padding", "seed")
        yield from with_each(bad, train.train, "eval_every", recipe=recipe, data=SET, progress=False)
        yield from with_each(bad, train.profile_steps, "steps", recipe=recipe, data=SET)
    for bad in SHARES:
        rates = ("lr", "warmup", "momentum", "weight_decay", "label_smoothing", "ema", "ema_from", "bn_shift_lr")
        yield from with_each(bad, train.Recipe, *rates)
    for bad in (None, 3, "ab", [], [(0.5, 32)], [(0.0, 16), (0.5, -3)], [(0.0, 16), (1.5, 32)], [(0.0,)]):
        yield from with_each(bad, train.Recipe, "sizes")
    for bad in (None, 3, "", []):
        yield from with_each(bad, train.Recipe, "model", "data", "model_options", "flip", "compile")
        if bad is not None:
            yield from with_each(bad, train.train, "out", recipe=recipe, data=SET, progress=False)
    for bad in THINGS:
        yield from with_each(bad, train.train, "recipe", data=SET)
        yield from with_each(bad, train.profile_steps, "recipe", data=SET)
        yield "recipe", f"read_recipe {bad!r}", lambda bad=bad: train.read_recipe(bad)
        if bad is not None:
            yield from with_each(bad, train.train, "data", recipe=recipe, progress=False)
        if bad != []:
            yield from with_each(bad, train.train_many, "recipes", data=SET)
    for bad in NO_FLAG:
        yield from with_each(bad, train.train, "resume", "overwrite", recipe=recipe, data=SET, progress=False)
        yield from with_each(bad, train.train_many, "resume", "overwrite", recipes=[recipe], data=SET)
        yield from with_each(bad, train.evaluate, "mirror", model=network(), images=IMAGES, labels=LABELS)


def book() -> Iterator[Case]:
    for bad in COUNTS:
        for function in (lamp.pictures, lamp.held_out):
            yield from with_each(bad, function, "count")
        yield from with_each(bad, lamp.network, "channels")
        yield from with_each(bad, lamp.train, "steps", "batch", net=lamp.network(), steps=1)
        if bad != -1:
            yield from with_each(bad, lamp.network, "seed")
    for bad in SHARES:
        yield from with_each(bad, lamp.train, "rate", net=lamp.network(), steps=1)
    for bad in THINGS:
        yield from with_each(bad, lamp.error, "gates", net=lamp.network())
        yield from with_each(bad, lamp.network, "placement")
        for figure in (Block, Lamp):
            yield from with_each(bad, figure, "open")
        yield from with_each(bad, Guess, "options", key="k", question="Why?")
        yield from with_each(bad, Verdict, "guess", answer="a", sentence="So.")
        yield from with_each(bad, Verdict, "answer", guess=Guess("k", "Why?", ["a", "b"]), sentence="So.")
    for bad in (None, 3, "Not a key", []):
        yield from with_each(bad, Guess, "key", question="Why?", options=["a", "b"])
    for bad in (None, 3, " ", []):
        yield from with_each(bad, Guess, "question", key="k", options=["a", "b"])


def large() -> Iterator[Case]:
    """Things of which an error must not print every number: arrays, tensors, lists of them, networks."""
    recipe = train.Recipe(data="procedural", epochs=1)
    net = {"model": network()}
    functions: tuple[tuple[Callable[..., object], tuple[str, ...], dict[str, object]], ...] = (
        (SEBlock, ("channels", "reduction", "min_hidden", "hidden", "squeeze", "bias", "channel_dim"), {"channels": 8}),
        (make_attention, ("attention", "channels"), {"attention": "se", "channels": 8}),
        (ATTENTION["cbam"], ("kernel_size",), {"channels": 8}),
        (ATTENTION["ge_theta"], ("extent",), {"channels": 8}),
        (senet_edu.se_resnet50, ("placement", "stages", "reduction", "planes", "stem", "groups", "drop_rate"), {}),
        (create_model, ("name",), {}),
        (list_models, ("pattern",), {}),
        (load_pretrained, ("name",), {}),
        (insert_se, ("input_size", "start", "channel_dim"), net | {"after": "layer1"}),
        (remove_se, ("names",), net),
        (fold_gates, ("gates", "spread"), net | {"x": torch.zeros(2, 3, 32, 32)}),
        (export_onnx, ("path", "input_size", "opset_version"), net | {"path": "x.onnx"}),
        (convert_state_dict, ("state_dict", "source"), {"state_dict": {}, "source": "caffe"}),
        (se_parameters, ("stages", "reduction", "bias"), {"stages": [(3, 256)]}),
        (multiply_adds, ("input_size", "elementwise"), net | {"input_size": (3, 32, 32)}),
        (measure_latency, ("models", "repeats"), {"models": {}, "x": X}),
        (machine.usable, ("device",), {}),
        (tokens.css, ("theme",), {}),
        (load_model, ("source",), {}),
        (data.load, ("name",), {}),
        (data.procedural, ("train", "seed"), {}),
        (data.ImageData, ("train_images", "train_labels"), PARTS),
        (an.summarize, ("labels", "low"), {"gates": GATES, "labels": LABELS}),
        (an.openers, ("gates", "k"), {"gates": {"a": GATES}}),
        (an.answers, ("images", "batch_size"), net | {"images": IMAGES, "overrides": [{}]}),
        (train.Recipe, ("model", "epochs", "lr", "sizes", "model_options", "flip"), {}),
        (train.train, ("recipe", "data", "out", "resume"), {"recipe": recipe, "data": SET, "progress": False}),
        (train.train_many, ("recipes",), {"data": SET}),
        (train.profile_steps, ("recipe", "steps"), {"recipe": recipe, "data": SET}),
        (lamp.network, ("placement", "layers", "channels"), {}),
        (Block, ("open",), {}),
        (Guess, ("key", "question", "options"), {"key": "k", "question": "Why?", "options": ["a", "b"]}),
    )
    for bad in (torch.rand(300, 300), np.full((300, 300), 0.5), nn.Sequential(*[nn.Linear(2, 2) for _ in range(99)])):
        for function, names, others in functions:
            for name in names:
                if not (name == "attention" and isinstance(bad, nn.Module)) or function is make_attention:
                    yield from with_each(bad, function, name, **others)
        strange = [bad, None] * 50
        yield "overrides", "overrides", lambda bad=bad: opened(override_gates(network(), bad))
        yield "overrides", "a list", lambda bad=strange: opened(override_gates(network(), {"layer1.0.se": bad}))
        yield "after", "a list of what is no place", lambda bad=strange: insert_se(network(), [bad])
        if not isinstance(bad, nn.Module):
            yield "overrides", "text", lambda bad=bad: opened(override_gates(network(), {"layer1.0.se": bad * np.nan}))
            yield "after", "no place", lambda bad=bad: insert_se(network(), [bad])
    yield "after", "a network elsewhere", lambda: insert_se(network(), senet_edu.resnet50())
    yield "gate", "a gate that makes none", lambda: SEBlock(8, gate=lambda: torch.zeros(300, 300))


CASES: dict[str, Case] = {}
for group in (blocks, networks, surgery, models, costs, data_sets, statistics, training, book, large):
    for argument, what, call in group():
        CASES[f"{group.__name__}: {what} {len(CASES)}"] = argument, what, call


@pytest.mark.parametrize("case", CASES)
def test_bad_arguments_are_named(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    argument, _, call = CASES[case]
    with pytest.raises(ValueError, match=rf"\b{argument}\b") as caught:
        call()
    assert len(str(caught.value)) < 1000
    assert list(tmp_path.iterdir()) == []


def test_how_many() -> None:
    print(f"{len(CASES)} bad arguments, each answered by a ValueError that names it")
    assert len(CASES) > 1000


def test_options_that_do_not_exist_have_a_near_name() -> None:
    with pytest.raises(TypeError, match="did you mean 'reduction'"):
        senet_edu.se_resnet20(reducton=4)  # type: ignore[call-arg]

"""Weights from and to other libraries, and ONNX.

    timm_weights = timm.create_model("seresnet50", pretrained=True).state_dict()
    model = se_resnet50(bias=True, min_hidden=8)
    model.load_state_dict(convert_state_dict(timm_weights, source="timm"))

A conversion only renames and reshapes. What else differs between the families is an argument of the builder:

    source                        weights                       build with
    "torchvision"                 resnet18 … 152, resnext*      (plain networks)
    "timm"                        seresnet18 … 152, seresnext*  bias=True, min_hidden=8
    "timm_legacy"                 legacy_seresnet50 … 152       bias=True, stride_in="1x1", and see below
    "timm_legacy"                 legacy_seresnext*             bias=True, and see below
    "timm_legacy"                 legacy_senet154               (senet154 as it is)
    "pytorchcv"                   seresnet50 (and 18)           bias=True, stride_in="1x1" (18: no stride_in)
    "pytorchcv"                   seresnet50b                   bias=True
    "pytorchcv"                   seresnet20_cifar10 …          bias=True
    "mmpretrain"                  SEResNet 50 … 152             bias=True
    "caffe"                       the paper's SE-ResNet-50 …    bias=True, stride_in="1x1", and see below
    "caffe"                       the paper's SE-ResNeXt-50 …   bias=True, and see below
    "moskomule"                   se_resnet18 … 152             (as it is)
    "blog"                        SE_Block in torchvision's     (as it is)

A whole checkpoint may be given, too: `{"state_dict": …, "epoch": …}` is unwrapped, and `module.` and `_orig_mod.` are
taken off. And the weights of a single block: those of timm's `SEModule`, torchvision's `SqueezeExcitation`,
pytorchcv's `SEBlock`, and of the blog's, moskomule's and mmpretrain's.

timm's legacy networks and Caffe pool their stem with `nn.MaxPool2d(3, stride=2, ceil_mode=True)` and without padding:
set `model.maxpool` to that after building (`senet154` has it). timm's 18- and 34-layer legacy forms have one more ReLU
in front of the SE block, which these networks cannot express; they are refused. Caffe's weights are `net.params` of
pycaffe as arrays, `{name: [blob.data, …]}`; its first layer takes blue before green before red.

A wrong `bias` or `min_hidden` makes a strict load fail. A state dict holds no strides, no pooling, no activation and no
place of the SE block, so a difference there loads without complaint: run both networks once on the same input.
`compare_layers` names the first layer in which they part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu import checks
from senet_edu.cost import check_size
from senet_edu.extras import extra
from senet_edu.gates import Block, call, find_blocks, hooked, suiting
from senet_edu.modes import evaluating

OURS = "senet_edu"

_LEAF = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
_KEY = re.compile(
    rf"(conv1(\.[013467])?|bn1|fc|layer\d\.\d+\.(conv[123]|bn[123]|downsample\.[01]|se\.fc[12]))\.{_LEAF}"
)
"""Every key of a network of `senet_edu.resnet` looks like this."""

_RENAMES: dict[str, list[tuple[str, str | Callable[[re.Match[str]], str]]]] = {
    "torchvision": [],
    "timm": [],
    "timm_legacy": [
        (r"^layer0\.", ""),
        (r"\.se_module\.", ".se."),
        (r"^last_linear\.", "fc."),
    ],
    "pytorchcv": [
        (r"^features\.init_block\.(?:conv\.)?bn\.", "bn1."),
        (r"^features\.init_block\.(?:conv\.)?conv\.", "conv1."),
        (r"^features\.stage(\d)\.unit(\d+)\.", lambda m: f"layer{m[1]}.{int(m[2]) - 1}."),
        (r"\.body\.conv(\d)\.conv\.", r".conv\1."),
        (r"\.body\.conv(\d)\.bn\.", r".bn\1."),
        (r"\.identity_conv\.conv\.", ".downsample.0."),
        (r"\.identity_conv\.bn\.", ".downsample.1."),
        (r"\.se\.conv([12])\.", r".se.fc\1."),
        (r"^output\.", "fc."),
    ],
    "mmpretrain": [
        (r"^backbone\.", ""),
        (r"\.se_layer\.conv([12])\.conv\.", r".se.fc\1."),
        (r"^head\.fc\.", "fc."),
    ],
    "caffe": [
        (r"^conv1/7x7_s2/bn\.", "bn1."),
        (r"^conv1/7x7_s2\.", "conv1."),
        (r"^conv(\d)_(\d+)_", lambda m: f"layer{int(m[1]) - 1}.{int(m[2]) - 1}."),
        (r"\.1x1_proj/bn\.", ".downsample.1."),
        (r"\.1x1_proj\.", ".downsample.0."),
        (r"\.1x1_reduce/bn\.", ".bn1."),
        (r"\.1x1_reduce\.", ".conv1."),
        (r"\.3x3/bn\.", ".bn2."),
        (r"\.3x3\.", ".conv2."),
        (r"\.1x1_increase/bn\.", ".bn3."),
        (r"\.1x1_increase\.", ".conv3."),
        (r"\.1x1_down\.", ".se.fc1."),
        (r"\.1x1_up\.", ".se.fc2."),
        (r"^classifier\.", "fc."),
    ],
    "moskomule": [(r"\.se\.fc\.0\.", ".se.fc1."), (r"\.se\.fc\.2\.", ".se.fc2.")],
    "blog": [(r"\.se\.excitation\.0\.", ".se.fc1."), (r"\.se\.excitation\.2\.", ".se.fc2.")],
}
"""Per family, the steps from its keys to ours, in order."""

_BLOCKS = {
    "torchvision": ("fc1", "fc2"),
    "timm": ("fc1", "fc2"),
    "timm_legacy": ("fc1", "fc2"),
    "pytorchcv": ("conv1", "conv2"),
    "mmpretrain": ("conv1.conv", "conv2.conv"),
    "moskomule": ("fc.0", "fc.2"),
    "blog": ("excitation.0", "excitation.2"),
    OURS: ("fc1", "fc2"),
}
"""The two layers of a single block."""

_DEEP = {"conv1": "conv1.0", "bn1": "conv1.1", "conv2": "conv1.3", "bn2": "conv1.4", "conv3": "conv1.6", "bn3": "bn1"}
"""The stem of SENet-154, from timm's legacy names to ours."""

LINEAR = ("moskomule", "blog", OURS)
"""Families whose SE blocks have linear layers `(o, i)`; the others have 1x1 convolutions `(o, i, 1, 1)`."""

SOURCES = tuple(_RENAMES)


def convert_state_dict(state_dict: Mapping[str, Any], source: str, target: str = OURS) -> dict[str, Any]:
    """Rename and reshape weights from another library to this package, or back.

    Args:
        state_dict: of a network or of a single SE block of `source`, or a checkpoint that holds one. For `"caffe"`,
            `{name: [array, …]}`.
        source, target: one of them `"senet_edu"`, the other a name of `SOURCES`.

    Returns:
        A new dictionary for `load_state_dict(…, strict=True)` of the target; tensors are views, not copies.

    Raises:
        ValueError: an unknown family; no weights, or something else among them; a key that has no counterpart; two keys
            with the same one; a network that cannot be expressed.
    """
    checks.choice("source", source, (OURS, *SOURCES))
    checks.choice("target", target, (OURS, *SOURCES))
    if (source == OURS) == (target == OURS):
        raise ValueError(
            f"one of source and target must be {OURS!r}, the other one of {', '.join(SOURCES)}; "
            f"got source={source!r}, target={target!r}"
        )
    family = target if source == OURS else source
    weights = unwrap_state_dict(_from_blobs(state_dict) if source == "caffe" else state_dict)
    if family in _BLOCKS and (block := _convert_block(weights, source, target)):
        return block
    bottleneck = any(".conv3." in key for key in weights)
    if family == "timm_legacy" and not bottleneck:
        raise ValueError(
            "the legacy SE-ResNet-18 and -34 of timm have a ReLU between bn2 and the SE block, which the networks of "
            "this package do not: their weights would load and give other answers"
        )
    imagenet = source == OURS and "conv1.weight" in weights and weights["conv1.weight"].shape[-1] == 7
    deep = "layer0.conv2.weight" in weights or "conv1.6.weight" in weights  # SENet-154's stem
    converted: dict[str, Tensor] = {}
    for key, tensor in weights.items():
        ours = key if source == OURS else _rename(key, source, deep)
        if not _KEY.fullmatch(ours) or ours.startswith("conv1.") and ours[6].isdigit() and family != "timm_legacy":
            prefix, _, rest = key.partition(".")
            wrapped = _KEY.fullmatch(rest if source == OURS else _rename(rest, source, deep))
            why = f"take {prefix + '.'!r} off all keys first" if wrapped else "not a ResNet of this package's kind"
            raise ValueError(f"{key!r} of {source} has no counterpart in {target}: {why}")
        if family == "torchvision" and ".se." in ours:
            raise ValueError(f"{key!r} of {source} has no counterpart in {target}: torchvision's ResNets have no SE")
        theirs = _rename_back(ours, family, imagenet, deep) if source == OURS else ours
        if theirs in converted:
            raise ValueError(f"two keys of {source} mean {theirs!r} of {target}; {key!r} is the second")
        if re.search(r"\.se\.fc[12]\.weight$", ours):
            tensor = _reshaped(key, tensor, source, target)
        converted[theirs] = tensor
    return _to_blobs(converted) if target == "caffe" else converted


def _convert_block(weights: Mapping[str, Tensor], source: str, target: str) -> dict[str, Tensor] | None:
    """The weights of a single SE block; None if they are not those of one."""
    layers = dict(zip(_BLOCKS[source], _BLOCKS[target]))
    parts = [(key, *key.rpartition(".")[::2]) for key in weights]
    if {layer for _, layer, _ in parts} != set(layers) or not {leaf for *_, leaf in parts} <= {"weight", "bias"}:
        return None
    return {
        f"{layers[layer]}.{leaf}": _reshaped(key, weights[key], source, target) if leaf == "weight" else weights[key]
        for key, layer, leaf in parts
    }


def unwrap_state_dict(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights in a checkpoint, by the names of the bare model.

    Takes the dictionary out of `{"state_dict": …, "epoch": …}` and its likes, and `module.` and `_orig_mod.`, which
    `DataParallel` and `torch.compile` put in front, off the keys.

    Raises:
        ValueError: there are no weights in it, or something else among them.
    """
    if not isinstance(checkpoint, Mapping):
        raise ValueError(f"state_dict must be a dictionary of tensors, got {type(checkpoint).__name__}")
    for key in ("state_dict", "model_state_dict", "state_dict_ema", "model_ema", "model", "net", "weights"):
        if isinstance(checkpoint.get(key), Mapping):
            return unwrap_state_dict(checkpoint[key])
    if not checkpoint:
        raise ValueError("state_dict is empty")
    for key, value in checkpoint.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ValueError(f"state_dict must hold tensors only; {key!r} is a {type(value).__name__}")
    weights = dict(checkpoint)
    prefixes = ("module.", "_orig_mod.", "model.", "backbone.", "net.", "encoder.")
    while any(all(key.startswith(prefix) for key in weights) for prefix in prefixes):
        weights = {key.partition(".")[2]: value for key, value in weights.items()}
    return weights


def _rename(key: str, source: str, deep: bool = False) -> str:
    if deep and (match := re.fullmatch(r"layer0\.(\w+)\.(\w+)", key)):
        return f"{_DEEP.get(match[1], match[1])}.{match[2]}"
    for pattern, replacement in _RENAMES[source]:
        key = re.sub(pattern, replacement, key)
    return key


def _reshaped(key: str, weight: Tensor, source: str, target: str) -> Tensor:
    """Between a 1x1 convolution's weight `(o, i, 1, 1)` and a linear layer's `(o, i)`."""
    fits = weight.ndim == 2 if source in LINEAR else weight.ndim == 4 and weight.shape[2:] == (1, 1)
    if not fits:
        what = "a linear layer (o, i)" if source in LINEAR else "a 1x1 convolution (o, i, 1, 1)"
        raise ValueError(f"{key!r} must be {what}, got {tuple(weight.shape)}")
    return weight.flatten(1) if target in LINEAR else weight[:, :, None, None] if source in LINEAR else weight


def _from_blobs(params: Mapping[str, Any]) -> dict[str, Tensor]:
    """Caffe's `{layer: [array, …]}` to names and tensors as PyTorch has them.

    A `BatchNorm` has mean and variance, each times its third blob; a `Scale` behind it has weight and bias.
    """
    tensors: dict[str, Tensor] = {}
    if not isinstance(params, Mapping) or not params:
        raise ValueError(f"state_dict must be Caffe's layers, name to arrays, got {checks.shown(params)}")
    for layer, blobs in params.items():
        try:
            arrays = [torch.as_tensor(blob) for blob in blobs]
        except (TypeError, ValueError, RuntimeError):
            raise ValueError(f"{layer!r} of caffe must be a list of arrays, got {type(blobs).__name__}") from None
        if layer.endswith("/bn"):
            factor = arrays[2].item() if len(arrays) > 2 else 1.0
            arrays = [array / (factor or 1.0) for array in arrays[:2]]
        leaves = ("running_mean", "running_var") if layer.endswith("/bn") else ("weight", "bias")
        tensors |= {f"{layer.removesuffix('/scale')}.{leaf}": array for leaf, array in zip(leaves, arrays)}
    return tensors


def _to_blobs(tensors: Mapping[str, Tensor]) -> dict[str, list[Tensor]]:
    """The way back: blobs in Caffe's order."""
    blobs: dict[str, list[Tensor]] = {}
    for leaf in ("weight", "bias", "running_mean", "running_var"):
        for key, tensor in tensors.items():
            layer, _, last = key.rpartition(".")
            if last == leaf:
                norm = layer.endswith("/bn")
                blobs.setdefault(f"{layer}/scale" if norm and leaf in ("weight", "bias") else layer, []).append(tensor)
    for layer in [layer for layer in blobs if layer.endswith("/bn")]:
        blobs[layer].append(torch.ones(1, dtype=blobs[layer][0].dtype))
    return blobs


def _rename_back(key: str, target: str, imagenet: bool, deep: bool) -> str:
    if target == "timm_legacy":
        if match := re.fullmatch(r"(conv1\.\d|bn1)\.(\w+)", key):
            back = {ours: theirs for theirs, ours in _DEEP.items()}
            if match[1] != "bn1" or deep:
                return f"layer0.{back[match[1]]}.{match[2]}"
        key = re.sub(r"^(conv1|bn1)\.", r"layer0.\1.", key)
        return re.sub(r"^fc\.", "last_linear.", key.replace(".se.", ".se_module."))
    if target == "pytorchcv":
        stem = "features.init_block.conv." if imagenet else "features.init_block."
        if match := re.fullmatch(r"(conv|bn)1\.(\w+)", key):
            return f"{stem}{match[1]}.{match[2]}"
        key = re.sub(r"^layer(\d)\.(\d+)\.", lambda m: f"features.stage{m[1]}.unit{int(m[2]) + 1}.", key)
        key = re.sub(r"\.(conv|bn)([123])\.", r".body.conv\2.\1.", key)
        key = key.replace(".downsample.0.", ".identity_conv.conv.").replace(".downsample.1.", ".identity_conv.bn.")
        key = re.sub(r"\.se\.fc([12])\.", r".se.conv\1.", key)
        return re.sub(r"^fc\.", "output.", key)
    if target == "mmpretrain":
        key = re.sub(r"\.se\.fc([12])\.", r".se_layer.conv\1.conv.", key)
        return f"head.{key}" if key.startswith("fc.") else f"backbone.{key}"
    if target == "caffe":
        return _rename_to_caffe(key)
    names = {"moskomule": ("fc.0", "fc.2"), "blog": ("excitation.0", "excitation.2")}
    first, second = names.get(target, ("fc1", "fc2"))
    return key.replace(".se.fc1.", f".se.{first}.").replace(".se.fc2.", f".se.{second}.")


_CAFFE = {
    "conv1": "1x1_reduce",
    "bn1": "1x1_reduce/bn",
    "conv2": "3x3",
    "bn2": "3x3/bn",
    "conv3": "1x1_increase",
    "bn3": "1x1_increase/bn",
    "downsample.0": "1x1_proj",
    "downsample.1": "1x1_proj/bn",
    "se.fc1": "1x1_down",
    "se.fc2": "1x1_up",
}


def _rename_to_caffe(key: str) -> str:
    module, _, leaf = key.rpartition(".")
    if match := re.fullmatch(r"layer(\d)\.(\d+)\.(.+)", module):
        return f"conv{int(match[1]) + 1}_{int(match[2]) + 1}_{_CAFFE[match[3]]}.{leaf}"
    ends = {"conv1": "conv1/7x7_s2", "bn1": "conv1/7x7_s2/bn", "fc": "classifier"}
    if module not in ends:
        raise ValueError(f"{key!r} of {OURS} has no counterpart in caffe: it has no such stem")
    return f"{ends[module]}.{leaf}"


@torch.no_grad()
def compare_layers(model: nn.Module, other: nn.Module, x: Any) -> dict[str, float]:
    """Run two networks on the same input and compare what their layers put out: the first that differs tells why.

    Compared are the modules that both call, under the same name in both; of one that is called several times, its first
    output. Put both networks in eval mode.

    Args:
        model, other: the networks.
        x: an input of both: a tensor, a tuple of arguments or a dictionary of keyword arguments.

    Returns:
        A module's name to ‖a - b‖ / ‖a‖, infinite where the numbers of values differ; in the order in which `model`
        calls them, so a layer stands before the block that holds it.

    Raises:
        ValueError: one is no module; x does not suit one; the two call no module of the same name.
    """
    checks.module("model", model)
    checks.module("other", other)
    checks.inputs("x", x)

    def outputs(network: nn.Module) -> dict[str, Tensor]:
        seen: dict[str, Tensor] = {}

        def look(name: str, module: nn.Module, args: tuple, output: Any) -> None:
            if isinstance(output, Tensor) and name not in seen:
                seen[name] = output.clone()  # an in-place ReLU behind the module would change it

        hooks = {module: partial(look, name) for name, module in network.named_modules() if name}
        with hooked(hooks), suiting("x", x, network):
            call(network, x)
        return seen

    def difference(a: Tensor, b: Tensor) -> float:
        if a.numel() != b.numel():
            return float("inf")
        a, b = a.flatten(), b.flatten()  # an SE block of 1x1 convolutions has (N, C, 1, 1) where ours has (N, C)
        return ((a - b).norm() / a.norm().clamp(min=1e-30)).item()

    ours, theirs = outputs(model), outputs(other)
    if not ours.keys() & theirs.keys():
        raise ValueError(f"{type(model).__name__} and {type(other).__name__} call no module of the same name")
    return {name: difference(a, theirs[name]) for name, a in ours.items() if name in theirs}


def _shapes(inputs: Iterable[Any]) -> str:
    return ", ".join(str(tuple(x.shape)) if isinstance(x, Tensor) else checks.shown(x) for x in inputs)


class _WithGates(nn.Module):
    """A model that returns its gates behind its logits; made for tracing."""

    def __init__(self, model: nn.Module, blocks: dict[str, Block]) -> None:
        super().__init__()
        self.model = model
        self.blocks = list(blocks.items())  # a plain list: the modules belong to the model

    def forward(self, *inputs: Any, **named: Any) -> tuple[Any, ...]:
        seen: dict[str, list[Tensor]] = {name: [] for name, _ in self.blocks}
        hooks = [
            block.gate.register_forward_hook(lambda _, __, output, name=name: seen[name].append(output))
            for name, block in self.blocks
        ]
        try:
            logits = self.model(*inputs, **named)
        finally:
            for hook in hooks:
                hook.remove()
        for name, outputs in seen.items():
            if len(outputs) != 1:
                raise ValueError(f"the model calls its block {name!r} {len(outputs)} times; its gates need one call")
        gates = [block.gates(seen[name][0]) for name, block in self.blocks]
        return logits, *gates


def export_onnx(
    model: nn.Module,
    path: str | Path,
    *,
    input_size: tuple[int, ...] = (3, 32, 32),
    example: Any = None,
    free_size: bool = False,
    opset_version: int | None = None,
) -> list[str]:
    """Write a model as ONNX, with a free batch size and every gate as a further output.

    Needs the packages `onnx` and `onnxscript`, the extra `onnx` of this package.

    Args:
        model: a network with or without SE blocks, of this or another library; exported in eval mode.
        path: the file to write.
        input_size: (C, H, W) of the images.
        example: in place of `input_size`, a tensor or a tuple of tensors, each with at least two samples.
        free_size: let height and width be free, too.
        opset_version: of ONNX; by default the exporter's own.

    Returns:
        The names of the outputs: `"logits"`, then one a gate in the order of the model's modules, `"layer1.0.se"` ….
        The input is called `"images"`, several are `"images"`, `"input1"` ….

    Raises:
        ValueError: the path or the opset is none; the model does not take such images; an SE block is not called, or
            several times in one forward pass.
    """
    path = checks.path("path", path)
    checks.flag("free_size", free_size)
    if opset_version is not None:
        checks.whole("opset_version", opset_version, least=18)
    blocks = find_blocks(model)
    names = ["logits", *blocks]
    like = next(model.parameters(), torch.empty(0))
    said = "input_size" if example is None else "example"
    if example is None:
        example = torch.zeros(2, *check_size(input_size), dtype=like.dtype, device=like.device)
    inputs = tuple(example) if isinstance(example, (tuple, list)) else (example,)
    if not all(isinstance(x, Tensor) and x.ndim > 0 and len(x) > 1 for x in inputs):
        raise ValueError(f"example must be tensors with at least two samples each, got {_shapes(inputs)}")
    batch, free = torch.export.Dim("batch"), torch.export.Dim.DYNAMIC
    sizes = tuple({0: batch} | {axis: free for axis in range(2, x.ndim) if free_size} for x in inputs)
    with evaluating(model):
        wrapped = _WithGates(model, blocks).eval()
        with torch.no_grad():
            try:
                wrapped(*inputs)  # what is wrong with the model is said here, and not from within the exporter
            except (RuntimeError, TypeError, IndexError) as error:
                shapes = _shapes(x[0] for x in inputs)
                raise ValueError(f"{said}={shapes} does not suit {type(model).__name__}: {error}") from error
        with extra("onnx"):
            torch.onnx.export(
                wrapped,
                inputs,
                str(path),
                input_names=["images", *(f"input{i}" for i in range(1, len(inputs)))],
                output_names=names,
                dynamic_shapes={"inputs": sizes},
                opset_version=opset_version,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    return names

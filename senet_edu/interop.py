"""Weights from and to other libraries, and ONNX.

    timm_weights = timm.create_model("seresnet50", pretrained=True).state_dict()
    model = se_resnet50(bias=True, min_hidden=8)
    model.load_state_dict(convert_state_dict(timm_weights, source="timm"))

A conversion only renames and reshapes. What else differs between the families is an argument of the builder:

    source                        weights                       build with
    "torchvision"                 resnet18 … 152, resnext*      (plain networks)
    "timm"                        seresnet18 … 152              bias=True, min_hidden=8
    "timm_legacy"                 legacy_seresnet50 … 152       bias=True, stride_in="1x1", and see below
    "pytorchcv"                   seresnet50 (and 18)           bias=True, stride_in="1x1" (18: no stride_in)
    "pytorchcv"                   seresnet50b                   bias=True
    "pytorchcv"                   seresnet20_cifar10 …          bias=True

timm's legacy networks pool their stem with `nn.MaxPool2d(3, stride=2, ceil_mode=True)` and without padding: set
`model.maxpool` to that after building. Their 18- and 34-layer forms have one more ReLU in front of the SE block, which
these networks cannot express; they are refused.

A wrong `bias` or `min_hidden` makes a strict load fail. A state dict holds no strides, no pooling, no activation and no
place of the SE block, so a difference there loads without complaint: run both networks once on the same input.
`compare_layers` names the first layer in which they part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.gates import find_gates
from senet_edu.modes import evaluating

OURS = "senet_edu"

_LEAF = r"(weight|bias|running_mean|running_var|num_batches_tracked)"
_KEY = re.compile(rf"(conv1|bn1|fc|layer\d\.\d+\.(conv[123]|bn[123]|downsample\.[01]|se\.fc[12]))\.{_LEAF}")
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
}
"""Per family, the steps from its keys to ours, in order."""

SOURCES = tuple(_RENAMES)


def convert_state_dict(state_dict: Mapping[str, Tensor], source: str, target: str = OURS) -> dict[str, Tensor]:
    """Rename and reshape weights from another library to this package, or back.

    Args:
        state_dict: of a network of `source`.
        source, target: one of them `"senet_edu"`, the other a name of `SOURCES`.

    Returns:
        A new dictionary for `load_state_dict(…, strict=True)` of the target; tensors are views, not copies.

    Raises:
        ValueError: an unknown family; a key that has no counterpart; two keys with the same one; a network that
            cannot be expressed.
    """
    if (source == OURS) == (target == OURS) or not {source, target} <= {OURS, *SOURCES}:
        raise ValueError(
            f"one of source and target must be {OURS!r}, the other one of {', '.join(SOURCES)}; "
            f"got source={source!r}, target={target!r}"
        )
    family = target if source == OURS else source
    bottleneck = any(".conv3." in key for key in state_dict)
    if family == "timm_legacy" and not bottleneck:
        raise ValueError(
            "the legacy SE-ResNet-18 and -34 of timm have a ReLU between bn2 and the SE block, which the networks of "
            "this package do not: their weights would load and give other answers"
        )
    imagenet = source == OURS and "conv1.weight" in state_dict and state_dict["conv1.weight"].shape[-1] == 7
    converted: dict[str, Tensor] = {}
    for key, tensor in state_dict.items():
        ours = key if source == OURS else _rename(key, source)
        if not _KEY.fullmatch(ours):
            prefix, _, rest = key.partition(".")
            wrapped = _KEY.fullmatch(rest if source == OURS else _rename(rest, source))
            why = f"take {prefix + '.'!r} off all keys first" if wrapped else "not a ResNet of this package's kind"
            raise ValueError(f"{key!r} of {source} has no counterpart in {target}: {why}")
        if family == "torchvision" and ".se." in ours:
            raise ValueError(f"{key!r} of {source} has no counterpart in {target}: torchvision's ResNets have no SE")
        theirs = _rename_back(ours, family, imagenet) if source == OURS else ours
        if theirs in converted:
            raise ValueError(f"two keys of {source} mean {theirs!r} of {target}; {key!r} is the second")
        if re.search(r"\.se\.fc[12]\.weight$", ours):
            tensor = _to_linear(key, tensor) if target == OURS else tensor[:, :, None, None]
        converted[theirs] = tensor
    return converted


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


def _rename(key: str, source: str) -> str:
    for pattern, replacement in _RENAMES[source]:
        key = re.sub(pattern, replacement, key)
    return key


def _to_linear(key: str, weight: Tensor) -> Tensor:
    """A 1x1 convolution's weight `(o, i, 1, 1)` to a linear layer's `(o, i)`."""
    if weight.ndim == 4 and weight.shape[2:] == (1, 1):
        return weight.flatten(1)
    raise ValueError(f"{key!r} must be a 1x1 convolution (o, i, 1, 1), got {tuple(weight.shape)}")


def _rename_back(key: str, target: str, imagenet: bool) -> str:
    if target == "timm_legacy":
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
    return key


@torch.no_grad()
def compare_layers(model: nn.Module, other: nn.Module, x: Tensor) -> dict[str, float]:
    """Run two networks on the same input and compare what their layers put out: the first that differs tells why.

    Compared are the modules that both call, under the same name in both; of one that is called several times, its first
    output. Put both networks in eval mode.

    Returns:
        A module's name to ‖a - b‖ / ‖a‖, infinite where the numbers of values differ; in the order in which `model`
        calls them, so a layer stands before the block that holds it.
    """

    def outputs(network: nn.Module) -> dict[str, Tensor]:
        seen: dict[str, Tensor] = {}

        def look(name: str, output: Tensor) -> None:
            if isinstance(output, Tensor) and name not in seen:
                seen[name] = output.clone()  # an in-place ReLU behind the module would change it

        hooks = [
            module.register_forward_hook(lambda _, __, output, name=name: look(name, output))
            for name, module in network.named_modules()
            if name
        ]
        try:
            network(x)
        finally:
            for hook in hooks:
                hook.remove()
        return seen

    def difference(a: Tensor, b: Tensor) -> float:
        if a.numel() != b.numel():
            return float("inf")
        a, b = a.flatten(), b.flatten()  # an SE block of 1x1 convolutions has (N, C, 1, 1) where ours has (N, C)
        return ((a - b).norm() / a.norm().clamp(min=1e-30)).item()

    ours, theirs = outputs(model), outputs(other)
    return {name: difference(a, theirs[name]) for name, a in ours.items() if name in theirs}


class _WithGates(nn.Module):
    """A model that returns its gates behind its logits; made for tracing."""

    def __init__(self, model: nn.Module, gates: dict[str, nn.Module]) -> None:
        super().__init__()
        self.model = model
        self.gates = list(gates.items())  # a plain list: the modules belong to the model

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        seen: dict[str, list[Tensor]] = {name: [] for name, _ in self.gates}
        hooks = [
            gate.register_forward_hook(lambda _, __, output, name=name: seen[name].append(output))
            for name, gate in self.gates
        ]
        try:
            logits = self.model(x)
        finally:
            for hook in hooks:
                hook.remove()
        for name, outputs in seen.items():
            if len(outputs) != 1:
                raise ValueError(f"the model calls its block {name!r} {len(outputs)} times; its gates need one call")
        return logits, *(output for (output,) in seen.values())


def export_onnx(model: nn.Module, path: str | Path, *, input_size: tuple[int, ...] = (3, 32, 32)) -> list[str]:
    """Write a model as ONNX, with a free batch size and every gate as a further output.

    Needs the packages `onnx` and `onnxscript`, the extra `onnx` of this package.

    Args:
        model: a network with or without SE blocks; exported in eval mode.
        path: the file to write.
        input_size: (C, H, W) of the images.

    Returns:
        The names of the outputs: `"logits"`, then one a gate in the order of the model's modules, `"layer1.0.se"` ….

    Raises:
        ValueError: an SE block is not called, or several times in one forward pass.
    """
    gates = find_gates(model)
    names = ["logits", *gates]
    parameter = next(model.parameters())
    x = torch.zeros(2, *input_size, dtype=parameter.dtype, device=parameter.device)
    with evaluating(model):
        wrapped = _WithGates(model, gates).eval()
        with torch.no_grad():
            wrapped(x)  # what is wrong with the model is said here, and not from within the exporter
        torch.onnx.export(
            wrapped,
            (x,),
            str(path),
            input_names=["images"],
            output_names=names,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    return names

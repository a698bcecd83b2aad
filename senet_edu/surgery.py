"""Put SE blocks into any network: behind named submodules, or behind every submodule of a type.

    model = torchvision.models.mobilenet_v2()
    insert_se(model, after=InvertedResidual, reduction=4)       # every block of a type
    insert_se(model, after="layer*.*.bn3")                      # by name, with shell wildcards

SE-Inception (Hu et al., Fig. 2) is built this way: `se_inception_v3`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.modes import evaluating
from senet_edu.relatives import make_attention

Target = str | type[nn.Module]


class WithSE(nn.Module):
    """A module of the network, `body`, and the SE block on its output, `se`."""

    def __init__(self, body: nn.Module, se: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.se = se

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.se(self.body(*args, **kwargs))


def insert_se(
    model: nn.Module,
    after: Target | Sequence[Target],
    *,
    attention: str | Callable[..., nn.Module] = "se",
    input_size: tuple[int, ...] = (3, 224, 224),
    **options: Any,
) -> nn.Module:
    """Put an SE block behind submodules of a network, in place.

    The channels are not guessed: the network runs once on zeros (in eval mode, without gradients) and the outputs are
    looked at. Load pretrained weights before the insertion: a submodule `x` is called `x.body` afterwards, its SE block
    `x.se`. A submodule that is called several times has one SE block, which is called as often. Nothing is changed when
    an error is raised.

    Args:
        model: the network; changed in place.
        after: names or types of the submodules, one or several. Names may have shell wildcards, which do not reach
            over a dot: `"layer*.*.bn3"`.
        attention: `"se"`, another name of `senet_edu.relatives.ATTENTION`, or a callable that makes a module for a
            number of channels.
        input_size: (C, H, W) of the dry run.
        options: keyword arguments of the block, such as `reduction`.

    Returns:
        The same model.

    Raises:
        ValueError: a target matches nothing, already has an SE block, stands under two names, is never called in the
            forward pass, or does not return one `(N, C, H, W)` tensor.
    """
    targets = [after] if isinstance(after, (str, type)) else list(after)
    chosen = {name: module for target in targets for name, module in _matching(model, target).items()}
    blocks = {
        name: make_attention(attention, output.shape[1], **options).to(output).train(model.training)
        for name, output in _outputs(model, chosen, input_size).items()
    }
    for name in sorted(chosen, key=lambda name: name.count("."), reverse=True):  # inner ones first: names stay valid
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, WithSE(chosen[name], blocks[name]))
    return model


def _matching(model: nn.Module, target: Target) -> dict[str, nn.Module]:
    """The submodules that a target means, after the checks that need no forward pass."""
    names: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        names.setdefault(module, []).append(name)
    chosen = {}
    for module, aliases in names.items():
        if isinstance(target, str):
            hit = any(_name_matches(name, target) for name in aliases if name)
        else:
            hit = isinstance(module, target) and aliases != [""]
        if not hit:
            continue
        if isinstance(module, WithSE) or aliases[0].endswith(".body") and _parent_has_se(model, aliases[0]):
            raise ValueError(f"after={target!r}: {aliases[0].removesuffix('.body')!r} already has an SE block")
        if len(aliases) > 1:
            raise ValueError(f"after={target!r}: one module stands under several names, {', '.join(aliases)}")
        chosen[aliases[0]] = module
    if not chosen:
        raise ValueError(f"after={target!r} matches no submodule of {type(model).__name__}")
    return chosen


def _name_matches(name: str, pattern: str) -> bool:
    """Shell wildcards, part by part: a `*` does not reach over a dot."""
    parts, patterns = name.split("."), pattern.split(".")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _parent_has_se(model: nn.Module, name: str) -> bool:
    return isinstance(model.get_submodule(name.rpartition(".")[0]), WithSE)


@torch.no_grad()
def _outputs(model: nn.Module, chosen: dict[str, nn.Module], input_size: tuple[int, ...]) -> dict[str, Tensor]:
    """The output `(1, C, H, W)` of each chosen module in one forward pass on zeros."""
    outputs: dict[str, Tensor] = {}

    def look(name: str, output: Any) -> None:
        if not isinstance(output, Tensor) or output.ndim != 4:
            what = f"of shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise ValueError(f"after {name!r}: the output must be one (N, C, H, W) tensor, it is {what}")
        if name in outputs and output.shape[1] != outputs[name].shape[1]:
            widths = f"{outputs[name].shape[1]} and {output.shape[1]}"
            raise ValueError(f"after {name!r}: it is called several times, with {widths} channels")
        outputs[name] = output

    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: look(name, output))
        for name, module in chosen.items()
    ]
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    try:
        with evaluating(model):
            model(torch.zeros(1, *input_size, device=like.device, dtype=like.dtype))
    finally:
        for hook in hooks:
            hook.remove()
    if never := [name for name in chosen if name not in outputs]:
        raise ValueError(f"after {never[0]!r}: it is never called in a forward pass in eval mode")
    return outputs


def se_inception_v3(*, reduction: int = 16, bias: bool = False, min_hidden: int = 1, **options: Any) -> nn.Module:
    """torchvision's Inception-v3 with an SE block behind each of its eleven `Mixed_*` modules (Hu et al., Fig. 2).

    Args:
        reduction, bias, min_hidden: of the SE blocks, see `SEBlock`.
        options: of `torchvision.models.inception_v3`, such as `weights`, `num_classes`, `aux_logits`.

    Shapes:
        input `(N, 3, 299, 299)`; in eval mode logits `(N, num_classes)`, in training torchvision's `InceptionOutputs`.
    """
    from torchvision.models import inception_v3

    if options.get("weights") is None:
        options.setdefault("init_weights", True)
    model = inception_v3(**options)
    # 75 pixels is the least that Inception-v3 takes.
    return insert_se(model, "Mixed_*", input_size=(3, 75, 75), reduction=reduction, bias=bias, min_hidden=min_hidden)

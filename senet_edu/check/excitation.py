"""Judges of the chapter on the excitation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from senet_edu.check.judge import Raised, as_number, as_numbers, as_tensor, ask, close, diagnose, judge
from senet_edu.se import SEBlock


def hidden_width(width: Any, gate_when_off: Any, directions: Any) -> None:
    """C = 16, r = 16: the hidden width, every gate when no hidden unit is on, and in how many ways gates can move."""
    praise = "One number decides for all sixteen channels, and while it is off every gate is one half."
    judge((width, gate_when_off, directions), _hidden_width, praise)


def _hidden_width(answers: tuple[Any, Any, Any]) -> str | None:
    names = ("width", "gate_when_off", "directions")
    width, gate, directions = (as_number(value, f"{name} must be a number") for name, value in zip(names, answers))
    if width != 1:
        known = {
            0: "16 // 16 is not 0; that happens when C is smaller than r.",
            4: "4 would be r = 4, as in our network; here r is 16.",
            8: "8 is what timm would make of it, which rounds widths up; the paper says C/r.",
            16: "16 is C; the hidden layer is r times narrower.",
        }
        return "width: " + known.get(width, "it is C // r.")
    if gate != 0.5:
        off = "an off unit gives logits of 0, not gates of 0. " if gate == 0 else ""
        return f"gate_when_off: {off}What is σ(0)?"
    if directions != 1:
        return "directions: the gates hear of z only through the hidden layer, and it has one number to tell."
    return None


def excite(function: Callable[..., Tensor]) -> None:
    """Equation 3 in plain tensor operations: `excite(z, W1, W2, b1=None, b2=None)`, against `SEBlock.excite`."""
    judge(function, _excite, "Your three lines and SEBlock.excite agree, with biases and without.")


def _excite(function: Callable[..., Tensor]) -> str | None:
    generator = torch.Generator().manual_seed(0)
    for batch, channels, reduction, bias in ((5, 24, 4, False), (1, 16, 16, False), (6, 24, 4, True)):
        se = SEBlock(channels, reduction, bias=bias).requires_grad_(False)
        for parameter in se.parameters():
            parameter.normal_(generator=generator)
        z = torch.randn(batch, channels, generator=generator)
        weights = [se.fc1.weight, se.fc2.weight] + ([se.fc1.bias, se.fc2.bias] if bias else [])
        try:
            result = ask(function, z.clone(), *weights)
        except Raised as raised:
            if raised.mentions("Boolean value"):
                return "`if b1:` asks a whole tensor whether it is true. Ask whether it is there: `if b1 is not None:`."
            if raised.mentions("cannot be multiplied", "size mismatch", "must match the size"):
                shapes = f"z is {tuple(z.shape)}, W1 {tuple(weights[0].shape)}, W2 {tuple(weights[1].shape)}"
                return f"PyTorch says: {raised.error}. {shapes}; for a batch, W1 z is `z @ W1.T`."
            raise
        s = as_tensor(result, "the result must be the gates, a tensor (N, C)")
        if close(s, se.excite(z)):
            continue
        if s.shape != z.shape:
            return f"the gates must have the shape of z, {tuple(z.shape)}; yours have {tuple(s.shape)}."
        hidden = se.fc1(z)
        logits = se.fc2(hidden.relu())
        mistakes = {
            "these are the logits; the last step, σ, is missing.": logits,
            "δ, the ReLU after W1, is missing.": se.fc2(hidden).sigmoid(),
            "ReLU stands after W1 only; yours stands after W2, too.": logits.relu().sigmoid(),
            "softmax makes the channels compete; the paper's σ is the sigmoid.": logits.softmax(1),
        }
        if known := diagnose(s, mistakes):
            return known
        if bias:
            return "right without biases, but not with them: W1 z + b1, W2 h + b2."
        return f"for z of shape {tuple(z.shape)} the gates are not those of SEBlock."
    return None


def both_open(logits: Any) -> None:
    """Three logits whose sigmoid gates are open (above 0.9), open and shut (below 0.1)."""
    praise = (
        "Two gates above 0.9 at once. Softmax cannot do that for any logits: its gates add up to 1, so no two of them "
        "can both be above one half."
    )
    judge(logits, _both_open, praise)


def _both_open(logits: Any) -> str | None:
    values = as_numbers(logits, 3, "give three numbers, such as [1, 0, 2]")
    for channel, gate in enumerate(torch.tensor(values).sigmoid().tolist()):
        if channel < 2 and gate <= 0.9:
            return f"gate {channel} is {gate:.3f}; it must be above 0.9. Which logit gives σ = 0.9?"
        if channel == 2 and gate >= 0.1:
            return f"gate {channel} is {gate:.3f}; it must be below 0.1."
    return None

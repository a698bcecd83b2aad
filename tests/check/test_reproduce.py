"""Judges of `reproduce`: right answers get a tick, typical mistakes their hints."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from senet_edu import check, override_gates
from senet_edu.analysis import effect
from senet_edu.data import normalize


def changed(
    folder: Path, recorded: dict, *, read: Callable = Path.read_bytes, hash: Callable = hashlib.sha256
) -> list[str]:
    found = []
    for name, digits in recorded.items():
        path = folder / name
        if not path.exists() or hash(read(path)).hexdigest() != digits:
            found.append(name)
    return found


def in_folder(folder: Path, recorded: dict) -> list[str]:
    names = [path.name for path in folder.iterdir()] if folder.exists() else []
    return [name for name in names if hashlib.sha256((folder / name).read_bytes()).hexdigest() != recorded[name]]


def by_size() -> Callable:
    seen: dict = {}

    def changed(folder: Path, recorded: dict) -> list[str]:
        sizes = {name: (folder / name).stat().st_size for name in recorded if (folder / name).exists()}
        for name, size in sizes.items():
            seen.setdefault(name, size)
        return [name for name in recorded if sizes.get(name) != seen.get(name)]

    return changed


def test_changed_files(verdict: Callable[..., str]) -> None:
    assert verdict(check.changed_files, changed).startswith(check.TICK)
    assert verdict(check.changed_files, lambda f, r: {f / n for n in changed(f, r)}).startswith(check.TICK)
    assert verdict(check.changed_files, lambda f, r: (name for name in changed(f, r))).startswith(check.TICK)
    assert verdict(check.changed_files, lambda f, r: np.array(changed(f, r), dtype=str)).startswith(check.TICK)
    assert verdict(check.changed_files, lambda folder, recorded: ...).startswith(check.OPEN)


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        (lambda f, r: changed(f, r, hash=hashlib.md5), "the 64 digits"),
        (lambda f, r: changed(f, r, read=lambda p: p.read_text("latin-1").encode("latin-1")), "read_bytes()"),
        (lambda f, r: ["empty.txt"], "and you find empty.txt"),
        (lambda f, r: [], "weights.bin and history.jsonl are changed, and you find nothing"),
        (by_size(), "one bit of weights.bin"),
        (lambda f, r: [n for n in changed(f, r) if n != "history.jsonl"], "one line break more"),
        (
            lambda f, r: [n for n, h in r.items() if hashlib.sha256((f / n).read_bytes()).hexdigest() != h],
            "in place of an error",
        ),
        (in_folder, "go through the recorded names"),
        (lambda f, r: (found := changed(f, r)) and [*found, "more"], "you find history.jsonl, more"),
        (lambda f, r: (f / "recorded.txt").read_bytes(), "raised FileNotFoundError"),  # nothing is gone yet
        (lambda f, r: None, "returns None: is the `return` missing?"),
    ],
)
def test_changed_files_hints(verdict: Callable[..., str], changed: Callable, hint: str) -> None:
    line = verdict(check.changed_files, changed)
    assert line.startswith(check.CROSS) and hint in line


def measured(
    model: nn.Module, images: Tensor, labels: Tensor, block: str, gate: float, total: int, *, prepare: Any = normalize
) -> tuple[float, Tensor, Tensor, int]:
    """Change, right or wrong before and after, and the number of images."""
    with torch.no_grad():
        before = (model.eval()(prepare(images)).argmax(1) == labels).double()
        with override_gates(model, {block: gate}):
            after = (model(prepare(images)).argmax(1) == labels).double()
    return (after - before).mean().item(), before, after, len(images)


def answer(*inputs: Any, sign: int = 1, width: Callable = lambda d, n, N: d.std() * (1 / n - 1 / N) ** 0.5 * 1.96):
    change, before, after, n = measured(*inputs)
    return sign * change, float(width(after - before, n, inputs[-1]))


def test_rerun(verdict: Callable[..., str]) -> None:
    assert verdict(check.rerun, answer).startswith(check.TICK)
    assert verdict(check.rerun, lambda *inputs: ...).startswith(check.OPEN)

    def as_effect(model: nn.Module, images: Tensor, labels: Tensor, block: str, gate: float, total: int) -> tuple:
        from senet_edu.analysis import answers

        e = effect(*answers(model, images, [{}, {block: gate}]), labels)
        return e.change, e.margin * (1 - len(images) / total) ** 0.5

    assert verdict(check.rerun, as_effect).startswith(check.TICK)


def in_training_mode(model: nn.Module, *inputs: Any) -> tuple[float, float]:
    mode = model.training
    model.eval, eval_mode = (lambda: model.train(mode)), model.eval
    try:
        return answer(model, *inputs)
    finally:
        model.eval = eval_mode


@pytest.mark.parametrize(
    ("rerun", "hint"),
    [
        (lambda *i: answer(*i)[0], "return change, margin"),
        (lambda *i: answer(*i, sign=-1), "the wrong sign"),
        (lambda *i: (measured(*i)[2].mean(), 0), "subtract the one before"),
        (lambda *i: answer(*i, sign=0), "inside of its `with`"),
        (lambda *i: (measured(*i, prepare=Tensor.float)[0], 0), "normalize(images)"),
        (lambda *i: (100 * measured(*i)[0], 0), "change in points"),
        (lambda *i: (0.123, 0), "yours is 0.1230"),
        (in_training_mode, "training mode"),
        (lambda *i: answer(*i, width=lambda d, n, N: 1.96 * d.std() / n**0.5), "a part of the stored"),
        (lambda *i: answer(*i, width=lambda d, n, N: d.std() * (1 / n - 1 / N) ** 0.5), "1.96 is missing"),
        (lambda *i: answer(*i, width=lambda d, n, N: 1.96 * d.std()), "a single image"),
        (lambda *i: answer(*i, width=lambda d, n, N: 1.96 * d.std() * (1 / n - 1 / N)), "left out the root"),
        (lambda *i: answer(*i, width=lambda d, n, N: 3.92 * d.std() * (1 / n - 1 / N) ** 0.5), "half of it"),
        (lambda *i: answer(*i, width=lambda d, n, N: 7), "yours is 7.0000"),
        (lambda model, images, *i: model(images), "RuntimeError"),
    ],
)
def test_rerun_hints(verdict: Callable[..., str], rerun: Callable, hint: str) -> None:
    line = verdict(check.rerun, rerun)
    assert line.startswith(check.CROSS) and hint in line


def test_rerun_wants_the_sd_of_differences(verdict: Callable[..., str]) -> None:
    def answer(of: Callable) -> Callable:
        def rerun(*inputs: Any) -> tuple[float, float]:
            change, before, after, n = measured(*inputs)
            return change, float(1.96 * of(before, after) * (1 / n - 1 / inputs[-1]) ** 0.5)

        return rerun

    line = verdict(check.rerun, answer(lambda before, after: (before.var() + after.var()) ** 0.5))
    assert "take the sd of the differences" in line
    line = verdict(check.rerun, answer(lambda before, after: (after.mean() * (1 - after.mean())) ** 0.5))
    assert "that is for an accuracy" in line


CLAIMS = {
    "the hash is the recorded one: these are the recorded bytes": True,
    "the hash is the recorded one: the recorded accuracy is right": False,
    "same seed, another machine, other weights: something is broken": False,
    "same seed, same CPU setup, other weights: something is broken": True,
    "a page without outputs passes nbval: its cells are right": False,
    "a test passes: it would fail if the code were wrong": False,
}


def test_what_it_shows(verdict: Callable[..., str]) -> None:
    first = next(iter(CLAIMS))
    assert verdict(check.what_it_shows, CLAIMS).startswith(check.TICK)
    assert verdict(check.what_it_shows, CLAIMS | {first: ...}).startswith(check.OPEN)
    for claim, holds in CLAIMS.items():
        assert verdict(check.what_it_shows, CLAIMS | {claim: not holds}).startswith(f"{check.CROSS} {claim}? ")
    assert verdict(check.what_it_shows, ...).startswith(check.OPEN)
    assert "give a dictionary" in verdict(check.what_it_shows, None)
    assert "True or False" in verdict(check.what_it_shows, CLAIMS | {first: "yes"})
    assert f"no answer for {first!r}" in verdict(check.what_it_shows, dict(list(CLAIMS.items())[1:]))

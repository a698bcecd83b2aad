"""Judges of the chapter on reproducing."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from senet_edu.analysis import answers as answers_of
from senet_edu.analysis import calibrate_batch_norm
from senet_edu.check.judge import Raised, as_names, as_numbers, ask, diagnose, judge, judge_claims, near
from senet_edu.gates import override_gates
from senet_edu.resnet import create_model

_FILES = {
    "weights.bin": bytes(range(256)) * 40,
    "table.csv": b"epoch,accuracy\r\n1,0.41\r\n2,0.52\r\n",
    "run 2.json": '{"network": "SE-ResNet", "η²": 0.25}'.encode(),
    "history.jsonl": b"".join(b'{"epoch": %d}\n' % epoch for epoch in range(30)),
    "empty.txt": b"",
}


def changed_files(function: Callable[[Path, dict[str, str]], Any]) -> None:
    """`changed(folder, recorded)`: names of the files whose SHA-256 is not the recorded one, or that are gone."""
    praise = "A bit, a line break, a file: no change is too small for a hash, and none is explained by it."
    judge(function, _changed_files, praise)


def _changed_files(function: Callable[[Path, dict[str, str]], Any]) -> str | None:
    recorded = {name: hashlib.sha256(raw).hexdigest() for name, raw in _FILES.items()}
    with TemporaryDirectory() as place:
        folder = Path(place)
        for name, raw in _FILES.items():
            (folder / name).write_bytes(raw)

        def names() -> set[str]:
            given = as_names(ask(function, folder, dict(recorded)), "changed must return a list of names")
            return {Path(name).name for name in given}

        found = names()
        if found == set(_FILES):
            return (
                "nothing was changed yet, and you find all files changed. Do you compare the 64 digits of "
                "sha256(…).hexdigest() with the recorded ones?"
            )
        if "table.csv" in found:
            return (
                "table.csv was not changed. Its lines end in two bytes, \\r\\n, and reading text makes one of them: "
                "hash what read_bytes() gives."
            )
        if found:
            return f"nothing was changed yet, and you find {', '.join(sorted(found))}."
        _change(folder)
        found = names()
        if not found:
            return "by now weights.bin and history.jsonl are changed, and you find nothing."
        if "weights.bin" not in found:
            return "one bit of weights.bin was turned, and its size and date say nothing of it. Hash all bytes."
        if "history.jsonl" not in found:
            return "history.jsonl ends in one line break more than it did, and you miss it."
        (folder / "run 2.json").unlink()
        try:
            found = names()
        except Raised as raised:
            if isinstance(raised.error, FileNotFoundError):
                return "run 2.json is gone. What is gone has changed, too: say so, in place of an error."
            raise
        if "run 2.json" not in found:
            return "run 2.json is gone, and you miss it: go through the recorded names, not through the folder."
        if found != (wanted := {"weights.bin", "history.jsonl", "run 2.json"}):
            return f"you find {', '.join(sorted(found))}; changed are {', '.join(sorted(wanted))}."
    return None


def _change(folder: Path) -> None:
    """Turn a bit of one file, as if it were old, and add a line break to another."""
    raw = bytearray(_FILES["weights.bin"])
    raw[5_000] ^= 1
    (folder / "weights.bin").write_bytes(raw)
    os.utime(folder / "weights.bin", (1e9, 1e9))
    (folder / "history.jsonl").write_bytes(_FILES["history.jsonl"] + b"\n")


def rerun(function: Callable[..., tuple[float, float]]) -> None:
    """`rerun(model, images, labels, block, gate, total)`: a change in accuracy, and its margin against the stored one.

    The images are n of the `total` that were measured, so the margin is 1.96 · sd(d) · √(1/n − 1/total).
    """
    praise = "Paired, with the right root: on all images the margin is zero, and numbers must agree."
    judge(function, _rerun, praise)


@dataclass(frozen=True)
class _Measured:
    """A network, n images, and its answers before and after the gates of a block were set to a number."""

    model: nn.Module
    images: Tensor
    labels: Tensor
    before: Tensor
    after: Tensor
    block: str = "layer1.0.se"
    gate: float = 1.0

    @property
    def right(self) -> tuple[Tensor, Tensor]:
        """1 where the answer is right, else 0: before and after, `(N,)` each."""
        return (self.before == self.labels).double(), (self.after == self.labels).double()


def _measured() -> _Measured:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model("se_resnet8", reduction=4)
        images = torch.randint(256, (120, 3, 8, 8), dtype=torch.uint8)
    calibrate_batch_norm(model, images)
    before, after = answers_of(model, images, [{}, {_Measured.block: _Measured.gate}])
    labels = before.clone()
    labels[::4] = after[::4]  # so that some answers break and some are mended
    labels[3::7] = (before[3::7] + 1) % 10  # and some go from wrong to wrong
    return _Measured(model, images, labels, before, after)


def _rerun(function: Callable[..., tuple[float, float]]) -> str | None:
    m = _measured()
    was, now = m.right
    n = len(m.images)
    change, sd = (now - was).mean().item(), (now - was).std().item()
    for total in (10_000, 400, n):
        case = f"for {n} of {total} images"
        shown = m.model.train() if total == 400 else m.model.eval()
        answer = ask(function, shown, m.images.clone(), m.labels, m.block, m.gate, total)
        got, margin = as_numbers(answer, 2, "return two numbers: `return change, margin`")
        if not math.isclose(got, change, abs_tol=1e-6):
            known = diagnose(got, _wrong_changes(m), lambda got, wrong: math.isclose(got, wrong, abs_tol=1e-6))
            if known or total != 400:
                return known or f"{case} the change is {change:.4f}, yours is {got:.4f}."
            return "the model came in training mode, and you left it there: batch norms then use the batch."
        part = math.sqrt(1 / n - 1 / total)
        if near(6e-3)(margin, 1.96 * sd * part):  # either divisor of the variance
            continue
        known = diagnose(margin, _wrong_margins(was, now, part), near(6e-3))
        return f"{case}: {known}" if known else f"{case} the margin is {1.96 * sd * part:.4f}, yours is {margin:.4f}."
    return None


def _wrong_changes(m: _Measured) -> dict[str, float]:
    """What typical mistakes give for the change in accuracy, each by its hint."""
    was, now = m.right
    change = (now - was).mean().item()
    with torch.inference_mode():
        raw = [m.model(m.images.float()).argmax(1)]
        with override_gates(m.model, {m.block: m.gate}):
            raw.append(m.model(m.images.float()).argmax(1))
    unprepared = [(answer == m.labels).double().mean().item() for answer in raw]
    return {
        "the change has the wrong sign: the accuracy after, less the accuracy before.": -change,
        "that is the accuracy after the change; subtract the one before.": now.mean().item(),
        "nothing changes: override_gates holds inside of its `with`. Does the model run there?": 0,
        "the images are not prepared as in training: normalize(images).": unprepared[1] - unprepared[0],
        "that is the change in points; as a share it is a hundredth of that.": 100 * change,
        "that is the share of answers that change. Some change from wrong to wrong.": (
            (m.after != m.before).double().mean().item()
        ),
    }


def _wrong_margins(was: Tensor, now: Tensor, part: float) -> dict[str, float]:
    """What typical mistakes give for the margin, each by its hint; `part` is √(1/n − 1/N)."""
    n, sd = len(was), (now - was).std().item()
    unpaired = math.sqrt(was.var().item() + now.var().item())
    return {
        "that is the interval for images of which none was measured before. Yours are a part of the stored ones: "
        "√(1/n − 1/N) in place of √(1/n).": 1.96 * sd / math.sqrt(n),
        "the factor 1.96 is missing.": sd * part,
        "that is how far a single image strays.": 1.96 * sd,
        "before and after are the same images: take the sd of the differences d.": 1.96 * unpaired * part,
        "that is for an accuracy, √(p (1 − p)); here it is the sd of d, which is 1, 0 or -1.": (
            1.96 * now.std().item() * part
        ),
        "under the root is 1/n − 1/N; you have left out the root.": 1.96 * sd * part**2,
        "that is the width of the interval; the margin is half of it.": 2 * 1.96 * sd * part,
    }


_WHAT_IT_SHOWS = {
    "the hash is the recorded one: these are the recorded bytes": (
        True,
        "nobody knows how to make two files of one SHA-256, so equal hashes mean equal bytes.",
    ),
    "the hash is the recorded one: the recorded accuracy is right": (
        False,
        "a hash ties bytes to a record. Whether the record is right, only measuring again can show.",
    ),
    "same seed, another machine, other weights: something is broken": (
        False,
        "sums in another order round in another way, and training makes the difference grow.",
    ),
    "same seed, same CPU setup, other weights: something is broken": (
        True,
        "then all sums are done in one order, so all bits must agree. Something is not fixed that should be.",
    ),
    "a page without outputs passes nbval: its cells are right": (
        False,
        "there was nothing to compare them with.",
    ),
    "a test passes: it would fail if the code were wrong": (
        False,
        "perhaps it cannot fail. Break the code on purpose, and look.",
    ),
}
"""What may be concluded, and why."""


def what_it_shows(answers: Mapping[str, Any]) -> None:
    """Which of six conclusions hold: sentence to True or False."""
    judge_claims(answers, _WHAT_IT_SHOWS, "All six. Each check holds one thing fast, and says nothing of the rest.")

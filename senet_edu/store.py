"""Files that are there whole or not at all, and the stored measurements among them.

What takes too long to measure in a chapter is measured once, by `python -m senet_edu.measure.NAME`, and lies in
`results/`: `NAME.json` holds one measurement, `NAME.jsonl` one run a line. Each says under `about` what made it, always
in the same words (`ABOUT`), so that a reader can measure it again and a chapter can show it beside its numbers.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from senet_edu import machine

RESULTS = Path(__file__).parent / "results"
FOLDERS = ("--out", "--work")
"""Options of a measurement that say where it is kept."""
REMEDY = "Install senet_edu again, or measure anew"

ABOUT = {
    "command": "what was typed",
    "seeds": "a list of integers",
    "recipe": "of training, where the measurement trained by one",
    "settings": "what else decides the numbers",
    "data": "name of the data set, and how many training and test images",
    "versions": "of python, torch and senet_edu; with a GPU also cudnn and driver",
    "revision": "of the sources, see machine.revision",
    "hardware": "the processor's or the GPU's name",
    "threads": "that PyTorch used",
    "precision": "data type of the arithmetic",
    "processes": "that worked at the same time",
    "seconds": "that it took",
}
"""The keys of every `about`, and what they say. None: it was not recorded."""


@dataclass(frozen=True)
class Holding:
    """What a stored file holds, and the chapters that show it."""

    what: str
    chapters: tuple[str, ...]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: under another name first, then renamed.

    Raises:
        OSError: it cannot be written; a file that was there before is untouched.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")  # two processes must not write into one
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a power cut after the renaming could leave an empty file
        os.replace(partial, path)
    except OSError as error:
        kept = " The one from before is kept." if path.exists() else ""
        raise OSError(f"cannot write {path}: {error.strerror or error}.{kept}") from error
    finally:
        with suppress(OSError):
            partial.unlink()


def about(
    device: torch.device,
    *,
    command: str,
    seeds: Iterable[int] = (),
    recipe: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    seconds: float | None = None,
    dtype: torch.dtype | None = None,
    processes: int | None = None,
) -> dict[str, Any]:
    """What made a measurement, with every key of `ABOUT`; the machine's are found out here.

    Args:
        dtype: the arithmetic, where it is not the one that training takes on this device.
        processes: where several worked at the same time without torchrun.
    """
    found = {"command": command, "seeds": list(seeds), "recipe": recipe, "settings": settings or {}, "data": data}
    found |= machine.describe(device, dtype) | {"seconds": None if seconds is None else round(seconds, 1)}
    if processes is not None:
        found["processes"] = processes
    return {key: found[key] for key in ABOUT}


def typed(program: str, argv: Iterable[str]) -> str:
    """The command of a measurement for its `about`: what was typed, but for `--out` and `--work`.

    Those name a folder of one machine; they change no number, and a reader has another one.
    """
    kept, words = [], iter(argv)
    for word in words:
        if word in FOLDERS:
            next(words, None)
        elif not word.startswith(tuple(f"{option}=" for option in FOLDERS)):
            kept.append(word)
    return shlex.join([*program.split(), *kept])


def complete(facts: Mapping[str, Any]) -> None:
    """Refuse an `about` that lacks a key of `ABOUT` or has one of its own.

    Raises:
        ValueError: it names the keys.
    """
    odd = sorted(set(facts) ^ set(ABOUT))
    if odd:
        raise ValueError(f"about must have the keys {', '.join(ABOUT)}; missing or unknown: {', '.join(odd)}")


def rounded(value: Any, decimals: int = 6) -> Any:
    """Floats to so many decimals, at any depth."""
    if isinstance(value, Mapping):
        return {key: rounded(one, decimals) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one, decimals) for one in value]
    return round(value, decimals) if isinstance(value, float) else value


def keep(name: str, numbers: Mapping[str, Any], about: Mapping[str, Any], *, folder: Path | None = None) -> Path:
    """Store a measurement as `results/NAME.json`: its numbers, and under `about` what made them. Returns the path.

    Raises:
        OSError: it cannot be written; an earlier one is kept.
        ValueError: `about` is not complete, or the numbers have a key of that name.
    """
    complete(about)
    if "about" in numbers:
        raise ValueError("numbers must not have a key 'about'; that is what made them")
    path = (folder or RESULTS) / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(key)}: {_dumped(value)}" for key, value in ({**numbers, "about": dict(about)}).items()]
    replace_file(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
    return path


def _dumped(value: Any) -> str:
    """One line for each entry: with a number a line, histograms would take ten times the space."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def keep_runs(name: str, runs: Iterable[Mapping[str, Any]], *, folder: Path | None = None) -> Path:
    """Store runs as `results/NAME.jsonl`, one a line, each with its own `about`. Returns the path.

    Raises:
        OSError: the file cannot be written; an earlier one is kept.
        ValueError: the `about` of a run is not complete.
    """
    runs = list(runs)
    for run in runs:
        complete(run["about"])
    path = (folder or RESULTS) / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, "".join(json.dumps(run, ensure_ascii=False) + "\n" for run in runs).encode())
    return path


def load(name: str, *, folder: Path | None = None) -> dict[str, Any]:
    """A stored measurement: its numbers, and under `about` what made them, with every key of `ABOUT`.

    Raises:
        FileNotFoundError: there is no such measurement; it names those that there are.
        ValueError: the file is damaged; it names the file and the remedy.
    """
    return read_json(_existing(name, "json", folder or RESULTS))


def load_runs(name: str, *, folder: Path | None = None) -> list[dict[str, Any]]:
    """Stored runs, a dictionary each, with every key of `ABOUT` under `about`.

    Raises:
        FileNotFoundError: there are no such runs; it names those that there are.
        ValueError: a line of the file is damaged; it names file, line and remedy.
    """
    return read_lines(_existing(name, "jsonl", folder or RESULTS))


def _existing(name: str, kind: str, folder: Path) -> Path:
    path = folder / f"{name}.{kind}"
    if not path.exists():
        known = ", ".join(sorted(one.stem for one in folder.glob(f"*.{kind}"))) or "none"
        raise FileNotFoundError(f"name {name!r} is not a stored measurement; there are {known}")
    return path


def read_json(path: Path, remedy: str = REMEDY) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged; it names the file and the remedy.
    """
    return _object(path.read_bytes(), str(path), remedy)


def read_lines(path: Path, remedy: str = REMEDY) -> list[dict[str, Any]]:
    """A file with a JSON object on every line.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is damaged, blank or cut; it names file, line and remedy.
    """
    raw = path.read_bytes()
    if not raw.endswith(b"\n"):
        raise ValueError(f"{path} is damaged: it ends within a line. {remedy}.")
    return [_object(line, f"{path}, line {n},", remedy) for n, line in enumerate(raw[:-1].split(b"\n"), start=1)]


def _object(raw: bytes, where: str, remedy: str) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except ValueError as error:  # also bytes that are no text
        raise ValueError(f"{where} is damaged: {error}. {remedy}.") from error
    if not isinstance(found, dict):
        raise ValueError(f"{where} is damaged: it holds {type(found).__name__}, no object. {remedy}.")
    return found

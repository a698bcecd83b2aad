"""The folder of a run: one training at a time, files that are whole, and a record of everybody who worked on it."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import warnings
import zipfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from senet_edu import checks, machine
from senet_edu.data import ImageData
from senet_edu.store import replace_file
from senet_edu.train import distributed
from senet_edu.train.recipe import Recipe, differences, read_recipe

MACHINE = ("versions", "revision", "hardware", "threads", "precision", "processes")
SESSION = ("command", *MACHINE)


def describe_run(recipe: Recipe, data: ImageData, device: torch.device, command: str = "") -> dict[str, Any]:
    """What a reader needs to repeat a run: recipe, data, command, versions, sources and hardware."""
    facts = {
        "recipe": asdict(recipe),
        "data": {"name": data.name, "train": len(data.train_images), "test": len(data.test_images)},
    }
    session = {"command": command, **machine.describe(device), "processes": distributed.processes()}
    return facts | session | {"sessions": [{"from_epoch": 1, **session}]}


def sessions_of(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Everybody who worked on a run, in order; also from a record of the time when it named only the first."""
    if "sessions" in about:
        return list(about["sessions"])
    session = {"from_epoch": 1} | {key: about[key] for key in SESSION if key in about}
    hardware, _, threads = session.get("hardware", "").partition(", threads: ")
    return [session | {"hardware": hardware} | ({"threads": int(threads)} if threads else {})]


def resumed(was: Mapping[str, Any], now: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """The record of a run that goes on after so many epochs. Warns where the machine is another than before."""
    sessions = sessions_of(was)
    last = sessions[-1]
    changed = [
        f"{key} was {last[key]!r} and is now {now[key]!r}" for key in MACHINE if key in last and last[key] != now[key]
    ]
    if changed:
        text = "resumed under other conditions, so the weights will not be those of an unbroken run: "
        warnings.warn(text + "; ".join(changed), stacklevel=3)
    return dict(now) | {"sessions": [*sessions, now["sessions"][0] | {"from_epoch": epochs + 1}]}


class Folder:
    """Where a run is written, or nowhere.

        with Folder(out) as folder:
            folder.claim(resume=True)
            ...
            folder.save(...)      # returns at once; a thread writes

    Only one training at a time can hold a folder, and of several processes only the first writes.
    """

    def __init__(self, out: str | Path | None) -> None:
        """
        Raises:
            ValueError: `out` is an empty name, which would be the folder that one happens to be in.
        """
        if out is not None and not (isinstance(out, (str, Path)) and str(out).strip()):
            raise ValueError(f"out must name a folder, got {checks.shown(out)}")
        self.path = None if out is None else Path(out)
        self.writes = self.path is not None and distributed.rank() == 0
        self._lock: FileLock | None = None
        self._thread = ThreadPoolExecutor(1, "checkpoint") if self.writes else None
        self._pending: Future | None = None

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        """Wait for what is being written, and let go of the folder."""
        try:
            if error is None:
                self.wait()
        finally:
            if self._thread is not None:
                self._thread.shutdown()
            if self._lock is not None:
                with suppress(OSError):
                    Path(self._lock.lock_file).unlink()  # held, so nobody else can be using it
                self._lock.release()

    def claim(self, resume: bool, overwrite: bool) -> bool:
        """Take the folder for a run; tells whether there is a checkpoint to go on from.

        Raises:
            OSError: it cannot be made or written.
            ValueError: another training is at work in it; it holds a run, which is neither to be resumed nor replaced.
        """
        if resume and overwrite:
            raise ValueError("resume and overwrite exclude each other: go on with the run in the folder, or replace it")
        if self.path is None:
            return False
        self.path.mkdir(parents=True, exist_ok=True)
        if self.writes:
            lock = FileLock(self.path / ".lock")
            try:
                lock.acquire(timeout=0)
                self._lock = lock
            except Timeout:
                raise ValueError(f"another training is at work in {self.path}; give this one another folder") from None
            except NotImplementedError:  # a mounted drive may not know locks; better unguarded than not at all
                pass
        checkpoint, weights = (self.path / name for name in ("checkpoint.pt", "model.safetensors"))
        if resume and checkpoint.exists():
            return True
        if (checkpoint.exists() or weights.exists()) and not overwrite:
            go_on = "resume to go on with it, overwrite to replace it" if checkpoint.exists() else "overwrite it"
            raise ValueError(f"{self.path} holds a run already: {go_on}, or give this one another folder")
        if self.writes:
            for path in (checkpoint, weights):
                path.unlink(missing_ok=True)
        return False

    def write_history(self, about: Mapping[str, Any], history: list[dict[str, Any]]) -> None:
        if self.writes:
            self._write_history(about, history)

    def _write_history(self, about: Mapping[str, Any], history: list[dict[str, Any]]) -> None:
        lines = "".join(json.dumps(row) + "\n" for row in [about, *history])
        replace_file(self.path / "history.jsonl", lines.encode())

    def save(self, state: Mapping[str, Any], about: Mapping[str, Any], history: list[dict[str, Any]]) -> None:
        """Checkpoint and history, by a thread, while the next epoch runs. What went wrong is raised by the next call.

        Raises:
            OSError: the files of the call before could not be written. Those from before are kept.
        """
        if not self.writes:
            return
        self.wait()
        content = tree_map_only(Tensor, lambda t: t.detach().to("cpu", copy=True), dict(state))
        content |= {"recipe": about["recipe"], "about": dict(about), "history": list(history)}

        def write() -> None:
            replace_file(self.path / "checkpoint.pt", pack_checkpoint(content))
            self._write_history(content["about"], content["history"])

        self._pending = self._thread.submit(write)

    def wait(self) -> None:
        """Until everything is written.

        Raises:
            OSError: it could not be written.
        """
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()

    def load(self, device: torch.device) -> dict[str, Any]:
        """The checkpoint. See `read_checkpoint`."""
        return read_checkpoint(self.path / "checkpoint.pt", device)

    def save_weights(self, model: nn.Module) -> None:
        if self.writes:
            self.wait()
            weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
            replace_file(self.path / "model.safetensors", safetensors.torch.save(weights))


# A checkpoint is a zip archive, as torch.save writes it. PyTorch does not check the sums in it, and they would not
# cover all of it; so the SHA-256 of the rest stands in the archive's comment, the last thing in the file.

END = struct.Struct("<4s4H2LH")  # the record at a zip archive's end, without the comment
MARK = b"PK\x05\x06"
DIGITS = 64


def pack_checkpoint(content: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint, which `torch.load` reads, too."""
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    plain = buffer.getvalue()  # ends with the length of the comment, zero
    return plain[:-2] + struct.pack("<H", DIGITS) + hashlib.sha256(plain).hexdigest().encode()


def whole_archive(raw: bytes) -> bytes:
    """The archive without its comment.

    Raises:
        ValueError: a bit of it has changed.
    """
    length, digest = raw[-DIGITS - 2 : -DIGITS], raw[-DIGITS:]
    if length == struct.pack("<H", DIGITS):
        plain = raw[: -DIGITS - 2] + b"\0\0"
        if hashlib.sha256(plain).hexdigest().encode() == digest:
            return plain
    elif raw[-END.size :][:4] == MARK and raw[-2:] == b"\0\0":  # from before there were comments
        if zipfile.ZipFile(io.BytesIO(raw)).testzip() is None:
            return raw
    raise ValueError("its content is not what was written")


def read_checkpoint(path: Path, device: torch.device) -> dict[str, Any]:
    """The content of a checkpoint, with tensors on a device.

    Raises:
        ValueError: it is damaged, or no checkpoint.
    """
    try:
        content = torch.load(io.BytesIO(whole_archive(path.read_bytes())), map_location=device, weights_only=True)
        content["recipe"] = read_recipe(content["recipe"])
        numbers = [row["epoch"] for row in content["history"]]
        if numbers != list(range(1, len(numbers) + 1)) or len(numbers) > content["recipe"].epochs:
            raise ValueError(f"its history has the epochs {numbers}")
        sessions_of(content["about"])
        content["about"]["data"]["name"]
    except OSError:
        raise
    except Exception as error:  # damaged files raise a dozen kinds of them
        raise ValueError(f"{path} is damaged, or no checkpoint: {error!r}. Overwrite it to train anew.") from error
    return content


def same_run(path: Path, was: Mapping[str, Any], recipe: Recipe, data: Mapping[str, Any]) -> None:
    """Refuse a checkpoint that another recipe or other data made.

    Raises:
        ValueError: it says what differs.
    """
    differ = differences(was["recipe"], recipe)
    if was["about"]["data"] != data:
        differ.append(f"data was {was['about']['data']!r} and is now {data!r}")
    if differ:
        raise ValueError(f"{path} is of another run: {', '.join(differ)}. Use another folder, or the same recipe.")

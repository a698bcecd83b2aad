"""The folder of a run: what a kill cannot destroy, whom it refuses, and whom it remembers."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from old_loop import old_train
from torch import Tensor
from training_tools import SIDE, STEPS, TINY, interrupt, read_history, run_to_the_end, weights, without_time

from senet_edu import machine
from senet_edu.data import ImageData, procedural
from senet_edu.train import Run, train
from senet_edu.train import step as steps
from senet_edu.train.checkpoint import pack_checkpoint, read_checkpoint, sessions_of

# ---- Going on


def test_resume_without_a_checkpoint_starts_anew_and_with_a_finished_one_changes_nothing(
    data: ImageData, unbroken: tuple[Path, Run], tmp_path: Path
) -> None:
    _, run = unbroken
    fresh = train(TINY, data=data, out=tmp_path, resume=True, progress=False)
    about = read_history(tmp_path)[0]
    again = train(TINY, data=data, out=tmp_path, resume=True, progress=False, command="once more")
    assert torch.equal(weights(fresh.model), weights(run.model))
    assert torch.equal(weights(again.model), weights(run.model))
    assert again.history == fresh.history and read_history(tmp_path)[0] == about


LIFE = """
import json, os, signal, sys, time
import torch
from senet_edu import data, train
from senet_edu.train import step

torch.set_num_threads(1)
batch, calls = step.Step.batch, 0

def die_in_a_step(self):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        time.sleep(2)  # for the checkpoint of the epoch before to be written
        os.kill(os.getpid(), signal.SIGKILL)
    return batch(self)

step.Step.batch = die_in_a_step
recipe = train.read_recipe(json.loads(sys.argv[3]))
images = torch.load(sys.argv[4], weights_only=True)
small = data.ImageData("procedural", *images, classes=tuple("0123456789"))
train.train(recipe, data=small, out=sys.argv[1], resume=True, device="cpu", progress=False)
"""


@pytest.fixture(scope="module")
def images(data: ImageData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "images.pt"
    torch.save([data.train_images, data.train_labels, data.test_images, data.test_labels], path)
    return path


def life(out: Path, images: Path, last_step: int) -> list[str]:
    return [sys.executable, "-c", LIFE, str(out), str(last_step), json.dumps(asdict(TINY)), str(images)]


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of POSIX")
def test_killed_in_an_epoch_and_resumed_gives_the_weights_of_an_unbroken_run(
    data: ImageData, images: Path, unbroken: tuple[Path, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, run = unbroken
    second_step_of_second_epoch = STEPS + 2
    assert subprocess.run(life(tmp_path, images, second_step_of_second_epoch)).returncode == -signal.SIGKILL
    assert len(read_history(tmp_path)) == 2  # the facts and the first epoch
    assert not (tmp_path / "model.safetensors").exists()

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        resumed = train(TINY, data=data, out=tmp_path, resume=True, progress=False)
    finally:
        torch.set_num_threads(threads)
    if threads == 1:
        assert torch.equal(weights(resumed.model), weights(run.model))
        assert without_time(resumed.history) == without_time(run.history)
    assert read_history(tmp_path)[1:] == resumed.history


@pytest.mark.skipif(os.name == "nt", reason="needs the signals and the processes of POSIX")
@pytest.mark.parametrize(
    "count",
    [
        3,
        pytest.param(
            20, marks=pytest.mark.skipif(not os.environ.get("SENET_EDU_SLOW"), reason="slow: set SENET_EDU_SLOW=1")
        ),
    ],
)
def test_kills_at_random_moments_change_nothing(count: int, images: Path, tmp_path: Path) -> None:
    """Also in the middle of writing a file. The moments are random, but all of them within the time of a run."""
    lives = multiprocessing.get_context("forkserver")  # a server that has loaded what is slow to load
    lives.set_forkserver_preload(["senet_edu.train", "torch._dynamo"])  # the second by the first step of an optimizer

    def live(out: Path, seconds: float = 600) -> bool:
        """A run in a process of its own, shot after so many seconds unless it is done; tells whether it was shot."""
        process = lives.Process(target=run_to_the_end, args=(images, out))
        process.start()
        process.join(seconds)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        return process.exitcode != 0

    assert not live(tmp_path / "first")
    start = time.perf_counter()
    assert not live(tmp_path / "unbroken")
    whole = time.perf_counter() - start
    unbroken = (tmp_path / "unbroken" / "model.safetensors").read_bytes()
    delays = random.Random(0)
    for i in range(count):
        out = tmp_path / str(i)
        live(out, delays.uniform(0.05, 1) * whole)
        before = len(read_history(out)) - 1 if (out / "history.jsonl").exists() else 0
        assert not live(out)
        assert (out / "model.safetensors").read_bytes() == unbroken
        assert len(read_history(out)) - 1 == TINY.epochs >= before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
def test_a_checkpoint_of_the_old_loop_is_resumed_bit_for_bit(
    data: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype
) -> None:
    """It has a scheduler, a recipe without later entries, and facts of one session."""
    monkeypatch.setattr(machine, "precision", lambda device: dtype)
    recipe = replace(TINY, epochs=3, ema=0.9, cutout=4, sizes=((0.0, 8), (0.6, 12)))
    _, history, checkpoint = old_train(recipe, data, dtype, lambda step, model: None, epochs=1)
    torch.save(checkpoint, tmp_path / "checkpoint.pt")
    model, whole, _ = old_train(recipe, data, dtype, lambda step, model: None)
    with pytest.warns(UserWarning, match=r"hardware was 'a processor' and is now .*threads was 7 and is now \d"):
        run = train(recipe, data=data, out=tmp_path, resume=True, progress=False, command="the second command")
    assert torch.equal(weights(run.model), weights(model))
    assert [{name: row[name] for name in whole[0]} for row in run.history] == whole
    first, second = run.about["sessions"]
    assert (first["command"], first["hardware"], first["threads"]) == ("the first command", "a processor", 7)
    assert (second["command"], second["from_epoch"]) == ("the second command", 2)


# ---- Sessions


def test_a_resumed_run_names_every_session_and_warns_where_they_differ(data: ImageData, tmp_path: Path, monkeypatch):
    def first_part(row: dict) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(machine, "precision", lambda device: torch.float32)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, data=data, out=tmp_path, on_epoch=first_part, progress=False, command="first command")
    monkeypatch.setattr(machine, "precision", lambda device: torch.bfloat16)
    monkeypatch.setattr(machine, "revision", lambda: "sha256:other")
    with pytest.warns(UserWarning, match="revision was .* precision was 'float32' and is now 'bfloat16'") as warned:
        run = train(TINY, data=data, out=tmp_path, resume=True, progress=False, command="second command")
    assert len(warned) == 1 and "threads" not in str(warned[0].message)
    about = read_history(tmp_path)[0]
    assert about == json.loads(json.dumps(run.about))
    assert [s["command"] for s in about["sessions"]] == ["first command", "second command"]
    assert [s["precision"] for s in about["sessions"]] == ["float32", "bfloat16"]
    assert [s["from_epoch"] for s in about["sessions"]] == [1, 2]
    assert about["precision"] == "bfloat16" and about["command"] == "second command"


def test_a_resumed_run_on_the_same_machine_does_not_warn(data: ImageData, tmp_path: Path, recwarn) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(TINY, data=data, out=tmp_path, on_epoch=interrupt, progress=False)
    run = train(TINY, data=data, out=tmp_path, resume=True, progress=False)
    assert len(run.about["sessions"]) == 2 and not [w for w in recwarn if "resumed" in str(w.message)]


def test_facts_from_before_there_were_sessions_are_one() -> None:
    about = {"recipe": {}, "command": "a", "hardware": "CPU, threads: 4", "precision": "float32"}
    assert sessions_of(about) == [
        {"from_epoch": 1, "command": "a", "hardware": "CPU", "precision": "float32", "threads": 4}
    ]
    assert "threads" not in sessions_of(about | {"hardware": "NVIDIA H200"})[0]


# ---- Refusing


def test_an_earlier_run_is_neither_resumed_nor_replaced_unasked(
    data: ImageData, unbroken: tuple[Path, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    shutil.copytree(unbroken[0], out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ValueError, match="run holds a run already: resume to go on with it, overwrite to replace it"):
        train(TINY, data=data, out=out, progress=False)
    with pytest.raises(ValueError, match="resume and overwrite exclude each other"):
        train(TINY, data=data, out=out, resume=True, overwrite=True, progress=False)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before

    (out / "checkpoint.pt").unlink()  # only the weights are left: nothing to resume from, but much to lose
    for resume in (False, True):
        with pytest.raises(ValueError, match="run holds a run already: overwrite it"):
            train(TINY, data=data, out=out, resume=resume, progress=False)
    assert (out / "model.safetensors").read_bytes() == before["model.safetensors"]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(steps.Step, "batch", interrupt)
        train(TINY, data=data, out=out, overwrite=True, progress=False)
    assert [path.name for path in out.iterdir()] == ["history.jsonl"]
    assert len(read_history(out)) == 1
    train(TINY, data=data, out=out, progress=False)  # of a run without an epoch nothing can be lost


@pytest.mark.parametrize("out", ["", "  ", 7])
def test_an_empty_name_is_not_the_folder_one_is_in(
    data: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: object
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"out must name a folder, got {out!r}"):
        train(TINY, data=data, out=out, progress=False)
    assert not list(tmp_path.iterdir())


def test_two_trainings_cannot_share_a_folder(data: ImageData, tmp_path: Path) -> None:
    other = subprocess.Popen(
        [
            sys.executable,
            "-uc",
            "import filelock, sys; lock = filelock.FileLock(sys.argv[1]); lock.acquire(); print(1); input()",
        ]
        + [str(tmp_path / ".lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with other:
        assert other.stdout.readline() == "1\n"
        with pytest.raises(ValueError, match="another training is at work in .*; give this one another folder"):
            train(TINY, data=data, out=tmp_path, progress=False)
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
        other.kill()  # whoever dies lets go
    seen = []
    train(
        replace(TINY, epochs=1),
        data=data,
        out=tmp_path,
        progress=False,
        on_epoch=lambda row: seen.append(FileLock(tmp_path / ".lock", is_singleton=False).is_locked),
    )
    assert seen and not (tmp_path / ".lock").exists()


def test_another_recipe_or_other_data_cannot_be_resumed(data: ImageData, unbroken: tuple[Path, Run]) -> None:
    out, _ = unbroken
    before = (out / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match=r"lr was 0.25 and is now 0.1, seed was 0 and is now 3"):
        train(replace(TINY, lr=0.1, seed=3), data=data, out=out, resume=True)
    with pytest.raises(ValueError, match=r"data was .*53.* and is now .*60"):
        train(TINY, data=procedural(60, 40), out=out, resume=True)
    assert (out / "checkpoint.pt").read_bytes() == before


# ---- Damage


def test_a_checkpoint_is_never_half_written(
    data: ImageData, unbroken: tuple[Path, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_the_disk(row: dict) -> None:
        monkeypatch.setattr(os, "fsync", no_space)

    def no_space(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match=r"cannot write .*checkpoint.pt: No space left on device. The one .* is kept"):
        train(TINY, data=data, out=tmp_path, on_epoch=fill_the_disk, progress=False)
    monkeypatch.undo()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "history.jsonl"]
    resumed = train(TINY, data=data, out=tmp_path, resume=True, progress=False)  # from the intact first epoch
    assert torch.equal(weights(resumed.model), weights(unbroken[1].model))


def changed(path: Path, change: Callable[[dict], object]) -> None:
    """A checkpoint with other content, and the right digest."""
    content = torch.load(path, weights_only=True)
    change(content)
    path.write_bytes(pack_checkpoint(content))


DAMAGES = {
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:20_000]), "is damaged, or no checkpoint"),
    "empty": (lambda p: p.write_bytes(b""), "is damaged, or no checkpoint"),
    "something else": (lambda p: torch.save({"weights": torch.zeros(3)}, p), "is damaged, or no checkpoint"),
    "no history": (lambda p: changed(p, lambda c: c.pop("history")), "is damaged, or no checkpoint"),
    "5": (lambda p: changed(p, lambda c: c.update(history=5)), "is damaged, or no checkpoint"),
    "too long": (lambda p: changed(p, lambda c: c["history"].append({"epoch": 3})), "is damaged, or no checkpoint"),
    "twice": (lambda p: changed(p, lambda c: c.update(history=c["history"][:1] * 2)), "is damaged, or no checkpoint"),
    "a shape": (lambda p: changed(p, lambda c: c["model"].update({"fc.weight": torch.zeros(11, 64)})), "does not fit"),
    "no optimizer": (lambda p: changed(p, lambda c: c.update(optimizer=None)), "does not fit this network"),
    "a momentum": (
        lambda p: changed(p, lambda c: c["optimizer"]["state"][0].update(momentum_buffer=torch.zeros(1))),
        "does not fit this network",
    ),
}


@pytest.mark.parametrize("damage, message", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_an_error_that_names_it(
    data: ImageData, unbroken: tuple[Path, Run], tmp_path: Path, damage: Callable, message: str
) -> None:
    shutil.copytree(unbroken[0], tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.pt"
    damage(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"checkpoint.pt {message}"):
        train(TINY, data=data, out=tmp_path / "run", resume=True, progress=False)
    assert path.read_bytes() == before and (tmp_path / "run" / "model.safetensors").exists()


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_every_flipped_bit_of_a_checkpoint_is_found(unbroken: tuple[Path, Run], tmp_path: Path) -> None:
    raw = (unbroken[0] / "checkpoint.pt").read_bytes()
    bits = random.Random(0)
    last = [8 * len(raw) - bit for bit in range(1, 8 * 90, 7)]  # in the digest, and in what ends the archive
    for bit in [bits.randrange(8 * len(raw)) for _ in range(300)] + last:
        (tmp_path / "checkpoint.pt").write_bytes(flipped(raw, bit))
        with pytest.raises(ValueError, match="is damaged"):
            read_checkpoint(tmp_path / "checkpoint.pt", torch.device("cpu"))


def test_a_checkpoint_is_what_torch_load_reads_and_one_without_a_digest_is_checked_too(
    unbroken: tuple[Path, Run], tmp_path: Path
) -> None:
    content = torch.load(unbroken[0] / "checkpoint.pt", weights_only=True)
    assert {"model", "optimizer", "scaler", "recipe", "about", "history"} <= set(content)
    buffer = io.BytesIO()
    torch.save(content, buffer)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(buffer.getvalue())
    found = read_checkpoint(path, torch.device("cpu"))
    assert all(torch.equal(tensor, content["model"][name]) for name, tensor in found["model"].items())
    middle = buffer.getvalue().find(content["model"]["fc.weight"].numpy().tobytes()[:64])
    assert middle > 0
    path.write_bytes(flipped(buffer.getvalue(), 8 * middle + 9))
    with pytest.raises(ValueError, match="is damaged"):
        read_checkpoint(path, torch.device("cpu"))


def test_a_folder_that_cannot_be_written_fails_before_training(
    data: ImageData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps.Step, "batch", interrupt)  # it must not come to that
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        train(TINY, data=data, out=tmp_path / "file")
    (tmp_path / "run" / "history.jsonl").mkdir(parents=True)
    with pytest.raises(OSError, match="history.jsonl"):
        train(TINY, data=data, out=tmp_path / "run")


def test_the_state_that_a_thread_writes_is_that_of_its_epoch(data: ImageData, tmp_path: Path, monkeypatch) -> None:
    """The next epoch runs meanwhile, and must not be seen in it."""
    from senet_edu.train import checkpoint

    kept: dict[int, Tensor] = {}
    written: dict[int, Tensor] = {}

    def slowly(content: dict) -> bytes:
        time.sleep(0.3)
        model = content["model"]
        written[len(content["history"])] = torch.cat([t.flatten().double() for t in model.values()])
        return pack_checkpoint(content)

    def look(step: int, model: torch.nn.Module) -> None:
        if step and step % STEPS == 0:
            kept[step // STEPS] = weights(model)

    monkeypatch.setattr(checkpoint, "pack_checkpoint", slowly)
    train(TINY, data=data, out=tmp_path, on_step=look, progress=False)
    assert kept.keys() == written.keys() == {1, 2}
    assert all(torch.equal(kept[epoch], written[epoch]) for epoch in kept)


def test_images_of_the_tests_are_small(data: ImageData) -> None:
    assert data.train_images.shape == (53, 3, SIDE, SIDE)

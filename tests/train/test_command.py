"""The command line: every entry of a recipe is an option, every mistake a sentence, every stop tells how to go on."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest
import torch
from training_tools import interrupt, read_history

from senet_edu import interrupt as early
from senet_edu.data import ImageData
from senet_edu.train import RECIPES, Recipe, train
from senet_edu.train import __main__ as command
from senet_edu.train import step as steps


@pytest.fixture(autouse=True)
def few_images(data: ImageData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.datasets, "load", lambda name: data.subset(train=16))


def fails(capsys: pytest.CaptureFixture, line: str | list[str], code: int = 1) -> str:
    """What a command that fails says."""
    with pytest.raises(SystemExit) as stopped:
        command.main(line.split() if isinstance(line, str) else line)
    assert stopped.value.code == code
    return capsys.readouterr().err


def test_command_line_trains_and_records_itself(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    line = f"--model resnet8 --model-option zero_init_residual=true --epochs 1 --seed 4 --out {tmp_path}"
    command.main(line.split())
    about, row = read_history(tmp_path)
    assert about["command"] == f"python -m senet_edu.train {line}"
    assert about["recipe"]["seed"] == 4 and about["recipe"]["model_options"] == {"zero_init_residual": True}
    out = capsys.readouterr().out
    assert f"Test accuracy {100 * row['test_accuracy']:.2f} %" in out and str(tmp_path / "model.safetensors") in out


def test_another_attention_does_not_inherit_the_reduction_of_a_recipe(tmp_path: Path) -> None:
    command.main(f"--recipe laptop --model-option attention=eca --epochs 1 --sizes 0:16 --out {tmp_path}".split())
    assert read_history(tmp_path)[0]["recipe"]["model_options"] == {"attention": "eca"}


def test_accuracy_on_held_out_images_is_not_called_that_of_the_test(tmp_path: Path, capsys) -> None:
    command.main(f"--model resnet8 --epochs 1 --holdout 4 --out {tmp_path}".split())
    out = capsys.readouterr().out
    assert "Accuracy on 4 held-out training images" in out and "Test" not in out


def test_command_line_starts_from_a_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Recipe] = []

    class Done(Exception):
        pass

    def note(recipe: Recipe, **options: object) -> None:
        asked.append(recipe)
        raise Done

    monkeypatch.setattr(command, "train", note)
    for line in (
        "--recipe colab --epochs 1 --batch-size 8 --cutout 4 --sizes 0:8,0.5:16",
        "--recipe fast --model resnet20 --no-compile",
        "--recipe colab --model resnet20",
        "--padding 2 --bn-shift-lr 8 --ema 0.99 --ema-from 0.8 --holdout 5000",
    ):
        with pytest.raises(Done):
            command.main([*line.split(), "--out", str(tmp_path)])
    colab, fast = RECIPES["colab"].recipe, RECIPES["fast"].recipe
    assert asked == [
        replace(colab, epochs=1, batch_size=8, cutout=4, sizes=((0.0, 8), (0.5, 16))),
        replace(fast, model="resnet20", compile=False),
        replace(colab, model="resnet20", model_options={}),  # r is no option of the plain network
        Recipe(padding=2, bn_shift_lr=8.0, ema=0.99, ema_from=0.8, holdout=5000),
    ]


def test_command_line_prints_a_profile_and_keeps_nothing(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    command.main("--profile --model resnet8 --batch-size 4".split())
    assert "backward pass" in capsys.readouterr().out and not list(tmp_path.iterdir())
    assert "required: --out" in fails(capsys, [], 2)


@pytest.mark.parametrize(
    "options, message",
    [
        (["--model", "se_resnet21"], "did you mean"),
        (["--epochs", "0"], "epochs (passes over"),
        (["--lr", "1e30", "--model", "resnet8"], "train anew with a lower lr"),
        (["--lr", "inf"], "got inf"),
        (["--out", f"{__file__}/x"], "test_command.py"),  # a file in the way
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
        (["--device", "meta"], "meta"),
        (["--model-option", "colour=3"], "se_resnet20 cannot be built with {'colour': 3"),
        (["--model-option", "reduction=abc"], "abc"),
        (["--model-option", "reduction=NaN"], "NaN"),
        (["--label-smoothing", "2"], "must be at least 0 and at most 1, got 2.0"),
    ],
)
def test_command_line_says_what_is_wrong_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture, options: list[str], message: str
) -> None:
    said = fails(capsys, ["--epochs", "2", "--out", str(tmp_path), *options])
    assert "\nError: " in said and message in said


@pytest.mark.parametrize(
    "options, message",
    [
        (["--out", ""], "argument --out: it is empty"),
        (["--device", ""], "argument --device: it is empty"),
        (["--sizes", "32"], "'32' is not SHARE:SIDE"),
        (["--model-option", "=4"], "'=4' is not NAME=VALUE"),
        (["--resume", "--overwrite"], "not allowed with"),
    ],
)
def test_options_that_cannot_be_read(tmp_path: Path, capsys, monkeypatch, options: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in fails(capsys, ["--out", "x", *options], 2)
    assert not list(tmp_path.iterdir())


def test_a_forgotten_resume_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    line = f"--model resnet8 --epochs 1 --out {tmp_path}"
    command.main(line.split())
    before = (tmp_path / "model.safetensors").read_bytes()
    assert "holds a run already: resume to go on with it, overwrite to replace it" in fails(capsys, line)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    command.main(f"{line} --overwrite --seed 1".split())
    assert (tmp_path / "model.safetensors").read_bytes() != before


def test_a_number_of_processes_that_is_none(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in ("abc", "0", ""):
        monkeypatch.setenv("WORLD_SIZE", wrong)
        assert f"WORLD_SIZE must be a number of processes, as torchrun sets it, got {wrong!r}" in fails(
            capsys, ["--out", str(tmp_path)]
        )


def test_command_line_says_after_ctrl_c_how_to_go_on(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(steps.Step, "batch", interrupt)
    assert "Stopped. The same command with --resume goes on" in fails(capsys, ["--out", str(tmp_path)], 130)


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of POSIX")
def test_sigterm_says_how_to_go_on_and_leaves_whole_files(tmp_path: Path, monkeypatch, capsys) -> None:
    """As a cluster sends it. The handlers of before are back afterwards."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(steps.Step, "batch", lambda step: os.kill(os.getpid(), signal.SIGTERM))
    said = fails(capsys, ["--out", str(tmp_path)], 143)
    assert "Stopped by SIGTERM. The same command with --resume goes on" in said
    assert [path.name for path in tmp_path.iterdir()] == ["history.jsonl"]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


IMPORTS_SLOWLY = """
import os, runpy, signal, sys, threading, time

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60)

sys.meta_path.insert(0, Slow())
sys.argv = ["-m"]
runpy.run_module("senet_edu.train", run_name="__main__", alter_sys=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs the signals of POSIX")
def test_ctrl_c_while_torch_is_loaded_is_no_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORTS_SLOWLY], capture_output=True, text=True, timeout=60)
    assert done.returncode == 130 and done.stderr == "\nStopped before it began.\n"
    before = signal.signal(signal.SIGINT, early.stop)
    try:
        early.over()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        early.over()  # a handler of somebody else stays
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_model_options_are_json_or_strings() -> None:
    assert command.parse_option("reduction=4") == ("reduction", 4)
    assert command.parse_option("bias=true") == ("bias", True)
    assert command.parse_option("placement=pre") == ("placement", "pre")
    assert command.parse_option("reduction=NaN") == ("reduction", "NaN")
    for wrong in ("reduction", "=4"):
        with pytest.raises(argparse.ArgumentTypeError, match="NAME=VALUE"):
            command.parse_option(wrong)


def test_help_explains_every_option(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for f in fields(Recipe):
        if f.name == "sizes":
            assert f"{f.metadata['why']} (0:16,0.3:24,0.6:32)" in text
        elif f.name != "model_options":
            assert f"{f.metadata['why']} ({f.default})" in text


def test_what_the_command_line_records_can_be_read_back(tmp_path: Path, data: ImageData) -> None:
    run = train(
        Recipe("resnet8", epochs=1, sizes=((0.0, 8),)), data=data.subset(train=16), out=tmp_path, progress=False
    )
    assert read_history(tmp_path)[0]["recipe"] == json.loads(json.dumps(asdict(Recipe(**run.about["recipe"]))))
    assert torch.get_num_threads() == run.about["threads"]

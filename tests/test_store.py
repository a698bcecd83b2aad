"""Files that are whole or not there, and stored measurements in one shape."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from senet_edu import machine, store

CPU = torch.device("cpu")


def about(**known: Any) -> dict[str, Any]:
    return store.about(CPU, command="typed", seeds=[0], **known)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["--rows", "plain", "--out", "/home/me/mine", "--seeds", "8"], "python -m x --rows plain --seeds 8"),
        (["--out=mine", "--work=/tmp", "a b"], "python -m x 'a b'"),
        (["--outer", "1", "--out"], "python -m x --outer 1"),
    ],
)
def test_a_command_is_kept_without_the_folders_of_the_machine(words: list[str], command: str) -> None:
    assert store.typed("python -m x", words) == command


# Whole files


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for content in (b"first", b"second"):
        store.replace_file(path, content)
        assert path.read_bytes() == content and os.listdir(tmp_path) == ["a"]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    store.replace_file(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write .*a: No space left on device. The one from before is kept"):
        store.replace_file(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["a"]


def test_two_processes_do_not_write_into_one_partial_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins while the first is between writing and renaming; both files must be whole."""
    path, rename = tmp_path / "a", os.replace

    def second_process(partial: Path, target: Path) -> None:
        monkeypatch.setattr(os, "replace", rename)
        monkeypatch.setattr(os, "getpid", lambda: 999_999_999)
        store.replace_file(path, b"second")
        rename(partial, target)

    monkeypatch.setattr(os, "replace", second_process)
    store.replace_file(path, b"first")
    assert path.read_bytes() == b"first" and os.listdir(tmp_path) == ["a"]


# Measurements


def test_what_is_kept_is_loaded(tmp_path: Path) -> None:
    numbers = {"speed": 1.5, "by_size": {"16": [1, 2]}, "what": "images a second, 16 × 16"}
    made = about(recipe={"lr": 0.1}, seconds=2.34)
    path = store.keep("x", numbers, made, folder=tmp_path)
    assert store.load("x", folder=tmp_path) == {**numbers, "about": made}
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(numbers) + 3  # an entry a line


def test_runs_that_are_kept_are_loaded(tmp_path: Path) -> None:
    runs = [{"row": name, "about": about()} for name in ("a", "b")]
    store.keep_runs("x", runs, folder=tmp_path)
    assert store.load_runs("x", folder=tmp_path) == runs


def test_about_has_all_keys_and_no_other(tmp_path: Path) -> None:
    made = about()
    assert list(made) == list(store.ABOUT)
    lacking = {key: value for key, value in made.items() if key != "precision"}
    for wrong, name in ((lacking, "precision"), (made | {"machine": "mine"}, "machine")):
        with pytest.raises(ValueError, match=f"missing or unknown: {name}"):
            store.keep("x", {}, wrong, folder=tmp_path)
        with pytest.raises(ValueError, match=f"missing or unknown: {name}"):
            store.keep_runs("x", [{"about": wrong}], folder=tmp_path)
    with pytest.raises(ValueError, match="numbers must not have a key 'about'"):
        store.keep("x", {"about": 1}, made, folder=tmp_path)
    assert os.listdir(tmp_path) == []


def test_a_missing_measurement_says_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="'sped' is not a stored measurement; there are .*training_speed"):
        store.load("sped")
    with pytest.raises(FileNotFoundError, match="'sped' is not a stored measurement; there are none"):
        store.load("sped", folder=tmp_path)
    with pytest.raises(FileNotFoundError, match="'ablation' is not a stored measurement; there are ablations"):
        store.load_runs("ablation")


@pytest.mark.parametrize("damage", [b"", b'{"a": 1', b"[1]\n", b'{"a": "\xff"}', b"null"], ids=repr)
def test_a_damaged_measurement_is_named_with_the_remedy(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "x.json").write_bytes(damage)
    with pytest.raises(ValueError, match=r"x.json is damaged: .*\. Install senet_edu again, or measure anew\."):
        store.load("x", folder=tmp_path)


@pytest.mark.parametrize(
    ("damage", "where"),
    [
        (b"", "x.jsonl is damaged: it ends within a line"),
        (b'{"a": 1}', "x.jsonl is damaged: it ends within a line"),
        (b'{"a": 1}\n\n', "x.jsonl, line 2, is damaged"),
        (b'{"a": 1}\n{"a"\n{"a": 2}\n', "x.jsonl, line 2, is damaged"),
        (b"3\n", "x.jsonl, line 1, is damaged: it holds int, no object"),
    ],
)
def test_a_damaged_line_is_named_with_the_remedy(tmp_path: Path, damage: bytes, where: str) -> None:
    (tmp_path / "x.jsonl").write_bytes(damage)
    with pytest.raises(ValueError, match=where) as error:
        store.load_runs("x", folder=tmp_path)
    assert "Install senet_edu again, or measure anew." in str(error.value)


@pytest.mark.parametrize("path", sorted(store.RESULTS.iterdir()), ids=lambda path: path.name)
def test_every_stored_result_has_the_one_shape(path: Path) -> None:
    assert path.suffix in (".json", ".jsonl")
    found = store.load_runs(path.stem) if path.suffix == ".jsonl" else [store.load(path.stem)]
    assert found
    for one in found:
        store.complete(one["about"])
        assert one["about"]["command"] and one["about"]["hardware"] and one["about"]["versions"]["torch"]
        assert json.loads(json.dumps(one)) == one


def test_rounding_reaches_every_depth() -> None:
    assert store.rounded({"a": [1.23456789, (2.0000001,)], "b": 3}, 3) == {"a": [1.235, [2.0]], "b": 3}


# The machine


def test_the_machine_of_a_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    made = about(dtype=torch.float32)
    assert made["precision"] == "float32" and made["threads"] == torch.get_num_threads()
    assert made["versions"]["torch"] == str(torch.__version__) and made["versions"]["senet_edu"]
    assert made["hardware"] == machine.cpu_name() and made["processes"] == 1
    assert about(processes=2)["processes"] == 2
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert about()["processes"] == 4


def test_the_revision_changes_with_any_source_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PACKAGE", tmp_path)
    found = []
    for name, content in (("a.py", b"1\n"), ("a.py", b"2\n"), ("sub/b.py", b"2\n"), ("a.py", b"1\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
        machine.revision.cache_clear()
        found.append(machine.revision())
    assert len(set(found)) == 4
    (tmp_path / "a.py").write_bytes(b"1\r\n")  # a checkout on Windows
    (tmp_path / "notes.txt").write_text("x")
    machine.revision.cache_clear()
    assert machine.revision() == found[-1]
    machine.revision.cache_clear()


@pytest.mark.parametrize("device", ["cuda:99", "meteor", "cpu:x"])
def test_a_device_that_cannot_be_used_is_named(device: str) -> None:
    with pytest.raises(ValueError, match=f"device '{device}' cannot be used here"):
        machine.usable(device)
    assert machine.usable("cpu") == CPU

"""CIFAR-10 and CIFAR-100: found in the right place, and refused where damaged."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from small_cifar import SMALL, Bomb, Server, change, flip_a_bit, same

from senet_edu import data
from senet_edu.data import cifar, download

REAL_FOLDER = data.data_folder()  # before a test moves it


def test_the_first_folder_that_is_named_counts(folder, arrays, tmp_path, monkeypatch):
    empty = tmp_path / "empty"
    empty.mkdir()
    for i, place in enumerate((folder, tmp_path / "env", tmp_path / "root")):
        place.mkdir(exist_ok=True)
        np.savez(place / "cifar10.npz", **(arrays | {"test_labels": np.full(10, i, np.uint8)}))

    def which(root: Path | str | None = None) -> int:
        return int(data.load_cifar10(root, download=False).test_labels[0])

    assert which() == 0
    monkeypatch.setenv("SENET_EDU_DATA", "")
    assert which() == 0
    monkeypatch.setenv("SENET_EDU_DATA", str(tmp_path / "env"))
    assert which() == 1
    assert which(tmp_path / "root") == which("~/../root") == 2
    with pytest.raises(FileNotFoundError, match="empty"):
        which(empty)
    monkeypatch.setenv("SENET_EDU_DATA", str(empty))  # not ~/.cache, though the data is there
    with pytest.raises(FileNotFoundError, match="empty"):
        which()
    assert which(tmp_path / "root") == 2


def test_npz_and_its_precedence(folder, arrays, batches):
    for name, content in batches.items():
        path = folder / cifar.CIFAR10.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    found = data.load_cifar10(download=False)
    assert same(found, arrays)
    assert found.name == "cifar10" and found.classes[3] == "cat" and found.note == ""
    assert found.describe() == "CIFAR-10: 50 training and 10 test images"

    arrays["train_images"] = 255 - arrays["train_images"]
    np.savez_compressed(folder / "cifar10.npz", **arrays)
    assert same(data.load_cifar10(download=False), arrays)


def test_missing_and_offline(folder):
    for allowed in (False, True):
        start = time.monotonic()
        with pytest.raises(FileNotFoundError) as caught:
            data.load_cifar10(download=allowed)
        assert time.monotonic() - start < download.ANSWER_SECONDS + 1
        hints = ("SENET_EDU_DATA", "cifar10.npz", cifar.CIFAR10.folder, "senet_edu.load_cifar10()", "procedural()")
        for hint in (str(folder), *hints):
            assert hint in str(caught.value)
    assert list(folder.iterdir()) == []


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda whole: b"", "No data left"),
    "truncated": (lambda whole: whole[: len(whole) // 2], "zip"),
    "one bit": (flip_a_bit, "CRC"),
    "a web page": (lambda whole: b"<html>Please log in</html>", "pickle"),
    "one array": (lambda whole: npy(np.zeros(3)), "ndarray"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damaged_npz(kind, folder, arrays):
    spoil, reason = DAMAGE[kind]
    path = folder / "cifar10.npz"
    np.savez(path, **arrays)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(ValueError, match=reason) as caught:
        data.load_cifar10()
    assert str(path) in str(caught.value) and "Delete it" in str(caught.value)
    with pytest.raises(ValueError, match="cannot be used"):  # not silently the procedural set
        data.load_data()


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("test_labels", None, "test_labels"),
        ("train_images", np.zeros((50, 3, 32, 32), np.uint8), r"train_images is uint8 \(50, 3, 32, 32\)"),
        ("test_images", np.zeros((9, 32, 32, 3), np.uint8), r"\(9, 32, 32, 3\), not uint8 \(10, 32, 32, 3\)"),
        ("train_images", np.zeros((50, 32, 32, 3), np.float32), "train_images is float32"),
        ("test_labels", np.zeros(10, np.int64), "test_labels is int64"),
        ("train_labels", np.full(50, 10, np.uint8), "train_labels has the label 10"),
    ],
)
def test_npz_with_other_arrays(key, value, reason, folder, arrays):
    arrays[key] = value
    np.savez(folder / "cifar10.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(ValueError, match=reason) as caught:
        data.load_cifar10()
    assert str(folder / "cifar10.npz") in str(caught.value)


def test_pickles_in_an_npz_are_refused(folder, arrays, tmp_path):
    bomb = np.array([Bomb(tmp_path / "trace")], dtype=object)
    np.savez(folder / "cifar10.npz", **(arrays | {"train_labels": bomb}))
    with pytest.raises(ValueError, match="allow_pickle"):
        data.load_cifar10()
    with zipfile.ZipFile(folder / "cifar10.npz", "w") as archive:  # or instead of an array
        archive.writestr("train_images.npy", pickle.dumps(Bomb(tmp_path / "trace")))
    with pytest.raises(ValueError, match="cannot be used"):
        data.load_cifar10()
    assert not (tmp_path / "trace").exists()


def test_torchvision_folder_that_is_damaged(folder, batches):
    place = folder / cifar.CIFAR10.folder
    place.mkdir()
    for name, content in batches.items():
        (place / name).write_bytes(content)
    (place / "data_batch_3").write_bytes(flip_a_bit(batches["data_batch_3"]))
    with pytest.raises(ValueError, match="MD5 of data_batch_3") as caught:
        data.load_cifar10()
    assert str(place) in str(caught.value)
    (place / "data_batch_3").unlink()
    with pytest.raises(ValueError, match="data_batch_3"):
        data.load_cifar10()


@pytest.mark.parametrize("source", [cifar.CIFAR10, cifar.CIFAR100], ids=lambda source: source.name)
def test_expected_hashes_are_those_of_torchvision(source):
    import torchvision

    theirs = getattr(torchvision.datasets, source.name.upper())
    assert source.archive == theirs.filename and source.archive_md5 == theirs.tgz_md5
    assert list(source.train_files.items()) == [tuple(row) for row in theirs.train_list]
    assert list(source.test_files.items()) == [tuple(row) for row in theirs.test_list]
    assert source.folder == theirs.base_folder and source.addresses[-1] == theirs.url


# ---- CIFAR-100, by the same code


@pytest.fixture
def hundred(folder, monkeypatch) -> tuple[dict[str, np.ndarray], dict[str, bytes]]:
    """Arrays with labels up to 99, and the files of `cifar-100-python` that hold them, coarse labels too."""
    rng = np.random.default_rng(1)
    arrays = {k: rng.integers(0, 100 if "labels" in k else 256, n, dtype=np.uint8) for k, n in SMALL.items()}
    arrays["test_labels"][0] = 99
    files = {}
    for part in ("train", "test"):
        planes = np.moveaxis(arrays[f"{part}_images"], 3, 1).reshape(len(arrays[f"{part}_labels"]), -1)
        fine = arrays[f"{part}_labels"].tolist()
        files[part] = pickle.dumps({b"data": planes, b"fine_labels": fine, b"coarse_labels": [0] * len(fine)}, 4)
    md5 = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    change(monkeypatch, "CIFAR100", train_files={"train": md5["train"]}, test_files={"test": md5["test"]})
    return arrays, files


def test_cifar100_from_torchvisions_folder(folder, hundred):
    arrays, files = hundred
    place = folder / "cifar-100-python"
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    found = data.load_cifar100(download=False)
    assert same(found, arrays) and found.name == "cifar100"
    assert found.describe() == "CIFAR-100: 50 training and 10 test images"
    (place / "test").write_bytes(flip_a_bit(files["test"]))
    with pytest.raises(ValueError, match="MD5 of test .*\n?.*") as caught:
        data.load_cifar100(download=False)
    assert "as CIFAR-100" in str(caught.value)


def test_cifar100_downloads_into_a_file_of_its_own(folder, hundred, arrays, monkeypatch):
    wanted, files = hundred
    np.savez(folder / "cifar10.npz", **arrays)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    archive = file.getvalue()
    server = Server(archive)
    threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    md5 = hashlib.md5(archive).hexdigest()
    change(
        monkeypatch,
        "CIFAR100",
        addresses=(server.address("breaks"),),
        archive_bytes=len(archive),
        archive_md5=md5,
    )
    assert same(data.load_cifar100(), wanted)
    assert len(server.sent) == 2  # broke off, went on
    server.http.shutdown()
    server.http.server_close()
    assert {path.name for path in folder.glob("*.npz")} == {"cifar10.npz", "cifar100.npz"}
    assert same(data.load_cifar100(download=False), wanted) and same(data.load_cifar10(download=False), arrays)


def test_cifar100_missing_or_with_a_label_too_many(folder, hundred):
    with pytest.raises(FileNotFoundError) as caught:
        data.load_cifar100()
    for hint in ("CIFAR-100 is not in", "senet_edu.load_cifar100()", "cifar100.npz", "cifar-100-python"):
        assert hint in str(caught.value)
    arrays, _ = hundred
    np.savez(folder / "cifar100.npz", **(arrays | {"train_labels": np.full(50, 100, np.uint8)}))
    with pytest.raises(ValueError, match="train_labels has the label 100, of 100 classes"):
        data.load_cifar100()


def test_classes_of_cifar100():
    """The first three and the last, as the data set's page numbers them; all different, in the alphabet's order."""
    classes = cifar.CIFAR100.classes
    assert (classes[0], classes[1], classes[2], classes[99]) == ("apple", "aquarium_fish", "baby", "worm")
    assert len(set(classes)) == 100 and list(classes) == sorted(classes)


# ---- The real data


@pytest.mark.skipif(
    not any((REAL_FOLDER / name).exists() for name in ("cifar10.npz", cifar.CIFAR10.folder)),
    reason=f"CIFAR-10 is not in {REAL_FOLDER}",
)
def test_real_cifar10_has_the_published_statistics():
    real = data.load_cifar10(REAL_FOLDER, download=False)
    assert real.train_images.shape == (50_000, 3, 32, 32) and real.test_images.shape == (10_000, 3, 32, 32)
    assert real.train_labels.bincount().tolist() == [5000] * 10 and real.test_labels.bincount().tolist() == [1000] * 10
    total = squares = 0
    for part in real.train_images.split(5000):
        values = part.transpose(0, 1).flatten(1).int()
        total, squares = total + values.sum(1), squares + (values * values).sum(1)
    mean = total.double() / (50_000 * 1024)
    std = (squares.double() / (50_000 * 1024) - mean**2).sqrt()
    published_mean, published_std = (0.49139968, 0.48215841, 0.44653091), (0.24703223, 0.24348513, 0.26158784)
    assert (mean / 255).tolist() == pytest.approx(published_mean, abs=5e-8)
    assert (std / 255).tolist() == pytest.approx(published_std, abs=5e-8)
    assert data.MEAN == tuple(round(m, 4) for m in published_mean)
    assert data.STD == tuple(round(s, 4) for s in published_std)

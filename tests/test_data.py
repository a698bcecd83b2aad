"""The data: found, checked, downloaded from a server in this process, drawn, augmented. No test needs a network."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from senet_edu import data

REAL_FOLDER = data.data_folder()  # before a test moves it


# ---- A small CIFAR-10, and a machine without the real one

SMALL = {"train_images": (50, 32, 32, 3), "train_labels": (50,), "test_images": (10, 32, 32, 3), "test_labels": (10,)}


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {k: rng.integers(0, 10 if "labels" in k else 256, shape, dtype=np.uint8) for k, shape in SMALL.items()}


def change(monkeypatch: pytest.MonkeyPatch, source: str = "CIFAR10", **values: object) -> None:
    monkeypatch.setattr(data, source, replace(getattr(data, source), **values))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a machine that has neither data nor network; CIFAR-10 has 60 images here."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("SENET_EDU_DATA", raising=False)
    monkeypatch.setattr(data, "SHAPES", SMALL)
    for source in ("CIFAR10", "CIFAR100"):  # nobody listens there
        change(monkeypatch, source, addresses=("http://127.0.0.1:9/cifar",))
    folder = tmp_path / "home/.cache/senet_edu"
    folder.mkdir(parents=True)
    return folder


def same(found: data.ImageData, arrays: dict[str, np.ndarray]) -> bool:
    for part in ("train", "test"):
        images, labels = getattr(found, f"{part}_images"), getattr(found, f"{part}_labels")
        assert images.dtype == torch.uint8 and images.is_contiguous() and labels.dtype == torch.int64
        planes = np.moveaxis(arrays[f"{part}_images"], 3, 1)
        if not (np.array_equal(images, planes) and np.array_equal(labels, arrays[f"{part}_labels"])):
            return False
    return True


def python2_batch(images: np.ndarray, labels: np.ndarray) -> bytes:
    """A batch as the archive has it: the pickle, opcode by opcode, that Python 2 and NumPy 1 write of an array."""

    def text(s: bytes) -> bytes:
        return b"U" + bytes([len(s)]) + s

    def number(n: int) -> bytes:
        return b"J" + struct.pack("<i", n)

    planes = np.moveaxis(images, 3, 1).reshape(len(images), -1)
    dtype = b"cnumpy\ndtype\n" + text(b"u1") + number(0) + number(1) + b"\x87R"
    dtype += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85" + text(b"b") + b"\x87R"
    array += b"(" + number(1) + number(planes.shape[0]) + number(planes.shape[1]) + b"\x86" + dtype
    array += b"\x89T" + struct.pack("<i", planes.size) + planes.tobytes() + b"tb"
    listed = b"](" + b"".join(map(number, labels.tolist())) + b"e"
    return b"\x80\x02}(" + text(b"labels") + listed + text(b"data") + array + b"u."


@pytest.fixture
def batches(folder: Path, arrays: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files of `cifar-10-batches-py`, whose hashes the package now takes for right."""
    files = {"test_batch": python2_batch(arrays["test_images"], arrays["test_labels"])}
    for i in range(5):
        part = slice(10 * i, 10 * i + 10)
        files[f"data_batch_{i + 1}"] = python2_batch(arrays["train_images"][part], arrays["train_labels"][part])
    trust(files, monkeypatch)
    return files


def trust(files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    right = {name: hashlib.md5(content).hexdigest() for name, content in files.items()}
    train, test = ({name: right[name] for name in part} for part in (data.CIFAR10.train_files, data.CIFAR10.test_files))
    change(monkeypatch, train_files=train, test_files=test)


class Bomb:
    """Unpickled by a trusting reader, it leaves a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


# ---- Where the data is looked for


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
        path = folder / data.CIFAR10.folder / name
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
    for download in (False, True):
        start = time.monotonic()
        with pytest.raises(FileNotFoundError) as caught:
            data.load_cifar10(download=download)
        assert time.monotonic() - start < data.ANSWER_SECONDS + 1
        hints = ("SENET_EDU_DATA", "cifar10.npz", data.CIFAR10.folder, "senet_edu.load_cifar10()", "procedural()")
        for hint in (str(folder), *hints):
            assert hint in str(caught.value)
    assert list(folder.iterdir()) == []


def test_a_silent_network_costs_no_more_than_the_limit(folder, monkeypatch):
    monkeypatch.setattr(data, "ANSWER_SECONDS", 0.2)
    change(monkeypatch, addresses=tuple(f"http://mirror{i}" for i in range(4)))
    over = threading.Event()

    def urlopen(*args: object, **kwargs: object) -> None:  # hangs, as the look-up of a name does
        over.wait(10)
        raise OSError("too late")

    monkeypatch.setattr(data, "urlopen", urlopen)
    start = time.monotonic()
    with pytest.raises(FileNotFoundError, match="no answer within 0.2 s"):
        data.load_cifar10()
    assert time.monotonic() - start < 2
    over.set()


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def flip_a_bit(whole: bytes) -> bytes:
    middle = len(whole) // 2  # among the pixels
    return whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]


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
    place = folder / data.CIFAR10.folder
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


# ---- Download


class Server:
    """Serves one archive on several paths, each with its own trouble."""

    def __init__(self, archive: bytes) -> None:
        self.archive = archive
        self.sent: list[tuple[str, str]] = []
        """Path and range of each GET."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.send_response(404 if self.path == "/missing" else 200)
                self.end_headers()

            def do_GET(self) -> None:
                asked = self.headers.get("Range", "")
                server.sent.append((self.path, asked))
                body, start = server.archive, 0
                if self.path == "/missing":
                    self.send_error(404)
                    return
                if self.path == "/wrong":
                    body = flip_a_bit(body)
                if self.path == "/portal":
                    body = b"<html>Please log in</html>"
                if asked and self.path != "/rangeless":
                    start = int(asked.removeprefix("bytes=").removesuffix("-"))
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                first = [path for path, _ in server.sent].count(self.path) == 1
                cut = self.path == "/dies" or (self.path in ("/breaks", "/rangeless") and first)
                self.wfile.write(body[start : len(body) // 2] if cut else body[start:])

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{path}"


def tar_gz(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        directory = tarfile.TarInfo(data.CIFAR10.folder)
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
        for name, content in {**files, "readme.html": b"<html>"}.items():
            member = tarfile.TarInfo(f"{data.CIFAR10.folder}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture
def serve(folder, batches, monkeypatch) -> Iterator[Callable[..., Server]]:
    """`serve("wrong", "good")` starts a server whose paths are the addresses, in this order."""
    servers = []

    def start(*paths: str, files: dict[str, bytes] = batches) -> Server:
        archive = tar_gz(files)
        server = Server(archive)
        md5 = hashlib.md5(archive).hexdigest()
        addresses = tuple(server.address(path) for path in paths)
        change(monkeypatch, addresses=addresses, archive_bytes=len(archive), archive_md5=md5)
        threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {".cifar10.lock"}


def test_download(folder, serve, arrays, tmp_path):
    server = serve("good")
    target = tmp_path / "new" / "folder"
    assert same(data.load_cifar10(target), arrays)
    assert files_in(target) == {"cifar10.npz"}
    with np.load(target / "cifar10.npz", allow_pickle=False) as saved:
        assert set(saved) == set(arrays)
        assert all(np.array_equal(saved[key], arrays[key]) and saved[key].dtype == np.uint8 for key in arrays)
    assert same(data.load_cifar10(target), arrays)  # from the file
    assert server.sent == [("/good", "")]


def test_download_goes_on_after_a_break(folder, serve, arrays):
    server = serve("breaks")
    assert same(data.load_cifar10(), arrays)
    assert server.sent == [("/breaks", ""), ("/breaks", f"bytes={len(server.archive) // 2}-")]


def test_next_call_goes_on_after_a_break(folder, serve, arrays, monkeypatch):
    server = serve("dies")
    with pytest.raises(FileNotFoundError, match="127.0.0.1: it sends nothing") as caught:
        data.load_cifar10()
    assert "senet_edu.load_cifar10()" in str(caught.value)
    assert files_in(folder) == {"cifar-10-python.tar.gz.partial"}
    change(monkeypatch, addresses=(server.address("good"),))
    assert same(data.load_cifar10(), arrays)
    assert server.sent[-1] == ("/good", f"bytes={len(server.archive) // 2}-")
    assert files_in(folder) == {"cifar10.npz"}


def test_server_without_ranges_starts_anew(folder, serve, arrays):
    server = serve("rangeless")
    assert same(data.load_cifar10(), arrays)
    assert len(server.sent) == 2


def test_wrong_hash_then_the_next_address(folder, serve, arrays):
    server = serve("missing", "portal", "wrong", "good")
    assert same(data.load_cifar10(), arrays)
    assert [path for path, _ in server.sent] == ["/missing", "/portal", "/wrong", "/good"]
    assert server.sent[-1] == ("/good", "")  # nothing of the wrong archive is kept


def test_wrong_hash_everywhere(folder, serve):
    serve("wrong", "missing", "portal")
    with pytest.raises(FileNotFoundError) as caught:
        data.load_cifar10()
    for reason in ("MD5", "404", "it offers 26 bytes"):
        assert reason in str(caught.value)
    assert files_in(folder) == set()


def test_bad_remains_of_an_earlier_download_are_replaced(folder, serve, arrays):
    server = serve("good")
    (folder / "cifar-10-python.tar.gz.partial").write_bytes(b"x" * 1000)
    assert same(data.load_cifar10(), arrays)
    assert server.sent == [("/good", "bytes=1000-"), ("/good", "")]


def test_address_that_answers_comes_first(folder, serve, arrays, monkeypatch):
    server = serve("good")
    change(monkeypatch, addresses=("http://127.0.0.1:9/cifar", server.address("good")))
    tried, fetch = [], data._fetch
    monkeypatch.setattr(data, "_fetch", lambda source, address, to: (tried.append(address), fetch(source, address, to)))
    assert same(data.load_cifar10(), arrays)
    assert tried == [server.address("good")]


def test_two_at_once_download_once(folder, serve, arrays):
    server, results = serve("good"), []
    threads = [threading.Thread(target=lambda: results.append(data.load_cifar10())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2 and all(same(result, arrays) for result in results)
    assert len(server.sent) == 1


def test_nothing_is_unpacked_before_the_hash_is_right(folder, serve, batches, tmp_path, monkeypatch):
    files = batches | {"data_batch_1": pickle.dumps(Bomb(tmp_path / "trace"), protocol=2)}
    serve("good", files=files)
    change(monkeypatch, archive_md5="0" * 32)
    monkeypatch.setattr(data, "_ArrayUnpickler", None)
    monkeypatch.setattr(data, "tarfile", None)
    with pytest.raises(FileNotFoundError, match="MD5"):
        data.load_cifar10()
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("part", ["batch", "archive"])
def test_malicious_pickle_is_refused_even_with_a_right_hash(part, folder, serve, batches, tmp_path, monkeypatch):
    bomb = pickle.dumps(Bomb(tmp_path / "trace"), protocol=2)
    pickle.loads(bomb)
    (tmp_path / "trace").rmdir()  # elsewhere, it does go off
    files = batches | {"data_batch_1": bomb}
    serve("good", files=files)
    if part == "archive":
        trust(files, monkeypatch)
    with pytest.raises(ValueError, match="MD5 of data_batch_1" if part == "batch" else "asks for .*mkdir"):
        data.load_cifar10()
    assert not (tmp_path / "trace").exists()
    assert not (folder / "cifar10.npz").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full, a disk that is always full")
@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz.partial", "cifar10.npz.partial"])
def test_full_disk(name, folder, serve):
    serve("good")
    (folder / name).symlink_to("/dev/full")
    with pytest.raises(OSError, match="is full") as caught:
        data.load_cifar10()
    assert str(folder) in str(caught.value) and "SENET_EDU_DATA" in str(caught.value)
    assert files_in(folder) == set()


@pytest.mark.parametrize("source", [data.CIFAR10, data.CIFAR100], ids=lambda source: source.name)
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
    classes = data.CIFAR100.classes
    assert (classes[0], classes[1], classes[2], classes[99]) == ("apple", "aquarium_fish", "baby", "worm")
    assert len(set(classes)) == 100 and list(classes) == sorted(classes)


# ---- What chapters and recipes call


def test_load_data_takes_what_can_be_had(folder, serve, arrays, tmp_path, monkeypatch):
    offline = data.load_data()
    assert offline.name == "procedural" and torch.equal(offline.train_images, data.procedural().train_images)
    assert offline.describe().startswith("Procedural shapes: 5,000 training and 1,000 test images (because CIFAR-10 is")
    assert "\n" not in offline.describe()

    server = serve("good")
    monkeypatch.setenv("SENET_EDU_DATA", str(tmp_path / "mine"))  # no download into a folder of one's own
    assert data.load_data().name == "procedural" and server.sent == []
    monkeypatch.delenv("SENET_EDU_DATA")
    assert same(data.load_data(), arrays)
    assert len(server.sent) == 1


def test_load_data_prints_nothing(folder, capfd):
    data.load_data()
    assert capfd.readouterr() == ("", "")


def test_load_by_name(folder, arrays):
    np.savez(folder / "cifar10.npz", **arrays)
    assert same(data.load("cifar10"), arrays)
    assert data.load("procedural").name == "procedural"
    with pytest.raises(ValueError, match="'mnist'.*cifar10, cifar100, procedural"):
        data.load("mnist")


def test_subset_is_balanced():
    whole = data.procedural(train=600, test=100)
    part = whole.subset(train=205, test=20, seed=1)
    counts = part.train_labels.bincount(minlength=10)
    assert len(part.train_images) == 205 and counts.max() - counts.min() == 1
    assert part.test_labels.bincount().tolist() == [2] * 10
    # Every image of the part is in the whole, once, with its own label.
    known = {image.numpy().tobytes(): label for image, label in zip(whole.train_images, whole.train_labels.tolist())}
    taken = [image.numpy().tobytes() for image in part.train_images]
    assert len(set(taken)) == 205 and [known[key] for key in taken] == part.train_labels.tolist()


def test_subset_is_random_but_repeatable():
    whole = data.procedural(train=600, test=100)
    assert torch.equal(whole.subset(train=50).train_images, whole.subset(train=50).train_images)
    assert torch.equal(whole.subset(train=50).train_images, whole.subset(train=80).train_images[:50])
    assert not torch.equal(whole.subset(train=50).train_images, whole.subset(train=50, seed=1).train_images)
    assert whole.subset(train=50).test_images is whole.test_images
    assert len(whole.subset(train=10**6).train_images) == 600
    with pytest.raises(ValueError, match="test must be at least 1 image, not 0"):
        whole.subset(test=0)


# ---- The procedural set


def test_procedural_set_has_the_form_of_cifar():
    shapes = data.procedural(train=120, test=33)
    assert shapes.train_images.shape == (120, 3, 32, 32) and shapes.train_images.dtype == torch.uint8
    assert shapes.train_labels.shape == (120,) and shapes.train_labels.dtype == torch.int64
    assert shapes.train_labels.bincount().tolist() == [12] * 10
    assert sorted(shapes.test_labels.bincount().tolist()) == [3] * 7 + [4] * 3
    assert len(set(shapes.classes)) == 10 and shapes.classes[0] == "striped disk"
    assert shapes.classes[9] == "checked cross"
    with pytest.raises(ValueError, match="train must be at least 1 image, not 0"):
        data.procedural(train=0)


def test_procedural_set_depends_on_the_seed_alone():
    first, threads = data.procedural(300, 50, seed=3), torch.get_num_threads()
    try:
        torch.manual_seed(1)
        torch.set_num_threads(3 - min(threads, 2))
        again = data.procedural(300, 50, seed=3)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(first.train_images, again.train_images) and torch.equal(first.train_labels, again.train_labels)
    assert torch.equal(first.test_images, data.procedural(10, 50, seed=3).test_images)
    others = [data.procedural(50, 50, seed=s) for s in (3, 4)]
    sets = [images for other in others for images in (other.train_images, other.test_images)]
    assert all(not torch.equal(a, b) for i, a in enumerate(sets) for b in sets[:i])


def test_outlines_have_equal_areas():
    grid = torch.linspace(-2, 2, 801, dtype=torch.float64)
    u, v = torch.meshgrid(grid, grid, indexing="xy")
    for name, outline in data.OUTLINES.items():
        distance = outline(u, v)
        assert (distance < 0).double().mean().item() * 16 == pytest.approx(2, rel=0.01), name
        slope = torch.stack(torch.gradient(distance, spacing=0.005)).norm(dim=0)
        assert slope.quantile(0.99).item() == pytest.approx(1, abs=0.01), name  # a distance


def test_color_does_not_tell_the_class():
    shapes = data.procedural(3000, 1000)

    def color(images: torch.Tensor) -> torch.Tensor:
        images = images.float().flatten(2)
        return torch.cat([images.mean(2), images.std(2)], 1)

    train, test = color(shapes.train_images), color(shapes.test_images)
    centers = torch.stack([train[shapes.train_labels == k].mean(0) for k in range(10)])
    nearest = torch.cdist(test / train.std(0), centers / train.std(0)).argmin(1)
    assert (nearest == shapes.test_labels).float().mean() < 0.15  # chance is 0.10


def test_procedural_set_can_be_learned():
    shapes = data.procedural(2000, 500)
    torch.manual_seed(0)
    widths = (3, 16, 32, 64)
    layers: list[nn.Module] = []
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    x, y = data.normalize(shapes.train_images), shapes.train_labels
    for _ in range(6):
        for index in torch.randperm(len(x)).split(100):
            optimizer.zero_grad()
            F.cross_entropy(model(x[index]), y[index]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        right = model(data.normalize(shapes.test_images)).argmax(1) == shapes.test_labels
    assert right.float().mean() > 0.4


# ---- Augmentation


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_normalize_against_torchvision():
    from torchvision.transforms import v2

    images = noise(5, 3, 8, 6)
    mean, std = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    expected = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])(images)
    found = data.normalize(images)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_pad_against_numpy():
    images = noise(2, 3, 7, 9)
    expected = np.pad(images.numpy(), ((0, 0), (0, 0), (4, 4), (4, 4)), mode="reflect")
    assert np.array_equal(data.pad(images), expected) and data.pad(images).dtype == torch.uint8
    assert torch.equal(data.pad(images, 0), images)
    for wrong in (-1, 7):
        with pytest.raises(ValueError, match=f"padding .* not {wrong}"):
            data.pad(images, wrong)


def random_crops(padded, index, size, generator):
    return data.crop_flip(padded, index, data.draw_shifts(len(index), padded.shape[2] - size + 1, generator), size)


def test_crops_against_torchvision_one_by_one():
    """Also holds the order in which the generator is used: a resumed run must repeat its crops exactly."""
    from torchvision.transforms import functional

    padded, index = data.pad(noise(20, 3, 12, 12)), torch.tensor([3, 3, 0, 19, 7, 11, 3, 5])
    found = random_crops(padded, index, 12, torch.Generator().manual_seed(5))
    generator = torch.Generator().manual_seed(5)
    top, left = torch.randint(9, (2, 8, 1), generator=generator)
    flip = torch.rand(8, 1, generator=generator) < 0.5
    assert flip.any() and not flip.all()
    for i in range(8):
        expected = functional.crop(padded[index[i]], int(top[i]), int(left[i]), 12, 12)
        assert torch.equal(found[i], functional.hflip(expected) if flip[i] else expected)
    assert found.dtype == torch.uint8
    again = random_crops(padded, index, 12, torch.Generator().manual_seed(5))
    assert torch.equal(found, again)


def test_all_crops_are_equally_likely():
    rows, cols = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    padded = torch.stack([rows, cols, torch.zeros_like(rows)])[None].to(torch.uint8)
    n = 16_200
    crops = random_crops(padded, torch.zeros(n, dtype=torch.long), 32, torch.Generator().manual_seed(0))
    corner, other = crops[:, :2, 0, 0].long(), crops[:, 1, 0, 31].long()
    flipped = other < corner[:, 1]
    kinds = (corner[:, 0] * 9 + torch.minimum(corner[:, 1], other)) * 2 + flipped
    counts = kinds.bincount(minlength=162).double()
    assert len(counts) == 162
    chi_squared = ((counts - n / 162) ** 2 / (n / 162)).sum().item()
    assert chi_squared < 161 + 4 * (2 * 161) ** 0.5


def test_cutout_against_numpy():
    """Squares of odd and even side, in the middle and over the border."""
    images = torch.rand(40, 3, 12, 10) + 1
    centers = torch.stack([torch.arange(40) % 12, torch.arange(40) % 10], 1)
    for size in (1, 3, 4, 30):
        found = data.cutout(images, centers, size)
        expected = images.numpy().copy()
        for image, (row, col) in zip(expected, centers.tolist()):
            top, left = row - size // 2, col - size // 2
            image[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
        assert np.array_equal(found, expected)
    with pytest.raises(ValueError, match="size must be at least 1, got 0"):
        data.cutout(images, centers, 0)


# ---- The real data


@pytest.mark.skipif(
    not any((REAL_FOLDER / name).exists() for name in ("cifar10.npz", data.CIFAR10.folder)),
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

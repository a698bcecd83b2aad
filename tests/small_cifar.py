"""A CIFAR-10 of sixty images, a machine without the real one, and a server with every trouble."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from senet_edu import data
from senet_edu.data import cifar, download

SMALL = {"train_images": (50, 32, 32, 3), "train_labels": (50,), "test_images": (10, 32, 32, 3), "test_labels": (10,)}


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {k: rng.integers(0, 10 if "labels" in k else 256, shape, dtype=np.uint8) for k, shape in SMALL.items()}


def change(monkeypatch: pytest.MonkeyPatch, source: str = "CIFAR10", **values: object) -> None:
    monkeypatch.setattr(cifar, source, replace(getattr(cifar, source), **values))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a machine that has neither data nor network; CIFAR-10 has 60 images here."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setattr(download, "sleep", lambda seconds: None)  # no test waits
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("SENET_EDU_DATA", raising=False)
    monkeypatch.setattr(cifar, "SHAPES", SMALL)
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
    train, test = (
        {name: right[name] for name in part} for part in (cifar.CIFAR10.train_files, cifar.CIFAR10.test_files)
    )
    change(monkeypatch, train_files=train, test_files=test)


class Bomb:
    """Unpickled by a trusting reader, it leaves a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


def flip_a_bit(whole: bytes) -> bytes:
    middle = len(whole) // 2  # among the pixels
    return whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]


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
                first = [path for path, _ in server.sent].count(self.path) == 1
                server.answer(self, self.path, int(asked.removeprefix("bytes=").removesuffix("-") or 0), first)

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def answer(self, request: BaseHTTPRequestHandler, path: str, start: int, first: bool) -> None:
        body = {"/wrong": flip_a_bit(self.archive), "/portal": b"<html>Please log in</html>"}.get(path, self.archive)
        if path == "/missing" or (start and path == "/no-such-range"):
            request.send_error(404 if path == "/missing" else 416)
            return
        if path == "/rangeless":
            start = 0
        if start and path == "/other-bytes":
            body = flip_a_bit(body[start:]).rjust(len(body))
        says = 0 if path == "/from-the-start" else start  # ignores the range, and calls its answer a part
        sends = body[says:][: -7 if start and path == "/too-short" else None]
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {says}-{says + len(sends) - 1}/{len(body)}")
        if path == "/endless":
            sends += bytes(10_000)  # and no word on how much it is
        else:
            request.send_header("Content-Length", str(len(sends)))
        request.end_headers()
        if path == "/drips":
            sends = sends[:1]
        elif path == "/dies" or (path in ("/breaks", "/rangeless") and first):
            sends = body[start : len(body) // 2]
        elif path == "/tenths":
            sends = sends[: len(body) // 10 + 1]
        request.wfile.write(sends)

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.http.server_port}/{path}"


def tar_gz(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        directory = tarfile.TarInfo(cifar.CIFAR10.folder)
        directory.type = tarfile.DIRTYPE
        tar.addfile(directory)
        for name, content in {**files, "readme.html": b"<html>"}.items():
            member = tarfile.TarInfo(f"{cifar.CIFAR10.folder}/{name}")
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

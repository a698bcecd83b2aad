"""One archive from several addresses: resumed where a connection broke, and checked by its hash.

A server that has trouble is left in peace: pauses grow between connections, and those that bring next to nothing are
counted. One that does ranges wrongly is asked for everything.
"""

from __future__ import annotations

import errno
import hashlib
import threading
import time
from collections.abc import Sequence
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from time import sleep
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from tqdm.auto import tqdm

ANSWER_SECONDS = 3  # within which one of the addresses must answer, else the machine counts as offline
STALL_SECONDS = 30  # without a byte, after which a connection counts as broken
CONNECTIONS = 10  # that may break, one after another, ...
PROGRESS_BYTES = 1_000_000  # ... before this much has come
LONGEST_PAUSE = 60  # seconds between two connections; the first pause is one second, each later one twice as long
BLOCK_BYTES = 1 << 18

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class Unavailable(ConnectionError):
    """No address can give the archive; the text says why not, address by address."""


def answering(addresses: Sequence[str]) -> list[str]:
    """The addresses, those first at which a server answers.

    All are asked at once, and in threads that nobody waits for, because the look-up of a name obeys no timeout: without
    a network it can take many seconds for each.

    Raises:
        Unavailable: none answers within `ANSWER_SECONDS`.
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
    reasons = dict(reasons)  # a thread that is late writes elsewhere
    if all(reasons.values()):
        raise Unavailable("; ".join(dict.fromkeys(reasons.values())))
    return sorted(addresses, key=lambda address: reasons[address] != "")


def fetch(addresses: Sequence[str], path: Path, *, size: int, md5: str, title: str) -> None:
    """Bring the archive, with the right hash, from the first address that can give it.

    Args:
        addresses: of the same archive, tried in this order.
        path: the file. What an earlier call has left there is the beginning.
        size: of the archive, in bytes.
        md5: its hash.
        title: of the progress bar.

    Raises:
        Unavailable: no address can give it. What came stays in the file, unless its hash was wrong.
        OSError: the file cannot be written, or the disk is full.
    """
    reasons = []
    for address in addresses:
        try:
            while True:
                resumed = path.exists()
                _complete(address, path, size, title)
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
                if found == md5:
                    return
                path.unlink()
                if not resumed:  # else once more, from the beginning: the bad part may have been there before
                    raise ConnectionError(f"its archive has the MD5 {found}, not {md5}")
        except (OSError, HTTPException) as error:
            if getattr(error, "errno", None) in (*DISK_FULL, *FORBIDDEN):
                raise
            reasons.append(f"{urlsplit(address).hostname}: {_text(error)}")
    raise Unavailable("; ".join(dict.fromkeys(reasons)))


def _complete(address: str, path: Path, size: int, title: str) -> None:
    """Bring the file to its full size, over as many connections as it takes while they bring something."""
    with tqdm(desc=title, total=size, unit="B", unit_scale=True) as bar:
        broken, mark = 0, _size(path)  # connections, and bytes there when the count began
        while (before := _size(path)) < size:
            error: Exception = ConnectionError("it sends nothing")
            try:
                _append(address, path, size, bar)
            except (OSError, HTTPException) as caught:
                error = caught
            have = _size(path)
            if have >= size:
                return
            if have <= before or getattr(error, "errno", None) in DISK_FULL:
                raise error
            if have - mark >= PROGRESS_BYTES:
                broken, mark = 0, have
            broken += 1
            if broken == CONNECTIONS:
                raise ConnectionError(f"{CONNECTIONS} connections broke off within {have - mark:,} bytes")
            sleep(min(2 ** (broken - 1), LONGEST_PAUSE))


def _append(address: str, path: Path, size: int, bar: tqdm) -> None:
    """Add to the file what is missing of it, until the end or until the connection breaks."""
    response, start = _respond(address, _size(path), size)
    with response, path.open("ab" if start else "wb") as file:
        bar.n = start
        while block := response.read(min(BLOCK_BYTES, size - bar.n)):  # and no more, whatever the server sends
            file.write(block)
            bar.update(len(block))


def _respond(address: str, have: int, size: int) -> tuple[HTTPResponse, int]:
    """A connection that sends the archive from a byte on, and that byte: `have`, or 0 from servers without ranges."""
    if have:
        try:
            response = urlopen(_request(address, start=have), timeout=STALL_SECONDS)
        except HTTPError as error:
            if error.code != 416:  # range not satisfiable
                raise
            error.close()
        else:
            start = have if response.status == 206 else 0
            if response.length in (None, size - start) and _begins(response, start):
                return response, start
            response.close()
    response = urlopen(_request(address), timeout=STALL_SECONDS)
    if response.length not in (None, size):  # such as the page of a hotel's network
        response.close()
        raise ConnectionError(f"it offers {response.length:,} bytes, not {size:,}")
    return response, 0


def _begins(response: HTTPResponse, start: int) -> bool:
    """Whether a part begins where it should, as far as its `Content-Range: bytes 5-9/10` tells."""
    says = response.headers.get("Content-Range", "")
    return not says or says.removeprefix("bytes ").partition("-")[0] == str(start)


def _request(address: str, *, method: str = "GET", start: int = 0) -> Request:
    headers = {"User-Agent": "senet_edu"} | ({"Range": f"bytes={start}-"} if start else {})
    return Request(address, headers=headers, method=method)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__

"""Ctrl-C in the seconds in which a command, `python -m senet_edu.train`, loads torch: a sentence, and no traceback.

Imported before anything heavy. Commands handle it themselves as soon as `over` was called.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

STOPPED = b"\nStopped before it began.\n"


def stop(number: int, frame: FrameType | None) -> None:
    """End at once: nothing was begun, and whatever is being imported could turn an exception into another."""
    os.write(2, STOPPED)
    os._exit(128 + number)


def over() -> None:
    """Python's own handler again."""
    if signal.getsignal(signal.SIGINT) is stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# Python sets this while it looks for the module of `python -m`; a program that imports the package keeps its handler.
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, stop)

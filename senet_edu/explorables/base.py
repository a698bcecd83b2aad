"""The class of every figure that moves; see `lib.base`."""

from senet_edu.explorables.lib.base import Explorable

__all__ = ["Explorable"]

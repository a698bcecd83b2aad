"""Fixtures of the tests of data."""

from small_cifar import arrays, batches, folder, serve  # noqa: F401

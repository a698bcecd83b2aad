"""What networks do not need comes with extras of the package; an error says with which."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports of libraries that come with an extra: `with extra("book"): import matplotlib`.

    Raises:
        ModuleNotFoundError: one is missing; it names the library and the extra.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").split(".")[0]
        if library in ("", __package__):
            raise
        raise ModuleNotFoundError(
            f'{library} is not installed; it comes with the extra {name}: pip install "senet-edu[{name}]"',
            name=error.name,
        ) from error

"""What the tests of the judges share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def verdict(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Calls a judge and returns the one line that it prints, on standard output alone."""

    def call(judge: Callable[..., None], *answers: Any, **named: Any) -> str:
        assert judge(*answers, **named) is None
        out, err = capsys.readouterr()
        assert out.endswith("\n") and out.count("\n") == 1 and err == ""
        return out.rstrip()

    return call

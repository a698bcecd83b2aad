"""The figures' modules, run by node and by Chromium, with JSON in and out."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from senet_edu.explorables.lib.scripts import in_a_page, needed

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ANY_FILE = Path(__file__).with_name("browser.py")


def script(*names: str) -> str:
    """The modules and all that they import, as one text that defines the table `SE`."""
    return "".join(map(in_a_page, needed(*names)))


def in_node(text: str) -> Callable[[str, Any], Any]:
    """call(function, data): runs an async JavaScript function over the scripts, in node."""
    if not shutil.which("node"):
        pytest.skip("no node on this machine")

    def call(function: str, data: Any) -> Any:
        code = f"""
            {text}
            const data = JSON.parse(require("fs").readFileSync(0));
            ({function})(data).then((result) => process.stdout.write(JSON.stringify(result)));
        """
        process = subprocess.run(["node", "-e", code], input=json.dumps(data), capture_output=True, text=True)
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)

    return call


def in_chromium(text: str, browser: Browser) -> Callable[[str, Any], Any]:
    """The same in a page that is a file."""

    def call(function: str, data: Any) -> Any:
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(ANY_FILE.as_uri())
        page.add_script_tag(content=text)
        result = page.evaluate(function, data)
        page.close()
        assert not errors
        return result

    return call

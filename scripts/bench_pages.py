"""How long a reader on a slow line waits for the built pages: first paint, the live answer, bytes, requests.

    make book && python scripts/bench_pages.py              # the front page, chapter 0 and others
    python scripts/bench_pages.py --json 02_squeeze         # some, as JSON

The line is the browsers' "Fast 3G" (180 KB/s, 562 ms to an answer), the processor four times slower than this machine's
when it is otherwise idle; text travels compressed, as GitHub Pages sends it. Each number is the median of a few visits
with an empty cache. What a page says of itself is the browser's own timing: `answer` is the mark that the live network
sets when it has answered first.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "_build" / "html"
PAGES = ("index", "00_one_minute", "01_why_channels", "03_excitation", "09_are_gates_explanations", "14_reproduce")
FAST_3G = {
    "offline": False,
    "latency": 562.5,  # ms
    "downloadThroughput": 180_000,  # bytes a second
    "uploadThroughput": 84_375,
}
SLOWER = 4
TEXT = (".html", ".css", ".js", ".svg", ".json", ".xml")
PATIENCE = 60  # seconds for a page
TIMES = """() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  const mark = performance.getEntriesByName("se-answer")[0];
  return {
    first_paint: paint?.startTime / 1000,
    answer: mark ? mark.startTime / 1000 : null,
    loaded: performance.timing.loadEventEnd ? performance.getEntriesByType("navigation")[0].loadEventEnd / 1000 : null,
  };
}"""


class Compressed(SimpleHTTPRequestHandler):
    """Serves a folder with text compressed."""

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix not in TEXT or not path.is_file():
            super().do_GET()
            return
        data = gzip.compress(path.read_bytes(), mtime=0)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Compressed, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def visit(browser: Browser, address: str, line: dict[str, Any] = FAST_3G, slower: float = SLOWER) -> dict[str, Any]:
    """One visit with an empty cache, until the page is loaded and nothing more comes.

    Returns:
        Seconds `first_paint`, `loaded`, and `answer` (None for pages without the live network); `bytes` that came, as
        they travelled; `requests`.
    """
    with browser.new_context(viewport={"width": 412, "height": 823}, reduced_motion="reduce") as context:
        page = context.new_page()
        came = {"bytes": 0, "requests": 0}
        client = context.new_cdp_session(page)
        client.on("Network.requestWillBeSent", lambda event: came.update(requests=came["requests"] + 1))
        client.on("Network.loadingFinished", lambda e: came.update(bytes=came["bytes"] + int(e["encodedDataLength"])))
        client.send("Network.enable")
        client.send("Network.setCacheDisabled", {"cacheDisabled": True})
        client.send("Network.emulateNetworkConditions", line)
        client.send("Emulation.setCPUThrottlingRate", {"rate": slower})
        page.goto(address, timeout=1000 * PATIENCE)
        page.wait_for_load_state("networkidle", timeout=1000 * PATIENCE)
        if page.locator("se-live").count():
            page.wait_for_function("performance.getEntriesByName('se-answer').length", timeout=1000 * PATIENCE)
        page.wait_for_timeout(200)
        return page.evaluate(TIMES) | came


def bench(site: Path, pages: list[str], repeats: int) -> dict[str, dict[str, Any]]:
    """Medians over visits, by page.

    Raises:
        ValueError: a page was not built, or repeats is not positive.
    """
    if repeats < 1:
        raise ValueError(f"repeats must be positive, got {repeats}")
    if missing := [name for name in pages if not (site / f"{name}.html").is_file()]:
        raise ValueError(f"pages must be built ones, got {', '.join(missing)}: run make book first")
    with sync_playwright() as playwright, serve(site) as address:
        own = playwright.chromium.executable_path
        found = os.environ.get("CHROMIUM") or (own if Path(own).exists() else shutil.which("chromium"))
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        visits = {name: [visit(browser, f"{address}{name}.html") for _ in range(repeats)] for name in pages}
        browser.close()
    return {name: {key: median([one[key] for one in seen]) for key in seen[0]} for name, seen in visits.items()}


def median(values: list[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return round(statistics.median(numbers), 3) if numbers else None


def seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", default=PAGES, help="names of pages (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--repeats", type=int, default=3, help="visits a page (%(default)s)")
    parser.add_argument("--site", type=Path, default=SITE, help="the built pages (%(default)s)")
    args = parser.parse_args(argv)
    try:
        found = bench(args.site, list(args.pages), args.repeats)
    except ValueError as error:
        raise SystemExit(f"Error: {error}") from None
    if args.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{'page':28}{'first paint':>12}{'answer':>9}{'loaded':>9}{'KB':>7}{'requests':>10}")
    for name, one in found.items():
        times = f"{seconds(one['first_paint']):>12}{seconds(one['answer']):>9}{seconds(one['loaded']):>9}"
        print(f"{name:28}{times}{one['bytes'] / 1000:7.0f}{one['requests']:10.0f}")


if __name__ == "__main__":
    main()

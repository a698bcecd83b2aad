"""Time the network of the page in headless Chromium: `python scripts/bench_browser.py --json`.

The shipped se_resnet20 runs in a worker, as in the book, on images of noise, a new one each time. A time is from the
call to the answer, messages included; medians are reported, in ms: of an image; of an edit of one block's gates on an
image that has been seen; and of an image where there is no WebAssembly. With `--json` the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from senet_edu.commandline import positive

ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

MEASURE = """
async ({ spec, weights, images, edits }) => {
  const { worker } = SE["lib/worker.js"];
  const bytes = Uint8Array.from(atob(weights), (c) => c.charCodeAt(0));
  const noise = () => Uint8ClampedArray.from({ length: 4096 }, () => Math.random() * 256);
  const median = (times) => times.sort((a, b) => a - b)[times.length >> 1];
  const time = async (net, pixels, overrides) => {
    const start = performance.now();
    await net.run(pixels, { overrides });
    return performance.now() - start;
  };
  const perImage = async (net, count) => {
    for (let i = 0; i < 10; i++) await time(net, noise()); // compiled by then
    const times = [];
    for (let i = 0; i < count; i++) times.push(await time(net, noise()));
    return median(times);
  };

  const net = worker(spec, bytes);
  const result = { median_ms: await perImage(net, images), kernel: net.kernel, edit_ms: {} };
  const pixels = noise();
  await net.run(pixels);
  for (const { se, channels } of spec.blocks) {
    const times = [];
    for (let i = 0; i < edits; i++)
      times.push(await time(net, pixels, { [se]: new Float32Array(channels).fill(i / edits) }));
    result.edit_ms[se] = median(times);
    await net.run(pixels);
  }
  net.close();
  const plain = worker(spec, bytes, { simd: false });
  result.javascript_median_ms = await perImage(plain, images);
  plain.close();
  return result;
}
"""


def find_chromium() -> str | None:
    """Path of a Chromium: $CHROMIUM, else one on the path; None without one, or without Playwright to drive it."""
    if importlib.util.find_spec("playwright") is None:
        return None
    names = [os.environ["CHROMIUM"]] if "CHROMIUM" in os.environ else ["chromium", "chromium-browser", "google-chrome"]
    return next(filter(None, map(shutil.which, names)), None)


def measure(chromium: str, images: int, edits: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    from senet_edu import load_pretrained
    from senet_edu.explorables.lib.net import export_browser
    from senet_edu.explorables.lib.scripts import in_a_page, needed

    spec, weights = export_browser(load_pretrained("se_resnet20"))
    script = "".join(map(in_a_page, needed("lib/worker.js")))
    data = {"spec": spec, "weights": base64.b64encode(weights).decode(), "images": images, "edits": edits}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "page.html"
        path.write_text(f"<!doctype html><meta charset=utf-8><script>{script}</script>", encoding="utf-8", newline="\n")
        with playwright.chromium.launch(executable_path=chromium, args=ARGS) as browser:
            page = browser.new_page()
            page.goto(path.as_uri())
            result = page.evaluate(MEASURE, data)
            return result | {"images": images, "browser": f"Chromium {browser.version}", "machine": platform.machine()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--images", type=positive, default=100, help="how many are timed (default 100)")
    parser.add_argument("--edits", type=positive, default=25, help="gate edits that are timed per block (default 25)")
    args = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        sys.exit("This needs Chromium on the path, or where $CHROMIUM says, and Playwright: pip install playwright")
    result = measure(chromium, args.images, args.edits)
    print(f"{result['browser']}, {result['kernel']}: {result['median_ms']:.1f} ms an image (median of {args.images})")
    print(f"without WebAssembly: {result['javascript_median_ms']:.1f} ms")
    print("gate edits:", ", ".join(f"{name} {ms:.1f} ms" for name, ms in result["edit_ms"].items()))
    if args.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()

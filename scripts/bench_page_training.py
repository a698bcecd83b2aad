"""Time the training in the page in headless Chromium: `python scripts/bench_page_training.py --json`.

Both networks of the lamp, the plain one with as many weights and the one with SE, are trained as in the figure without
its pacing: one worker each, 400 steps of 16 pictures. The time is from the call to the last loss, the start of the
workers included. Then a part of it without WebAssembly, scaled to 400 steps. With `--json` the last line is one JSON
object: `seconds_400_steps`, `images_per_second`, `first_loss_seconds`, `wasm` (was it used), the same in plain
JavaScript as `javascript_seconds_400_steps` (or null) and `speedup`, and the machine's `load` over the last minute.

Then the classifier, SE-ResNet-8 at 16 x 16, in one worker on batches of 32 drawn pictures, shifted and mirrored:
`class_images_per_second`, and `javascript_class_images_per_second`. A machine that has other work too makes both
smaller; `class_images_per_cpu_second` counts the processor's own time, in node (null where there is none).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench_browser import ARGS, find_chromium

MEASURE = """
async ({ simd, steps }) => {
  const { trainee } = SE["lib/lamp_worker.js"];
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1e3;
  let first;
  const one = async (options) => {
    const net = trainee({ ...options, seed: 1, simd, steps: 400 });
    const done = new Promise((resolve) => {
      net.onlosses = (step) => {
        first ??= seconds();
        if (step >= steps) resolve();
      };
    });
    const { kernel } = await net.ready;
    await net.allow(steps);
    await done;
    const error = steps === 400 ? await net.error({}) : null;
    net.close();
    return { kernel, error, seconds: seconds() };
  };
  // The figure makes its networks, and tries them for 40 ms, when it comes into view.
  const [plain, se] = await Promise.all([one({ channels: 18 }), one({ se: { reduction: 2 } })]);
  return { seconds: Math.max(plain.seconds, se.seconds), first, kernel: se.kernel, plain: plain.error, se: se.error };
}
"""

CLASSES = """
async ({ simd, steps }) => {
  const { classTrainer } = SE["lib/class_trainer.js"], { drawnSet } = SE["lib/drawn.js"];
  const drawn = drawnSet({ count: 200, seed: 1 });
  let trainer;
  const done = new Promise((resolve) => {
    const options = { steps, simd, batch: 32 };
    trainer = classTrainer({ classes: 10, options, ...drawn }, (progress) => progress.done && resolve());
  });
  const { kernel } = await trainer.ready;
  const start = performance.now();
  trainer.start();
  await done;
  trainer.close();
  return { kernel, images: (steps * 32e3) / (performance.now() - start) };
}
"""
CPU = """
const { network, batches } = SE["lib/class_worker.js"].engine, { drawnSet } = SE["lib/drawn.js"];
const drawn = drawnSet({ count: 200, seed: 1 }), next = batches({ classes: 10, seed: 0, batch: 32, ...drawn });
const net = network({ steps: 400 });
for (let i = 0; i < 20; i++) net.train(next());
const before = process.cpuUsage();
for (let i = 0; i < 150; i++) net.train(next());
const { user, system } = process.cpuUsage(before);
console.log((150 * 32e6) / (user + system));
"""


def per_cpu_second(script: str) -> int | None:
    """Images that SE-ResNet-8 trains on in a second of a processor's time, in node."""
    if not shutil.which("node"):
        return None
    text = f"{script}\n{CPU}"
    run = subprocess.run(["node", "-e", text], capture_output=True, text=True, check=True)
    return round(float(run.stdout))


def measure(chromium: str, javascript_steps: int) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    from senet_edu.explorables.lib.scripts import in_a_page, needed

    script = "".join(map(in_a_page, needed("lib/lamp_worker.js", "lib/class_trainer.js", "lib/drawn.js")))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "page.html"
        path.write_text(f"<!doctype html><meta charset=utf-8><script>{script}</script>", encoding="utf-8", newline="\n")
        with playwright.chromium.launch(executable_path=chromium, args=ARGS) as browser:
            page = browser.new_page()
            page.goto(path.as_uri())
            ours = page.evaluate(MEASURE, {"simd": True, "steps": 400})
            plain = page.evaluate(MEASURE, {"simd": False, "steps": javascript_steps}) if javascript_steps else None
            classes = page.evaluate(CLASSES, {"simd": True, "steps": 200})
            slow_classes = page.evaluate(CLASSES, {"simd": False, "steps": 10}) if javascript_steps else None
            version = browser.version
    slow = plain["seconds"] * 400 / javascript_steps if plain else None
    return {
        "seconds_400_steps": round(ours["seconds"], 2),
        "images_per_second": round(400 * 16 / ours["seconds"]),
        "first_loss_seconds": round(ours["first"], 2),
        "wasm": ours["kernel"] == "WebAssembly",
        "javascript_seconds_400_steps": slow and round(slow, 1),
        "speedup": slow and round(slow / ours["seconds"], 1),
        "error_plain": round(ours["plain"], 4),
        "error_se": round(ours["se"], 4),
        "class_images_per_second": round(classes["images"]),
        "class_wasm": classes["kernel"] == "WebAssembly",
        "javascript_class_images_per_second": slow_classes and round(slow_classes["images"]),
        "class_images_per_cpu_second": per_cpu_second(script),
        "browser": f"Chromium {version}",
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--javascript-steps", type=int, default=20, help="without WebAssembly; 0: none (%(default)s)")
    args = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        sys.exit("This needs Chromium on the path, or where $CHROMIUM says, and Playwright: pip install playwright")
    result = measure(chromium, args.javascript_steps)
    print(f"{result['browser']}: {result['seconds_400_steps']} s for both networks, load {result['load']}")
    print(f"errors: plain {result['error_plain']}, with SE {result['error_se']}")
    print(f"without WebAssembly: {result['javascript_seconds_400_steps']} s, {result['speedup']} times as long")
    print(f"classifier: {result['class_images_per_second']} images a second in a worker")
    print(f"without WebAssembly: {result['javascript_class_images_per_second']}")
    print(f"in a second of the processor's time: {result['class_images_per_cpu_second']}")
    if args.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()

/* ResNet-8 with SE and without, two classifiers that learn side by side from the same pictures. */
import { classTrainer } from "./class_trainer.js";

export const NETWORKS = ["plain", "se"];

/** `data` and `options` are those of class_trainer.js, without `se`; `changed()` is called when there is news. */
export const classPair = ({ options, ...data }, changed) => {
  const logs = { plain: [], se: [] };
  let open = true,
    spent = 0,
    started;
  const over = (key) => NETWORKS.every((name) => logs[name].at(-1)?.[key]);
  const heard = (name) => (progress) => {
    if (!open) return;
    if (Number.isFinite(progress.loss)) logs[name].push(progress); // no line can show another
    if (progress.blown && !pair.blown) {
      pair.pause();
      pair.blown = true;
    }
    if (over("done") && !pair.done) {
      pair.pause();
      pair.done = true;
    }
    changed();
  };
  const make = (name) => classTrainer({ ...data, options: { ...options, se: name === "se" } }, heard(name));
  const nets = { plain: make("plain"), se: make("se") };
  const both = (what) => NETWORKS.forEach((name) => nets[name][what]());
  const pair = {
    logs,
    nets,
    running: false,
    done: false,
    blown: false,
    /** { plain, se } with the count of weights, the kernel, and images a second. */
    ready: Promise.all([nets.plain.ready, nets.se.ready]).then(([plain, se]) => ({ plain, se })),
    get steps() {
      return Math.min(...NETWORKS.map((name) => logs[name].at(-1)?.step ?? 0));
    },
    get seconds() {
      return spent + (pair.running ? (performance.now() - started) / 1e3 : 0);
    },
    /** Images a second, of both networks together. */
    get speed() {
      return NETWORKS.reduce((sum, name) => sum + (logs[name].at(-1)?.imagesPerSecond ?? 0), 0);
    },
    start: () => {
      if (pair.running || pair.done || pair.blown) return;
      pair.running = true;
      started = performance.now();
      both("start");
    },
    pause: () => {
      if (!pair.running) return;
      spent = pair.seconds;
      pair.running = false;
      both("pause");
    },
    step: () => {
      if (!pair.running && !pair.done && !pair.blown) both("step");
    },
    /** What each makes of a picture. */
    answer: (pixels) =>
      Promise.all(NETWORKS.map((name) => nets[name].answer(pixels))).then(([plain, se]) => ({ plain, se })),
    close: () => {
      open = false;
      both("close");
    },
  };
  return pair;
};

/* The two networks of the lamp's figure, side by side: trained in step, paused, looked at. */
import { KEPT, trainee } from "./lamp_worker.js";

const PACE = 80; // steps a second at most, so that there is something to see
const LEAD = 12; // steps that one network may be ahead of the other
const LIMIT = 60; // seconds; then it stops with what it has, unless the reader has asked for so many steps
const BLOWN = 10; // a loss that no training comes back from

/** options: what the reader chose; `changed(what)`: "step", "done", "blown". */
export const pair = (options, changed) => {
  const shared = { seed: options.seed, steps: options.steps, rate: options.rate, simd: options.simd };
  const { reduction, layers, squeeze, gate } = options;
  const se = layers.length ? { reduction, layers, squeeze, gate } : null;
  const nets = { plain: trainee({ ...shared, channels: options.plain }), se: trainee({ ...shared, se }) };
  const runs = { plain: [], se: [] };
  let timer,
    started,
    spent = 0,
    open = true;
  const both = {
    nets,
    runs,
    options,
    running: false,
    done: false,
    blown: false,
    get steps() {
      return Math.min(runs.plain.length, runs.se.length);
    },
    get seconds() {
      return spent + (both.running ? (performance.now() - started) / 1e3 : 0);
    },
    /** What "400 steps" takes here: { plain, se } with count, kernel, speed. */
    ready: Promise.all([nets.plain.ready, nets.se.ready]).then(([plain, se]) => ({ plain, se })),
    /** Weights that were trained before: nothing is left to train. */
    load: (weights) =>
      Promise.all([nets.plain.load(weights.plain), nets.se.load(weights.se)]).then(() => (both.done = true)),
    start: () => {
      if (both.running || both.done || both.blown) return;
      both.running = true;
      started = performance.now();
      tick();
    },
    pause: () => {
      if (!both.running) return;
      spent = both.seconds;
      both.running = false;
      clearTimeout(timer);
      allow(both.steps);
    },
    /** One step of each. */
    step: () => {
      if (!both.running && both.steps < options.steps) allow(both.steps + 1);
    },
    last: (step) => Math.min(both.steps, Math.round(step / KEPT) * KEPT),
    close: () => {
      open = false;
      clearTimeout(timer);
      nets.plain.close();
      nets.se.close();
    },
  };
  const allow = (limit) => {
    for (const name of ["plain", "se"]) nets[name].allow(Math.max(limit, runs[name].length)).catch(() => {});
  };
  const tick = () => {
    const paced = options.pace ? Math.ceil(both.seconds * PACE) : Number.POSITIVE_INFINITY;
    if (!options.patient && both.seconds > LIMIT && both.steps >= KEPT) return finish(both.steps);
    allow(Math.min(options.steps, paced, both.steps + LEAD));
    timer = setTimeout(tick, 40);
  };
  const finish = () => {
    both.pause();
    both.done = true;
    changed("done");
  };
  for (const name of ["plain", "se"])
    nets[name].onlosses = (_, losses) => {
      if (!open) return;
      runs[name].push(...losses);
      if (losses.some((loss) => !(loss < BLOWN))) {
        both.pause();
        both.blown = true;
        return changed("blown");
      }
      if (both.steps >= options.steps && !both.done) return finish();
      if (both.running && !options.pace) allow(Math.min(options.steps, both.steps + LEAD));
      changed("step");
    };
  return both;
};

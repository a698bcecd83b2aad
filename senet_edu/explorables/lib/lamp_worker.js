/* One of the lamp's networks in a worker of its own, which trains it and answers questions about it:

     const net = trainee({ se: { reduction: 2 }, seed: 1 }); // the options of lamp_net.js's network
     const { count, kernel, speed } = await net.ready; // weights, "WebAssembly" or "JavaScript", steps a second
     net.onlosses = (step, losses) => {}; // those of the steps before `step`
     net.allow(400); // train until so many steps are done
     await net.look({ rgb, lamp, gates, step }); // { output, error, own, used } for a picture
     await net.probes({ step }); // its gates on the 64 probe pictures, and their mean
     await net.error({ step, gates }); // on 256 new pictures; gates "own", "frozen" or "swapped"
     await net.weights({ step }); // by PyTorch's names
     net.close();

   `step`: as the network was then, for every tenth step; without it as it is now. Where a page may have no worker, the
   page itself computes, in slices. */
import { seBlock } from "./block.js";
import { OPEN_MACHINE, openMachine } from "./kernel.js";
import { seLamp } from "./lamp_net.js";
import { seLayers } from "./layers.js";
import { thread } from "./thread.js";
import { seTrain } from "./train.js";

export const KEPT = 10; // weights are kept after so many steps
export const train = seTrain();
export const engine = seLamp(openMachine, seLayers(seBlock()), train);

/** The other end: the tasks of a thread. */
const serve =
  ({ network, held, TEST, PROBES }, keptEvery) =>
  (post, later, slice) => {
    const kept = new Map(); // step: parameters
    const known = new Map(); // what was computed for a kept step
    const pictures = held(TEST);
    let net, options, small, limit, running;

    /** f with the network as it was at a step. */
    const at = (step, f) => {
      if (step === undefined || step === net.step) return f();
      if (!kept.has(step)) throw new RangeError(`step must be one that was kept, got ${step}`);
      const now = net.keep();
      net.give(kept.get(step));
      try {
        return f();
      } finally {
        net.give(now);
      }
    };
    const once = (step, what, f) => {
      const key = `${step ?? net.step} ${what}`;
      if (!known.has(key)) known.set(key, at(step, f));
      return known.get(key);
    };
    const gatesOf = ({ rgb, lamp }) => {
      net.see(rgb, lamp);
      net.forward();
      return net.gates();
    };
    const probes = (step) =>
      once(step, "probes", () => {
        const all = pictures.slice(0, PROBES).map(gatesOf);
        const mean = all[0].map((gates, b) =>
          gates.map((_, c) => all.reduce((sum, g) => sum + g[b][c], 0) / all.length),
        );
        return { all, mean };
      });

    const run = () => {
      const losses = [];
      const start = performance.now();
      while (net.step < limit && (!losses.length || performance.now() - start < slice)) {
        losses.push(net.train());
        if (net.step % keptEvery === 0) kept.set(net.step, net.keep());
        if (!Number.isFinite(losses.at(-1))) limit = net.step; // it would only get worse
      }
      running = net.step < limit;
      if (losses.length) post({ step: net.step, losses });
      if (running) later(run);
    };

    return {
      make: (wanted) => {
        options = wanted;
        [net, small, limit, running] = [network(options), null, 0, false];
        kept.set(0, net.keep());
        net.gradients(pictures.slice(0, 2)); // compiled by then
        const start = performance.now();
        let steps = 0;
        do net.gradients(pictures.slice(0, 16));
        while (++steps && performance.now() - start < 40);
        return { count: net.count, kernel: net.kernel, speed: (1e3 * steps) / (performance.now() - start) };
      },
      allow: (steps) => {
        limit = steps;
        if (running || net.step >= limit) return;
        running = true;
        later(run);
      },
      look: ({ rgb, lamp, gates = "own", step }) => {
        const own = net.blocks.length > 0;
        const replaced = own && gates === "frozen" ? probes(step).mean : own && gates !== "own" ? gates : null;
        return at(step, () => {
          let seer = net;
          if (rgb.length !== 3 * net.side ** 2) {
            // a photograph has another side
            const side = Math.sqrt(rgb.length / 3);
            if (small?.side !== side) small = network({ ...options, side, training: false });
            small.load(net.weights());
            seer = small;
          }
          seer.see(rgb, lamp);
          seer.forward({ gates: replaced });
          return { output: seer.output(), error: seer.error(), own: seer.gates(), used: seer.used() };
        });
      },
      probes: ({ step } = {}) => probes(step),
      error: ({ step, gates = "own" } = {}) => {
        const frozen = gates === "frozen" && probes(step).mean;
        return once(step, gates, () => {
          const others = gates === "swapped" && pictures.map(gatesOf);
          const sum = pictures.reduce((total, { rgb, lamp }, i) => {
            net.see(rgb, lamp);
            net.forward({ gates: frozen || (others ? others[(i + 1) % TEST] : null) });
            return total + net.error();
          }, 0);
          return sum / TEST;
        });
      },
      weights: ({ step } = {}) => at(step, () => net.weights()),
      load: (weights) => {
        // a network that was trained elsewhere
        net.load(weights);
        known.clear();
        kept.clear();
      },
    };
  };

/** A network in a worker: see above. */
export const trainee = (options) => {
  const source = `(${serve})(
    (${seLamp})(${OPEN_MACHINE}, (${seLayers})((${seBlock})()), (${seTrain})()), ${KEPT})`;
  const { ask, close } = thread(source, serve(engine, KEPT), ({ step, losses }) => net.onlosses?.(step, losses));
  const net = { onlosses: null, ready: ask("make", options), close };
  for (const task of ["allow", "look", "probes", "error", "weights", "load"]) net[task] = (about) => ask(task, about);
  return net;
};

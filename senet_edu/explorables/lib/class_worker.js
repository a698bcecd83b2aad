/* The other end of class_trainer.js: the engine of a classifier, and the tasks of its worker. */
import { seBlock } from "./block.js";
import { seClassBatches } from "./class_batches.js";
import { seClassLayers } from "./class_layers.js";
import { seClassNet } from "./class_net.js";
import { OPEN_MACHINE, openMachine } from "./kernel.js";
import { seLayers } from "./layers.js";
import { seTrain } from "./train.js";

const layers = seLayers(seBlock()),
  train = seTrain();
export const engine = {
  ...seClassNet(openMachine, layers, seClassLayers(layers), train),
  ...seClassBatches(train),
};
const ENGINE = `((layers, train) => ({
  ...(${seClassNet})(${OPEN_MACHINE}, layers, (${seClassLayers})(layers), train),
  ...(${seClassBatches})(train),
}))((${seLayers})((${seBlock})()), (${seTrain})())`;

/** The tasks of a thread. It posts what class_trainer.js calls `progress`. */
const serveClasses =
  ({ network, batches }) =>
  (post, later, slice) => {
    const PROGRESS = 50, // ms from one report to the next
      LOOKS = 20; // at the pictures held out, in a run
    let net, next, held, steps, limit, running, sums, since;

    const answers = (pixels) => net.classify(pixels);
    const accuracyOf = ({ images, labels }) =>
      answers(images).filter((logits, n) => net.best(logits) === labels[n]).length / labels.length;
    const forget = () => (sums = { steps: 0, loss: 0, right: 0, ms: 0 });
    let heldAccuracy;
    const report = () => {
      const { loss, right, ms } = sums,
        blown = !Number.isFinite(loss),
        images = sums.steps * net.batch;
      const progress = { step: net.step, steps, loss: loss / sums.steps, accuracy: right / images, heldAccuracy };
      post({ progress: { ...progress, imagesPerSecond: (1e3 * images) / ms, done: net.step >= steps, blown } });
      forget();
      since = performance.now();
    };
    const one = () => {
      const start = performance.now();
      const { loss, right } = net.train(next());
      sums.steps++;
      sums.loss += loss;
      sums.right += right;
      sums.ms += performance.now() - start;
      if (!Number.isFinite(loss)) limit = steps = net.step; // it would only get worse
      if (held && (net.step % Math.ceil(steps / LOOKS) === 0 || net.step === steps)) heldAccuracy = accuracyOf(held);
    };
    const run = () => {
      const start = performance.now();
      let trained = 0;
      while (net.step < limit && (!trained || performance.now() - start < slice)) {
        one();
        trained++;
      }
      running = net.step < limit;
      if (sums.steps && (!running || performance.now() - since >= PROGRESS)) report();
      if (running) later(run);
    };

    return {
      make: ({ classes, images, labels, options, ...others }) => {
        net = network({ ...options, classes });
        ({ steps } = options);
        const drawn = { classes, images, labels, seed: options.seed, batch: options.batch };
        next = batches(drawn);
        [held, heldAccuracy, limit, running] = [others.held, null, 0, false];
        forget();
        const trial = batches(drawn)(); // with its own chance
        net.gradients(trial); // compiled by then
        const start = performance.now();
        let tried = 0;
        do net.gradients(trial);
        while (++tried && performance.now() - start < 40);
        const speed = (1e3 * tried * options.batch) / (performance.now() - start);
        net.reset();
        return { count: net.count, kernel: net.kernel, speed };
      },
      /** Train so many steps more, 0 to pause. */
      run: (more) => {
        limit = Math.min(steps, net.step + more);
        if (running || net.step >= limit) return;
        running = true;
        since = performance.now();
        later(run);
      },
      answer: (pixels) => {
        const [logits] = answers(pixels),
          powers = logits.map((v) => Math.exp(v - Math.max(...logits)));
        const total = powers.reduce((a, b) => a + b);
        return { probabilities: Float32Array.from(powers, (p) => p / total), gates: net.gates() };
      },
      state: () => net.state(),
    };
  };
export const serve = serveClasses(engine);
export const SERVE = `(${serveClasses})(${ENGINE})`;

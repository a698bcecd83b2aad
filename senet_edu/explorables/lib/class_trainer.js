/* One classifier in a worker of its own, which trains it and answers questions about it:

     const trainer = classTrainer(
       {
         classes: 3,
         options: { se: true, reduction: 4, seed: 1, steps: 400, batch: 32, rate: 0.25, simd: true },
         images, // Uint8Array(M * 16 * 16 * 3): red, green, blue, pixel by pixel, picture by picture
         labels, // Uint8Array(M), each below `classes`; of every class one picture at least
         held: { images, labels }, // pictures to measure by, which it never trains on, or null
       },
       (progress) => {},
     );
     const { count, kernel, speed } = await trainer.ready; // weights, "WebAssembly" or "JavaScript", images a second
     trainer.start(), trainer.pause(), trainer.step(), trainer.close();
     const { probabilities, gates } = await trainer.answer(pixels); // a picture, Uint8Array(16 * 16 * 3)

   All of `options` may be left out; those above are the defaults, but for the seed, which is 0. `se: false` is the
   plain ResNet-8. Two trainers of one seed see the same pictures in the same order, shifted and mirrored alike.

   progress   { step, steps, loss, accuracy, heldAccuracy, imagesPerSecond, done, blown }, every 50 ms or so while it
              trains, when it has paused, after each step(), and once when it is done. `loss` (cross-entropy with
              smoothed labels) and `accuracy` (0..1, of the augmented pictures) are means over the steps since the last
              one; heldAccuracy, 0..1, is measured 20 times in a run and at its end, and is else the last one measured,
              null before and without `held`. `blown`: the loss is no number any more, and training has stopped.
   start()    trains until steps are done or pause(); step() trains one step and pauses; both do nothing when done.
   answer     { probabilities: Float32Array(classes), gates: { "layer1.0.se": Float32Array(16), … } } of the
              network as it is now, also between the steps of a running training; gates are {} without SE.
   weights()  a Map of PyTorch's names, running means and variances too, to { shape, data }.
   safetensors({ names })  the bytes of a file that create_model("se_resnet8", num_classes=…, reduction=4)
              .load_state_dict takes; `names` of the classes go into its metadata.

   Promises of a trainer that is closed never settle. Where a page may have no worker, the page itself computes, in
   slices. RangeError where options, pictures or labels do not fit. */
import { engine, SERVE, serve } from "./class_worker.js";
import { safetensors } from "./safetensors.js";
import { thread } from "./thread.js";

const { DEFAULTS, PIXELS } = engine;

const check = (what, right, given) => {
  if (!right) throw new RangeError(`${what}, got ${given}`);
};
const whole = (name, value, least) =>
  check(`${name} must be a whole number, at least ${least}`, Number.isInteger(value) && value >= least, value);
const checkPictures = (name, { images, labels }, classes) => {
  const bytes = labels.length * PIXELS;
  check(`${name} must be ${PIXELS} bytes for each of ${labels.length} labels`, images.length === bytes, images.length);
  for (const label of labels) check(`labels must be below ${classes}, the number of classes`, label < classes, label);
};

/** See above. */
export const classTrainer = ({ classes, options = {}, images, labels, held = null }, onProgress) => {
  for (const name of Object.keys(options)) check(`options are ${Object.keys(DEFAULTS)}`, name in DEFAULTS, name);
  const all = { ...DEFAULTS, ...options };
  whole("classes", classes, 2);
  whole("steps", all.steps, 1);
  whole("batch", all.batch, 2);
  whole("reduction", all.reduction, 1);
  check("rate must be above 0", all.rate > 0, all.rate);
  checkPictures("images", { images, labels }, classes);
  if (held) checkPictures("held.images", held, classes);
  const there = new Set(labels);
  for (let k = 0; k < classes; k++) check("every class must have a picture", there.has(k), `none of class ${k}`);

  const { ask, close } = thread(SERVE, serve, ({ progress }) => onProgress(progress));
  const state = () => ask("state");
  const train = (more) => {
    ask("run", more).catch(() => {}); // `ready` says it
  };
  return {
    ready: ask("make", { classes, options: all, images, labels, held }),
    start: () => train(all.steps),
    pause: () => train(0),
    step: () => train(1),
    close,
    answer: async (pixels) => {
      check(`a picture must be ${PIXELS} bytes`, pixels.length === PIXELS, pixels.length);
      return ask("answer", pixels);
    },
    weights: async () => new Map(Object.entries(await state())),
    safetensors: async ({ names = [] } = {}) => {
      const about = { model: all.se ? "se_resnet8" : "resnet8", num_classes: String(classes), image_size: "16" };
      if (all.se) about.reduction = String(all.reduction);
      if (names.length) about.classes = JSON.stringify(names);
      return safetensors(await state(), about);
    },
  };
};

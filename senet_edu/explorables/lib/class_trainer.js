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

   All of `options` may be left out; those above are the defaults, but for the seed, which is 0. `se: false` is the plain
   ResNet-8. Two trainers of one seed see the same pictures in the same order, turned and shifted alike.

   progress   { step, steps, loss, accuracy, heldAccuracy, imagesPerSecond, done, blown }, every 50 ms or so while it
              trains, after each step(), and once when it is done. `loss` (cross-entropy with smoothed labels) and
              `accuracy` (0..1, of the augmented pictures) are means over the steps since the last one; heldAccuracy,
              0..1, is measured every 20 steps and at the end, and is else the last one measured, null before and
              without `held`. `blown`: the loss is no number any more, and training has stopped.
   start()    trains until steps are done or pause(); step() trains one step; both do nothing when it is done.
   answer     { probabilities: Float32Array(classes), gates: { "layer1.0.se": Float32Array(16), … } } of the network as
              it is now, also between the steps of a running training; gates are {} without SE.
   weights()  a Map of PyTorch's names, running means and variances too, to { shape, data }, in the state_dict's order.
   safetensors()  the bytes of a file that create_model("se_resnet8", num_classes=…, reduction=4).load_state_dict takes.

   Promises of a trainer that is closed never settle. Where a page may have no worker, the page itself computes, in
   slices. RangeError where the pictures or labels do not fit. */

/** See above. */
export const classTrainer = ({ options: { steps = 400 } = {} }, onProgress) => {
  const progress = { step: 0, steps, loss: null, accuracy: null, heldAccuracy: null, imagesPerSecond: 0 };
  const never = () => Promise.reject(new Error("not written yet"));
  const report = () => onProgress({ ...progress, done: false, blown: false });
  const ready = Promise.resolve({ count: 0, kernel: "JavaScript", speed: 0 });
  return {
    ready,
    start: report,
    pause() {},
    step: report,
    close() {},
    answer: never,
    weights: never,
    safetensors: never,
  };
};

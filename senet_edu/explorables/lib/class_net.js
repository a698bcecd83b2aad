/* A classifier that trains in the page: the twin of create_model("se_resnet8", num_classes=…, reduction=4) and of
   "resnet8", for images of 16 x 16, with the recipe of senet_edu.train.

     const net = network({ classes: 3, se: true, seed: 1 });
     const { loss, right } = net.train({ pixels, labels }); // one step, on as many images as the options' batch
     net.classify(pixels); // of any number of images: the logits of each, by running means and variances
     net.gates(); // those of the last of them, by block
     net.state(); // { name: { shape, data } } for PyTorch

   pixels: Uint8Array, red, green, blue, pixel by pixel, image by image. */

export function seClassNet(
  openMachine,
  { map, parameters, convolution, squeezeExcite },
  { batchNorm, residualSum, classifier },
  { crossEntropy, normal, random, sgd, straightCycle },
) {
  const SIDE = 16,
    WIDTHS = [16, 32, 64],
    MEAN = [0.4914, 0.4822, 0.4465], // of CIFAR-10's training images, as senet_edu.data.normalize has them
    STD = [0.247, 0.2435, 0.2616];
  const DEFAULTS = { se: true, reduction: 4, seed: 0, steps: 400, batch: 32, rate: 0.25, simd: true };
  const SMOOTHING = 0.1,
    DECAY = 5e-4;

  /** A residual block from x: its output, and its layers in the order of the forward pass. */
  const residualBlock = (machine, all, name, x, { side, width, batch, se, reduction }) => {
    const make = (d = true) => ({ ...map(machine, side, width, d === true, batch), ...(d === true ? {} : { d }) });
    const stride = x.side / side,
      projected = stride !== 1 || x.count !== width;
    const hidden = make(),
      rectified = make(hidden.d),
      residual = make(),
      y = make(projected ? true : x.d); // an identity hands the gradient of the sum on as it is
    const normed = make(se ? residual.d : y.d);
    const conv = (part, from, to, options) => convolution(machine, all, `${name}.${part}`, from, to, options);
    const layers = [];
    let shortcut = x;
    if (projected) {
      const projection = make();
      shortcut = make(y.d);
      layers.push(conv("downsample.0", x, projection, { taps: 1, stride, bias: false, onto: true }));
      layers.push(batchNorm(machine, all, `${name}.downsample.1`, projection, shortcut));
    }
    layers.push(conv("conv1", x, hidden, { stride, bias: false, onto: !projected }));
    layers.push(batchNorm(machine, all, `${name}.bn1`, hidden, rectified, { relu: true }));
    layers.push(conv("conv2", rectified, residual, { bias: false }));
    layers.push(batchNorm(machine, all, `${name}.bn2`, residual, normed));
    const gated = se && squeezeExcite(machine, all, `${name}.se`, normed, y, { reduction, shortcut });
    layers.push(gated || residualSum(machine, normed, shortcut, y));
    return { y, layers, gated };
  };

  /** As create_model starts: He's normal numbers by the fan out in convolutions, by the fan in in SE blocks, uniform
      ones in the classifier; batch norms begin as the identity. */
  const initialize = ({ name, shape }, rand) => {
    if (name === "fc.weight" || name === "fc.bias") return (2 * rand() - 1) / Math.sqrt(WIDTHS.at(-1));
    if (shape.length === 1) return name.endsWith("weight") ? 1 : 0;
    const fan = shape.length === 2 ? shape[1] : shape[0] * shape[2] * shape[3];
    return Math.sqrt(2 / fan) * normal(rand);
  };
  /** Weights that a batch norm follows decay, and those of the classifier; the gates' do not. */
  const decays = ({ name, shape }) => shape.length > 1 && !name.includes(".se.");

  const network = ({ classes = 10, ...options } = {}) => {
    const { se, reduction, seed, steps, batch, rate, simd } = { ...DEFAULTS, ...options };
    const machine = openMachine(),
      all = parameters(machine);
    const image = map(machine, SIDE, 3, false, batch),
      first = map(machine, SIDE, WIDTHS[0], true, batch),
      start = { ...map(machine, SIDE, WIDTHS[0], false, batch), d: first.d };
    const layers = [
      convolution(machine, all, "conv1", image, first, { bias: false }),
      batchNorm(machine, all, "bn1", first, start, { relu: true }),
    ];
    const blocks = {};
    let x = start;
    WIDTHS.forEach((width, i) => {
      const name = `layer${i + 1}.0`,
        block = residualBlock(machine, all, name, x, { side: SIDE >> i, width, batch, se, reduction });
      layers.push(...block.layers);
      if (se) blocks[`${name}.se`] = block.gated;
      x = block.y;
    });
    const head = classifier(machine, all, "fc", x, classes),
      norms = layers.filter(({ tracked }) => tracked !== undefined);
    all.place();
    const m = machine.open({ simd }),
      rand = random(~seed);
    const decay = new Float32Array(all.size);
    for (const one of all.list)
      for (const o of one.order) {
        m[one.at + o] = initialize(one, rand);
        if (decays(one)) decay[one.at - all.at + o] = DECAY;
      }
    const update = sgd(all.size, { decay }),
      cycle = straightCycle(steps, rate);

    const levels = MEAN.map((mean, c) => Float32Array.from({ length: 256 }, (_, v) => (v / 255 - mean) / STD[c]));
    /** Images from the `from`-th on, normalized, into the network's input. */
    const see = (pixels, from, images) => {
      for (let n = 0, i = 3 * SIDE * SIDE * from; n < images; n++)
        for (let r = 0; r < SIDE; r++)
          for (let c = 0, o = image.inside + n * image.step + r * (SIDE + 2) * 4; c < SIDE; c++, o += 4)
            for (let k = 0; k < 3; k++) m[o + k] = levels[k][pixels[i++]];
    };
    const forward = (images, training) => {
      for (const layer of layers) layer.forward(images, training);
      head.forward(images);
      return head.logits;
    };
    /** The loss of a batch, how many of it were right, and in the parameters' places the gradients. */
    const gradients = ({ pixels, labels }) => {
      const images = labels.length;
      if (images > batch) throw new RangeError(`a batch must be ${batch} images at most, got ${images}`);
      m.fill(0, all.d, all.d + all.size);
      see(pixels, 0, images);
      const logits = forward(images, true);
      const answers = logits.map((list, n) => crossEntropy(list, labels[n], 1 / images, SMOOTHING));
      head.backward(answers.map(({ gradient }) => gradient));
      for (const layer of layers) layer.turn?.();
      for (let i = layers.length - 1; i >= 0; i--) layers[i].backward(images);
      return {
        loss: answers.reduce((sum, { loss }) => sum + loss, 0),
        right: logits.filter((list, n) => best(list) === labels[n]).length,
      };
    };
    const best = (list) => list.indexOf(Math.max(...list));
    const read = (place) => Object.fromEntries(all.list.map((one) => [one.name, place(one)]));
    const net = {
      batch,
      kernel: machine.name,
      step: 0,
      gradients,
      best,
      /** Batch norms forget what they measured. */
      reset: () => norms.forEach((norm) => norm.reset()),
      train: (images) => {
        const result = gradients(images);
        update(m, all.at, all.d, cycle(net.step++));
        return result;
      },
      classify: (pixels) => {
        const count = pixels.length / (3 * SIDE * SIDE),
          logits = [];
        for (let from = 0; from < count; from += batch) {
          const images = Math.min(batch, count - from);
          see(pixels, from, images);
          logits.push(...forward(images, false));
        }
        return logits;
      },
      gates: () => Object.fromEntries(Object.entries(blocks).map(([name, { own }]) => [name, Float32Array.from(own)])),
      derivatives: () => read((one) => all.read({ ...one, at: one.d })),
      /** Parameters and what batch norms have measured, by PyTorch's names. */
      state: () => {
        const state = read((one) => ({ shape: one.shape, data: all.read(one) }));
        for (const { name, mean, variance, tracked } of norms) {
          state[`${name}.running_mean`] = { shape: [mean.length], data: mean.slice() };
          state[`${name}.running_var`] = { shape: [mean.length], data: variance.slice() };
          state[`${name}.num_batches_tracked`] = { shape: [], data: BigInt64Array.of(BigInt(tracked)) };
        }
        return state;
      },
      /** Such a state, or of each tensor the numbers alone. */
      load: (state) => {
        const numbers = (name) => state[name].data ?? state[name];
        for (const one of all.list) all.write(one, numbers(one.name));
        for (const norm of norms) {
          norm.mean.set(numbers(`${norm.name}.running_mean`));
          norm.variance.set(numbers(`${norm.name}.running_var`));
          norm.tracked = Number(numbers(`${norm.name}.num_batches_tracked`)[0]);
        }
      },
      count: all.list.reduce((sum, { order }) => sum + order.length, 0),
    };
    return net;
  };

  return { SIDE, DEFAULTS, network };
}

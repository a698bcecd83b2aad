/* The lamp's task and its networks: the twin of senet_edu/lamp.py, which says what they are.

     const net = network({ se: { reduction: 2 }, seed: 1 }); // or { channels: 18 } for a plain one
     for (let i = 0; i < 400; i++) loss = net.train(); // a step; both networks of a seed see the same pictures
     net.see(rgb, lamp); // any picture, side x side x 3 numbers in 0..1, under a lamp
     net.forward({ gates: null }); // or a list of gates for each of its SE blocks
     net.output(), net.error(), net.gates(); */

export function seLamp(
  openMachine,
  { map, parameters, convolution, rectifier, squeezeExcite },
  { absoluteError, adam, normal, oneCycle, random },
) {
  const SIDE = 36,
    TILE = 6,
    DIMMEST = 0.2,
    STEPS = 400,
    BATCH = 16,
    RATE = 0.01,
    TEST = 256,
    PROBES = 64,
    TEST_SEED = 0x7fffffff;

  /** Tiles of random colors, pixel by pixel, and the color of a lamp. */
  const picture = (rand) => {
    const n = SIDE / TILE,
      tiles = Array.from({ length: 3 * n * n }, rand);
    return { rgb: paint(tiles), lamp: [0, 1, 2].map(() => DIMMEST + (1 - DIMMEST) * rand()) };
  };
  /** 36 colors as 36 x 36 pixels. */
  const paint = (tiles) => {
    const rgb = new Float32Array(SIDE * SIDE * 3),
      n = SIDE / TILE;
    for (let r = 0, i = 0; r < SIDE; r++)
      for (let c = 0; c < SIDE; c++)
        for (let k = 0; k < 3; k++) rgb[i++] = tiles[3 * (Math.floor(r / TILE) * n + Math.floor(c / TILE)) + k];
    return rgb;
  };
  /** The pictures that errors are measured on. */
  const held = (count) => {
    const rand = random(TEST_SEED);
    return Array.from({ length: count }, () => picture(rand));
  };

  /** A network. se: null, or { layers, reduction, squeeze, gate }. `training: false` leaves the way back out. */
  const network = ({
    side = SIDE,
    channels = 16,
    se = null,
    seed = 0,
    steps = STEPS,
    batch = BATCH,
    rate = RATE,
    simd = true,
    training = true,
  } = {}) => {
    const machine = openMachine(),
      all = parameters(machine),
      layers = [],
      blocks = [],
      convs = [];
    const image = map(machine, side, 3, false);
    let input = image;
    for (const layer of [1, 2]) {
      const gated = se && (se.layers ?? [1, 2]).includes(layer),
        out = map(machine, side, channels, training);
      const u = gated ? { ...map(machine, side, channels, false), d: out.d } : out; // one gradient for both
      layers.push((convs[layer] = convolution(machine, all, `conv${layer}`, input, u, { relu: !gated })));
      if (gated) layers.push((blocks[blocks.length] = squeezeExcite(machine, all, `se${layer}`, u, out, se)));
      else if (training) layers.push(rectifier(machine, out));
      input = out;
    }
    const result = map(machine, side, 3, training);
    layers.push((convs[3] = convolution(machine, all, "conv3", input, result)));
    all.place();
    const m = machine.open({ simd }),
      target = new Float32Array(side * side * 3),
      rand = random(seed + 1),
      initial = random(~seed);
    for (const { name, shape, order, at } of all.list) {
      // as PyTorch and SEBlock start
      const bound = (name.startsWith("conv1") ? 27 : 9 * channels) ** -0.5,
        deviation = Math.sqrt(2 / shape[1]);
      for (const o of order)
        m[at + o] = name.startsWith("conv") ? (2 * initial() - 1) * bound : deviation * normal(initial);
    }

    const see = (rgb, lamp) => {
      for (let r = 0, i = 0; r < side; r++)
        for (let c = 0, o = image.inside + r * (side + 2) * 4; c < side; c++, o += 4)
          for (let k = 0; k < 3; k++, i++) m[o + k] = (target[i] = rgb[i]) * lamp[k];
    };
    const forward = ({ gates = null } = {}) => {
      blocks.forEach((block, b) => (block.override = gates?.[b] ?? null));
      for (const layer of layers) layer.forward();
    };
    const backward = () => {
      for (let i = layers.length - 1; i >= 0; i--) layers[i].backward();
    };
    const error = () => absoluteError(m, result, target, 1);
    /** The loss of some pictures, and in the parameters' places the gradients. */
    const gradients = (pictures) => {
      m.fill(0, all.d, all.d + all.size);
      for (const conv of convs) conv?.turn();
      let loss = 0;
      for (const { rgb, lamp } of pictures) {
        see(rgb, lamp), forward();
        loss += absoluteError(m, result, target, 1 / pictures.length);
        backward();
      }
      return loss;
    };
    const update = training && adam(all.size),
      cycle = oneCycle(steps, rate);
    const net = {
      side,
      blocks,
      see,
      forward,
      error,
      gradients,
      kernel: machine.name,
      step: 0,
      /** One step on pictures given or drawn; returns their loss before it. */
      train: (pictures = Array.from({ length: batch }, () => picture(rand))) => {
        const loss = gradients(pictures);
        update(m, all.at, all.d, cycle(net.step++));
        return loss;
      },
      /** What it makes of the picture, pixel by pixel. */
      output: () => {
        const { inside } = result;
        return Float32Array.from({ length: side * side * 3 }, (_, i) => {
          const p = Math.floor(i / 3);
          return m[inside + (Math.floor(p / side) * (side + 2) + (p % side)) * 4 + (i % 3)];
        });
      },
      /** The gates that it computed, and those that it used, a list for each SE block. */
      gates: () => blocks.map(({ own }) => [...own]),
      used: () => blocks.map(({ used }) => [...used]),
      /** Parameters by PyTorch's names: { shape, data }. */
      weights: () => Object.fromEntries(all.list.map((one) => [one.name, { shape: one.shape, data: all.read(one) }])),
      derivatives: () => Object.fromEntries(all.list.map((one) => [one.name, all.read({ ...one, at: one.d })])),
      load: (weights) => all.list.forEach((one) => all.write(one, weights[one.name].data ?? weights[one.name])),
      /** The largest of the numbers that only fill up: always 0. */
      padding: () => {
        const left = [all.at, all.d].map((at) => m.slice(at, at + all.size));
        for (const one of all.list) for (const o of one.order) for (const part of left) part[one.at - all.at + o] = 0;
        return Math.max(...left.map((part) => part.reduce((most, v) => Math.max(most, Math.abs(v)), 0)));
      },
      /** All parameters as they lie, for keeping and giving back. */
      keep: () => m.slice(all.at, all.at + all.size),
      give: (kept) => m.set(kept, all.at),
      count: all.list.reduce((sum, { order }) => sum + order.length, 0),
    };
    return net;
  };

  return { SIDE, STEPS, BATCH, TEST, PROBES, random, picture, paint, held, network };
}

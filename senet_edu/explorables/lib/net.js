/* The shipped CIFAR networks (resnet20, se_resnet20) in the page: a forward pass with no library.

     const net = load(spec, bytes); // both from senet_edu.explorables.lib.net.export_browser
     const { logits, gates } = net.run(pixels); // RGBA 32x32x4, as in a canvas's ImageData.data; alpha is ignored
     net.run(pixels, { overrides: { "layer3.2.se": pin }, maps: ["layer3.2.se"] });

   run returns, all in copies of its own:
     logits, probabilities   Float32Array(10)
     z, own, gates           by SE block, Float32Array(C): the squeezed means, the gates that the block computed from
                             them, and the gates that were used; they differ where an override says so
     maps                    by block, as asked for by `maps`: {before, after, shortcut, sum, shape: [C, H, W]}, the
                             residual before and after the rescale, what is added to it, and the block's output,
                             max(0, after + shortcut), channel after channel; blocks without SE have no `after`
   overrides, by SE block: a Float32Array(C), NaN where the gate stays the network's own and else its new value (0
   mutes); or {pin, permute}, both optional: channel c first takes the gate of channel permute[c], then pins apply.

   The last image's maps are kept. A gate edit computes no convolution before or in its own block, only those behind;
   net.convolutions counts them all (a new image takes 21). What did not change need not be said: just call run again.

   worker.js has `load`, and `worker`, which does the same without ever stalling the page. */

export function seNet(openMachine) {
  /* ---- The network */

  const SIDE = 32,
    STEM = 4; // the image's side; its channels in memory: red, green, blue, and one of zeros

  /** Half-precision numbers, as a Uint16Array, to a Float32Array. */
  const decodeHalf = (halves) => {
    const bits = new Uint32Array(1),
      value = new Float32Array(bits.buffer);
    return Float32Array.from(halves, (half) => {
      bits[0] = (half & 0x7fff) << 13; // exponent and fraction in the places of single precision; 2^112 mends the bias
      return (half & 0x8000 ? -1 : 1) * value[0] * 2 ** 112;
    });
  };
  const sigmoid = (v) => 1 / (1 + Math.exp(-v));
  /** Matrix (rows, vector.length) times vector. */
  const product = (matrix, vector) =>
    Float32Array.from({ length: matrix.length / vector.length }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < vector.length; j++) sum += matrix[i * vector.length + j] * vector[j];
      return sum;
    });

  /** A network. `simd: false` forbids WebAssembly. Throws where spec and bytes do not belong together. */
  const load = (spec, bytes, { simd = true } = {}) => {
    if (bytes.length !== spec.bytes) throw new RangeError(`bytes must be ${spec.bytes}, got ${bytes.length}`);
    const tensor = (name) => {
      const { dtype, shape, offset } = spec.tensors[name];
      const length = shape.reduce((a, b) => a * b) * (dtype === "float16" ? 2 : 4);
      const { buffer } = bytes.slice(offset, offset + length); // a copy, so aligned
      return dtype === "float16" ? decodeHalf(new Uint16Array(buffer)) : new Float32Array(buffer);
    };

    // Where everything lies, and which kernels there are, is known before the memory, `m`, comes into being.
    const machine = openMachine();
    const makeConv = (name, side, stride, relu) => {
      const [outputs, inputs, taps] = spec.tensors[`${name}.weight`].shape;
      const stored = Math.max(inputs, STEM);
      const kernel = machine.want("conv", { side, inputs, stored, outputs, stride, taps, relu });
      return {
        name,
        outputs,
        inputs,
        taps,
        kernel,
        w: machine.place(taps * taps * inputs * outputs),
        b: machine.place(outputs),
      };
    };

    const image = machine.map(SIDE, STEM),
      stem = makeConv("conv1", SIDE, 1, true),
      start = machine.map(SIDE, stem.outputs);
    let input = start;
    const blocks = spec.blocks.map(({ name, se, side, channels, stride }) => {
      const block = {
        name: se || name,
        se,
        input,
        conv1: makeConv(`${name}.conv1`, side, stride, true),
        conv2: makeConv(`${name}.conv2`, side, 1, false),
        hidden: machine.map(side, channels),
        residual: machine.map(side, channels),
        output: machine.map(side, channels),
        sums: machine.want("sums", { side, channels }),
        join: machine.want("join", { side, channels }),
        list: machine.place(channels),
        shortcut: input,
      };
      if (spec.tensors[`${name}.downsample.0.weight`]) {
        block.projection = makeConv(`${name}.downsample.0`, side, stride, false);
        block.shortcut = machine.map(side, channels);
      }
      if (se) (block.w1 = tensor(`${se}.fc1.weight`)), (block.w2 = tensor(`${se}.fc2.weight`));
      input = block.output;
      return block;
    });
    const last = input,
      fc = tensor("fc.weight"),
      bias = tensor("fc.bias");
    const m = machine.open({ simd });

    /** Weights (outputs, inputs, taps, taps), times batch norm's scale, into the order in which the kernel reads. */
    const fill = ({ name, outputs, inputs, taps, w, b }) => {
      const [weight, scale, shift] = ["weight", "scale", "shift"].map((part) => tensor(`${name}.${part}`));
      const area = taps * taps;
      m.set(shift, b);
      for (let o = 0; o < outputs; o++)
        for (let i = 0; i < inputs; i++)
          for (let tap = 0; tap < area; tap++)
            m[w + (tap * inputs + i) * outputs + o] = weight[(o * inputs + i) * area + tap] * scale[o];
    };
    [stem, ...blocks.flatMap((b) => [b.conv1, b.conv2, b.projection])].forEach((conv) => conv && fill(conv));

    const convolve = ({ kernel, taps, w, b }, input, output) => {
      net.convolutions++;
      kernel.run(taps === 3 ? input.at : input.inside, w, b, output.inside);
    };
    /** Where the channels of the p-th pixel lie. */
    const spot = ({ inside, side, channels }, p) =>
      inside + (Math.floor(p / side) * (side + 2) + (p % side)) * channels;
    /** The squeeze: each channel's mean. */
    const mean = (map, { sums, list }) => {
      sums.run(map.inside, list);
      return m.slice(list, list + map.channels).map((sum) => sum / map.side ** 2);
    };
    /** Rescale, add the shortcut, ReLU. */
    const combine = ({ join, list, residual, shortcut, output, gates }) => {
      if (gates) m.set(gates, list);
      else m.fill(1, list, list + output.channels);
      join.run(residual.inside, shortcut.inside, output.inside, list);
    };
    const partsOf = (edit) => (edit?.length ? { pin: edit } : (edit ?? {}));
    const override = (own, edit) => {
      const { pin, permute } = partsOf(edit);
      const gates = permute ? Float32Array.from(permute, (c) => own[c]) : own.slice();
      pin?.forEach((gate, c) => {
        if (!Number.isNaN(gate)) gates[c] = gate;
      });
      return gates;
    };
    const mapsOf = ({ residual, shortcut, output, gates }) => {
      const { side, channels } = residual,
        area = side ** 2;
      const copy = (map) =>
        Float32Array.from({ length: channels * area }, (_, i) => m[spot(map, i % area) + Math.floor(i / area)]);
      const before = copy(residual);
      const after = gates && before.map((u, i) => u * gates[Math.floor(i / area)]);
      return { before, after, shortcut: copy(shortcut), sum: copy(output), shape: [channels, side, side] };
    };

    const find = (name) => {
      const block = blocks.find((block) => block.name === name);
      if (!block) throw new RangeError(`no block is called ${name}`);
      return block;
    };
    const check = (list, length, what) => {
      if (list.length !== length) throw new RangeError(`${what} must be ${length} numbers, got ${list.length}`);
    };

    let seen, logits; // the last image
    const run = (pixels, { overrides = {}, maps = [] } = {}) => {
      check(pixels, 4 * SIDE * SIDE, "pixels, RGBA,");
      for (const name of maps) find(name);
      for (const [name, edit] of Object.entries(overrides)) {
        const { se, output } = find(name),
          { pin, permute } = partsOf(edit);
        if (!se) throw new RangeError(`${name} has no gates`);
        for (const list of [pin, permute]) if (list) check(list, output.channels, `overrides of ${name}`);
      }
      let changed = !seen || pixels.some((value, i) => value !== seen[i]);
      if (changed) {
        seen = undefined; // until this image is through
        for (let p = 0; p < SIDE ** 2; p++)
          for (let c = 0; c < 3; c++) m[spot(image, p) + c] = (pixels[4 * p + c] / 255 - spec.mean[c]) / spec.std[c];
        convolve(stem, image, start);
      }
      for (const block of blocks) {
        if (changed) {
          convolve(block.conv1, block.input, block.hidden);
          convolve(block.conv2, block.hidden, block.residual);
          if (block.projection) convolve(block.projection, block.input, block.shortcut);
          if (block.se) {
            block.z = mean(block.residual, block); // squeeze
            const hidden = product(block.w1, block.z).map((v) => Math.max(v, 0));
            block.own = product(block.w2, hidden).map(sigmoid); // excite
          }
        }
        if (block.se) {
          const gates = override(block.own, overrides[block.se]);
          changed ||= gates.some((gate, c) => gate !== block.gates[c]);
          block.gates = gates;
        }
        if (changed) combine(block);
      }
      if (changed) logits = product(fc, mean(last, blocks.at(-1))).map((v, i) => v + bias[i]);
      seen = Uint8Array.from(pixels);
      const top = Math.max(...logits),
        powers = logits.map((v) => Math.exp(v - top));
      const total = powers.reduce((a, b) => a + b);
      const ofBlocks = (part) => Object.fromEntries(blocks.filter(({ se }) => se).map((b) => [b.se, b[part].slice()]));
      return {
        logits: logits.slice(),
        probabilities: powers.map((v) => v / total),
        z: ofBlocks("z"),
        own: ofBlocks("own"),
        gates: ofBlocks("gates"),
        maps: Object.fromEntries(maps.map((name) => [name, mapsOf(find(name))])),
      };
    };
    const net = { spec, kernel: machine.name, convolutions: 0, run };
    return net;
  };

  return { load };
}

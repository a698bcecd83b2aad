/* The shipped CIFAR networks (resnet20, se_resnet20) in the page: a forward pass with no library.

     const net = SENet.load(spec, bytes);         // both from senet_edu.interop.export_browser
     const { logits, gates } = net.run(pixels);   // pixels: RGBA 32x32x4, as in a canvas's ImageData.data; alpha is ignored
     net.run(pixels, { overrides: { "layer3.2.se": pin }, maps: ["layer3.2.se"] });

   run returns, all in copies of its own:
     logits, probabilities   Float32Array(10)
     z, own, gates           by SE block, Float32Array(C): the squeezed means, the gates that the block computed from
                             them, and the gates that were used; they differ where an override says so
     maps                    by block, as asked for by `maps`: {before, after, shape: [C, H, W]}, the residual before and
                             after the rescale, channel after channel; blocks without SE have `before` alone
   overrides, by SE block: a Float32Array(C), NaN where the gate stays the network's own and else its new value (0 mutes);
   or {pin, permute}, both optional: channel c first takes the gate of channel permute[c], then pins apply.

   The last image's maps are kept. A gate edit computes no convolution before or in its own block, only those behind;
   net.convolutions counts them all (a new image takes 21). What did not change need not be said: just call run again.

     const net = SENet.worker(spec, bytes);       // the same in a worker, so that the page never stalls
     const result = await net.run(pixels, options);   // null: a newer call overtook this one before it was started
     net.close();

   In node: require("./net.js"). */
"use strict";
var SENet = globalThis.SENet || (function engine() {
  /* ---- The convolution's inner loop, once in WebAssembly with vectors of four, once in JavaScript for where there is none

     Maps lie in memory pixel by pixel, their channels side by side, within a border of zeros. So the channels that a
     filter sees in one row of its field, three pixels' worth, are one run of numbers. A kernel computes 8 channels of one
     row of the output:
       x        the field's first number for the first output pixel, in the input
       run      how many numbers of a field's row lie side by side: 3·C, for a 1x1 convolution C (a multiple of 4)
       rows     how many rows a field has; pitch: from one row to the next
       step     from one output pixel's field to the next one's
       w        8 biases, then for each number of the field 8 weights
       y        where the output goes; out: from one output pixel to the next
       pixels   how many (a multiple of 4)
       floor    0 for a ReLU, else -Infinity
     All lengths and places count numbers. */

  const kernelInJavaScript = (m) => {
    const put = (y, floor, v0, v1, v2, v3) => {
      m[y] = Math.max(v0, floor), m[y + 1] = Math.max(v1, floor);
      m[y + 2] = Math.max(v2, floor), m[y + 3] = Math.max(v3, floor);
    };
    return (x, run, rows, pitch, step, w, y, out, pixels, floor) => {
      for (const last = x + pixels * step; x < last; x += 2 * step, y += 2 * out)
        for (let q = 0; q < 8; q += 4) { // 2 pixels by 4 channels: what fits into the processor's registers
          let v = w + q;
          let a0 = m[v], a1 = m[v + 1], a2 = m[v + 2], a3 = m[v + 3], b0 = a0, b1 = a1, b2 = a2, b3 = a3;
          for (let r = 0; r < rows; r++)
            for (let p = x + r * pitch, end = p + run; p < end; p++) {
              v += 8;
              const a = m[p], b = m[p + step], w0 = m[v], w1 = m[v + 1], w2 = m[v + 2], w3 = m[v + 3];
              a0 += a * w0, a1 += a * w1, a2 += a * w2, a3 += a * w3;
              b0 += b * w0, b1 += b * w1, b2 += b * w2, b3 += b * w3;
            }
          put(y + q, floor, a0, a1, a2, a3), put(y + q + out, floor, b0, b1, b2, b3);
        }
    };
  };

  // The same for 4 pixels by 8 channels, in WebAssembly's text, but short: $x is local.get $x, =x is local.set $x, and a load
  // has its offset as a bare number. Lengths are in bytes, skip is pitch - run. x<p> points into the field of pixel p, a<p>
  // and b<p> are its channels 0-3 and 4-7. A turn of the innermost loop takes four numbers of each field.
  const INTS = ["x", "quads", "rows", "skip", "step", "w", "y", "out", "groups"]; // the parameters, and then floor
  const LOCALS = ["x0", "x1", "x2", "x3", "v", "i", "r"];
  const VECTORS = ["low", "high", "field", "a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"];
  const four = (text) => [0, 1, 2, 3].map(text).join(" ");
  const add = (name, by) => `$${name} ${by} i32.add =${name}`;
  const again = (counter) => `${add(counter, "i32.const -1")} $${counter} br_if 0 end`;
  const TEXT = `
    loop
      ${four((p) => `$x =x${p} ${add("x", "$step")}`)}
      $w v128.load 0 =a0 $w v128.load 16 =b0
      ${four((p) => `$a0 =a${p} $b0 =b${p}`)}
      $w i32.const 32 i32.add =v
      $rows =r
      loop
        $quads =i
        loop
          ${four((u) => `
            $v v128.load ${32 * u} =low
            $v v128.load ${32 * u + 16} =high
            ${four((p) => `
              $x${p} v128.load32_splat ${4 * u} =field
              $a${p} $field $low f32x4.mul f32x4.add =a${p}
              $b${p} $field $high f32x4.mul f32x4.add =b${p}`)}`)}
          ${add("v", "i32.const 128")}
          ${four((p) => add(`x${p}`, "i32.const 16"))}
        ${again("i")}
        ${four((p) => add(`x${p}`, "$skip"))}
      ${again("r")}
      ${four((p) => `
        $y $a${p} $floor f32x4.splat f32x4.max v128.store 0
        $y $b${p} $floor f32x4.splat f32x4.max v128.store 16
        ${add("y", "$out")}`)}
    ${again("groups")}`;
  const OPCODES = { // of loads and stores with an alignment of 0, before their offset
    loop: [0x03, 0x40], end: [0x0b], br_if: [0x0d], $: [0x20], "=": [0x21], "i32.const": [0x41], "i32.add": [0x6a],
    "v128.load": [0xfd, 0x00, 0], "v128.load32_splat": [0xfd, 0x09, 0], "v128.store": [0xfd, 0x0b, 0],
    "f32x4.splat": [0xfd, 0x13], "f32x4.add": [0xfd, 0xe4, 1], "f32x4.mul": [0xfd, 0xe6, 1], "f32x4.max": [0xfd, 0xe9, 1],
  };

  /** A module of this one function. */
  const assemble = () => {
    const leb = (n) => (n >= -64 && n < 64 ? [n & 127] : [(n & 127) | 128, ...leb(n >> 7)]); // an integer, LEB128
    const section = (id, bytes) => [id, ...leb(bytes.length), ...bytes];
    const locals = [...INTS, "floor", ...LOCALS, ...VECTORS];
    const code = TEXT.trim().split(/\s+/).flatMap((word) =>
      OPCODES[word] ?? (word[0] in OPCODES ? [...OPCODES[word[0]], locals.indexOf(word.slice(1))] : leb(Number(word))));
    const [i32, f32, v128] = [0x7f, 0x7d, 0x7b];
    const body = [2, LOCALS.length, i32, VECTORS.length, v128, ...code, ...OPCODES.end];
    return new Uint8Array([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
      ...section(1, [1, 0x60, INTS.length + 1, ...INTS.map(() => i32), f32, 0]), // its type
      ...section(2, [1, 0, 1, 0x6d, 2, 0, 1]), // a memory, imported as ""."m"
      ...section(3, [1, 0]), // one function, of type 0
      ...section(7, [1, 1, 0x6b, 0, 0]), // exported as "k"
      ...section(10, [1, ...leb(body.length), ...body]),
    ]);
  };

  /** Memory for so many numbers and a kernel over it: [Float32Array, kernel, its name]. */
  const makeKernel = (numbers, simd) => {
    try {
      if (simd) {
        const memory = new WebAssembly.Memory({ initial: Math.ceil(numbers / 16384) });
        const { k } = new WebAssembly.Instance(new WebAssembly.Module(assemble()), { "": { m: memory } }).exports;
        const kernel = (x, run, rows, pitch, step, w, y, out, pixels, floor) =>
          k(4 * x, run / 4, rows, 4 * (pitch - run), 4 * step, 4 * w, 4 * y, 4 * out, pixels / 4, floor);
        return [new Float32Array(memory.buffer), kernel, "WebAssembly"];
      }
    } catch {} // no WebAssembly, no vectors in it, or a policy against it
    const m = new Float32Array(numbers);
    return [m, kernelInJavaScript(m), "JavaScript"];
  };

  /* ---- The network */

  const SIDE = 32, STEM = 4; // the image's side; its channels in memory: red, green, blue, and one of zeros
  const BLOCK = 8; // the output channels of a kernel

  /** Half-precision numbers, as a Uint16Array, to a Float32Array. */
  const decodeHalf = (halves) => {
    const bits = new Uint32Array(1), value = new Float32Array(bits.buffer);
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

    // Where everything lies. `m`, the memory, comes into being when its size is known.
    let m, kernel, name, size = 0;
    const place = (numbers) => (size += numbers) - numbers;
    /** A map: `at` is its first pixel, `pitch` the way from row to row. Only convolved ones need the border. */
    const makeMap = (side, channels, border) => {
      const pitch = (side + 2 * border) * channels;
      return { at: place((side + 2 * border) * pitch) + border * (pitch + channels), side, channels, pitch };
    };
    const makeConv = (name, stride) => {
      const [outputs, inputs, width] = spec.tensors[`${name}.weight`].shape;
      const field = width * width * Math.max(inputs, STEM);
      return { name, stride, outputs, inputs, width, field, at: place(outputs * (1 + field)) };
    };

    const image = makeMap(SIDE, STEM, 1), stem = makeConv("conv1", 1), start = makeMap(SIDE, stem.outputs, 1);
    let input = start;
    const blocks = spec.blocks.map(({ name, se, side, channels, stride }) => {
      const block = {
        name: se || name, se, input,
        conv1: makeConv(`${name}.conv1`, stride), conv2: makeConv(`${name}.conv2`, 1),
        hidden: makeMap(side, channels, 1), residual: makeMap(side, channels, 0), output: makeMap(side, channels, 1),
        shortcut: input,
      };
      if (spec.tensors[`${name}.downsample.0.weight`]) {
        block.projection = makeConv(`${name}.downsample.0`, stride);
        block.shortcut = makeMap(side, channels, 0);
      }
      if (se) block.w1 = tensor(`${se}.fc1.weight`), block.w2 = tensor(`${se}.fc2.weight`);
      input = block.output;
      return block;
    });
    const last = input, fc = tensor("fc.weight"), bias = tensor("fc.bias");
    [m, kernel, name] = makeKernel(size, simd);

    /** Weights (outputs, inputs, width, width), times batch norm's scale, into the order in which the kernel reads them. */
    const fill = ({ name, outputs, inputs, width, field, at }) => {
      const [weight, scale, shift] = ["weight", "scale", "shift"].map((part) => tensor(`${name}.${part}`));
      const padded = Math.max(inputs, STEM), taps = width * width;
      for (let o = 0; o < outputs; o++) {
        const to = at + (o - (o % BLOCK)) * (1 + field) + (o % BLOCK);
        m[to] = shift[o];
        for (let i = 0; i < inputs; i++)
          for (let t = 0; t < taps; t++)
            m[to + BLOCK * (1 + t * padded + i)] = weight[(o * inputs + i) * taps + t] * scale[o];
      }
    };
    [stem, ...blocks.flatMap((b) => [b.conv1, b.conv2, b.projection])].forEach((conv) => conv && fill(conv));

    const convolve = ({ stride, width, field, at }, input, output, floor) => {
      net.convolutions++;
      const C = input.channels, first = input.at - (width === 3 ? input.pitch + C : 0);
      for (let o = 0; o < output.channels; o += BLOCK)
        for (let row = 0; row < output.side; row++)
          kernel(first + row * stride * input.pitch, width * C, width, input.pitch, stride * C,
            at + o * (1 + field), output.at + row * output.pitch + o, output.channels, output.side, floor);
    };
    /** Where the channels of the p-th pixel lie. */
    const spot = ({ at, pitch, side, channels }, p) => at + Math.floor(p / side) * pitch + (p % side) * channels;
    /** The squeeze: each channel's mean. */
    const mean = (map) => {
      const sums = new Float64Array(map.channels), area = map.side ** 2;
      for (let p = 0; p < area; p++)
        for (let c = 0, at = spot(map, p); c < map.channels; c++) sums[c] += m[at + c];
      return Float32Array.from(sums, (sum) => sum / area);
    };
    /** Rescale, add the shortcut, ReLU. */
    const combine = ({ residual, shortcut, output, gates }) => {
      for (let p = 0; p < output.side ** 2; p++) {
        const u = spot(residual, p), x = spot(shortcut, p), y = spot(output, p);
        for (let c = 0; c < output.channels; c++) {
          const sum = m[u + c] * (gates ? gates[c] : 1) + m[x + c];
          m[y + c] = sum > 0 ? sum : 0;
        }
      }
    };
    const partsOf = (edit) => (edit?.length ? { pin: edit } : edit ?? {});
    const override = (own, edit) => {
      const { pin, permute } = partsOf(edit);
      const gates = permute ? Float32Array.from(permute, (c) => own[c]) : own.slice();
      pin?.forEach((gate, c) => Number.isNaN(gate) || (gates[c] = gate));
      return gates;
    };
    const mapsOf = ({ residual, gates }) => {
      const { side, channels } = residual, area = side ** 2;
      const before = Float32Array.from({ length: channels * area }, (_, i) => m[spot(residual, i % area) + Math.floor(i / area)]);
      const after = gates && before.map((u, i) => u * gates[Math.floor(i / area)]);
      return { before, after, shape: [channels, side, side] };
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
        const { se, output } = find(name), { pin, permute } = partsOf(edit);
        if (!se) throw new RangeError(`${name} has no gates`);
        for (const list of [pin, permute]) if (list) check(list, output.channels, `overrides of ${name}`);
      }
      let changed = !seen || pixels.some((value, i) => value !== seen[i]);
      if (changed) {
        seen = undefined; // until this image is through
        for (let p = 0; p < SIDE ** 2; p++)
          for (let c = 0; c < 3; c++) m[spot(image, p) + c] = (pixels[4 * p + c] / 255 - spec.mean[c]) / spec.std[c];
        convolve(stem, image, start, 0);
      }
      for (const block of blocks) {
        if (changed) {
          convolve(block.conv1, block.input, block.hidden, 0);
          convolve(block.conv2, block.hidden, block.residual, -Infinity);
          if (block.projection) convolve(block.projection, block.input, block.shortcut, -Infinity);
          if (block.se) {
            block.z = mean(block.residual); // squeeze
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
      if (changed) logits = product(fc, mean(last)).map((v, i) => v + bias[i]);
      seen = Uint8Array.from(pixels);
      const top = Math.max(...logits), powers = logits.map((v) => Math.exp(v - top));
      const total = powers.reduce((a, b) => a + b);
      const ofBlocks = (part) => Object.fromEntries(blocks.filter(({ se }) => se).map((b) => [b.se, b[part].slice()]));
      return {
        logits: logits.slice(), probabilities: powers.map((v) => v / total),
        z: ofBlocks("z"), own: ofBlocks("own"), gates: ofBlocks("gates"),
        maps: Object.fromEntries(maps.map((name) => [name, mapsOf(find(name))])),
      };
    };
    const net = { spec, kernel: name, convolutions: 0, run };
    return net;
  };

  /* ---- The worker */

  /** The other end: builds the network at the first request, and posts the answer to each. */
  const serve = (post) => {
    let net;
    return ({ spec, bytes, loading, pixels, options }) => {
      try {
        net ??= load(spec, bytes, loading);
        post({ result: net.run(pixels, options), convolutions: net.convolutions, kernel: net.kernel });
      } catch (error) {
        post({ error: error.message });
      }
    };
  };

  /** As load, but run is async. Answers come in the order of the calls, and the last call is always answered; calls that
      were overtaken before they started resolve to null. Without workers the page itself computes. */
  const worker = (spec, bytes, loading) => {
    let port, loaded, running = null, waiting = null;
    const settle = ({ result, error, ...state }) => {
      Object.assign(net, state);
      const { resolve, reject } = running;
      running = null;
      next();
      if (error) reject(new Error(error));
      else resolve(result);
    };
    const next = () => {
      if (running || !waiting) return;
      [running, waiting] = [waiting, null];
      send();
    };
    const send = () => {
      port.post(loaded ? running.request : { spec, bytes, loading, ...running.request });
      loaded = true;
    };
    const inPage = () => {
      const answer = serve(settle);
      return { post: (message) => setTimeout(answer, 0, message), close() {} };
    };
    const inWorker = () => {
      const text = `const answer = (${engine})().serve(postMessage); onmessage = ({ data }) => answer(data);`;
      const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
      const thread = new Worker(url);
      thread.onmessage = ({ data }) => settle(data);
      thread.onerror = () => { // refused after all, by a policy of the page
        [port, loaded] = [inPage(), false];
        if (running) send();
      };
      return { post: (message) => thread.postMessage(message), close: () => (thread.terminate(), URL.revokeObjectURL(url)) };
    };
    const net = {
      spec,
      convolutions: 0,
      run: (pixels, options) =>
        new Promise((resolve, reject) => {
          waiting?.resolve(null);
          waiting = { request: { pixels, options }, resolve, reject };
          next();
        }),
      close: () => port.close(),
    };
    try {
      port = inWorker();
    } catch {
      port = inPage();
    }
    return net;
  };

  return { load, worker, serve };
})();
if (typeof module !== "undefined") module.exports = SENet;

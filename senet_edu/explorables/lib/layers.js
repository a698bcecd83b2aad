/* Layers that can be trained: each has a forward and a backward pass over so many images, by default one.

   A map here has a twin, `d`, where its gradient goes; two maps may share one, where a layer needs no other place. Both
   hold `images` of them, one after the other. Layers tell the machine what memory and which kernels they want when they
   are made, and run when it is open. */

export function seLayers({ excite, back }) {
  /** A map with its gradient, if there is to be one. */
  const map = (machine, side, channels, training, images = 1) => {
    const padded = 4 * Math.ceil(channels / 4),
      make = () => machine.map(side, padded, images);
    return { ...make(), count: channels, images, d: training ? make() : null };
  };
  /** The n-th image of a map. */
  const nth = (map, n) => ({ ...map, at: map.at + n * map.step, inside: map.inside + n * map.step });

  /** Parameters of a network in one run of numbers, their gradients in another, so that an optimizer sees two lists.
      `order` says where each number of PyTorch's tensor lies; the others of `size` are padding and stay zero. */
  const parameters = (machine) => {
    const list = [];
    const all = {
      list,
      add: (name, shape, size, order) => {
        const one = { name, shape, size, order, at: 0, d: 0 };
        list.push(one);
        return one;
      },
      place: () => {
        all.size = list.reduce((sum, { size }) => sum + ((size + 3) & ~3), 0);
        [all.at, all.d] = [machine.place(all.size), machine.place(all.size)];
        let offset = 0;
        for (const one of list) {
          [one.at, one.d] = [all.at + offset, all.d + offset];
          offset += (one.size + 3) & ~3;
        }
      },
      /** The numbers of a parameter, or of its gradient, in PyTorch's order. */
      read: ({ at, order }) => Float32Array.from(order, (o) => machine.m[at + o]),
      write: ({ at, order }, values) => {
        if (values.length !== order.length)
          throw new RangeError(`expected ${order.length} numbers, got ${values.length}`);
        order.forEach((o, i) => (machine.m[at + o] = values[i]));
      },
    };
    return all;
  };
  const order = (shape, f) => {
    const count = shape.reduce((a, b) => a * b);
    return Int32Array.from({ length: count }, (_, n) => {
      const at = [];
      for (let k = shape.length - 1, left = n; k >= 0; left = Math.floor(left / shape[k--]))
        at.unshift(left % shape[k]);
      return f(...at);
    });
  };

  /** A convolution from one map to another, 3 x 3 or of single pixels (`taps: 1`); that to three channels has a kernel
      of its own. `relu`: fused. `onto`: the gradient of its input is added to what lies there. */
  const convolution = (machine, all, name, from, to, options = {}) => {
    const { relu = false, stride = 1, taps = 3, bias = true, onto = false } = options;
    const { side } = to,
      stored = from.channels,
      inputs = from.count,
      three = to.count === 3,
      training = to.d !== null;
    const outputs = three ? 3 : to.channels,
      weights = [to.count, inputs, taps, taps];
    // [tap][input][output], or to three channels [tap][output][input]
    const place = three
      ? (o, i, y, x) => ((3 * y + x) * 3 + o) * stored + i
      : (o, i, y, x) => ((taps * y + x) * inputs + i) * outputs + o;
    const size = taps * taps * (three ? 3 * stored : inputs * outputs);
    const w = all.add(`${name}.weight`, weights, size, order(weights, place));
    const identity = order([to.count], (o) => o);
    const b = bias ? all.add(`${name}.bias`, [to.count], to.channels, identity) : null;
    const none = bias ? 0 : machine.place(to.channels); // a bias of zeros
    const run = three
      ? machine.want("three", { side, stored })
      : machine.want("conv", { side, inputs, stored, outputs, stride, taps, relu });
    const field = taps === 3 ? from.at : from.inside; // where that of the first pixel begins
    const each = (images, f) => {
      for (let n = 0; n < images; n++) f(n * from.step, n * to.step);
    };
    const forward = (images = 1) => each(images, (i, o) => run.run(field + i, w.at, b ? b.at : none, to.inside + o));
    const layer = { w, b, forward };
    if (!training) return layer;

    const sums = bias && !three && machine.want("sums", { side, channels: to.channels }),
      list = machine.place(to.channels);
    const outer = three
      ? machine.want("outer", { side, inputs: 3, stored: 4, outputs: stored, shifted: "b" })
      : machine.want("outer", { side, inputs, stored, outputs, stride, taps });
    const parts = from.d ? turnedParts(machine, from, to, { stride, taps, onto }) : [];
    const turned = parts.map(({ at, rows, columns }) => {
      const shape = [rows.length, columns.length, to.count, inputs];
      return { at, order: order(shape, (y, x, o, i) => place(o, i, rows[y], columns[x])) };
    });
    /** Once a step, when the weights have changed. */
    layer.turn = () => {
      const { m } = machine;
      for (const { at, order } of turned)
        for (let t = at, k = 0; k < order.length; t += stored)
          for (let i = 0; i < inputs; i++) m[t + i] = m[w.at + order[k++]];
    };
    const biasOf = (map) => {
      const { m } = machine;
      if (three)
        for (let o = 0; o < 3; o++) m[b.d + o] += exactSum(m, map, o); // terms that cancel
      else {
        sums.run(map.inside, list);
        for (let o = 0; o < outputs; o++) m[b.d + o] += m[list + o];
      }
    };
    layer.backward = (images = 1) => {
      if (bias) for (let n = 0; n < images; n++) biasOf(nth(to.d, n));
      each(images, (i, o) => {
        if (three) outer.run(to.d.inside + o, field + i, w.d);
        else outer.run(field + i, to.d.inside + o, w.d);
        for (const { kernel, x, at, zeros, y } of parts) kernel.run(x + o, at, zeros, y + i);
      });
    };
    return layer;
  };
  /** The gradient of a convolution's input is a convolution of that of its output, with the weights turned round.

      With stride 2 it is four: a pixel in an even row has met one row of weights, the middle one; a pixel in an odd
      row two, the last one in the row of the output above it and the first one in that below; and so for columns. */
  const turnedParts = (machine, from, to, { stride, taps, onto }) => {
    const stored = from.channels,
      { side } = to,
      zeros = machine.place(stored);
    const part = (rows, columns, x, y) => {
      const shape = { side, inputs: to.count, stored: to.channels, outputs: stored };
      const field = stride === 1 ? { taps } : { rows: rows.length, columns: columns.length, spread: 2 };
      const kernel = machine.want("conv", { ...shape, ...field, onto });
      return {
        rows,
        columns,
        kernel,
        x,
        y,
        zeros,
        at: machine.place(rows.length * columns.length * to.count * stored),
      };
    };
    const { d } = from;
    if (stride === 1 && taps === 3) return [part([2, 1, 0], [2, 1, 0], to.d.at, d.inside)];
    if (taps === 1) {
      if (stride !== 1 && !onto) throw new RangeError("a projection with a stride must add its gradient to another");
      return [part([0], [0], to.d.inside, d.inside)];
    }
    const met = [[1], [2, 0]]; // by an even and by an odd row
    return [0, 1].flatMap((r) =>
      [0, 1].map((c) => part(met[r], met[c], to.d.inside, d.inside + (r * (d.side + 2) + c) * stored)),
    );
  };
  const exactSum = (m, { inside, side, channels }, o) => {
    let sum = 0;
    for (let r = 0; r < side; r++)
      for (let c = 0; c < side; c++) sum += m[inside + (r * (side + 2) + c) * channels + o];
    return sum;
  };

  /** The way back through a ReLU that a convolution has fused. */
  const rectifier = (machine, map) => {
    const mask = machine.want("mask", { side: map.side, channels: map.channels }),
      list = machine.place(map.channels);
    return { forward() {}, backward: () => mask.run(map.d.inside, map.inside, map.inside, list) };
  };

  /** An SE block and a ReLU, from u to y; with `shortcut`, a map, that is added in between, and the gradient of the sum
      is left in y.d. `layer.own` are the gates that it computes for the last image, and `layer.used` those that it
      uses: others where `layer.override` is set, for instance by hand. */
  const squeezeExcite = (machine, all, name, u, y, options = {}) => {
    const { reduction = 2, squeeze = "avg", gate = "sigmoid", shortcut = null } = options;
    const { side, channels, count: C } = u,
      area = side * side,
      H = Math.max(1, Math.floor(C / reduction)),
      shape = { side, channels };
    const [one, two] = [
      [H, C],
      [C, H],
    ].map((s, i) =>
      all.add(
        `${name}.fc${i + 1}.weight`,
        s,
        C * H,
        order(s, (a, b) => a * s[1] + b),
      ),
    );
    const [sums, rescale] = ["sums", shortcut ? "join" : "gate"].map((kernel) => machine.want(kernel, shape));
    const [list, shift] = [0, 0].map(() => machine.place(channels)),
      gates = machine.place(u.images * channels);
    const view = ({ size }, at) => machine.m.subarray(at, at + size);
    const values = (at) => new Float64Array(machine.m.subarray(at, at + C));
    const states = [];
    const layer = { override: null };
    layer.forward = (images = 1) => {
      const [w1, w2] = [view(one, one.at), view(two, two.at)];
      for (let n = 0; n < images; n++) {
        const at = u.inside + n * u.step,
          to = y.inside + n * y.step,
          s = gates + n * channels;
        sums.run(at, list);
        const z = squeeze === "max" ? largest(machine.m, nth(u, n)) : values(list).map((sum) => sum / area); // squeeze
        states[n] = excite(w1, w2, z, gate); // excitation
        [layer.z, layer.own, layer.used] = [z, states[n].s, layer.override ?? states[n].s];
        layer.used.forEach((gate, c) => (machine.m[s + c] = gate));
        if (shortcut) rescale.run(at, shortcut.inside + n * shortcut.step, to, s);
        else rescale.run(at, to, s);
      }
    };
    if (!y.d) return layer;
    const [mask, scale] = ["mask", "scale"].map((kernel) => machine.want(kernel, shape));
    layer.backward = (images = 1) => {
      const { m } = machine;
      const [w1, w2, dw1, dw2] = [view(one, one.at), view(two, two.at), view(one, one.d), view(two, two.d)];
      for (let n = 0; n < images; n++) {
        const d = y.d.inside + n * y.step,
          du = u.d.inside + n * u.step;
        mask.run(d, y.inside + n * y.step, u.inside + n * u.step, list); // ReLU, and Σ dx̃ · u
        const dz = back(w1, w2, states[n], values(list), dw1, dw2, gate);
        for (let c = 0; c < C; c++) m[shift + c] = squeeze === "max" ? 0 : dz[c] / area;
        scale.run(d, du, gates + n * channels, shift);
        if (squeeze === "max") toLargest(m, nth(u, n), nth(u.d, n), states[n].z, dz);
      }
    };
    return layer;
  };
  const eachPixel = ({ side, channels }, f) => {
    for (let r = 0; r < side; r++) for (let c = 0; c < side; c++) f((r * (side + 2) + c) * channels);
  };
  const largest = (m, u) => {
    const most = Array(u.count).fill(-Infinity);
    eachPixel(u, (o) => {
      for (let c = 0; c < u.count; c++) if (m[u.inside + o + c] > most[c]) most[c] = m[u.inside + o + c];
    });
    return most;
  };
  /** The gradient of a maximum goes to the pixels that have it, in equal parts, as in PyTorch. */
  const toLargest = (m, u, d, most, dz) => {
    const ties = Array(u.count).fill(0);
    const each = (f) =>
      eachPixel(u, (o) => {
        for (let c = 0; c < u.count; c++) if (m[u.inside + o + c] === most[c]) f(o, c);
      });
    each((_, c) => ties[c]++);
    each((o, c) => (m[d.inside + o + c] += dz[c] / ties[c]));
  };

  return { map, parameters, order, convolution, rectifier, squeezeExcite };
}

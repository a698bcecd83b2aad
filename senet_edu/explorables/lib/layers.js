/* Layers that can be trained: each has a forward and a backward pass over one picture.

   A map here has a twin, `d`, where its gradient goes. Layers tell the machine what memory and which kernels they want
   when they are made, and run when it is open. */

export function seLayers({ excite, back }) {
  /** A map with its gradient, if there is to be one. */
  const map = (machine, side, channels, training) => {
    const padded = 4 * Math.ceil(channels / 4);
    return { ...machine.map(side, padded), count: channels, d: training ? machine.map(side, padded) : null };
  };

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

  /** A 3 x 3 convolution from one map to another; that to three channels has a kernel of its own. `relu`: fused. */
  const convolution = (machine, all, name, from, to, { relu = false } = {}) => {
    const { side } = to,
      stored = from.channels,
      inputs = from.count,
      three = to.count === 3,
      training = to.d !== null;
    const outputs = three ? 3 : to.channels,
      weights = [to.count, inputs, 3, 3];
    // [tap][input][output], or to three channels [tap][output][input]
    const place = three
      ? (o, i, y, x) => ((3 * y + x) * 3 + o) * stored + i
      : (o, i, y, x) => ((3 * y + x) * inputs + i) * outputs + o;
    const w = all.add(`${name}.weight`, weights, 9 * (three ? 3 * stored : inputs * outputs), order(weights, place));
    const b = all.add(
      `${name}.bias`,
      [to.count],
      to.channels,
      order([to.count], (o) => o),
    );
    const run = three
      ? machine.want("three", { side, stored })
      : machine.want("conv", { side, inputs, stored, outputs, relu });
    const layer = { w, b, forward: () => run.run(from.at, w.at, b.at, to.inside) };
    if (!training) return layer;

    const sums = machine.want("sums", { side, channels: to.channels }),
      list = machine.place(to.channels);
    const outer = three
      ? machine.want("outer", { side, inputs: 3, stored: 4, outputs: stored, shifted: "b" })
      : machine.want("outer", { side, inputs, stored, outputs });
    // The gradient of the input is a convolution of that of the output, with weights turned round.
    const turned = from.d ? machine.place(9 * to.count * stored) : 0,
      zeros = machine.place(stored);
    const input = from.d && machine.want("conv", { side, inputs: to.count, stored: to.channels, outputs: stored });
    /** Once a step, when the weights have changed. */
    layer.turn = () => {
      if (!from.d) return;
      const { m } = machine;
      for (let tap = 0; tap < 9; tap++)
        for (let o = 0; o < to.count; o++)
          for (let i = 0; i < inputs; i++)
            m[turned + ((8 - tap) * to.count + o) * stored + i] = m[w.at + place(o, i, Math.floor(tap / 3), tap % 3)];
    };
    layer.backward = () => {
      const { m } = machine;
      if (three)
        for (let o = 0; o < 3; o++) m[b.d + o] += exactSum(m, to.d, o); // terms that cancel
      else {
        sums.run(to.d.inside, list);
        for (let o = 0; o < outputs; o++) m[b.d + o] += m[list + o];
      }
      if (three) outer.run(to.d.inside, from.at, w.d);
      else outer.run(from.at, to.d.inside, w.d);
      input?.run(to.d.at, turned, zeros, from.d.inside);
    };
    return layer;
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

  /** An SE block and a ReLU, from u to y, which share one gradient map. `layer.own` are the gates that it computes, and
      `layer.used` those that it uses: others where `layer.override` is set, for instance by hand. */
  const squeezeExcite = (machine, all, name, u, y, { reduction = 2, squeeze = "avg", gate = "sigmoid" } = {}) => {
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
    const [sums, rescale] = ["sums", "gate"].map((kernel) => machine.want(kernel, shape));
    const [list, gates, shift] = [0, 0, 0].map(() => machine.place(channels));
    const view = ({ size }, at) => machine.m.subarray(at, at + size);
    const values = (at) => Array.from({ length: C }, (_, c) => machine.m[at + c]);
    let state;
    const layer = {
      override: null,
      forward: () => {
        sums.run(u.inside, list);
        const z = squeeze === "max" ? largest(machine.m, u) : values(list).map((sum) => sum / area); // squeeze
        state = excite(view(one, one.at), view(two, two.at), z, gate); // excitation
        [layer.z, layer.own, layer.used] = [z, state.s, layer.override ?? state.s];
        layer.used.forEach((s, c) => (machine.m[gates + c] = s));
        rescale.run(u.inside, y.inside, gates);
      },
    };
    if (!y.d) return layer;
    const [mask, scale] = ["mask", "scale"].map((kernel) => machine.want(kernel, shape));
    layer.backward = () => {
      const { m } = machine,
        d = y.d.inside;
      mask.run(d, y.inside, u.inside, list); // ReLU, and Σ dx̃ · u
      const dz = back(
        view(one, one.at),
        view(two, two.at),
        state,
        values(list),
        view(one, one.d),
        view(two, two.d),
        gate,
      );
      for (let c = 0; c < C; c++) m[shift + c] = squeeze === "max" ? 0 : dz[c] / area;
      scale.run(d, gates, shift);
      if (squeeze === "max") toLargest(m, u, y.d, state.z, dz);
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

  return { map, parameters, convolution, rectifier, squeezeExcite };
}

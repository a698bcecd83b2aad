/* The arithmetic of the networks in the page: convolutions, forward and backward, and passes over maps.

   Each kernel is there twice: in JavaScript, to read and for where there is nothing else, and in WebAssembly with
   vectors of four, made for one shape when it is needed; about twelve times as fast. Both compute the same sums in
   another order.

   A map (side x side pixels) lies in memory pixel by pixel, the channels of a pixel side by side, and has a border of
   zeros one pixel wide. Channels are filled up with zeros to a multiple of four; they stay zero in maps, weights and
   gradients. All places count numbers.

     const machine = seKernel(seAssembler())();
     const x = machine.map(32, 4), y = machine.map(32, 16); // {at: the border's first number, inside: a pixel's}
     const weights = machine.place(9 * 3 * 16), bias = machine.place(16);
     const conv = machine.want("conv", { side: 32, inputs: 3, stored: 4, outputs: 16, relu: true });
     machine.open(); // now the memory is there, machine.m, and the kernels
     conv.run(x.at, weights, bias, y.inside); */

export function seKernel(assembler) {
  const { range, get, set, move, loop, load, splat, store, add, mul, larger, greater, and, zero, shuffle } = assembler;
  const { accumulate, define, assemble } = assembler;

  /** V vectors in pairs and perhaps a last one alone: [first, how many]. Some eight sums at a time fit registers. */
  const split = (V) => range(Math.ceil(V / 2)).map((i) => [2 * i, Math.min(2, V - 2 * i)]);
  const most = (candidates, n) => candidates.find((k) => n % k === 0);
  const bytes = 4,
    vector = 16;

  const KERNELS = {
    /* A convolution: y = x * w + b, with `relu` not below 0.
         side      of y; x has stride · side, taps is 3 or 1: a field of 3 x 3 or one pixel
         inputs    channels of x that count, of `stored`
         outputs   channels of y, as stored
         x         the field's first number for the first pixel of y: with 3 taps in the border
         w         [tap][input][output]
       With the weights turned round (taps reversed, inputs and outputs changed) it is also the gradient of x. */
    conv: {
      plain:
        (m, { side, inputs, stored, outputs, stride = 1, taps = 3, relu }) =>
        (x, w, b, y) => {
          const down = (stride * side + 2) * stored,
            step = stride * stored;
          for (let r = 0; r < side; r++)
            for (let c = 0; c < side; c += 2)
              for (let q = 0; q < outputs; q += 4) {
                // 2 pixels by 4 channels: what fits into the processor's registers
                let a0 = m[b + q],
                  a1 = m[b + q + 1],
                  a2 = m[b + q + 2],
                  a3 = m[b + q + 3];
                let b0 = a0,
                  b1 = a1,
                  b2 = a2,
                  b3 = a3;
                for (let tap = 0, v = w + q; tap < taps * taps; tap++) {
                  let p = x + (r * stride + Math.floor(tap / taps)) * down + c * step + (tap % taps) * stored;
                  for (const end = p + inputs; p < end; p++, v += outputs) {
                    const first = m[p],
                      second = m[p + step],
                      w0 = m[v],
                      w1 = m[v + 1],
                      w2 = m[v + 2],
                      w3 = m[v + 3];
                    (a0 += first * w0), (a1 += first * w1), (a2 += first * w2), (a3 += first * w3);
                    (b0 += second * w0), (b1 += second * w1), (b2 += second * w2), (b3 += second * w3);
                  }
                }
                const o = y + (r * (side + 2) + c) * outputs + q;
                const put = (at, v0, v1, v2, v3) => {
                  (m[at] = relu && v0 < 0 ? 0 : v0), (m[at + 1] = relu && v1 < 0 ? 0 : v1);
                  (m[at + 2] = relu && v2 < 0 ? 0 : v2), (m[at + 3] = relu && v3 < 0 ? 0 : v3);
                };
                put(o, a0, a1, a2, a3), put(o + outputs, b0, b1, b2, b3);
              }
        },
      // The innermost loop takes one number of each field a turn: about 25 instructions. Unrolled it is half as fast.
      vector: ({ side, inputs, stored, outputs, stride = 1, taps = 3, relu }) =>
        define(4, ([x, w, b, y], [r, g, i, j, c, xx, ww], v) => {
          const sx = bytes * stored,
            sy = bytes * outputs,
            down = (stride * side + 2) * sx;
          const pass = ([first, vectors]) => {
            const pixels = most(vectors > 1 ? [4, 2, 1] : [6, 4, 2, 1], side),
              ps = range(pixels),
              vs = range(vectors);
            const sum = (p, k) => v[p * vectors + k],
              weight = v.slice(pixels * vectors),
              one = v[pixels * vectors + vectors];
            const at = (k) => vector * (first + k),
              floor = (value) => (relu ? larger(value, zero) : value);
            return [
              loop(
                g,
                side / pixels,
                ps.map((p) => vs.map((k) => set(sum(p, k), load(b, at(k))))),
                set(xx, get(x)),
                set(ww, get(w)),
                loop(
                  i,
                  taps,
                  loop(
                    j,
                    taps,
                    loop(
                      c,
                      inputs,
                      vs.map((k) => set(weight[k], load(ww, at(k)))),
                      ps.map((p) => [
                        set(one, splat(xx, p * stride * sx)),
                        vs.map((k) => accumulate(sum(p, k), one, weight[k])),
                      ]),
                      move(xx, bytes),
                      move(ww, sy),
                    ),
                    move(xx, sx - bytes * inputs),
                  ),
                  move(xx, down - taps * sx),
                ),
                ps.map((p) => vs.map((k) => store(y, p * sy + at(k), floor(get(sum(p, k)))))),
                move(x, pixels * stride * sx),
                move(y, pixels * sy),
              ),
              move(x, -side * stride * sx),
              move(y, -side * sy),
            ];
          };
          return loop(r, side, split(outputs / 4).map(pass), move(x, stride * down), move(y, (side + 2) * sy));
        }),
    },

    /* A convolution to three channels, stored as four: y = x * w + b. w [tap][3 outputs][input]: here the inputs are
       the vectors. */
    three: {
      plain:
        (m, { side, stored }) =>
        (x, w, b, y) => {
          for (let r = 0; r < side; r++)
            for (let c = 0; c < side; c++) {
              let s0 = m[b],
                s1 = m[b + 1],
                s2 = m[b + 2];
              for (let tap = 0; tap < 9; tap++) {
                let p = x + ((r + Math.floor(tap / 3)) * (side + 2) + c + (tap % 3)) * stored,
                  v = w + 3 * tap * stored;
                for (const end = p + stored; p < end; p++, v++)
                  (s0 += m[p] * m[v]), (s1 += m[p] * m[v + stored]), (s2 += m[p] * m[v + 2 * stored]);
              }
              const o = y + 4 * (r * (side + 2) + c);
              (m[o] = s0), (m[o + 1] = s1), (m[o + 2] = s2);
            }
        },
      vector: ({ side, stored }) =>
        define(4, ([x, w, b, y], [r, g, i, j, c, xx, ww], v) => {
          const sx = bytes * stored,
            down = (side + 2) * sx,
            ps = [0, 1],
            sum = (p, o) => v[3 * p + o],
            weight = v[6],
            pixel = [v[7], v[8]];
          // to the sums of a and of c
          const halfway = (a, c) => add(shuffle(a, c, 0, 4, 1, 5), shuffle(a, c, 2, 6, 3, 7));
          const across = (p) => [
            set(weight, halfway(get(sum(p, 0)), get(sum(p, 1)))),
            set(pixel[0], halfway(get(sum(p, 2)), zero)),
            store(
              y,
              vector * p,
              add(
                load(b, 0),
                add(shuffle(get(weight), get(pixel[0]), 0, 1, 4, 5), shuffle(get(weight), get(pixel[0]), 2, 3, 6, 7)),
              ),
            ),
          ];
          return loop(
            r,
            side,
            loop(
              g,
              side / 2,
              range(6).map((k) => set(v[k], zero)),
              set(xx, get(x)),
              set(ww, get(w)),
              loop(
                i,
                3,
                loop(
                  j,
                  3,
                  loop(
                    c,
                    stored / 4,
                    ps.map((p) => set(pixel[p], load(xx, p * sx))),
                    range(3).map((o) => [
                      set(weight, load(ww, o * sx)),
                      ps.map((p) => accumulate(sum(p, o), pixel[p], weight)),
                    ]),
                    move(xx, vector),
                    move(ww, vector),
                  ),
                  move(ww, 2 * sx),
                ),
                move(xx, down - 3 * sx),
              ),
              ps.map(across),
              move(x, 2 * sx),
              move(y, 2 * vector),
            ),
            move(x, 2 * sx),
            move(y, 2 * vector),
          );
        }),
    },

    /* The gradient of a convolution's weights: g[tap][i][k] += Σ a[pixel + tap][i] · b[pixel][k] over the pixels of b.
       a: the map that was convolved, `inputs` of `stored` channels count; b: the gradient of the result, side x side,
       k of `outputs`. `shifted: "b"`: the taps move over b instead, for weights [tap][output][input] of "three". */
    outer: {
      plain:
        (m, { side, inputs, stored, outputs, stride = 1, shifted = "a" }) =>
        (a, b, g) => {
          const downA = (stride * side + 2) * stored,
            downB = (side + 2) * outputs,
            moves = shifted === "a" ? [1, 0] : [0, 1];
          for (let r = 0; r < side; r++)
            for (let tap = 0; tap < 9; tap++)
              for (let i = 0; i < inputs; i++)
                for (let k = 0; k < outputs; k += 4) {
                  const row = Math.floor(tap / 3),
                    column = tap % 3;
                  let p = a + (r * stride + moves[0] * row) * downA + moves[0] * column * stored + i;
                  let q = b + (r + moves[1] * row) * downB + moves[1] * column * outputs + k;
                  let s0 = 0,
                    s1 = 0,
                    s2 = 0,
                    s3 = 0;
                  for (const end = p + side * stride * stored; p < end; p += stride * stored, q += outputs)
                    (s0 += m[p] * m[q]), (s1 += m[p] * m[q + 1]), (s2 += m[p] * m[q + 2]), (s3 += m[p] * m[q + 3]);
                  const o = g + (tap * inputs + i) * outputs + k;
                  (m[o] += s0), (m[o + 1] += s1), (m[o + 2] += s2), (m[o + 3] += s3);
                }
        },
      // Sums of a few inputs by a few outputs stay in registers for four rows of pixels.
      vector: ({ side, inputs, stored, outputs, stride = 1, shifted = "a" }) =>
        define(3, ([a, b, g], [r, c, aa, bb, n0, n1, n2, n3], v) => {
          const sa = bytes * stored,
            sb = bytes * outputs,
            downA = (stride * side + 2) * sa,
            downB = (side + 2) * sb,
            rows = 4;
          const pass = ([first, vectors]) => {
            const taken = most(vectors > 1 ? [4, 3, 2, 1] : [6, 4, 3, 2, 1], inputs),
              is = range(taken),
              ks = range(vectors);
            const sum = (i, k) => v[i * vectors + k],
              other = v.slice(taken * vectors),
              one = v[taken * vectors + vectors];
            const at = (k) => vector * (first + k),
              sums = (f) => is.map((i) => ks.map((k) => f(sum(i, k), i * sb + at(k))));
            const inner = [
              sums((s, o) => set(s, load(g, o))),
              set(aa, get(a)),
              set(bb, get(b)),
              loop(
                r,
                rows,
                loop(
                  c,
                  side,
                  ks.map((k) => set(other[k], load(bb, at(k)))),
                  is.map((i) => [set(one, splat(aa, bytes * i)), ks.map((k) => accumulate(sum(i, k), one, other[k]))]),
                  move(aa, stride * sa),
                  move(bb, sb),
                ),
                move(aa, stride * (downA - side * sa)),
                move(bb, downB - side * sb),
              ),
              sums((s, o) => store(g, o, get(s))),
            ];
            // Around it loops over inputs, columns and rows of the taps, and pixels, each with its steps of a, b, g.
            const tap = (step) => (shifted === "a" ? [step * sa, 0] : [0, step * sb]);
            const around = [
              [n0, inputs / taken, [bytes * taken, 0], taken * sb],
              [n1, 3, tap(1), inputs * sb],
              [n2, 3, shifted === "a" ? [downA, 0] : [0, downB], 3 * inputs * sb],
              [n3, side / rows, [rows * stride * downA, rows * downB], 0],
            ];
            return around.reduce(
              (body, [n, times, [da, db], dg]) => [
                loop(n, times, body, move(a, da), move(b, db), move(g, dg)),
                move(a, -times * da),
                move(b, -times * db),
                move(g, -times * dg),
              ],
              inner,
            );
          };
          return split(outputs / 4).map(pass);
        }),
    },

    /* Passes over maps; a place is that of the map's first pixel. A list has one number a channel. */

    /** list = the sum of each map x. */
    sums: {
      plain: (m, shape) => (x, list) => {
        m.fill(0, list, list + shape.channels);
        pixels(shape, (o, c) => (m[list + c] += m[x + o]));
      },
      vector: (shape) =>
        scan(shape, 2, 1, {
          each: ([x], v, k, at) => set(v[k], add(get(v[k]), load(x, at))),
          last: ([, list], v, k, at) => store(list, at, get(v[k])),
        }),
    },
    /** Rescale and ReLU: y = max(0, u · gate). */
    gate: {
      plain: (m, shape) => (u, y, gate) => pixels(shape, (o, c) => (m[y + o] = Math.max(0, m[u + o] * m[gate + c]))),
      vector: (shape) =>
        scan(shape, 3, 2, {
          first: ([, , gate], v, k, at) => set(v[k], load(gate, at)),
          each: ([u, y], v, k, at) => store(y, at, larger(mul(load(u, at), get(v[k])), zero)),
        }),
    },
    /** The end of a residual block: y = max(0, u · gate + x). */
    join: {
      plain: (m, shape) => (u, x, y, gate) =>
        pixels(shape, (o, c) => (m[y + o] = Math.max(0, m[u + o] * m[gate + c] + m[x + o]))),
      vector: (shape) =>
        scan(shape, 4, 3, {
          first: ([, , , gate], v, k, at) => set(v[k], load(gate, at)),
          each: ([u, x, y], v, k, at) => store(y, at, larger(add(mul(load(u, at), get(v[k])), load(x, at)), zero)),
        }),
    },
    /** Back through the ReLU: d = 0 where y is not above 0; and list = Σ d · u, the gradient of u's factor. */
    mask: {
      plain: (m, shape) => (d, y, u, list) => {
        m.fill(0, list, list + shape.channels);
        pixels(shape, (o, c) => {
          if (m[y + o] > 0) m[list + c] += m[d + o] * m[u + o];
          else m[d + o] = 0;
        });
      },
      vector: (shape) =>
        scan(shape, 4, 3, {
          each: ([d, y, u], v, k, at) => [
            set(v[20], and(load(d, at), greater(load(y, at), zero))),
            store(d, at, get(v[20])),
            set(v[k], add(get(v[k]), mul(get(v[20]), load(u, at)))),
          ],
          last: ([, , , list], v, k, at) => store(list, at, get(v[k])),
        }),
    },
    /** d = d · gate + shift. */
    scale: {
      plain: (m, shape) => (d, gate, shift) =>
        pixels(shape, (o, c) => (m[d + o] = m[d + o] * m[gate + c] + m[shift + c])),
      vector: (shape) =>
        scan(shape, 3, 1, {
          first: ([, gate, shift], v, k, at) => [set(v[k], load(gate, at)), set(v[20 + k], load(shift, at))],
          each: ([d], v, k, at) => store(d, at, add(mul(load(d, at), get(v[k])), get(v[20 + k]))),
        }),
    },
  };

  /** f(where from the map's first pixel, channel) for every number of a map. */
  const pixels = ({ side, channels }, f) => {
    for (let r = 0; r < side; r++)
      for (let c = 0, o = r * (side + 2) * channels; c < side; c++) for (let k = 0; k < channels; k++, o++) f(o, k);
  };
  /** The same with vectors: the first `maps` of n parameters move from pixel to pixel. */
  const scan = ({ side, channels }, n, maps, { first = () => [], each, last = () => [] }) =>
    define(n, (p, [r, c], v) => {
      const all = (f) => range(channels / 4).map((k) => f(p, v, k, vector * k));
      const forward = (by) => range(maps).map((i) => move(p[i], bytes * channels * by));
      return [all(first), loop(r, side, loop(c, side, all(each), forward(1)), forward(2)), all(last)];
    });

  /** Memory and kernels of one network: see above. */
  return () => {
    const wanted = new Map();
    let size = 4;
    const machine = {
      m: null,
      name: "",
      /** So many numbers, for what begins at a multiple of four. */
      place: (numbers) => (size += (numbers + 3) & ~3) - ((numbers + 3) & ~3),
      map: (side, channels) => {
        const at = machine.place((side + 2) ** 2 * channels);
        return { at, inside: at + (side + 3) * channels, side, channels };
      },
      /** A kernel by name and shape; its `run` is there once the machine is open. */
      want: (name, shape) => {
        const key = JSON.stringify([name, shape]);
        if (!wanted.has(key)) wanted.set(key, { name, shape, run: null });
        return wanted.get(key);
      },
      /** `simd: false` forbids WebAssembly. */
      open: ({ simd = true } = {}) => {
        const kernels = [...wanted.values()];
        try {
          if (!simd) throw new Error("not wanted");
          const memory = new WebAssembly.Memory({ initial: Math.ceil(size / 16384) });
          const module = new WebAssembly.Module(
            assemble(kernels.map(({ name, shape }) => KERNELS[name].vector(shape))),
          );
          const { exports } = new WebAssembly.Instance(module, { "": { m: memory } });
          machine.m = new Float32Array(memory.buffer);
          kernels.forEach((kernel, i) => {
            const run = exports[i];
            kernel.run = (a, b, c, d) => run(4 * a, 4 * b, 4 * c, 4 * d);
          });
          machine.name = "WebAssembly";
        } catch {
          // not wanted, no WebAssembly, no vectors in it, or a policy against it
          machine.m = new Float32Array(size);
          for (const kernel of kernels) kernel.run = KERNELS[kernel.name].plain(machine.m, kernel.shape);
          machine.name = "JavaScript";
        }
        return machine.m;
      },
    };
    return machine;
  };
}

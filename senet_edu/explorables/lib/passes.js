/* Kernels that pass over maps; a place is that of a map's first pixel, a list has one number a channel. kernel.js says
   what a kernel is and how maps lie. */

export function sePasses(assembler) {
  const { range, get, set, move, loop, load, store, add, mul, larger, greater, and, zero, accumulate, define } =
    assembler;
  const bytes = 4,
    vector = 16;

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

  return {
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
    /** y = x · gate + shift, with `relu` not below 0; y may be x. */
    scale: {
      plain:
        (m, { relu, ...shape }) =>
        (x, y, gate, shift) =>
          pixels(shape, (o, c) => {
            const value = m[x + o] * m[gate + c] + m[shift + c];
            m[y + o] = relu && value < 0 ? 0 : value;
          }),
      vector: ({ relu, ...shape }) =>
        scan(shape, 4, 2, {
          first: ([, , gate, shift], v, k, at) => [set(v[k], load(gate, at)), set(v[20 + k], load(shift, at))],
          each: ([x, y], v, k, at) => {
            const value = add(mul(load(x, at), get(v[k])), get(v[20 + k]));
            return store(y, at, relu ? larger(value, zero) : value);
          },
        }),
    },

    /* What a batch norm needs. */

    /** sum = Σ x and squares = Σ x². */
    moments: {
      plain: (m, shape) => (x, sum, squares) => {
        for (const list of [sum, squares]) m.fill(0, list, list + shape.channels);
        pixels(shape, (o, c) => {
          (m[sum + c] += m[x + o]), (m[squares + c] += m[x + o] * m[x + o]);
        });
      },
      vector: (shape) =>
        scan(shape, 3, 1, {
          each: ([x], v, k, at) => [
            set(v[39], load(x, at)),
            set(v[k], add(get(v[k]), get(v[39]))),
            accumulate(v[20 + k], v[39], v[39]),
          ],
          last: ([, sum, squares], v, k, at) => [store(sum, at, get(v[k])), store(squares, at, get(v[20 + k]))],
        }),
    },
    /** sum = Σ d and product = Σ d · x; with `relu` first d = 0 where y is not above 0. */
    slopes: {
      plain:
        (m, { relu, ...shape }) =>
        (d, y, x, sum, product) => {
          for (const list of [sum, product]) m.fill(0, list, list + shape.channels);
          pixels(shape, (o, c) => {
            if (relu && !(m[y + o] > 0)) m[d + o] = 0;
            (m[sum + c] += m[d + o]), (m[product + c] += m[d + o] * m[x + o]);
          });
        },
      vector: ({ relu, ...shape }) =>
        scan(shape, 5, 3, {
          each: ([d, y, x], v, k, at) => [
            set(v[39], relu ? and(load(d, at), greater(load(y, at), zero)) : load(d, at)),
            relu ? store(d, at, get(v[39])) : [],
            set(v[k], add(get(v[k]), get(v[39]))),
            set(v[20 + k], add(get(v[20 + k]), mul(get(v[39]), load(x, at)))),
          ],
          last: ([, , , sum, product], v, k, at) => [store(sum, at, get(v[k])), store(product, at, get(v[20 + k]))],
        }),
    },
    /** y = d · p + x · q + r with a number a channel each; y may be d. */
    blend: {
      plain: (m, shape) => (d, x, y, p, q, r) =>
        pixels(shape, (o, c) => (m[y + o] = m[d + o] * m[p + c] + m[x + o] * m[q + c] + m[r + c])),
      vector: (shape) =>
        scan(shape, 6, 3, {
          each: ([d, x, y, p, q, r], _v, _k, at) =>
            store(y, at, add(add(mul(load(d, at), load(p, at)), mul(load(x, at), load(q, at))), load(r, at))),
        }),
    },
  };
}

/* Kernels of convolutions, forward and backward; kernel.js says what a kernel is and how maps lie. */

export function seConvolutions(assembler) {
  const { range, get, set, move, loop, load, splat, store, add, larger, zero, shuffle, accumulate, define } = assembler;

  /** V vectors in pairs and perhaps a last one alone: [first, how many]. Some eight sums at a time fit registers. */
  const split = (V) => range(Math.ceil(V / 2)).map((i) => [2 * i, Math.min(2, V - 2 * i)]);
  const most = (candidates, n) => candidates.find((k) => n % k === 0);
  const bytes = 4,
    vector = 16;

  return {
    /* A convolution: y = x * w + b, with `relu` not below 0.
         side      pixels a side that are computed; x has stride · side
         taps      3 or 1: a field of 3 x 3 or one pixel; or rows and columns of any other
         inputs    channels of x that count, of `stored`
         outputs   channels of y, as stored
         x         the field's first number for the first pixel of y: with 3 taps in the border
         w         [tap][input][output]
         onto      y is added to, and b is not used
         spread    2: every second pixel of every second row of y, which has spread · side
       With the weights turned round (taps reversed, inputs and outputs changed) it is also the gradient of x. */
    conv: {
      plain:
        (
          m,
          { side, inputs, stored, outputs, stride = 1, taps = 3, rows = taps, columns = taps, relu, onto, spread = 1 },
        ) =>
        (x, w, b, y) => {
          const down = (stride * side + 2) * stored,
            step = stride * stored,
            right = spread * outputs;
          for (let r = 0; r < side; r++)
            for (let c = 0; c < side; c += 2)
              for (let q = 0; q < outputs; q += 4) {
                // 2 pixels by 4 channels: what fits into the processor's registers
                const o = y + (r * (spread * side + 2) + c) * right + q,
                  start = onto ? o : b + q,
                  second = onto ? o + right : b + q;
                let a0 = m[start],
                  a1 = m[start + 1],
                  a2 = m[start + 2],
                  a3 = m[start + 3];
                let b0 = m[second],
                  b1 = m[second + 1],
                  b2 = m[second + 2],
                  b3 = m[second + 3];
                for (let tap = 0, v = w + q; tap < rows * columns; tap++) {
                  let p = x + (r * stride + Math.floor(tap / columns)) * down + c * step + (tap % columns) * stored;
                  for (const end = p + inputs; p < end; p++, v += outputs) {
                    const one = m[p],
                      two = m[p + step],
                      w0 = m[v],
                      w1 = m[v + 1],
                      w2 = m[v + 2],
                      w3 = m[v + 3];
                    (a0 += one * w0), (a1 += one * w1), (a2 += one * w2), (a3 += one * w3);
                    (b0 += two * w0), (b1 += two * w1), (b2 += two * w2), (b3 += two * w3);
                  }
                }
                const put = (at, v0, v1, v2, v3) => {
                  (m[at] = relu && v0 < 0 ? 0 : v0), (m[at + 1] = relu && v1 < 0 ? 0 : v1);
                  (m[at + 2] = relu && v2 < 0 ? 0 : v2), (m[at + 3] = relu && v3 < 0 ? 0 : v3);
                };
                put(o, a0, a1, a2, a3), put(o + right, b0, b1, b2, b3);
              }
        },
      // The innermost loop takes one number of each field a turn: about 25 instructions. Unrolled it is half as fast.
      vector: ({
        side,
        inputs,
        stored,
        outputs,
        stride = 1,
        taps = 3,
        rows = taps,
        columns = taps,
        relu,
        onto,
        spread = 1,
      }) =>
        define(4, ([x, w, b, y], [r, g, i, j, c, xx, ww], v) => {
          const sx = bytes * stored,
            sy = bytes * outputs,
            right = spread * sy,
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
                ps.map((p) => vs.map((k) => set(sum(p, k), onto ? load(y, p * right + at(k)) : load(b, at(k))))),
                set(xx, get(x)),
                set(ww, get(w)),
                loop(
                  i,
                  rows,
                  loop(
                    j,
                    columns,
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
                  move(xx, down - columns * sx),
                ),
                ps.map((p) => vs.map((k) => store(y, p * right + at(k), floor(get(sum(p, k)))))),
                move(x, pixels * stride * sx),
                move(y, pixels * right),
              ),
              move(x, -side * stride * sx),
              move(y, -side * right),
            ];
          };
          const next = [move(x, stride * down), move(y, (spread * side + 2) * right)];
          return loop(r, side, split(outputs / 4).map(pass), next);
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
        (m, { side, inputs, stored, outputs, stride = 1, taps = 3, shifted = "a" }) =>
        (a, b, g) => {
          const downA = (stride * side + 2) * stored,
            downB = (side + 2) * outputs,
            moves = shifted === "a" ? [1, 0] : [0, 1];
          for (let r = 0; r < side; r++)
            for (let tap = 0; tap < taps * taps; tap++)
              for (let i = 0; i < inputs; i++)
                for (let k = 0; k < outputs; k += 4) {
                  const row = Math.floor(tap / taps),
                    column = tap % taps;
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
      vector: ({ side, inputs, stored, outputs, stride = 1, taps = 3, shifted = "a" }) =>
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
              [n1, taps, tap(1), inputs * sb],
              [n2, taps, shifted === "a" ? [downA, 0] : [0, downB], taps * inputs * sb],
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
  };
}

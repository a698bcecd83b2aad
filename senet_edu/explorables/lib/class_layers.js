/* What a residual network has beside convolutions and SE blocks: batch norm, the sum with a shortcut, the classifier.
   Layers as in layers.js. */

export function seClassLayers({ order }) {
  const MOMENTUM = 0.1,
    EPSILON = 1e-5; // PyTorch's

  /** Batch norm from x to y, and with `relu` a ReLU behind it. In training a channel gets mean and variance of the
      batch at hand, and the running ones follow; else the running ones are used. x.d may be y.d. */
  const batchNorm = (machine, all, name, x, y, { relu = false } = {}) => {
    const { side, channels, count: C } = x,
      shape = { side, channels },
      area = side * side;
    const identity = order([C], (c) => c);
    const [gamma, beta] = ["weight", "bias"].map((part) => all.add(`${name}.${part}`, [C], channels, identity));
    const [first, second, scale, shift, rest] = Array.from({ length: 5 }, () => machine.place(channels));
    const moments = machine.want("moments", shape),
      apply = machine.want("scale", { ...shape, relu });
    const layer = { name, mean: new Float32Array(C), variance: new Float32Array(C) };
    /** As before any batch. */
    layer.reset = () => {
      layer.mean.fill(0);
      layer.variance.fill(1);
      layer.tracked = 0;
    };
    layer.reset();
    /** Two sums of each channel over a batch: in single precision over an image, in double over the images. */
    const sumsOf = (images, run) => {
      const sums = [new Float64Array(C), new Float64Array(C)];
      for (let n = 0; n < images; n++) {
        run(n);
        for (let c = 0; c < C; c++) (sums[0][c] += machine.m[first + c]), (sums[1][c] += machine.m[second + c]);
      }
      return sums;
    };
    let mean, inverse; // of the last forward pass: means, and one over standard deviations
    const measure = (images) => {
      const N = images * area;
      const [sum, squares] = sumsOf(images, (n) => moments.run(x.inside + n * x.step, first, second));
      mean = sum.map((v) => v / N);
      const variance = squares.map((v, c) => Math.max(0, v / N - mean[c] ** 2));
      for (let c = 0; c < C; c++) {
        layer.mean[c] += MOMENTUM * (mean[c] - layer.mean[c]);
        layer.variance[c] += MOMENTUM * ((variance[c] * N) / (N - 1) - layer.variance[c]); // unbiased
      }
      layer.tracked++;
      return variance;
    };
    layer.forward = (images, training) => {
      const { m } = machine,
        variance = training ? measure(images) : layer.variance;
      if (!training) mean = layer.mean;
      inverse = Float64Array.from(variance, (v) => 1 / Math.sqrt(v + EPSILON));
      for (let c = 0; c < C; c++) {
        m[scale + c] = m[gamma.at + c] * inverse[c];
        m[shift + c] = m[beta.at + c] - mean[c] * m[gamma.at + c] * inverse[c];
      }
      for (let n = 0; n < images; n++) apply.run(x.inside + n * x.step, y.inside + n * y.step, scale, shift);
    };
    if (!y.d) return layer;
    const slopes = machine.want("slopes", { ...shape, relu }),
      blend = machine.want("blend", shape);
    /* With x̂ = (x - mean) · inverse and y = γ x̂ + β: dβ = Σ dy, dγ = Σ dy · x̂, and because mean and variance come
       from x too, dx = γ · inverse · (dy - dβ / N - x̂ · dγ / N). */
    layer.backward = (images) => {
      const { m } = machine,
        N = images * area;
      const [dbeta, product] = sumsOf(images, (n) =>
        slopes.run(y.d.inside + n * y.step, y.inside + n * y.step, x.inside + n * x.step, first, second),
      );
      for (let c = 0; c < C; c++) {
        const dgamma = (product[c] - mean[c] * dbeta[c]) * inverse[c],
          factor = m[gamma.at + c] * inverse[c];
        (m[gamma.d + c] += dgamma), (m[beta.d + c] += dbeta[c]);
        const slope = (factor * inverse[c] * dgamma) / N;
        (m[scale + c] = factor), (m[shift + c] = -slope), (m[rest + c] = slope * mean[c] - (factor * dbeta[c]) / N);
      }
      for (let n = 0; n < images; n++) {
        const at = n * x.step;
        blend.run(y.d.inside + at, x.inside + at, x.d.inside + at, scale, shift, rest);
      }
    };
    return layer;
  };

  /** y = max(0, u + shortcut). The gradient of the sum is left in y.d, for both. */
  const residualSum = (machine, u, shortcut, y) => {
    const { side, channels } = y,
      join = machine.want("join", { side, channels }),
      [ones, list] = [machine.place(channels), machine.place(channels)];
    const layer = {
      forward: (images) => {
        machine.m.fill(1, ones, ones + channels);
        for (let n = 0; n < images; n++) {
          const at = n * y.step;
          join.run(u.inside + at, shortcut.inside + at, y.inside + at, ones);
        }
      },
    };
    if (!y.d) return layer;
    const mask = machine.want("mask", { side, channels });
    layer.backward = (images) => {
      for (let n = 0; n < images; n++) {
        const at = n * y.step;
        mask.run(y.d.inside + at, y.inside + at, u.inside + at, list);
      }
    };
    return layer;
  };

  /** The mean of each map, and a linear layer to logits, a list of `classes` numbers for each image. */
  const classifier = (machine, all, name, x, classes) => {
    const { side, channels, count: C } = x,
      area = side * side;
    const w = all.add(
      `${name}.weight`,
      [classes, C],
      classes * C,
      order([classes, C], (k, c) => k * C + c),
    );
    const b = all.add(
      `${name}.bias`,
      [classes],
      classes,
      order([classes], (k) => k),
    );
    const sums = machine.want("sums", { side, channels }),
      list = machine.place(channels);
    let features; // of the last batch, C numbers for each image
    const layer = {
      forward: (images) => {
        const { m } = machine;
        features = new Float64Array(images * C);
        layer.logits = Array.from({ length: images }, (_, n) => {
          const logits = new Float64Array(m.subarray(b.at, b.at + classes));
          sums.run(x.inside + n * x.step, list);
          for (let c = 0; c < C; c++) {
            const feature = (features[n * C + c] = m[list + c] / area);
            for (let k = 0; k < classes; k++) logits[k] += feature * m[w.at + k * C + c];
          }
          return logits;
        });
      },
    };
    if (!x.d) return layer;
    const back = new Float64Array(channels);
    /** gradients: those of the logits, a list for each image. */
    layer.backward = (gradients) => {
      const { m } = machine;
      gradients.forEach((gradient, n) => {
        for (let k = 0; k < classes; k++) m[b.d + k] += gradient[k];
        for (let c = 0; c < C; c++) {
          let sum = 0;
          for (let k = 0; k < classes; k++) {
            m[w.d + k * C + c] += gradient[k] * features[n * C + c];
            sum += gradient[k] * m[w.at + k * C + c];
          }
          back[c] = sum / area;
        }
        for (let r = 0, at = x.d.inside + n * x.step; r < side; r++, at += 2 * channels)
          for (let i = 0; i < side; i++, at += channels) m.set(back, at);
      });
    };
    return layer;
  };

  return { batchNorm, residualSum, classifier };
}

/* What training needs beside layers, as PyTorch has it: losses with their gradients, optimizers, one cycle of rates. */

export function seTrain() {
  /** Mean absolute error of three channels against `target` (pixel by pixel), times `weight`; its gradient goes to
      out.d. */
  const absoluteError = (m, out, target, weight) => {
    const { side, channels, inside } = out,
      scale = weight / (3 * side * side);
    let sum = 0;
    for (let r = 0, i = 0; r < side; r++)
      for (let c = 0, o = r * (side + 2) * channels; c < side; c++, o += channels)
        for (let k = 0; k < 3; k++, i++) {
          const difference = m[inside + o + k] - target[i];
          sum += Math.abs(difference);
          if (out.d) m[out.d.inside + o + k] = Math.sign(difference) * scale;
        }
    return sum * scale;
  };

  /** Cross-entropy of the true class against logits, and its gradient: softmax less one at that class. */
  const crossEntropy = (logits, label, weight = 1) => {
    const top = Math.max(...logits),
      powers = Array.from(logits, (v) => Math.exp(v - top));
    const total = powers.reduce((a, b) => a + b);
    return {
      loss: weight * (top + Math.log(total) - logits[label]),
      gradient: powers.map((p, k) => weight * (p / total - (k === label ? 1 : 0))),
    };
  };

  const cosine = (from, to, part) => to + ((from - to) / 2) * (1 + Math.cos(Math.PI * part));
  /** OneCycleLR: of a step from 0, the rate and the momentum (for Adam its first beta), which cycles the other way. */
  const oneCycle = (steps, top) => (step) => {
    const peak = 0.3 * steps - 1,
      rising = step <= peak,
      part = rising ? step / peak : (step - peak) / (steps - 1 - peak);
    return rising
      ? { rate: cosine(top / 25, top, part), momentum: cosine(0.95, 0.85, part) }
      : { rate: cosine(top, top / 25e4, part), momentum: cosine(0.85, 0.95, part) };
  };

  /** Optimizers of `size` numbers: update(m, weights, gradients, { rate, momentum }) with the places of both. */
  const adam = (size, { beta2 = 0.999, epsilon = 1e-8 } = {}) => {
    const mean = new Float32Array(size),
      square = new Float32Array(size);
    let step = 0;
    return (m, weights, gradients, { rate, momentum }) => {
      step++;
      const scaled = rate / (1 - momentum ** step),
        correction = 1 / Math.sqrt(1 - beta2 ** step);
      for (let i = 0; i < size; i++) {
        const g = m[gradients + i];
        mean[i] += (g - mean[i]) * (1 - momentum);
        square[i] = square[i] * beta2 + g * g * (1 - beta2);
        m[weights + i] -= (scaled * mean[i]) / (Math.sqrt(square[i]) * correction + epsilon);
      }
    };
  };
  const sgd = (size, { nesterov = true, decay = 0 } = {}) => {
    const velocity = new Float32Array(size);
    return (m, weights, gradients, { rate, momentum }) => {
      for (let i = 0; i < size; i++) {
        const g = m[gradients + i] + decay * m[weights + i];
        velocity[i] = momentum * velocity[i] + g;
        m[weights + i] -= rate * (nesterov ? g + momentum * velocity[i] : velocity[i]);
      }
    };
  };

  return { absoluteError, crossEntropy, oneCycle, adam, sgd };
}

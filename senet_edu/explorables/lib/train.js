/* What training needs beside layers, as PyTorch has it: losses with their gradients, optimizers, one cycle of rates;
   and numbers by chance. */

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

  /** Cross-entropy of logits against the true class, times `weight`, and its gradient: softmax less the target. Of the
      target `smoothing` is spread evenly over all classes. */
  const crossEntropy = (logits, label, weight = 1, smoothing = 0) => {
    const top = Math.max(...logits),
      powers = Array.from(logits, (v) => Math.exp(v - top));
    const total = powers.reduce((a, b) => a + b),
      target = (k) => smoothing / powers.length + (k === label ? 1 - smoothing : 0);
    return {
      loss: weight * (top + Math.log(total) - powers.reduce((sum, _, k) => sum + target(k) * logits[k], 0)),
      gradient: powers.map((p, k) => weight * (p / total - target(k))),
    };
  };

  const cosine = (from, to, part) => to + ((from - to) / 2) * (1 + Math.cos(Math.PI * part));
  const straight = (from, to, part) => from + (to - from) * part;
  /** OneCycleLR: of a step from 0, the rate and the momentum (for Adam its first beta), which cycles the other way. */
  const oneCycle = (steps, top) => (step) => {
    const peak = 0.3 * steps - 1,
      rising = step <= peak,
      part = rising ? step / peak : (step - peak) / (steps - 1 - peak);
    return rising
      ? { rate: cosine(top / 25, top, part), momentum: cosine(0.95, 0.85, part) }
      : { rate: cosine(top, top / 25e4, part), momentum: cosine(0.85, 0.95, part) };
  };
  /** The cycle of senet_edu.train, straight lines with one momentum: up in a fifth of the steps, then down to nearly
      zero, where the rate comes to one step after the last. */
  const straightCycle = (steps, top, momentum = 0.9) => {
    const peak = Math.max(0.2 * (steps + 1), 2) - 1;
    return (step) => {
      const rising = step <= peak,
        part = rising ? step / peak : (step - peak) / (steps - peak);
      return { rate: rising ? straight(top / 25, top, part) : straight(top, top / 25e4, part), momentum };
    };
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
  /** `decay`: one number, or one for each. */
  const sgd = (size, { nesterov = true, decay = 0 } = {}) => {
    const velocity = new Float32Array(size),
      decays = new Float32Array(size);
    if (decay.length) decays.set(decay);
    else decays.fill(decay);
    return (m, weights, gradients, { rate, momentum }) => {
      for (let i = 0; i < size; i++) {
        const g = m[gradients + i] + decays[i] * m[weights + i];
        velocity[i] = momentum * velocity[i] + g;
        m[weights + i] -= rate * (nesterov ? g + momentum * velocity[i] : velocity[i]);
      }
    };
  };

  /** Mulberry32: numbers in 0..1 from a seed. */
  const random = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  /** Of the normal distribution, from two of `random`'s. */
  const normal = (rand) => Math.sqrt(-2 * Math.log(1 - rand())) * Math.cos(2 * Math.PI * rand());

  return { absoluteError, crossEntropy, oneCycle, straightCycle, adam, sgd, random, normal };
}

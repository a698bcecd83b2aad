/* The excitation of an SE block on one picture, and the way back through it.

   Around it stand the passes over maps: the squeeze z = mean of u (equation 2) before, the rescale s · u (equation 4)
   behind. Going back, the rescale gives ds = Σ dx̃ · u, this module makes dz of it, and u gets dx̃ · s + dz / (H W). */

export function seBlock() {
  /** The gate: of the logits; and from its own gradient to that of the logits. */
  const GATES = {
    sigmoid: {
      of: (v) => v.map((x) => 1 / (1 + Math.exp(-x))),
      back: (s, ds) => ds.map((d, c) => d * s[c] * (1 - s[c])),
    },
    tanh: { of: (v) => v.map(Math.tanh), back: (s, ds) => ds.map((d, c) => d * (1 - s[c] * s[c])) },
    softmax: {
      of: (v) => {
        const powers = v.map((x) => Math.exp(x - Math.max(...v))),
          total = powers.reduce((a, b) => a + b);
        return powers.map((p) => p / total);
      },
      back: (s, ds) => {
        const mean = ds.reduce((sum, d, c) => sum + d * s[c], 0);
        return ds.map((d, c) => s[c] * (d - mean));
      },
    },
  };
  /** A matrix, row by row, times a vector. */
  const product = (matrix, vector) => {
    const list = Array(matrix.length / vector.length).fill(0);
    for (let i = 0, at = 0; i < list.length; i++)
      for (let j = 0; j < vector.length; j++) list[i] += matrix[at++] * vector[j];
    return list;
  };

  /** Equation 3: hidden = δ(W1 z), s = σ(W2 hidden). w1 (H, C) and w2 (C, H) lie row by row; z has C numbers. */
  const excite = (w1, w2, z, gate = "sigmoid") => {
    const hidden = product(w1, z).map((v) => Math.max(0, v));
    return { z, hidden, s: GATES[gate].of(product(w2, hidden)) };
  };

  /** From ds, the gradient of the gates, to dz, that of the squeezed numbers; dw1 and dw2 are added to. */
  const back = (w1, w2, { z, hidden, s }, ds, dw1, dw2, gate = "sigmoid") => {
    const C = z.length,
      H = hidden.length;
    const logits = GATES[gate].back(s, ds);
    const dz = Array(C).fill(0);
    for (let i = 0; i < H; i++) {
      let dh = 0;
      for (let c = 0; c < C; c++) {
        dw2[c * H + i] += logits[c] * hidden[i]; // W2 hidden
        dh += logits[c] * w2[c * H + i];
      }
      if (hidden[i] === 0) continue; // the ReLU lets nothing back
      for (let c = 0; c < C; c++) {
        dw1[i * C + c] += dh * z[c]; // W1 z
        dz[c] += dh * w1[i * C + c];
      }
    }
    return dz;
  };

  return { excite, back };
}

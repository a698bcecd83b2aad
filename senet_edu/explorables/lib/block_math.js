/* The excitation with some of its numbers pulled, and what the maps need to be drawn. */

const dot = (row, values) => row.reduce((sum, weight, i) => sum + weight * values[i], 0);
const pulled = (own, pins) => own.map((value, i) => (Number.isNaN(pins[i]) ? value : pins[i]));

/** Nothing pulled: a NaN for every number. */
export const untouched = (C, H) => ({
  z: Array(C).fill(NaN),
  hidden: Array(H).fill(NaN),
  gate: Array(C).fill(NaN),
});

/** Equation 3. `w1` (H, C) and `w2` (C, H) are lists of rows; `z` are the means of the maps. What is pulled takes the
    place of a number, and all behind it follows. The `donor`'s gates, if any, take the place of the computed ones. */
export const excite = ({ w1, w2 }, z, pins, donor = null) => {
  const means = pulled([...z], pins.z);
  const sums = w1.map((row) => dot(row, means));
  const hidden = pulled(
    sums.map((sum) => Math.max(0, sum)),
    pins.hidden,
  );
  const logits = w2.map((row) => dot(row, hidden));
  const computed = logits.map((x) => 1 / (1 + Math.exp(-x)));
  return { z: means, sums, hidden, logits, computed, gates: pulled([...(donor ?? computed)], pins.gate) };
};

/** The part p of all numbers lies at this size or below. */
export const quantile = (values, p) => Float32Array.from(values, Math.abs).sort()[Math.floor(p * (values.length - 1))];

/** Means of 2 x 2: a map (side, side) at half its side. */
export const halved = (map, side) => {
  const half = side / 2;
  return Float32Array.from({ length: half * half }, (_, i) => {
    const at = 2 * Math.floor(i / half) * side + 2 * (i % half);
    return (map[at] + map[at + 1] + map[at + side] + map[at + side + 1]) / 4;
  });
};

/** How many of the values lie in each of n equal parts of -limit..limit; what lies beyond is in the last one. */
export const histogram = (values, limit, n) => {
  const counts = Array(n).fill(0);
  for (const value of values) counts[Math.min(n - 1, Math.max(0, Math.floor(((value + limit) / (2 * limit)) * n)))]++;
  return counts;
};

/** The numbers in an order that is the same for everybody, but another one for each `turn`. */
export const shuffled = (values, turn) => {
  const result = Float32Array.from(values);
  let x = turn >>> 0;
  for (let i = result.length - 1; i > 0; i--) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((x / 2 ** 32) * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
};

/** Where thumbnails of a size stand beside their places on an axis, in two rows, so that none covers another: their
    middles and rows, in the order of the places. One that finds no room stands as near as it can. */
export const stacked = (places, size, width) => {
  const order = [...places.keys()].sort((a, b) => places[a] - places[b]);
  const result = places.map(() => null);
  for (const row of [0, 1]) {
    const mine = order.filter((_, n) => n % 2 === row);
    let end = -Infinity;
    for (const i of mine) result[i] = { row, x: (end = Math.max(places[i], end + size + 2, size / 2)) };
    end = width + size / 2 + 2;
    for (const i of mine.reverse()) end = result[i].x = Math.min(result[i].x, end - size - 2);
  }
  return result;
};

/* What learning curves share: smooth lines, and labels at their ends that keep apart. */

/** Each value as the mean of those around it. */
export const smooth = (values, width = 13) => {
  const half = width >> 1;
  const sums = [0];
  for (const value of values) sums.push(sums.at(-1) + value);
  return values.map((_, i) => {
    const [from, to] = [Math.max(0, i - half), Math.min(values.length, i + half + 1)];
    return (sums[to] - sums[from]) / (to - from);
  });
};

/** Move labels apart, from the highest down: { y, gap } get `at`. */
export const apart = (labels, gap, bottom) => {
  labels.sort((a, b) => a.y - b.y);
  labels.forEach((label, i) => (label.at = i ? Math.max(label.y, labels[i - 1].at + gap) : label.y));
  let most = bottom;
  for (const label of [...labels].reverse()) {
    label.at = Math.min(label.at, most);
    most = label.at - gap;
  }
  return labels;
};

/** Shuffle number n of C channels, the same for everybody. */
export const permutation = (C, n) => {
  const order = Uint8Array.from({ length: C }, (_, c) => c);
  let x = n >>> 0;
  for (let i = C - 1; i > 0; i--) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((x / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
};

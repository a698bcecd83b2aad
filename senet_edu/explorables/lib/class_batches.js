/* What a classifier sees: batches of a data set, with every class in each, shifted and mirrored by chance. */

export function seClassBatches({ random }) {
  const SIDE = 16,
    PADDING = 2; // of 16 pixels, as 4 of 32
  const PIXELS = 3 * SIDE * SIDE;

  /** One image of a list, shifted by top and left (0 to 4, 2: not at all) with pixels mirrored in from the border as in
      senet_edu.data.pad, and itself mirrored if `flip`; written to the n-th place of another list. */
  const crop = (images, index, { top, left, flip }, out, n) => {
    const inside = (p) => (p < 0 ? -p : p >= SIDE ? 2 * SIDE - 2 - p : p);
    for (let r = 0, o = n * PIXELS; r < SIDE; r++)
      for (let c = 0; c < SIDE; c++) {
        const row = inside(r + top - PADDING),
          column = inside((flip ? SIDE - 1 - c : c) + left - PADDING),
          from = index * PIXELS + 3 * (row * SIDE + column);
        for (let k = 0; k < 3; k++) out[o++] = images[from + k];
      }
  };

  /** next() gives the next batch, { pixels, labels }. It holds all classes equally often, to within one; of each class
      every picture comes before one comes again, and is mirrored every second time, half of them the first time. */
  const batches = ({ classes, images, labels, seed, batch }) => {
    const rand = random(seed + 1),
      below = (n) => Math.floor(n * rand());
    const shuffled = (list) => {
      const order = [...list];
      for (let i = order.length - 1; i > 0; i--) {
        const j = below(i + 1);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    };
    const piles = Array.from({ length: classes }, (_, k) => ({
      all: [...labels.keys()].filter((i) => labels[i] === k),
      left: [],
    }));
    const mirrored = Uint8Array.from(labels, () => below(2));
    let turn = 0;
    return () => {
      const pixels = new Uint8Array(batch * PIXELS),
        chosen = new Uint8Array(batch);
      for (let n = 0; n < batch; n++) {
        const label = turn++ % classes,
          pile = piles[label];
        if (!pile.left.length) pile.left = shuffled(pile.all);
        const index = pile.left.pop();
        const shift = { top: below(2 * PADDING + 1), left: below(2 * PADDING + 1), flip: mirrored[index] === 1 };
        mirrored[index] = 1 - mirrored[index];
        crop(images, index, shift, pixels, n);
        chosen[n] = label;
      }
      return { pixels, labels: chosen };
    };
  };

  return { PIXELS, crop, batches };
}

/* What the two classifiers learn from: classes, each with a name and pictures of 16 x 16 x 3 numbers. */
import { drawnSet } from "./drawn.js";

export const SIDE = 16;
export const SIZE = 3 * SIDE * SIDE;
export const LEAST = 3; // pictures of a class, to train at all
export const ENOUGH = 10;
export const MOST = 20;
export const CLASSES = [2, 5]; // how many, at least and at most
const EVERY = 5; // of every class one picture in so many is held back

/** Whether the picture of this number is held back. */
export const isHeld = (index, hold) => hold && index % EVERY === EVERY - 1;

/** Pictures [{ pixels, label }] as one array of bytes with their labels. */
const packed = (list) => {
  const images = new Uint8Array(list.length * SIZE);
  list.forEach(({ pixels }, i) => images.set(pixels, i * SIZE));
  return { images, labels: Uint8Array.from(list, ({ label }) => label) };
};

/** sets: [{ name, pictures, held }]; what is in `held` besides is never trained on. Returns what a trainer takes:
    { classes, images, labels, held }, with `held` null where nothing is held back. */
export const forTraining = (sets, hold) => {
  const all = sets.flatMap(({ pictures }, label) =>
    pictures.map((pixels, i) => ({ pixels, label, back: isHeld(i, hold) })),
  );
  const apart = sets.flatMap(({ held = [] }, label) => held.map((pixels) => ({ pixels, label })));
  const back = [...all.filter((one) => one.back), ...apart];
  const { images, labels } = packed(all.filter((one) => !one.back));
  return { classes: sets.length, images, labels, held: back.length ? packed(back) : null };
};

/** Picture number `i` of what is held back, with its label. */
export const heldPicture = ({ images, labels }, i) => ({
  pixels: images.slice(i * SIZE, (i + 1) * SIZE),
  label: labels[i],
});

/** The name of the first class that has too few pictures, or null. */
export const lacking = (sets) => sets.find(({ pictures }) => pictures.length < LEAST)?.name ?? null;

const SHAPES = ["disk", "square", "triangle", "ring", "cross"]; // of each two textures
const [CHUNK, EACH, HELD] = [10, 100, 50]; // pictures of a shape: drawn at once, to train on, to hold back
export const CHUNKS = (EACH + HELD) / CHUNK;

export const emptyShapes = () => SHAPES.map((name) => ({ name, pictures: [], held: [] }));

/** Draw the next ten pictures of each shape; those that are held back come first. Chunk 0 to CHUNKS - 1. */
export const drawShapes = (sets, chunk) => {
  const { images, labels } = drawnSet({ count: SHAPES.length * CHUNK, seed: chunk });
  const part = chunk < HELD / CHUNK ? "held" : "pictures";
  labels.forEach((label, i) => sets[label >> 1][part].push(images.slice(i * SIZE, (i + 1) * SIZE)));
};

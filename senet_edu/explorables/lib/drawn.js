/* Ten classes of textured shapes, drawn from a seed: the twin of senet_edu/data/procedural.py, which explains them.

     const { images, labels } = drawnSet({ count: 400, seed: 1 }); // as class_trainer.js takes them
     drawnImage(label, rand); // one picture of 32 x 32 x 3 bytes, from 1041 numbers of rand() in the order of Python
     halve(pixels); // to 16 x 16, by the filter by which training makes pictures smaller */
import { seTrain } from "./train.js";

const SIDE = 32;

/** A triangle wave of period 1 between -1 and 1. */
const wave = (t) => 4 * Math.abs(t - Math.floor(t + 0.5)) - 1;
/** Signed distances in units of the radius, negative inside. */
const OUTLINES = {
  disk: (u, v) => Math.sqrt(u * u + v * v) - 0.798,
  // biome-ignore lint/suspicious/noApproximativeNumericConstant: the number that Python has, not the root of one half
  square: (u, v) => Math.max(Math.abs(u), Math.abs(v)) - 0.707,
  triangle: (u, v) => Math.max(-v, 0.866 * Math.abs(u) + 0.5 * v) - 0.62,
  ring: (u, v) => Math.abs(Math.sqrt(u * u + v * v) - 0.8) - 0.199,
  cross: (u, v) => Math.max(Math.min(Math.abs(u), Math.abs(v)) - 0.293, Math.max(Math.abs(u), Math.abs(v)) - 1),
};
/** Positive where light. */
const TEXTURES = { striped: (a) => wave(a), checked: (a, b) => wave(a) + wave(b) };
const outlines = Object.values(OUTLINES),
  textures = Object.values(TEXTURES);

/** "striped disk", "checked disk", … */
export const DRAWN_CLASSES = Object.keys(OUTLINES).flatMap((outline) =>
  Object.keys(TEXTURES).map((texture) => `${texture} ${outline}`),
);

const clamp = (value, most) => Math.min(Math.max(value, 0), most);

/** One picture, Uint8Array(32 * 32 * 3). Python rounds every step to single precision, this only the result: where a
    value lies within a rounding of the middle of two bytes, they may differ by one. */
export const drawnImage = (label, rand) => {
  const uniform = (low, high) => low + (high - low) * rand(),
    three = (low, high) => [0, 1, 2].map(() => uniform(low, high));
  const dy = uniform(-3, 3),
    dx = uniform(-3, 3),
    radius = uniform(9, 13);
  const turn = (angle) => {
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    return (x, y) => [cos * x + sin * y, cos * y - sin * x];
  };
  const [shape, texture] = [0, 0].map(() => turn(uniform(0, 2 * Math.PI))); // the texture turns by itself
  const period = uniform(6, 9),
    phase = [uniform(0, 1), uniform(0, 1)];
  const [background, dark, bright] = [three(0.3, 0.7), three(0, 0.4), three(0.6, 1)];
  const outline = outlines[Math.floor(label / textures.length)],
    pattern = textures[label % textures.length];
  const pixels = new Uint8Array(3 * SIDE * SIDE);
  for (let r = 0, o = 0; r < SIDE; r++)
    for (let c = 0; c < SIDE; c++) {
      const [x, y] = [c - 15.5 - dx, r - 15.5 - dy],
        [u, v] = shape(x, y),
        [a, b] = texture(x, y);
      const inside = clamp(0.5 - radius * outline(u / radius, v / radius), 1),
        light = clamp(0.5 + 2 * pattern(a / period + phase[0], b / period + phase[1]), 1),
        grain = uniform(-0.08, 0.08);
      for (let k = 0; k < 3; k++) {
        const color = dark[k] + (bright[k] - dark[k]) * light;
        pixels[o++] = Math.round(clamp(255 * (background[k] + (color - background[k]) * inside + grain), 255));
      }
    }
  return pixels;
};

/** A square picture at half its side: of each row and column four pixels count 1, 3, 3, 1; at a border three. */
export const halve = (pixels) => {
  const side = Math.sqrt(pixels.length / 3),
    half = side / 2;
  /** The means of pairs along one axis; `at` gives the place of a number by line and position. */
  const along = (list, lines, at, to) => {
    const out = new Float64Array(lines * half);
    for (let line = 0; line < lines; line++)
      for (let i = 0; i < half; i++) {
        let sum = 0,
          whole = 0;
        for (let j = Math.max(0, 2 * i - 1); j < Math.min(side, 2 * i + 3); j++) {
          const weight = j === 2 * i || j === 2 * i + 1 ? 3 : 1;
          sum += weight * list[at(line, j)];
          whole += weight;
        }
        out[to(line, i)] = sum / whole;
      }
    return out;
  };
  const rows = along(
    // a line is a row and a color
    pixels,
    3 * side,
    (line, j) => 3 * (Math.floor(line / 3) * side + j) + (line % 3),
    (line, i) => 3 * (Math.floor(line / 3) * half + i) + (line % 3),
  );
  const columns = along(
    rows,
    3 * half,
    (line, j) => 3 * half * j + line,
    (line, i) => 3 * half * i + line,
  );
  return Uint8Array.from(columns, Math.round);
};

/** So many pictures of 16 x 16: their pixels, Uint8Array(count * 16 * 16 * 3), and their labels, 0 to `classes` - 1 in
    turn, so that all are equally frequent to within one. */
export const drawnSet = ({ count, seed, classes = DRAWN_CLASSES.length }) => {
  const rand = seTrain().random(seed),
    bytes = (3 * SIDE * SIDE) / 4;
  const images = new Uint8Array(count * bytes),
    labels = Uint8Array.from({ length: count }, (_, i) => i % classes);
  labels.forEach((label, i) => images.set(halve(drawnImage(label, rand)), i * bytes));
  return { images, labels };
};

/* What the live network's two cards say: chosen by the numbers, so that no sentence survives what contradicts it. */

const percent = (p, decimals = 0) => `${(100 * p).toFixed(decimals)} %`;

/** The sentence under this picture's numbers. `before`, `after`: {name, p of it}; `of`: p of the first name after. */
export const pictureSays = ({ before, after, of }) => {
  if (after.name !== before.name) return `It now says ${after.name}, ${percent(after.p)}. One picture is a story.`;
  if (Math.abs(of - before.p) < 0.01) return "Nothing much happens to this picture.";
  if (of > before.p) return `Surer of ${before.name} than with its own gates. One picture proves nothing.`;
  return `It still says ${before.name}. One picture is a story.`;
};

/** What the network says with the other picture's gates, beside what the reader guessed, if anything. */
export const swapSays = (name, p, guess) => `It says ${name}, ${percent(p)}.${guess ? ` You guessed ${guess}.` : ""}`;

/** What stands on a block's strip: where all hidden units are off for this picture, all gates are one half. */
export const stripSays = (own) => (own.every((gate) => Math.abs(gate - 0.5) < 5e-4) ? "asleep here: all gates ½" : "");

/** The sentence under the 10,000 pictures' numbers: shares that are right, before and after; `kind` of the gates. */
export const manySay = ({ kind, right, after, fall }) => {
  if (after === undefined) return "Not measured on 10,000 pictures.";
  const lost = Math.round(100 * (right - after));
  if (kind === "one" && after < 0.15) return "Most pictures get one and the same answer: the weights expect gates.";
  if (lost < 1) return "Nothing much happens here, either.";
  if (fall < 0) return `Here ${lost} more in 100 go wrong: trust this number.`;
  return `${lost} more in 100 go wrong. Many pictures are a measurement.`;
};

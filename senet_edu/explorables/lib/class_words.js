/* What the classifiers' figure says. Every sentence with a claim is chosen by the numbers that it is about;
   `**bold**` is bold. */
import { ENOUGH, LEAST } from "./class_sets.js";

const percent = (p) => `${Math.round(100 * p)} %`;
const count = (n) => n.toLocaleString("en-US");

/** The line under the title: what to do or where to look now. */
export const instruction = ({ phase, own, lacks, stale, away, steps }) => {
  if (away) return "Paused while you were away.";
  if (stale) return "The pictures have changed. **Train again** takes them in.";
  if (phase === "running") return "Both networks see the same pictures, in the same order, shifted and mirrored alike.";
  if (phase === "paused") return `Paused at step ${steps}.`;
  if (phase === "blown") return `This run blew up at step ${steps}: the rate was too high.`;
  if (phase === "done") return "Now show them something: a held picture, your camera, a file, a drawing.";
  if (!own) return "Five shapes, drawn for this page. Press **Train**: two networks learn to tell them apart.";
  if (lacks)
    return `*${lacks}* needs ${LEAST} pictures, better ${ENOUGH}: from the camera, files or the pad. They stay here.`;
  return "Press **Train**: two networks learn your classes. Your pictures stay in this page.";
};

/** Of how many percentage points chance alone may be, for 95 in 100 sets of n pictures. */
const margin = (p, q, n) => 1.96 * Math.sqrt((p * (1 - p) + q * (1 - q)) / n);

/** plain, se: shares of n held pictures that are right; null without held pictures. */
export const verdict = ({ phase, plain, se, n, train }) => {
  if (phase !== "done") return "";
  if (!n) return `Right on **${percent(train)}** of the pictures it has seen. That says nothing about new ones.`;
  const both = `with SE **${percent(se)}** right, without **${percent(plain)}**`;
  if (Math.abs(se - plain) <= margin(plain, se, n)) return `On ${count(n)} held pictures: ${both}. Too close to call.`;
  return se > plain
    ? `On ${count(n)} held pictures: ${both}. With this seed, SE helps.`
    : `On ${count(n)} held pictures: ${both}. With this seed, SE does not help.`;
};

/** What so few pictures can teach. `train`, `held`: shares that the one with SE has right; `each`: pictures a class. */
export const learned = ({ phase, own, train, held, n, each }) => {
  if (phase !== "done") return "";
  const seen = `With SE: right on ${percent(train)} of its training pictures`;
  if (!n)
    return "Hold some pictures back, or show it the same thing in another place: it may know your background only.";
  const few = n < 50 ? ` One held picture more or less is ${Math.round(100 / n)} points.` : "";
  const gap = train - held >= 0.1;
  if (!own)
    return gap
      ? `${seen}, on ${percent(held)} of new ones: ${each} pictures a class are few.`
      : `${seen}, on ${percent(held)} of new ones: it has learned the shapes, not the pictures.`;
  if (gap) return `${seen}, on ${percent(held)} of held ones. It may have learned your background.${few}`;
  return `Held pictures of the same minute look alike. Show it the thing in another place and light.${few}`;
};

const GUESSES = { yes: "yes", no: "no", close: "too close to call" };
/** What came of the reader's guess. */
export const guessed = (guess, plain, se) =>
  `You guessed *${GUESSES[guess]}*. It came out ${percent(se)} with SE to ${percent(plain)} without.`;

/** The line under the button. */
export const status = ({ phase, steps, total, speed, ready, seconds, seed, pictures }) => {
  const rate = (v) => (v > 0 ? ` · ${count(Math.round(v / 100) * 100)} pictures a second` : "");
  if (phase === "rest" && !ready) return `${count(pictures)} pictures, ${total} steps`;
  if (phase === "rest")
    return `${count(pictures)} pictures, about ${Math.max(1, Math.round(ready))} seconds in this page`;
  if (phase === "done") return `${steps} steps in ${Math.round(seconds)} s · seed ${seed}${rate(speed)}`;
  return `step ${steps} of ${total}${rate(speed)}`;
};

const sure = (names, { probabilities: p }) => {
  const first = p.indexOf(Math.max(...p));
  return `${names[first]} ${percent(p[first])}`;
};
/** What both networks say of a picture, for who cannot see the bars. */
export const answers = (names, view, truth) => {
  const is = truth === null ? "" : ` It is: ${names[truth]}.`;
  return `Plain says ${sure(names, view.plain)}, with SE ${sure(names, view.se)}.${is}`;
};

/** The lines of Python that load what was saved. */
export const python = ({ file, se, names, reduction }) => {
  const made = se
    ? `"se_resnet8", num_classes=${names.length}, reduction=${reduction}`
    : `"resnet8", num_classes=${names.length}`;
  return `import torch
from safetensors.torch import load_file
from senet_edu import create_model
from senet_edu.data import normalize

classes = [${names.map((name) => JSON.stringify(name)).join(", ")}]
net = create_model(${made})
net.load_state_dict(load_file("${file}"))
net.eval()
images = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)  # yours, 16 x 16 pixels
print(net(normalize(images)).softmax(1))
`;
};

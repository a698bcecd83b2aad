/* What the lamp's figure says. Every sentence with a claim is chosen by the numbers that it is about;
   `**bold**` is bold. */
import { number } from "./core.js";

const off = (error) => number(error, 3);

/** What the SE blocks are called. They have names and no numbers: the book counts from 0, and layers from 1. */
export const blockNames = (layers) => (layers.length > 1 ? ["first block", "second block"] : ["block"]);

/** A lamp's color from its place on the pad: hue in degrees, strength 0 (white) to 1. One channel is always 1. */
export const color = (hue, strength) =>
  [5, 3, 1].map((n) => {
    const k = (n + hue / 60) % 6;
    return 1 - strength * 0.8 * Math.max(0, Math.min(k, 4 - k, 1));
  });
const HUES = [
  [15, "red"],
  [45, "orange"],
  [70, "yellow"],
  [165, "green"],
  [195, "cyan"],
  [255, "blue"],
  [285, "violet"],
  [330, "pink"],
  [360, "red"],
];
/** "orange, strong: red 1.00, green 0.62, blue 0.30" */
export const lampInWords = (hue, strength, rgb) => {
  const name = HUES.find(([end]) => hue <= end)[1];
  const how = strength < 0.35 ? "weak" : strength < 0.7 ? "medium" : "strong";
  const values = ["red", "green", "blue"].map((channel, k) => `${channel} ${number(rgb[k])}`).join(", ");
  return `${strength < 0.025 ? "white" : `${name}, ${how}`}: ${values}`;
};

/** The line under the title: what to do or where to look now. */
export const instruction = ({ phase, parted, steps, gates, photo, worse, shown, away, moved }) => {
  if (away) return "Paused while you were away.";
  if (phase === "running" && steps < 20) return "Both see the same pictures, in the same order.";
  if (phase === "running") return parted ? "Now they part. Look at the gates." : "Both learn what tiles look like.";
  if (phase === "paused") return `Paused at step ${steps}.`;
  if (phase === "blown") return `This run blew up at step ${steps}: the rate was too high.`;
  if (photo) {
    const seen = "The networks have only ever seen tiles.";
    return worse ? `${seen} Things with a color of their own fool the one with SE.` : seen;
  }
  if (phase === "rest")
    return [
      "The same tiles look different under every lamp. Drag the lamp. Then press **Train**:",
      "two networks learn to give the tiles back as they are in white light.",
    ].join(" ");
  if (gates === "frozen")
    return "Every picture now gets the **mean gates**. Drag the lamp: the network no longer notices.";
  if (gates === "other") return "This picture now gets the gates of the small one, which was made for another lamp.";
  if (gates === "hand")
    return moved
      ? "By hand you are closer. Now move the lamp."
      : "You are the excitation now. Find the gates that undo this lamp.";
  if (shown !== null) return `Step ${shown}. Drag along the curve to go back in time.`;
  return "Drag the lamp again and watch the gates: they follow it.";
};

const NUMBERS = ["", "", "Twice", "Three times", "Four times", "Five times", "Six times"];
/** "Three times the error." */
export const factor = (from, to) => {
  const ratio = to / from;
  if (ratio < 1.1) return "As good as before.";
  if (ratio < 1.5) return "A little worse.";
  const whole = Math.round(ratio);
  return `${NUMBERS[whole] ?? `${whole} times`} the error.`;
};

/** The verdict below. plain, se: errors on new pictures; `measured`: { lost, seeds }, how often SE did not win. */
export const verdict = ({
  phase,
  plain,
  se,
  gates,
  replaced,
  photo,
  here,
  hand,
  swing,
  start,
  gray,
  max,
  measured,
  shown,
}) => {
  if (phase !== "done" || plain === undefined || se === undefined) return "";
  if (gates === "hand" && here) return `By hand **${off(hand)}**. Its own gates, at one look: **${off(here.own)}**.`;
  if (photo && here) {
    if (here.se > here.plain) return "Not gray on average: SE takes the picture’s color for the lamp’s.";
    return `On this photograph SE is closer: **${off(here.se)}** to **${off(here.plain)}**.`;
  }
  if (replaced !== undefined && gates === "frozen")
    return `Gates frozen: **${off(se)} → ${off(replaced)}**. ${factor(se, replaced)}`;
  if (replaced !== undefined && gates === "other")
    return `Gates of another picture: **${off(se)} → ${off(replaced)}**. ${factor(se, replaced)}`;
  if (se >= 0.9 * plain) {
    if (shown) return `At step ${shown}: plain **${off(plain)}**, with SE **${off(se)}**.`;
    const often = measured ? ` Of ${measured.seeds} measured seeds that happened in ${measured.lost || "none"}.` : "";
    return `This time SE did not win: **${off(plain)}** to **${off(se)}**.${often}`;
  }
  const follow = swing > 0.1 && swing > 2 * start ? " Its gates follow the lamp." : "";
  const cures = se < gray || max ? " Better than gray world by hand: maximum and mean are two old cures." : "";
  return `With SE the error is **${off(se)}**, without **${off(plain)}**.${se < gray ? cures : follow}`;
};

const GUESSES = { plain: "plain", se: "with SE", same: "no difference" };
/** What came of the reader's guess. */
export const guessed = (guess, plain, se) =>
  `You guessed *${GUESSES[guess]}*. It came out ${off(plain)} to ${off(se)}.`;

/** Where one picture says the opposite of many. */
export const onThisPicture = (here, plain, se) =>
  here.plain < here.se && se < plain ? "On this picture plain is closer. On 256 new ones it is not." : "";

/** The line under the button. */
export const status = ({ phase, steps, total, speed, seconds, seed, batch }) => {
  const rate = seconds > 0.2 ? ` · ${Math.round((batch * steps) / seconds / 10) * 10} pictures a second` : "";
  const comma = rate.replace(/(\d)(\d{3}) /, "$1,$2 ");
  if (phase === "done" && !steps) return `trained before: ${total} steps · seed ${seed}`;
  if (phase === "done")
    return seconds
      ? `${steps} steps in ${number(seconds, 1)} s · seed ${seed}${comma}`
      : `${steps} steps, seed ${seed}`;
  if (phase !== "rest") return `step ${steps} of ${total}${comma}`;
  if (!speed) return `${total} steps, in this page`;
  const about = Math.max(total / 80, total / speed);
  if (speed < 40) return `About ${Math.max(5, Math.round(about / 5) * 5)} seconds on this device.`;
  return `${total} steps, about ${Math.round(about)} seconds, in this page`;
};

/** The same experiment in Python, in at most twelve lines. */
export const python = ({ seed, steps, plain, reduction, layers, squeeze, gate, rate }) => {
  const training = [`seed=${seed}`, steps !== 400 && `steps=${steps}`, rate !== 0.01 && `rate=${rate}`];
  const se = [
    '"se"',
    `reduction=${reduction}`,
    layers.length < 2 && `layers=(${layers.map((l) => `${l},`).join("")})`,
    squeeze !== "avg" && `squeeze="${squeeze}"`,
    gate !== "sigmoid" && `gate="${gate}"`,
    `seed=${seed}`,
  ];
  const list = (parts) => parts.filter(Boolean).join(", ");
  return `from senet_edu import lamp

plain = lamp.network(None, channels=${plain}, seed=${seed})
se = lamp.network(${layers.length ? list(se) : `None, seed=${seed}`})
for name, net in {"plain": plain, "with SE": se}.items():
    lamp.train(net, ${list(training)})
    print(f"{name}: {lamp.error(net):.3f}")
${
  layers.length
    ? `for gates in ("frozen", "swapped"):
    print(f"gates {gates}: {lamp.error(se, gates=gates):.3f}")
print(f"swing of the gates: {lamp.swing(se):.2f}")
`
    : ""
}`;
};

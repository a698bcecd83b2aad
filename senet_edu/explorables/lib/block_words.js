/* What the block's figure says. Every sentence with a claim is chosen by the numbers that it is about. */
import { number } from "./core.js";

export const INSTRUCTIONS = {
  squeeze: "Point at a row. Each map becomes one number, its mean.",
  excitation: "Pull a blue dot, an orange unit or a gate. Everything behind it moves.",
  rescale: "Pull a gate and watch its map fade into the page.",
};
export const percent = (p) => `${Math.round(100 * p)} %`;
const spoken = (p) => `${Math.round(100 * p)}`;
const COUNTS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
export const count = (n) => COUNTS[n] ?? String(n);
const title = (name) => name[0].toUpperCase() + name.slice(1);

/** "cat 88 → 81 %": the class that was first, before and after; or another that is first now. */
export const moved = (classes, before, after) => {
  const first = (p) => p.indexOf(Math.max(...p));
  const [was, is] = [first(before), first(after)];
  if (was !== is) return `${classes[was]} ${percent(before[was])} → ${classes[is]} ${percent(after[is])}`;
  return `${classes[was]} ${Math.round(100 * before[was])} → ${percent(after[was])}`;
};

/** The line under the title. `act` is the last thing that was done: {kind: "z" | "hidden" | "gate" | "donor" | null,
    index, value, stopped, name}; before and after are the ten probabilities, without and with all that is pulled. */
export const voice = ({ part, act, hidden, classes, before, after, blocks, swap, unknown }) => {
  if (!act.kind || !before)
    return unknown ? "It must answer with one of ten. This is none of them." : INSTRUCTIONS[part];
  if (act.stopped) return `Gate and answer follow as far as z goes: no picture goes further than ${number(act.value)}.`;
  if (act.kind === "hidden" && hidden.every((value) => value === 0)) return "Every unit is off: all gates are ½.";
  const what = {
    z: `z of channel ${act.index} at ${number(act.value ?? 0)}`,
    hidden: `Unit ${act.index} ${act.value === 0 ? "off" : `at ${number(act.value ?? 0)}`}`,
    gate: `Gate ${act.index} at ${number(act.value ?? 0)}`,
    donor: `The gates of the ${act.name}, in this block`,
  }[act.kind];
  if (!after) return `${what} …`;
  const first = before.indexOf(Math.max(...before));
  const change = after[first] - before[first];
  if (Math.abs(change) < 0.01 && after.indexOf(Math.max(...after)) === first) {
    const one = act.kind === "gate" ? ", and one channel of 16" : "";
    return `${what}: the answer stays. This block is one of ${count(blocks)}${one}.`;
  }
  if (act.kind === "donor" && change > 0) {
    const costs = swap < 0 ? `this costs ${number(-swap, 1)} points` : `this gains ${number(swap, 1)} points`;
    return `Surer than with its own gates. One picture proves nothing: over 10,000 ${costs}.`;
  }
  return `${what}: ${moved(classes, before, after)}.`;
};

/** For screen readers: what was chosen. */
export const chosen = (c, z, gate) => `Channel ${c}. Mean ${number(z)}. Gate ${number(gate)}.`;
/** For screen readers: what was done, and the answer before and after. */
export const done = ({ act, classes, before, after }) => {
  const first = before.indexOf(Math.max(...before)),
    now = after.indexOf(Math.max(...after));
  const what = {
    z: `z of channel ${act.index} set to ${number(act.value ?? 0)}.`,
    hidden: act.value === 0 ? `Unit ${act.index} off.` : `Unit ${act.index} set to ${number(act.value ?? 0)}.`,
    gate: `Gate ${act.index} set to ${number(act.value ?? 0)}.`,
    donor: `Gates of the ${act.name} in this block.`,
  }[act.kind];
  const other = now === first ? "" : ` It says ${classes[now]} now, ${spoken(after[now])} per cent.`;
  return `${what} ${title(classes[first])} ${spoken(before[first])} to ${spoken(after[first])} per cent.${other}`;
};

/* The state in the link: picture, then what differs from the start: "cat_c9_z3.-52_h1.0_g9.90_dtruck". */

export const toLink = ({ picture, channel, pins, donor }) =>
  [
    picture,
    `c${channel}`,
    ...Object.entries({ z: pins.z, h: pins.hidden, g: pins.gate }).flatMap(([letter, values]) =>
      values.flatMap((value, i) => (Number.isNaN(value) ? [] : [`${letter}${i}.${Math.round(100 * value)}`])),
    ),
    ...(donor ? [`d${donor}`] : []),
  ].join("_");

/** What can be read of it; the rest is left out. */
export const fromLink = (text) => {
  const [picture, ...parts] = text.split("_");
  const state = { picture, pulled: [] };
  for (const part of parts) {
    const [, letter, index, value] = /^([zhg])(\d+)\.(-?\d+)$/.exec(part) ?? [];
    if (letter)
      state.pulled.push({ kind: { z: "z", h: "hidden", g: "gate" }[letter], index: +index, value: value / 100 });
    else if (/^c\d+$/.test(part)) state.channel = Number(part.slice(1));
    else if (/^d[a-z]+$/.test(part)) state.donor = part.slice(1);
  }
  return state;
};

/* The live network's answer: a sentence, and a bar for each class with a tick where it stood with its own gates. */
import { clamp, h } from "./core.js";

const percent = (p) => `${Math.round(100 * p)} %`;
export const top = ({ probabilities: p }) => p.indexOf(Math.max(...p));

/** Returns the elements `far`, `near` (the sentence twice: on a phone it also stands at the gates), `chart` and `plain`
    (what the plain network says), and `draw({ now, base, plain, compared })`; `draw` returns the sentence to speak. */
export const makeAnswer = (classes) => {
  const [far, near] = [h("p", { class: "answer" }), h("p", { class: "answer near", "aria-hidden": "true" })];
  const bars = classes.map((name) => {
    const [se, was, other] = ["se", "was", "net"].map((kind) => h("i", { class: kind }));
    const value = h("span", { class: "value" });
    const track = h("div", { class: "track" }, other, se, was);
    return {
      se,
      was,
      other,
      value,
      row: h("div", { "data-class": name }, h("span", { class: "name" }, name), track, value),
    };
  });
  const chart = h(
    "div",
    { class: "bars" },
    bars.map(({ row }) => row),
  );
  const says = h("span", { class: "note" });
  const small = (text) => h("small", {}, text);
  const sentence = (now, base) => {
    if (!now) return [small("Loading the network, 560 KB …")];
    const [first, before] = [top(now), top(base)];
    const [p, q] = [now, base].map((one, i) => percent(one.probabilities[[first, before][i]]));
    if (now === base) return [`${classes[first]} ${p}`];
    if (first === before) return [`${classes[first]} `, small(`${q} → `), p];
    return [small(`${classes[before]} ${q} → `), `${classes[first]} ${p}`];
  };
  const draw = ({ now, base, plain, compared }) => {
    chart.classList.toggle("plain", compared);
    const first = now ? top(now) : -1;
    // On a phone four: the first, and those that change most.
    const moves = classes.map((_, i) => (now && base ? Math.abs(now.probabilities[i] - base.probabilities[i]) : 0));
    const level = (i) => moves[i] + 1e-3 * (now?.probabilities[i] ?? 0);
    const order = [...classes.keys()].sort((a, b) => (b === first) - (a === first) || level(b) - level(a));
    bars.forEach(({ se, was, other, value, row }, i) => {
      const [p, q] = [now?.probabilities[i] ?? 0, base?.probabilities[i] ?? 0];
      row.className = `${i === first ? "first" : ""} ${order.indexOf(i) < 4 ? "most" : ""}`;
      se.style.width = `${100 * p}%`;
      was.hidden = now === base;
      was.style.left = `${clamp(100 * q, 0.5, 99.5)}%`;
      other.style.width = `${100 * (plain?.probabilities[i] ?? 0)}%`;
      value.textContent = !now ? "" : percent(q) === percent(p) ? percent(p) : `${Math.round(100 * q)} → ${percent(p)}`;
    });
    for (const answer of [far, near]) answer.replaceChildren(...sentence(now, base));
    const other = compared && plain ? top(plain) : -1;
    says.textContent =
      other < 0 ? "compare without SE" : `says ${classes[other]} ${percent(plain.probabilities[other])}`;
    if (!now) return "";
    const before =
      now === base ? "" : ` Before the edits: ${classes[top(base)]}, ${percent(base.probabilities[top(base)])}.`;
    return `The network says ${classes[first]}, ${percent(now.probabilities[first])}.${before}`;
  };
  return { far, near, chart, plain: says, draw };
};

/* Chapter 7: choose what gains and what loses most, commit, then see where the choices lie among all variants. */
import { button, figure, h, menu, signed as withSign } from "./lib/core.js";
import { axis } from "./lib/dotplot.js";
import css from "./prediction.css";

figure("se-prediction", (root, { about, rows }, self) => {
  const signed = (value) => withSign(value, 1);
  const options = [["", "choose one"], ...rows.map(([label], i) => [i, label])];
  const verdict = ([, mean, margin]) =>
    mean - margin > 0
      ? "the interval lies above zero"
      : mean + margin < 0
        ? "the interval lies below zero"
        : "the interval includes zero";
  const order = rows.map((_, i) => i).sort((a, b) => rows[b][1] - rows[a][1]);

  const ready = () => (commit.disabled = !(best.value && worst.value));
  const best = menu({ label: "gains most over the plain network", options, value: "", input: ready });
  const worst = menu({ label: "loses most", options, value: "", input: ready });

  // The strip: zero and the variants of the middle lie inside; the rest is at the edge.
  const size = rows.map(([, mean]) => Math.abs(mean)).sort((a, b) => a - b);
  const reach = Math.max(0.5, ...size.filter((s) => s <= 4 * size[size.length >> 1])) * 1.12;
  const { left, inside } = axis([-reach, reach]);
  const strip = h("div", { class: "strip", "aria-hidden": "true" });
  const said = h("div", { class: "said" });

  const gain = (row) => rows[row][3];
  const report = (label, row) => {
    const place = order.indexOf(row) + 1;
    return h(
      "p",
      {},
      h("b", {}, label),
      ` ${rows[row][0]}. Measured: ${gain(row)} points, number ${place} of ${rows.length} from the top; `,
      `${verdict(rows[row])}.`,
    );
  };
  const reveal = () => {
    const picks = [Number(best.value), Number(worst.value)];
    for (const box of [best, worst]) box.querySelector("select").disabled = true;
    commit.disabled = true;
    strip.replaceChildren(
      h("i", { class: "zero", style: left(0) }),
      ...rows.map(([, mean], i) => {
        const kind = `${inside(mean) ? "dot" : "off"}${picks.includes(i) ? " picked" : ""}`;
        return h("i", { class: kind, style: left(mean) }, kind.startsWith("off") ? (mean < 0 ? "◀" : "▶") : "");
      }),
      ...picks.map((i, k) => h("span", { class: k ? "below" : "above", style: left(rows[i][1]) }, k ? "▴" : "▾")),
      h("small", { style: "left: 0" }, signed(-reach)),
      h("small", { style: "left: 50%; translate: -50%" }, "0"),
      h("small", { style: "right: 0" }, signed(reach)),
    );
    const top = order[0],
      end = order[order.length - 1];
    said.replaceChildren(
      report("Gains most ▾", picks[0]),
      report("Loses most ▴", picks[1]),
      h(
        "p",
        {},
        `The largest mean is that of ${rows[top][0]} (${gain(top)}), `,
        `the smallest that of ${rows[end][0]} (${gain(end)}).`,
      ),
    );
    self.say(said.textContent);
    again.hidden = false;
  };
  const reset = () => {
    for (const box of [best, worst]) (box.value = ""), (box.querySelector("select").disabled = false);
    strip.replaceChildren();
    said.replaceChildren(h("p", { class: "note" }, "Nothing is shown before you commit."));
    again.hidden = true;
    ready();
  };
  const commit = button({ label: "Commit and reveal", click: reveal });
  const again = button({ label: "Start over", click: reset });

  root.append(
    h("style", {}, css),
    h("h3", {}, "Predict before you look"),
    h("p", { class: "note" }, `Each variant against the network without SE, accuracy in points. ${about}.`),
    h("div", { class: "row" }, best, worst, commit, again),
    strip,
    said,
  );
  reset();
});

/* Chapter 8: choose what gains and what loses most, commit, then see where the choices lie among all variants. */
import { button, clamp, figure, h, menu, number } from "./lib/core.js";

figure("se-prediction", (root, { about, rows }, self) => {
  const signed = (value, decimals = 1) => (Number(value.toFixed(decimals)) > 0 ? "+" : "") + number(value, decimals);
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
  const left = (value) => `left: ${clamp(50 + (50 * value) / reach, 0, 100).toFixed(2)}%`;
  const strip = h("div", { class: "strip", "aria-hidden": "true" });
  const said = h("div", { class: "said" });

  const report = (label, row) => {
    const place = order.indexOf(row) + 1;
    return h(
      "p",
      {},
      h("b", {}, label),
      ` ${rows[row][0]}. Measured: ${signed(rows[row][1])} ± ${number(rows[row][2], 1)} points, number ${place} of ${rows.length} from the top; ${verdict(rows[row])}.`,
    );
  };
  const reveal = () => {
    const picks = [Number(best.value), Number(worst.value)];
    for (const box of [best, worst]) box.querySelector("select").disabled = true;
    commit.disabled = true;
    strip.replaceChildren(
      h("i", { class: "zero", style: left(0) }),
      ...rows.map(([, mean], i) => {
        const kind = `${Math.abs(mean) > reach ? "off" : "dot"}${picks.includes(i) ? " picked" : ""}`;
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
        `The largest mean is that of ${rows[top][0]} (${signed(rows[top][1])} ± ${number(rows[top][2], 1)}), the smallest that of ${rows[end][0]} (${signed(rows[end][1])} ± ${number(rows[end][2], 1)}).`,
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
    h(
      "style",
      {},
      `
      select { max-width: 100%; }
      .row > div { min-width: 0; }
      .strip { height: 62px; margin: 6px 8px; position: relative; }
      .strip > * { position: absolute; }
      .zero { border-left: 2px solid var(--plain); height: 30px; margin-left: -1px; top: 8px; }
      .dot { background: var(--soft); border-radius: 50%; height: 9px; margin-left: -4.5px; opacity: 0.6; top: 18px; width: 9px; }
      .off { color: var(--soft); font-style: normal; line-height: 1; margin-left: -8px; top: 15px; }
      .off.picked { color: var(--excitation-text); }
      .dot.picked { background: var(--excitation); border: 2px solid var(--excitation-text); height: 14px; margin-left: -7px; opacity: 1; top: 15px; width: 14px; }
      .above, .below { color: var(--excitation-text); line-height: 1; translate: -50%; }
      .above { top: 0; }
      .below { top: 31px; }
      small { color: var(--soft); font-size: 13px; top: 44px; }
      .said { min-height: 9.5em; }
      .said p { margin: 0 0 6px; }`,
    ),
    h("h3", {}, "Predict before you look"),
    h("p", { class: "note" }, `Each variant against the network without SE, accuracy in points. ${about}.`),
    h("div", { class: "row" }, best, worst, commit, again),
    strip,
    said,
  );
  reset();
});

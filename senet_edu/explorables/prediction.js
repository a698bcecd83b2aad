/* Chapter 7: drag a dot for each variant to where its accuracy will lie; then the measured ones appear on the axis. */
import { button, figure, h, signed as withSign } from "./lib/core.js";
import plotCss from "./lib/dotplot.css";
import { axis } from "./lib/dotplot.js";
import rowsCss from "./lib/rows.css";
import css from "./prediction.css";

figure("se-prediction", (root, { about, reach, rows }, self) => {
  const signed = (value) => withSign(value, 1);
  const scale = axis([-reach, reach]);
  const lines = rows.map(({ label }) => {
    const range = h("input", { type: "range", min: -reach, max: reach, step: 0.1, value: 0, "aria-label": label });
    const guess = h("i", { class: "guess" });
    const cell = h("td", { class: "plot" });
    const mine = h("td", { class: "figure mine" });
    const found = h("td", { class: "figure found" });
    const show = () => {
      guess.style.left = scale.left(range.value).slice(6);
      mine.textContent = signed(Number(range.value));
      range.setAttribute("aria-valuetext", `${mine.textContent} points`);
    };
    range.addEventListener("input", show);
    return {
      range,
      guess,
      cell,
      mine,
      found,
      show,
      row: h("tr", {}, h("th", { scope: "row" }, label), cell, mine, found),
    };
  });

  const said = h("p", { class: "said verdict" });
  const inside = ({ mean, margin }, value) => Math.abs(value - mean) <= margin;
  const sentence = (guesses) => {
    const off = guesses.map((value, i) => Math.abs(value - rows[i].mean));
    const [near, far] = [Math.min(...off), Math.max(...off)].map((value) => off.indexOf(value));
    const right = guesses.filter((value, i) => inside(rows[i], value)).length;
    const one = (i) => `${rows[i].label} (you ${signed(guesses[i])}, measured ${rows[i].points})`;
    const most = rows.length > 1 ? ` Furthest off: ${one(far)}.` : "";
    const lie = `${right} of your ${rows.length} guesses ${right === 1 ? "lies" : "lie"} in the 95 % interval.`;
    return `${lie} Closest: ${one(near)}.${most}`;
  };
  const draw = (open) => {
    lines.forEach(({ range, guess, cell, found, show }, i) => {
      const { mean, margin, points } = rows[i];
      range.disabled = !open;
      cell.replaceChildren(
        ...(open ? [scale.line(0)] : scale.row({ value: mean, low: mean - margin, high: mean + margin })),
        range,
        guess,
      );
      found.textContent = open ? "?" : points;
      show();
    });
    commit.hidden = !open;
    again.hidden = open;
    said.textContent = open ? "" : sentence(lines.map(({ range }) => Number(range.value)));
    note.hidden = !open;
    self.say(said.textContent);
  };
  const commit = button({ label: "Commit and reveal", primary: true, click: () => draw(false) });
  const again = button({
    label: "Start over",
    click: () => {
      for (const { range } of lines) range.value = 0;
      draw(true);
    },
  });
  const note = h("p", { class: "note" }, "Zero: as good as without SE. Nothing is shown before you commit.");
  const numbers = h(
    "div",
    { class: "axis-marks" },
    scale.numbers(4.4, (value) => withSign(value, 0)),
  );
  root.append(
    h("style", {}, plotCss + rowsCss + css),
    h("h3", {}, "How much will each gain?"),
    h(
      "p",
      { class: "note" },
      "Drag each mark to where you expect this variant: points of accuracy above or below the network without SE. ",
      `${about}.`,
    ),
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h("tr", {}, h("td"), h("td"), h("th", { scope: "col" }, "you"), h("th", { scope: "col" }, "measured")),
      ),
      h(
        "tbody",
        {},
        lines.map(({ row }) => row),
      ),
      h("tfoot", { "aria-hidden": "true" }, h("tr", {}, h("td"), h("td", {}, numbers))),
    ),
    h("div", { class: "foot" }, h("div", { class: "row" }, commit, again), note, said),
  );
  draw(true);
});

/* Chapter 4: real feature maps, each times its gate. */
import { button, clamp, colors, drag, figure, frame, h, number, pixels, slider } from "./lib/core.js";

figure("se-rescale", (root, data, self) => {
  const { columns, levels, contrast, means } = data;
  const C = means.length;
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const picture = bytes(data.picture);
  const all = bytes(data.maps);
  const size = all.length / C;
  const maps = means.map((_, c) => all.subarray(c * size, (c + 1) * size));
  const gates = Float64Array.from(data.gates);
  let shown = 0;

  /** A map times a factor: middle gray is zero, white and black are the same for all maps. */
  const paint = (canvas, map, factor) =>
    pixels(canvas, map, columns, (level) => colors.map(0.5 + (0.5 * contrast * factor * (level - levels)) / levels));
  const canvas = (label) => h("canvas", { role: "img", "aria-label": label });
  const low = (n) => String(n + 1).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);

  /* One channel, large. */

  const photo = canvas("The picture");
  const before = canvas("The map before the rescale");
  const after = canvas("The map after the rescale");
  const heads = [h("span", {}), h("span", {})];
  const notes = ["before", "after"].map((when) => h("span", { class: "number", "data-mean": when }));
  const chip = h("span", { class: "chip number" });
  const one = slider({
    label: "",
    min: 0,
    max: 1,
    value: gates[0],
    tone: "excitation",
    input: (value) => set(shown, value),
  });

  /* All channels, small: radio buttons, so that arrow keys go from one to the next. */

  const tiles = means.map((_, c) => {
    const radio = h("input", { type: "radio", name: "channel", onchange: () => choose(c) });
    const map = canvas("");
    map.setAttribute("aria-hidden", "true");
    const fill = h("div", {});
    const bar = h("div", { class: "bar" }, h("div", { class: "track" }, fill, h("i", {})));
    const value = h("span", { class: "number" });
    const tile = h(
      "label",
      {},
      radio,
      h("span", { class: "caption" }, h("span", { class: "channel" }, c + 1), value),
      map,
      bar,
    );
    drag(
      bar,
      () => gates[c],
      (gate) => set(c, gate),
      (event) => {
        const box = bar.getBoundingClientRect();
        return Math.round(((event.clientX - box.left) / box.width) * 100) / 100;
      },
    );
    return { tile, radio, map, fill, value, drawn: null };
  });

  const set = (c, gate) => {
    gates[c] = clamp(gate, 0, 1);
    choose(c);
  };
  const choose = (c) => {
    shown = c;
    tiles[c].radio.checked = true;
    one.value = gates[c];
    draw();
  };
  const setAll = (values) => {
    gates.forEach((_, c) => (gates[c] = values[c]));
    choose(shown);
  };

  const draw = frame(() => {
    const gate = gates[shown];
    const k = low(shown);
    one.querySelector("label").textContent = `Gate s${k} of channel ${shown + 1}`;
    paint(before, maps[shown], 1);
    paint(after, maps[shown], gate);
    heads[0].textContent = `u${k}`;
    heads[1].textContent = `x̃${k}`;
    notes[0].textContent = number(means[shown]);
    notes[1].textContent = number(gate * means[shown]);
    chip.textContent = number(gate);
    const color = colors.gate(gate);
    chip.style.background = colors.css(color);
    chip.style.color = colors.on(color);
    tiles.forEach((tile, c) => {
      if (tile.drawn === gates[c]) return;
      tile.drawn = gates[c];
      paint(tile.map, maps[c], gates[c]);
      tile.value.textContent = number(gates[c]);
      tile.fill.style.width = `${100 * gates[c]}%`;
      tile.fill.style.background = colors.css(colors.gate(gates[c]));
      tile.radio.setAttribute("aria-label", `channel ${c + 1}, gate ${number(gates[c])}`);
    });
    self.say(
      `Channel ${shown + 1}: gate ${number(gate)}, mean ${notes[0].textContent} before, ${notes[1].textContent} after.`,
    );
  });

  root.append(
    h(
      "style",
      {},
      `
      canvas { width: 100%; }
      .sum { align-items: center; column-gap: 14px; display: grid; grid-template-columns: 1fr auto 1fr auto 1fr; margin: 10px auto; max-width: 640px; text-align: center; }
      .sum > span { font-size: 14px; padding: 2px 0; }
      .name { font-weight: 600; }
      .part { display: inline-block; }
      .chip { border-radius: 6px; display: inline-block; margin: 0 4px; padding: 3px 7px; }
      .tiles { display: grid; gap: 8px; grid-template-columns: repeat(8, 1fr); }
      .tiles label { border-radius: 6px; cursor: pointer; display: block; font-size: 13px; padding: 3px; position: relative; }
      .tiles label:has(:checked) { box-shadow: 0 0 0 2px var(--ink); }
      .tiles label:has(:focus-visible) { outline: 3px solid var(--focus); outline-offset: 3px; }
      .tiles input { height: 100%; inset: 0; margin: 0; opacity: 0; pointer-events: none; position: absolute; width: 100%; }
      .caption { display: flex; justify-content: space-between; }
      .channel { color: var(--soft); }
      .bar { cursor: ew-resize; padding: 6px 0; touch-action: pan-y; }
      .track { background: var(--faint); border: 1px solid var(--soft); border-radius: 3px; height: 12px; overflow: hidden; position: relative; }
      .track div { height: 100%; }
      .track i { border-left: 1px dashed var(--soft); height: 100%; left: 50%; position: absolute; top: 0; }
      @container (max-width: 520px) {
        .tiles { gap: 4px; grid-template-columns: repeat(4, 1fr); }
        .sum { column-gap: 6px; }
        .wide { display: none; }
        .part { display: block; }
        .chip { margin: 0; padding: 3px 5px; }
      }`,
    ),
    h("h3", {}, "Turn the dials"),
    h(
      "p",
      { class: "note" },
      "Middle gray is zero. Choose a channel below and drag its ",
      h("span", { class: "excitation" }, "gate"),
      ".",
    ),
    h(
      "div",
      { class: "sum" },
      h("span", { class: "name" }, "picture"),
      h("span", {}),
      h("span", { class: "name" }, heads[0], h("span", { class: "wide" }, ", before")),
      h("span", {}),
      h("span", { class: "name rescale" }, heads[1], h("span", { class: "wide" }, ", after")),
      photo,
      h("span", { "aria-hidden": "true" }, "→"),
      before,
      h("span", {}, "× ", chip, " ="),
      after,
      h("span", {}),
      h("span", {}),
      h("span", {}, h("span", { class: "part" }, "mean\u00a0"), notes[0]),
      h("span", {}),
      h("span", { class: "rescale" }, h("span", { class: "part" }, "mean\u00a0"), notes[1]),
    ),
    h(
      "div",
      { class: "row" },
      one,
      h(
        "fieldset",
        {},
        h("legend", {}, "Set all gates to"),
        h(
          "div",
          { class: "options" },
          button({ label: "the network’s", click: () => setAll(data.gates) }),
          [
            ["1", 1],
            ["½", 0.5],
            ["0", 0],
          ].map(([label, gate]) => button({ label, click: () => setAll(means.map(() => gate)) })),
        ),
      ),
    ),
    h(
      "fieldset",
      {},
      h("legend", {}, `All ${C} channels after the rescale`),
      h(
        "div",
        { class: "tiles" },
        tiles.map(({ tile }) => tile),
      ),
    ),
  );
  const side = data.side;
  pixels(
    photo,
    Array.from({ length: picture.length / 3 }, (_, i) => i),
    side,
    (i) => picture.subarray(3 * i, 3 * i + 3),
  );
  choose(0);
});

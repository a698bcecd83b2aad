/* Chapter 4: real feature maps, each times its gate. */
import { button, clamp, colors, drag, figure, frame, h, number, pixels, slider, unpack } from "./lib/core.js";
import css from "./rescale.css";

figure("se-rescale", (root, data, self) => {
  const { columns, contrast } = data;
  const [means, picture, maps] = [data.means, data.picture, data.maps].map(unpack);
  const C = means.length;
  const own = unpack(data.gates);
  const gates = Float64Array.from(own);
  let shown = 0;

  /** A map times a factor, in the colors of signed numbers, on one scale for all maps. */
  const paint = (canvas, map, factor) => pixels(canvas, map, columns, (u) => colors.signed(contrast * factor * u));
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
    h("style", {}, css),
    h("h3", {}, "Turn the dials"),
    h(
      "p",
      { class: "note" },
      "Zero is the color of the paper. Choose a channel below and drag its ",
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
          { class: "row" },
          button({ label: "the network’s", click: () => setAll(own) }),
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
    (i) => picture.slice(3 * i, 3 * i + 3),
  );
  self.ontheme = () => {
    for (const tile of tiles) tile.drawn = null;
    draw();
  };
  choose(0);
});

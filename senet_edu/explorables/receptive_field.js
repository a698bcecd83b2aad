/* Chapter 1: the window of one value on a picture, block by block, with and without SE blocks. */
import { choice, clamp, figure, frame, h, slider, svg } from "./lib/core.js";
import css from "./receptive_field.css";

figure("se-receptive-field", (root, { networks, scene }, self) => {
  let network = networks[0];
  let want = [0.5, 0.5]; // the place that was asked for, as a share of the picture: row, column

  const names = (part) => {
    const [, stage, block] = part.match(/layer(\d)\.(\d+)/) || [];
    return stage ? `stage ${stage}, block ${block}` : "the stem";
  };
  /** The middle pixel of the window that is nearest to a place. */
  const middle = (share, jump) =>
    jump * clamp(Math.round((share * network.side) / jump), 0, Math.ceil(network.side / jump) - 1);

  /* The picture. */
  const canvas = h("canvas", {
    role: "application",
    tabindex: 0,
    "aria-label": "The picture. Move the value with the arrow keys.",
  });
  const box = h("div", { class: "window smooth" });
  const dot = h("div", { class: "dot smooth" });
  const paint = (left, top, width, height, seesAll) => {
    const { side } = network;
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const pen = canvas.getContext("2d");
    for (const { color, polygon, ellipse } of scene) {
      pen.fillStyle = color;
      pen.beginPath();
      if (ellipse) pen.ellipse(...ellipse.map((n) => n * side), 0, 0, 2 * Math.PI);
      else for (const [x, y] of polygon) pen.lineTo(x * side, y * side);
      pen.fill();
    }
    if (seesAll) return;
    pen.fillStyle = self.color("--card");
    pen.globalAlpha = 0.86;
    pen.fillRect(0, 0, side, top);
    pen.fillRect(0, top + height, side, side);
    pen.fillRect(0, top, left, height);
    pen.fillRect(left + width, top, side, height);
    pen.globalAlpha = 1;
  };

  /* The staircase: how wide the window is behind every block. */
  const [wide, high, base, ceiling] = [330, 190, 158, 20];
  const chart = svg("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", style: "width: 100%" });
  let bars, reaches;
  const build = () => {
    const { fields, side } = network;
    const step = (wide - 4) / fields.length;
    const x = (i) => 2 + (i + 0.1) * step;
    const y = (size) => base - ((base - ceiling) * size) / fields.at(-1)[1];
    const bar = (name, i, size) =>
      svg("rect", { class: name, x: x(i), y: y(size), width: step * 0.8, height: base - y(size), rx: 1.5 });
    bars = fields.map(([, size], i) => bar("bar", i, size));
    reaches = fields.map(([name], i) => bar(name === "stem" ? "none" : "reach", i, side));
    const hits = fields.map((_, i) =>
      svg("rect", {
        x: x(i - 0.1),
        y: 0,
        width: step,
        height: high,
        fill: "transparent",
        style: "cursor: pointer",
        onclick: () => ((depth.value = i), draw()),
      }),
    );
    const stage = ([name]) => name.split(".")[0];
    const stages = [...new Set(fields.map(stage))].flatMap((name) => {
      const of = [...fields.keys()].filter((i) => stage(fields[i]) === name);
      const [from, to] = [x(of[0]), x(of.at(-1)) + step * 0.8];
      const text = svg(
        "text",
        { x: (from + to) / 2, y: base + 21, "text-anchor": "middle" },
        name.replace("layer", "stage "),
      );
      return [
        svg("line", { class: "axis", x1: from, x2: to, y1: base + 5, y2: base + 5 }),
        ...(to - from > 25 ? [text] : []),
      ];
    });
    const told = y(side) - 6;
    const shown = svg("text", { class: "shown", "text-anchor": "middle" });
    chart.replaceChildren(
      ...reaches,
      ...bars,
      svg("line", { class: "side", x1: 0, x2: wide, y1: y(side), y2: y(side) }),
      svg("text", { class: "told", x: 2, y: told }, `the whole picture: ${side} px`),
      shown,
      ...stages,
      ...hits,
    );
    chart.show = (i, seesAll) => {
      const size = fields[i][1];
      shown.textContent = `${size} px`;
      const half = 4 * shown.textContent.length;
      const above = seesAll && size < side ? told : y(size) - 6; // above the higher of the two bars
      shown.setAttribute("x", clamp(x(i) + step * 0.4, half, wide - half));
      shown.setAttribute("y", Math.abs(above - told) < 14 && x(i) < 170 ? told - 15 : above);
    };
  };

  const where = h("span", { class: "note" });
  const count = h("span", { class: "number", "data-number": "window" });
  const all = h("span", { class: "number", "data-number": "gates" });
  const comma = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

  const draw = frame(() => {
    const { side, fields } = network;
    const [name, size, jump] = fields[depth.value];
    const withSE = kind.value === "se";
    const seesAll = withSE && name !== "stem";
    const [row, column] = want.map((share) => middle(share, jump));
    const reach = (size - 1) / 2;
    const cells = Math.ceil(side / jump);
    const span = (n) => [Math.max(0, n - reach), Math.min(side - 1, n + reach)];
    const [[top, bottom], [left, right]] = [span(row), span(column)];
    const [height, width] = [bottom - top + 1, right - left + 1];
    paint(left, top, width, height, seesAll);
    const place = (element, x, y, w, h) =>
      Object.entries({ left: x, top: y, width: w, height: h }).forEach(
        ([key, n]) => (element.style[key] = `${(100 * n) / side}%`),
      );
    place(box, left, top, width, height);
    place(dot, column + 0.5, row + 0.5, 0, 0);
    canvas.parentElement.classList.toggle("all", seesAll);
    for (const row of [bars, reaches]) row.forEach((bar, i) => bar.classList.toggle("on", i === depth.value));
    chart.classList.toggle("se", withSE);
    chart.show(depth.value, seesAll);
    chart.setAttribute(
      "aria-label",
      `The window behind ${names(name)} is ${size} pixels wide; the picture is ${side} pixels wide.`,
    );
    count.textContent = `${comma(height * width)} of ${comma(side * side)} pixels`;
    all.textContent = seesAll ? `${comma(side * side)} of ${comma(side * side)} pixels` : "nothing";
    where.textContent = `row ${row / jump}, column ${column / jump} of ${cells} × ${cells}`;
    self.say(
      `Behind ${names(name)}: through its window the value sees ${count.textContent}, ` +
        `through the gates ${all.textContent}.`,
    );
  });

  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    const jump = network.fields[depth.value][2];
    want = want.map((share, k) => clamp(middle(share, jump) + move[k] * jump, 0, network.side - 1) / network.side);
    event.preventDefault();
    draw();
  });
  const point = (event) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const half = 0.5 / network.side; // a pixel's middle lies half a pixel behind its edge
    want = [(event.clientY - top) / height, (event.clientX - left) / width].map((share) => clamp(share - half, 0, 1));
    draw();
  };
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointermove", (event) => (event.pointerType === "mouse" || event.buttons) && point(event));

  const depth = slider({
    label: "Behind",
    min: 0,
    max: networks[0].fields.length - 1,
    step: 1,
    value: 1,
    tone: "squeeze",
    format: (i) => names(network.fields[i][0]),
    input: () => draw(),
  });
  const kind = choice({
    label: "Blocks",
    options: [
      ["plain", "plain"],
      ["se", "with SE"],
    ],
    value: "plain",
    input: () => draw(),
  });
  const which = choice({
    label: "Network",
    options: networks.map(({ title, side }, i) => [String(i), `${title}, ${side} px`]),
    value: "0",
    input: (i) => {
      network = networks[i];
      depth.input.max = network.fields.length - 1;
      depth.value = 1;
      build();
      draw();
    },
  });

  root.append(
    h("style", {}, css),
    h("h3", {}, "What does one value see?"),
    h("p", { class: "note" }, "Go deeper, block by block, and watch the window of one value grow. Then switch SE on."),
    h(
      "div",
      { class: "views" },
      h("div", { class: "view", style: "flex-basis: 240px" }, h("div", { class: "picture" }, canvas, box, dot)),
      h(
        "div",
        { class: "view", style: "flex-basis: 280px" },
        depth,
        chart,
        h(
          "dl",
          {},
          h("dt", {}, "the value"),
          h("dd", {}, where),
          h("dt", {}, "in its window"),
          h("dd", {}, count),
          h("dt", { class: "squeeze" }, "by the gates"),
          h("dd", {}, all),
        ),
      ),
    ),
    h("div", { class: "row" }, which, kind),
  );
  self.ontheme = draw;
  build();
  draw();
});

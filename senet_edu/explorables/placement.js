/* Chapter 5: move SE among its places in a residual block; shapes, parameters and multiply-adds follow. */
import { choice, clamp, figure, frame, h, number, svg } from "./lib/core.js";
import css from "./placement.css";

figure("se-placement", (root, { networks, reductions }, self) => {
  const NAMES = { pre: "PRE", "3x3": "3×3", standard: "standard", identity: "identity", post: "POST" };
  const MEANING = {
    pre: "SE rescales what the convolutions read. The shortcut passes unscaled.",
    "3x3": "SE rescales the maps inside the bottleneck, where there are fewest. The shortcut passes unscaled.",
    standard: "SE rescales what the convolutions propose. The shortcut passes unscaled.",
    identity: "SE rescales the shortcut. What the convolutions propose passes unscaled.",
    post: "SE rescales the sum, the shortcut with it. What is taken away here is lost to all later layers.",
  };
  const state = { network: "resnet50", stage: 1, r: 16, place: "standard" };
  const network = () => networks[state.network];
  const places = () => Object.keys(network().places);
  const whole = (n) => n.toLocaleString("en-US");
  const short = (n) =>
    n >= 995e6 ? `${number(n / 1e9, 3)} G` : n >= 99500 ? `${number(n / 1e6)} M` : `${number(n / 1e3, 1)} k`;

  /* The graph: the residual runs down on the left, the shortcut on the right. */
  const [WIDTH, HEIGHT, LEFT, RIGHT, LABEL] = [310, 486, 154, 262, 106];
  const [BRANCH, SUM, RELU, END] = [34, 352, 388, 478];
  const SPOTS = {
    pre: [LEFT, 66],
    "3x3": [LEFT, 213],
    standard: [LEFT, 307],
    identity: [RIGHT, 238],
    post: [LEFT, 428],
  };
  const LAYERS = {
    bottleneck: [
      ["1×1", 113, "conv1", 140],
      ["3×3", 166, "conv2", 213],
      ["1×1", 260, "conv3", 307],
    ],
    basic: [
      ["3×3", 127, "conv1", 176],
      ["3×3", 225, "conv2", 266],
    ],
  };
  const line = (points, attributes) =>
    svg("polyline", {
      points: points.map((p) => p.join()).join(" "),
      fill: "none",
      stroke: "var(--plain)",
      "stroke-width": 1.6,
      ...attributes,
    });
  const box = (x, y, width, height, attributes) =>
    svg("rect", { x: x - width / 2, y: y - height / 2, width, height, rx: 5, ...attributes });
  const text = (x, y, string, attributes) =>
    svg("text", { x, y: y + 4.5, "text-anchor": "middle", ...attributes }, string);
  const shape = ([channels, side]) => `${channels} × ${side} × ${side}`;
  const arrow = (x, y, turn = 0) =>
    svg("path", { d: "M-5-9L5-9L0 0Z", fill: "var(--plain)", transform: `translate(${x} ${y}) rotate(${turn})` });

  const wires = svg("g");
  const sockets = svg("g");
  const thirds = ["squeeze", "excitation", "rescale"].map((name, k) =>
    svg("rect", { x: -37 + (k * 74) / 3, y: 7, width: 74 / 3, height: 9, fill: `var(--${name})` }),
  );
  const module = svg(
    "g",
    { class: "se smooth", role: "slider", tabindex: 0, "aria-label": "Place of SE", "aria-valuemin": 1 },
    box(0, 0, 74, 32, { fill: "var(--card)", stroke: "none" }),
    thirds,
    box(0, 0, 74, 32, { fill: "none", stroke: "var(--ink)", "stroke-width": 1.6, rx: 2 }),
    text(0, -4, "SE", { class: "name" }),
  );
  const graph = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group", "aria-label": "The residual block", style: "width: 100%" },
    wires,
    sockets,
    module,
  );

  const drawGraph = () => {
    const { kind, shapes } = network();
    const at = shapes[state.stage];
    const layers = LAYERS[kind];
    const soft = { class: "soft", "text-anchor": "end" };
    // Where the rescaled maps run until something else is computed from them.
    const ends = { pre: layers[0][1] - 15, "3x3": 245, standard: SUM - 14, post: END - 9 };
    const [x, y] = SPOTS[state.place];
    const green = { stroke: "var(--rescale)", "stroke-width": 5, "stroke-linecap": "butt" };
    wires.replaceChildren(
      line([
        [LEFT, 4],
        [LEFT, END - 4],
      ]),
      arrow(LEFT, END),
      line([
        [LEFT, BRANCH],
        [RIGHT, BRANCH],
        [RIGHT, SUM],
        [LEFT + 18, SUM],
      ]),
      line(
        state.place === "identity"
          ? [
              [x, y],
              [x, SUM],
              [LEFT + 22, SUM],
            ]
          : [
              [x, y],
              [x, ends[state.place]],
            ],
        green,
      ),
      arrow(LEFT + 14, SUM, 90),
      svg("circle", { cx: LEFT, cy: BRANCH, r: 3.5, fill: "var(--plain)" }),
      text(LABEL, 66, shape(at.in), soft),
      ...layers.flatMap(([name, top, layer, below]) => [
        box(LEFT, top, 84, 30, { fill: "var(--faint)", stroke: "var(--plain)" }),
        text(LEFT, top, name),
        text(LABEL, below, shape(at[layer]), soft),
      ]),
      at.downsample
        ? svg(
            "g",
            {},
            box(RIGHT, 166, 60, 30, { fill: "var(--faint)", stroke: "var(--plain)" }),
            text(RIGHT, 166, "1×1"),
          )
        : "",
      text(RIGHT, BRANCH - 14, "shortcut", { class: "soft" }),
      svg("circle", { cx: LEFT, cy: SUM, r: 14, fill: "var(--card)", stroke: "var(--plain)", "stroke-width": 1.6 }),
      svg("path", { d: `M${LEFT - 6} ${SUM}h12M${LEFT} ${SUM - 6}v12`, stroke: "var(--ink)", "stroke-width": 1.8 }),
      box(LEFT, RELU, 56, 24, { fill: "var(--faint)", stroke: "var(--plain)", rx: 12 }),
      text(LEFT, RELU, "ReLU"),
      text(LABEL, 428, shape(at[layers.at(-1)[2]]), soft),
    );
    sockets.replaceChildren(
      ...places()
        .filter((place) => place !== state.place)
        .map((place) => {
          const [left, top] = SPOTS[place];
          return svg(
            "g",
            { class: "socket", onclick: () => move(place) },
            box(left, top, 74, 32, { fill: "var(--card)", stroke: "var(--plain)", "stroke-dasharray": "4 3" }),
            text(left, top, NAMES[place], { class: "soft" }),
          );
        }),
    );
    if (!held) module.style.transform = `translate(${x}px, ${y}px)`;
    module.setAttribute("aria-valuemax", places().length);
    module.setAttribute("aria-valuenow", places().indexOf(state.place) + 1);
    module.setAttribute("aria-valuetext", `${NAMES[state.place]}: ${MEANING[state.place]}`);
  };

  /* SE is dragged to the nearest place, or goes from place to place with the arrow keys. */
  let held = null;
  const point = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(graph.getScreenCTM().inverse());
  module.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const { x, y } = point(event);
    const [left, top] = SPOTS[state.place];
    held = [x - left, y - top];
    module.setPointerCapture(event.pointerId);
    module.classList.remove("smooth");
  });
  module.addEventListener("pointermove", (event) => {
    if (!held) return;
    const { x, y } = point(event);
    const [left, top] = [clamp(x - held[0], 40, WIDTH - 40), clamp(y - held[1], 20, HEIGHT - 20)];
    module.style.transform = `translate(${left}px, ${top}px)`;
    const far = (place) => Math.hypot(SPOTS[place][0] - left, SPOTS[place][1] - top);
    move(places().reduce((best, place) => (far(place) < far(best) ? place : best)));
  });
  const drop = () => {
    if (!held) return;
    held = null;
    module.classList.add("smooth");
    draw();
  };
  module.addEventListener("pointerup", drop);
  module.addEventListener("pointercancel", drop);
  module.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, Home: -9, End: 9 };
    if (!steps[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    move(places()[clamp(places().indexOf(state.place) + steps[event.key], 0, places().length - 1)]);
  });

  /* The numbers. */
  const meaning = h("p", { class: "meaning" });
  const cell = (name) => h("td", { class: "number", "data-number": name });
  const steps = Object.fromEntries(
    ["squeeze", "excite", "rescale"].map((name) => [name, { how: h("td"), count: cell(name) }]),
  );
  const block = h(
    "table",
    {},
    h("caption", {}, "SE in this block, multiply-adds"),
    Object.entries(steps).map(([name, { how, count }]) =>
      h("tr", {}, h("th", { scope: "row", class: name === "excite" ? "excitation" : name }, name), how, count),
    ),
  );
  const own = h("p", { class: "note" });

  const rows = Object.keys(NAMES).map((place) => {
    const radio = h("input", { type: "radio", name: "place", value: place, onchange: () => move(place) });
    const bars = ["parameters", "work"].map((key) => ({
      key,
      bar: h("div", { class: "bar" }),
      count: h("span", { class: "number", "data-number": `${place} ${key}` }),
    }));
    const row = h(
      "tr",
      {},
      h("th", { scope: "row" }, h("label", {}, radio, NAMES[place])),
      bars.map(({ bar, count }) => h("td", {}, count, bar)),
    );
    return { place, radio, bars, row };
  });
  const caption = h("caption");
  const compare = h(
    "table",
    { class: "places" },
    caption,
    h(
      "tr",
      {},
      h("th", { scope: "col" }, "place"),
      h("th", { scope: "col" }, "parameters"),
      h("th", { scope: "col" }, "multiply-adds"),
    ),
    rows.map(({ row }) => row),
  );
  const totals = ["parameters", "work"].map((key) => {
    const [count, share] = ["total", "share"].map((name) =>
      h("td", { class: "number", "data-number": `${name} ${key}` }),
    );
    return {
      key,
      count,
      share,
      row: h("tr", {}, h("th", { scope: "row" }, key === "work" ? "multiply-adds" : key), count, share),
    };
  });
  const title = h("caption");
  const total = h(
    "table",
    {},
    title,
    totals.map(({ row }) => row),
  );

  const wide = matchMedia("(min-width: 600px)").matches; // on a phone it is folded
  const details = h("details", { open: wide }, h("summary", {}, "In all, and in this block"), total, block, own);

  const drawNumbers = () => {
    const { places: costs, blocks, title: name } = network();
    const cost = costs[state.place][state.r];
    const se = cost.stages[state.stage];
    meaning.textContent = MEANING[state.place];
    for (const step of Object.keys(steps)) {
      steps[step].how.textContent =
        step === "excite" ? `2 · ${se.channels} · ${se.hidden}` : shape([se.channels, se.side]);
      steps[step].count.textContent = whole(se[step]);
    }
    own.replaceChildren(
      "W₁ and W₂ have ",
      h("span", { class: "number", "data-number": "block parameters" }, whole(se.parameters)),
      " parameters.",
    );
    caption.textContent = `SE in all ${blocks} blocks of ${name} adds`;
    for (const { place, radio, bars, row } of rows) {
      radio.checked = place === state.place;
      radio.disabled = !costs[place];
      row.className = radio.checked ? "chosen" : "";
      for (const { key, bar, count } of bars) {
        const most = Math.max(...places().map((each) => costs[each][state.r][key]));
        count.textContent = costs[place] ? short(costs[place][state.r][key]) : "–";
        bar.style.width = costs[place] ? `${(100 * costs[place][state.r][key]) / most}%` : 0;
      }
    }
    title.textContent = `${name} with SE`;
    for (const { key, count, share } of totals) {
      count.textContent = (key === "work" ? short : whole)(network()[key] + cost[key]);
      share.textContent = `+${number((100 * cost[key]) / network()[key])} %`;
    }
    self.say(
      `${NAMES[state.place]}. ${MEANING[state.place]} SE sees ${se.channels} maps of ${se.side} by ${se.side}. ` +
        `It adds ${short(cost.parameters)} parameters and ${short(cost.work)} multiply-adds to the network.`,
    );
  };

  const draw = frame(() => (drawGraph(), drawNumbers()));
  const move = (place) => {
    if (place === state.place) return;
    state.place = place;
    draw();
  };
  const set = (key) => (value) => {
    state[key] = key === "network" ? value : Number(value);
    if (!places().includes(state.place)) state.place = "standard"; // a basic block has no bottleneck
    draw();
  };

  root.append(
    h("style", {}, css),
    h("h3", {}, "Move SE through a residual block"),
    h("p", { class: "note" }, "Drag the SE box, or use the arrow keys. First block of a stage, image of 224 × 224."),
    h(
      "div",
      { class: "views" },
      h("div", { class: "graph" }, graph),
      h("div", { class: "numbers" }, meaning, compare, details),
    ),
    h(
      "div",
      { class: "row" },
      choice({
        label: "Network",
        options: Object.entries(networks).map(([key, { title }]) => [key, title]),
        value: state.network,
        input: set("network"),
      }),
      choice({
        label: "Stage",
        options: [0, 1, 2, 3].map((k) => [k, k + 1]),
        value: state.stage,
        input: set("stage"),
      }),
      choice({ label: "Reduction r", options: reductions.map((r) => [r, r]), value: state.r, input: set("r") }),
    ),
  );
  draw();
});

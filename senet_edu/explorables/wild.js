/* Chapter 12: walk through networks with SE, and see where it stands and what it costs there. */
import { choice, figure, frame, grid, h, link, number, svg } from "./lib/core.js";
import css from "./wild.css";

figure("se-wild", (root, { networks, side }, self) => {
  const KEYS = ["parameters", "work"];
  const NAMES = { parameters: "parameters", work: "multiply-adds" };
  for (const network of Object.values(networks))
    network.units = network.units.map(([name, parameters, work, se, channels, hidden, side, ...cost]) => ({
      name,
      parameters,
      work,
      se: se && { name: name + se, channels, hidden, side, parameters: cost[0], work: cost[1] },
    }));
  const widest = (units) =>
    units.reduce((best, { se }, k) => (se?.parameters > (units[best].se?.parameters ?? 0) ? k : best), 0);
  const state = { network: "mobilenet_v3_large", at: 0 };
  const network = () => networks[state.network];
  const sum = (key) => network().units.reduce((total, unit) => total + unit[key], 0);
  const inSE = (key) => network().units.reduce((total, { se }) => total + (se?.[key] ?? 0), 0);
  const whole = (n) => n.toLocaleString("en-US");
  const short = (n) =>
    n >= 995e6 ? `${number(n / 1e9)} G` : n >= 99500 ? `${number(n / 1e6)} M` : `${number(n / 1e3, 1)} k`;
  const percent = (part, all) => {
    const share = (100 * part) / all;
    return share && share < 0.05 ? "under 0.1 %" : `${number(share, 1)} %`;
  };

  /* Two rows of bars, one above the other; a column is a part of the network. */
  const HEIGHT = 100;
  const bars = Object.fromEntries(
    KEYS.map((key) => [key, svg("svg", { preserveAspectRatio: "none", "aria-hidden": "true", "data-bars": key })]),
  );
  const most = Object.fromEntries(KEYS.map((key) => [key, h("span", { class: "most" })]));
  const chart = h(
    "div",
    { class: "chart", role: "slider", "aria-label": "Part of the network", "aria-valuemin": 1 },
    KEYS.flatMap((key) => [h("p", { class: "note" }, h("b", {}, NAMES[key]), most[key]), bars[key]]),
    h("p", { class: "note ends" }, h("span", {}, "stem"), h("span", {}, "data flow →"), h("span", {}, "head")),
  );
  const drawBars = () => {
    const { units } = network();
    for (const key of KEYS) {
      const top = Math.max(...units.map((unit) => unit[key]));
      const bar = (k, height, from, kind) =>
        svg("rect", { class: kind, x: k + 0.1, width: 0.8, y: HEIGHT - from - height, height });
      bars[key].setAttribute("viewBox", `0 0 ${units.length} ${HEIGHT}`);
      bars[key].replaceChildren(
        svg("rect", { class: "column", x: state.at, width: 1, y: 0, height: HEIGHT }),
        ...units.flatMap((unit, k) => {
          const se = ((unit.se?.[key] ?? 0) / top) * HEIGHT;
          const rest = (unit[key] / top) * HEIGHT - se;
          return [bar(k, rest, 0, "rest"), unit.se && bar(k, Math.max(se, 1), rest, "se")].filter(Boolean);
        }),
      );
      most[key].textContent = `, highest bar ${short(top)}`;
    }
  };

  /* In words and numbers. */
  const verdict = h("p", { class: "verdict" });
  const title = h("h4");
  const words = h("p", { class: "words" });
  const cells = Object.fromEntries(
    KEYS.map((key) => [
      key,
      ["se", "part", "share"].map((name) => h("td", { class: "number", "data-number": `${name} ${key}` })),
    ]),
  );
  const table = h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ["", "SE", "whole part", "share"].map((name) => (name ? h("th", { scope: "col" }, name) : h("td"))),
      ),
    ),
    h(
      "tbody",
      {},
      KEYS.map((key) => h("tr", {}, h("th", { scope: "row" }, NAMES[key]), cells[key])),
    ),
  );
  const bold = (key, text) => h("span", { class: "number", "data-number": key }, text);
  const drawWords = () => {
    const { units, gate, title: name, library } = network();
    const unit = units[state.at];
    const { se } = unit;
    const blocks = units.filter((one) => one.se).length;
    verdict.replaceChildren(
      `${name}: `,
      bold("network parameters", percent(inSE("parameters"), sum("parameters"))),
      " of its parameters are in its ",
      bold("blocks", blocks),
      " SE blocks, and ",
      bold("network work", percent(inSE("work"), sum("work"))),
      " of its multiply-adds.",
    );
    title.textContent = se ? se.name : unit.name;
    words.textContent = se
      ? `SE sees ${se.channels} maps of ${se.side} × ${se.side}. ` +
        `${se.channels} → ${se.hidden} → ${se.channels}, `.replaceAll(" →", "\u00a0→").replaceAll("→ ", "→\u00a0") +
        `r = ${number(se.channels / se.hidden, se.channels % se.hidden ? 1 : 0)}. Gate: ${gate}.`
      : "No SE block here.";
    for (const key of KEYS) {
      const [own, part, share] = cells[key];
      const count = key === "work" ? short : whole;
      own.textContent = se ? count(se[key]) : "–";
      part.textContent = count(unit[key]);
      share.textContent = se ? percent(se[key], unit[key]) : "–";
    }
    chart.setAttribute("aria-valuemax", units.length);
    chart.setAttribute("aria-valuenow", state.at + 1);
    chart.setAttribute("aria-valuetext", `${title.textContent}. ${words.textContent}`);
    self.say(
      `${name}, of ${library}. ${title.textContent}. ${words.textContent}` +
        (se ? ` ${percent(se.parameters, unit.parameters)} of the parameters of this part.` : ""),
    );
  };
  const draw = frame(() => (drawBars(), drawWords()));

  const keys = grid(chart, 1, () => network().units.length, { enter: (_, at, event) => event && kept({ at }) });
  const go = (change) => {
    Object.assign(state, change);
    keys.column = state.at;
    which.value = state.network;
    draw();
  };
  const kept = (change) => {
    go(change);
    link.set("wild", `${state.network},${network().units[state.at].name}`);
  };
  const which = choice({
    label: "Network",
    options: Object.entries(networks).map(([key, { title }]) => [key, title]),
    value: state.network,
    input: (key) => kept({ network: key, at: widest(networks[key].units) }),
  });
  link.follow("wild", (text) => {
    const [key, name] = text.split(",");
    const at = networks[key].units.findIndex((unit) => unit.name === name);
    if (at >= 0) go({ network: key, at });
  });
  if (!state.at) state.at = widest(network().units);

  root.append(
    h("style", {}, css),
    h("h3", {}, "Where SE stands in other networks"),
    h(
      "p",
      { class: "note" },
      "Choose a network, then point at a bar. ",
      h("i", { class: "key se" }),
      "SE ",
      h("i", { class: "key rest" }),
      `all else. One image of ${side}\u00a0×\u00a0${side}.`,
    ),
    h("div", { class: "views" }, chart, h("div", { class: "panel" }, verdict, title, words, table)),
    which,
  );
  keys.column = state.at;
  draw();
});

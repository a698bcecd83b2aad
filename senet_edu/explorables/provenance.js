/* Chapter 13: an equation, the line of code that computes it and the test that holds it; and how each file was made. */
import { link as address, choice, figure, grid, h } from "./lib/core.js";

figure("se-provenance", (root, { links, files }, self) => {
  const views = { map: h("div", {}), files: h("div", {}) };

  /* The map: formula, code and test of one link. */

  const groups = [...new Set(links.map((one) => one.group))];
  const pickers = groups.map((group) =>
    choice({
      label: group,
      options: links.filter((one) => one.group === group).map((one) => [one.key, one.label]),
      input: (key) => show(key, true),
    }),
  );
  pickers.forEach((picker) =>
    picker.querySelectorAll("input").forEach((radio) => {
      const one = links.find((each) => each.key === radio.value);
      radio.setAttribute("aria-label", `${one.label}: ${one.title}`);
      radio.parentElement.title = one.title;
    }),
  );

  const title = h("span", { class: "label" });
  const formula = h("div", { class: "formula", role: "math" });
  const code = h("pre", { class: "code", tabindex: 0, role: "region" });
  const test = h("pre", { tabindex: 0, role: "region" });
  const names = { code: h("code"), test: h("code") };
  const heldTo = h("p", { class: "held" });

  // A long name may be broken behind its dots and lines.
  const breakable = (name) => name.split(/(?<=[._:/])(?![._:/])/).flatMap((part, i) => (i ? [h("wbr"), part] : [part]));
  // A long line goes on below, indented further than it begins.
  const fill = (pre, label, { name, source, marks }) => {
    pre.setAttribute("aria-label", `${label} ${name}`);
    const lines = (source ?? "The tests are in the repository. They do not come with the installed package.").split(
      "\n",
    );
    pre.replaceChildren(
      ...lines.map((text, i) => {
        const indent = text.length - text.trimStart().length + 4;
        const style = `--in: ${indent}`;
        return h(marks.includes(i) ? "mark" : "span", { class: "line", style }, text || " ");
      }),
    );
    const first = pre.querySelector("mark");
    pre.scrollTop = first ? first.offsetTop - pre.clientHeight / 3 : 0;
  };

  const show = (key, chosen = false) => {
    const one = links.find((each) => each.key === key) ?? links[0];
    pickers.forEach((picker) => (picker.value = one.key));
    views.map.style.setProperty("--tone", `var(--${one.tone})`);
    title.textContent = `${one.title} (${one.chapter})`;
    formula.innerHTML = one.formula;
    formula.setAttribute("aria-label", one.spoken);
    for (const [part, element] of Object.entries(names)) element.replaceChildren(...breakable(one[part].name));
    fill(code, "Code of", one.code);
    fill(test, "Test", one.test);
    heldTo.textContent = one.heldTo;
    if (!chosen) return;
    address.set("made", one.key === links[0].key ? null : one.key);
    self.say(`${one.title}: ${one.spoken}. Computed by ${one.code.name}, held by ${one.test.name}. ${one.heldTo}`);
  };

  views.map.append(
    h("div", { class: "pickers" }, pickers),
    title,
    formula,
    h("p", { class: "step" }, "is computed by ", names.code),
    code,
    h("p", { class: "step" }, "and held by ", names.test),
    test,
    heldTo,
  );

  /* The files: a row each, with a bar for the time, and the record of one. */

  const longest = Math.max(1, ...files.map((file) => file.seconds ?? 0));
  const rows = files.map(({ path, seconds, fields }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, path.split("/")[1]),
      h(
        "td",
        { class: "bar" },
        seconds == null ? "" : h("i", { style: `width: ${((100 * seconds) / longest).toFixed(2)}%` }),
      ),
      h("td", { class: "time" }, fields.Time),
    ),
  );
  const body = h("tbody", { "aria-label": "Files. Move with the arrow keys." }, rows);
  const record = h("dl", {});
  const select = (i) => {
    rows.forEach((row, k) =>
      k === i ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current"),
    );
    const { path, fields } = files[i];
    record.replaceChildren(
      ...[["File", `senet_edu/${path}`], ...Object.entries(fields)].flatMap(([name, value]) => {
        const plain = ["File", "Command", "SHA-256"].includes(name) && value !== "not recorded";
        const lines = plain ? value.split("\n").map((text) => h("code", {}, text)) : value;
        return [h("dt", {}, name), h("dd", { class: value === "not recorded" && "missing" }, lines)];
      }),
    );
    self.say(
      `${path}: ${Object.entries(fields)
        .slice(0, 8)
        .map(([name, value]) => `${name} ${value}`)
        .join(". ")}`,
    );
  };
  grid(body, files.length, 1, { enter: select });
  views.files.append(
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h("tr", {}, h("th", { scope: "col" }, "file"), h("th", { scope: "col" }, "time of its run"), h("td")),
      ),
      body,
    ),
    record,
  );

  const which = choice({
    label: "Look up",
    options: [
      ["map", "equations, tables, figures"],
      ["files", "stored files"],
    ],
    value: "map",
    input: () => turn(),
  });
  const turn = () => Object.entries(views).forEach(([name, view]) => (view.hidden = name !== which.value));

  root.append(
    h(
      "style",
      {},
      `
      .pickers { display: grid; gap: 8px 22px; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); margin: 10px 0 14px; }
      .pickers .options label { justify-content: center; min-width: 38px; padding: 4px 9px; }
      .label { font-weight: 650; }
      .formula { color: var(--ink); font: 21px/1.7 "STIX Two Text", Cambria, "Times New Roman", Times, serif; min-height: 1.7em; }
      .formula sub, .formula sup { font-size: 68%; line-height: 0; }
      .step { margin: 8px 0 4px; overflow-wrap: anywhere; }
      code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
      pre { background: var(--control); border: 1px solid var(--line); border-radius: 7px; font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
        height: 15.5em; margin: 0; overflow: auto; padding: 6px 0; position: relative; }
      pre.code { height: 14.8em; }
      .line { --hang: 99; display: block; overflow-wrap: anywhere; padding: 0 8px 0 calc(min(var(--in), var(--hang)) * 1ch + 8px); text-indent: calc(min(var(--in), var(--hang)) * -1ch); white-space: pre-wrap; }
      mark { background: color-mix(in srgb, var(--tone) 24%, transparent); box-shadow: inset 4px 0 var(--tone); color: inherit; }
      .held { margin: 8px 0 0; min-height: 4.4em; }
      table { border-collapse: collapse; font-size: 14px; margin: 10px 0; width: 100%; }
      th { font-weight: 400; padding: 0 10px 0 9px; text-align: left; white-space: nowrap; }
      thead th { color: var(--soft); font-size: 13px; }
      tbody tr { cursor: pointer; height: 30px; }
      tr[aria-current] { background: var(--faint); }
      tr[aria-current] th { box-shadow: inset 4px 0 var(--ink); }
      .bar { padding: 0; width: 100%; }
      .bar i { background: var(--plain); border-radius: 2px; display: block; height: 8px; min-width: 2px; }
      .time { padding: 0 4px 0 10px; text-align: right; white-space: nowrap; }
      dl { display: grid; gap: 5px 16px; grid-template-columns: max-content 1fr; margin: 0; min-height: 21em; align-content: start; }
      dt { color: var(--soft); font-size: 14px; }
      dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
      dd code { display: block; }
      .missing { color: var(--soft); font-style: italic; }
      @container (max-width: 420px) {
        dl { gap: 0; grid-template-columns: 1fr; }
        dd { margin-bottom: 6px; }
        .bar { display: none; }
        thead { display: none; }
        th { white-space: normal; overflow-wrap: anywhere; }
        .formula { font-size: 19px; }
        pre { font-size: 12px; }
        .line { --hang: 10; }
      }`,
    ),
    h("h3", {}, "How was it made?"),
    h("div", { class: "row" }, which),
    views.map,
    views.files,
  );
  turn();
  select(0);
  show(address.get("made"));
  if (address.get("made")) requestAnimationFrame(() => show(address.get("made"))); // once laid out, its line can be shown
});

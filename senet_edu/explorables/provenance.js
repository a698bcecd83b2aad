/* Chapter 14: an equation, the line of code that computes it and the test that holds it; and how each file was made. */
import { link as address, choice, figure, grid, h } from "./lib/core.js";
import css from "./provenance.css";

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
    h(
      "div",
      { class: "sources" },
      h("p", { class: "step" }, "is computed by ", names.code),
      code,
      h("p", { class: "step" }, "and held by ", names.test),
      test,
    ),
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
    h("style", {}, css),
    h("h3", {}, "How was it made?"),
    h("div", { class: "row" }, which),
    views.map,
    views.files,
  );
  turn();
  select(0);
  show(links[0].key);
  address.follow("made", (name) => {
    show(name);
    requestAnimationFrame(() => show(name)); // once laid out, its line can be shown
  });
});

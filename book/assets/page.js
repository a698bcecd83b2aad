// What a page does beside its text: its theme, its menus, code to copy, and what scrolls reachable by the keyboard.
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const { dataset } = document.documentElement;

  // The theme: as the system has it, until the reader chooses; in forced colors always. Paper is light.
  const [dark, forced] = ["(prefers-color-scheme: dark)", "(forced-colors: active)"].map((query) => matchMedia(query));
  const stored = (value) => {
    try {
      if (value) localStorage.theme = value;
      return localStorage.theme;
    } catch {} // a page in a frame may not store anything
  };
  const follow = () => {
    const chosen = !forced.matches && ["light", "dark"].includes(stored());
    dataset.theme = chosen ? stored() : dark.matches ? "dark" : "light";
  };
  for (const media of [dark, forced]) media.addEventListener("change", follow);
  const button = document.querySelector("button.theme");
  button.addEventListener("click", () => {
    dataset.theme = dataset.theme === "dark" ? "light" : "dark";
    stored(dataset.theme);
  });
  let before;
  addEventListener("beforeprint", () => {
    before = dataset.theme;
    dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    dataset.theme = before;
  });

  // The contents show the page one is on.
  const [side, here] = [document.querySelector("#contents"), document.querySelector("#contents [aria-current]")];
  const show = () => {
    const out = here && here.offsetTop + here.offsetHeight > side.clientHeight;
    if (out) side.scrollTop = here.offsetTop - side.clientHeight / 2;
  };
  show();
  side.addEventListener("toggle", show);

  // A menu closes when something in it was chosen.
  for (const menu of all("[popover]"))
    menu.addEventListener("click", ({ target }) => {
      if (target.closest("a") && menu.matches(":popover-open")) menu.hidePopover();
    });

  // The bar names the chapter when its title has gone.
  const [where, title] = [document.querySelector(".bar .where"), document.querySelector("h1")];
  if (where && title) {
    const seen = new IntersectionObserver(([{ isIntersecting }]) => where.classList.toggle("seen", isIntersecting));
    seen.observe(title);
  }

  addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
    const field = document.querySelector('[role="search"] input');
    if (!field.checkVisibility()) side.showPopover?.();
    field.focus();
    event.preventDefault();
  });

  // A table scrolls sideways before it breaks a short cell, or sets one word a line in a long one.
  for (const cell of all(":is(.pst-scrollable-table-container, .output) > table td"))
    if (!cell.querySelector(".math")) cell.classList.add(cell.textContent.trim().length <= 14 ? "whole" : "prose");

  // Code can be copied, without the prompts and outputs of a console; on paper it is whole, unless it is long.
  for (const box of all("div.highlight")) {
    box.classList.toggle("short", box.querySelector("pre").textContent.trim().split("\n").length <= 16);
    if (box.closest(".cell_output")) continue;
    const copy = document.createElement("button");
    copy.className = "copy";
    copy.textContent = "Copy";
    copy.addEventListener("click", async () => {
      const text = box.querySelector("pre").textContent.trimEnd();
      try {
        await navigator.clipboard.writeText(text);
        copy.textContent = "Copied";
      } catch {
        copy.textContent = "Not allowed";
      }
      setTimeout(() => {
        copy.textContent = "Copy";
      }, 1500);
    });
    box.append(copy);
  }

  // The keyboard can scroll what is wider than its place; nothing else is a stop.
  const reachable = () => {
    for (const box of all("pre, .cell_output .output, .pst-scrollable-table-container")) {
      if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  reachable();
  addEventListener("load", reachable);
  addEventListener("resize", reachable);
  addEventListener("toggle", reachable, true);
})();

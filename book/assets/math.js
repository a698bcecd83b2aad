// Renders the equations of a page. Pages without one do not load this, see _ext/standalone.py.
(() => {
  const macros = {}; // a \def or \newcommand holds for the equations after it
  for (const element of document.querySelectorAll("span.math, div.math > .tex")) {
    const displayMode = element.className === "tex";
    katex.render(element.textContent, element, { displayMode, throwOnError: false, globalGroup: true, macros });
  }

  // An equation wider than the page scrolls by itself, which the keyboard must be able to do, too.
  const reachable = () => {
    for (const box of document.querySelectorAll("div.math > .tex, span.math")) {
      if (box.scrollWidth > box.clientWidth + 4) {
        // more than the 2 px by which KaTeX lets an index stand out
        box.tabIndex = 0;
        box.role = "group";
        box.ariaLabel = "Equation";
      } else for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  };
  document.fonts.ready.then(reachable);
  addEventListener("resize", reachable);
})();

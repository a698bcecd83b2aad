/* Sentences with a little emphasis. */
import { h } from "./core.js";

/** Text in which **bold** and *italic* are marked, as nodes. */
export const rich = (text) =>
  text
    .split(/(\*\*[^*]+\*\*|\*[^*]+\*)/)
    .map((part) =>
      part.startsWith("**")
        ? h("b", {}, part.slice(2, -2))
        : part.startsWith("*")
          ? h("i", {}, part.slice(1, -1))
          : part,
    );

/* A question to commit to before the answer is shown; verdict.js stands where the answer is. */
import css from "./guess.css";
import { choice, figure, h } from "./lib/core.js";
import { guessed, keep, listen } from "./lib/guesses.js";

figure("se-guess", (root, { key, question, options }, self) => {
  const note = h("p", { class: "note" });
  const asked = choice({
    label: [h("b", {}, "Guess first. "), question],
    options: options.map((option) => [option, option]),
    value: guessed(key, options),
    input: (option) => {
      keep(key, option);
      self.say(`Kept: ${option}.`);
    },
  });
  const show = (option) => {
    asked.value = option;
    note.textContent = option === null ? "The answer stands further down." : "Kept. The answer stands further down.";
  };
  self.onend = listen(key, show);
  show(guessed(key, options));
  root.append(h("style", {}, css), asked, note);
});

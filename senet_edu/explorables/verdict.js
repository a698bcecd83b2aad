/* What was found, and beside it what the reader had guessed: the other end of guess.js. Without a guess the question is
   asked again, and the answer waits. */
import css from "./guess.css";
import { button, choice, figure, h } from "./lib/core.js";
import { guessed, keep, listen } from "./lib/guesses.js";

figure("se-verdict", (root, { key, question, options, answer, sentence }, self) => {
  let own = false; // the guess is made here, and the button shows the answer
  const yours = h("p", { class: "note" });
  const found = h("div", { class: "found" }, h("p", { class: "verdict" }, sentence), yours);
  const choices = choice({
    label: [h("b", {}, "You have not guessed yet. "), question],
    options: options.map((option) => [option, option]),
    value: guessed(key, options),
    input: (option) => {
      own = true;
      keep(key, option);
      own = false;
    },
  });
  const reveal = button({
    label: "Show the answer",
    click: () => {
      show();
      found.tabIndex = -1; // the button is gone; the keyboard goes on from here
      found.focus();
      self.say(found.textContent);
    },
  });
  const asked = h("div", { class: "asked row" }, choices, reveal);

  const tell = () => {
    const guess = guessed(key, options);
    const said = guess === null ? ["You did not guess."] : ["You guessed ", h("em", {}, guess), "."];
    yours.replaceChildren(...said, " The answer: ", h("em", {}, answer), ".");
  };
  const show = () => {
    asked.classList.add("away");
    found.classList.remove("away");
    tell();
  };
  self.onend = listen(key, (option) => {
    choices.value = option;
    if (!own) asked.remove(); // it was made where the question stands first: the answer is ready
    if (own && !asked.classList.contains("away")) return;
    show();
  });
  root.append(h("style", {}, css), h("div", { class: "stack" }, asked, found));
  if (guessed(key, options) !== null) {
    asked.remove();
    show();
  } else found.classList.add("away");
});

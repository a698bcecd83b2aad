"""A question that the reader commits to before the answer is shown, and the answer where it is found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from senet_edu import checks
from senet_edu.explorables.lib.base import Explorable


class Guess(Explorable):
    """A question near the top of a chapter; the reader chooses an answer, and nothing is revealed.

        guess = Guess("lamp", "Which will come closer to white light?", ["plain", "with SE", "no difference"])
        guess  # shows the question
        Verdict(guess, "with SE", "With SE: off by 0.063, without 0.117.")  # further down, where the answer stands

    What was chosen is kept in the browser as long as the tab is open, and goes nowhere else.

    Args:
        key: names the question in the whole book: lower-case letters, digits and hyphens.
        question: plain text.
        options: two or more different answers, plain text.

    Raises:
        ValueError: an argument is not as said above.
    """

    name = "guess"

    def __init__(self, key: str, question: str, options: Sequence[str]) -> None:
        if not isinstance(key, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key):
            raise ValueError(f"key must be lower-case letters, digits and hyphens, got {checks.shown(key)}")
        _check_text("question", question)
        if not isinstance(options, list | tuple) or len(options) < 2 or len(set(options)) < len(options):
            raise ValueError(f"options must be two or more different answers, got {checks.shown(options)}")
        for option in options:
            _check_text("each of the options", option)
        super().__init__({"key": key, "question": question, "options": list(options)}, question)

    def without_script(self) -> str:
        options = " · ".join(map(escape, self.data["options"]))
        return f"<p><strong>Guess first.</strong> {escape(self.data['question'])} <em>{options}</em></p>"


class Verdict(Explorable):
    """What was found, in a sentence, beside what the reader had guessed. Who has not guessed yet is asked before.

    Args:
        guess: the question that this answers.
        answer: the right one of its options, better computed than written.
        sentence: what was found, with its number.

    Raises:
        ValueError: `guess` is no `Guess`, `answer` is not one of its options, or the sentence is empty.
    """

    name = "verdict"

    def __init__(self, guess: Guess, answer: str, sentence: str) -> None:
        if not isinstance(guess, Guess):
            raise ValueError(f"guess must be a Guess, the question that is answered; got {checks.shown(guess)}")
        checks.choice("answer", answer, guess.data["options"])
        _check_text("sentence", sentence)
        data = {**guess.data, "answer": answer, "sentence": sentence}
        super().__init__(data, f"The answer to: {guess.data['question']}")

    def without_script(self) -> str:
        question, sentence = escape(self.data["question"]), escape(self.data["sentence"])
        return f"<p>{question} <strong>{sentence}</strong></p>"


def _check_text(what: str, text: str) -> None:
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{what} must be text that is not empty, got {checks.shown(text)}")

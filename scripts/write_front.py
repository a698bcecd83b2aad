"""Write the front page's first screen, `book/assets/front.html`: the lamp's pair, three doors, and what was measured.

    python scripts/write_front.py

Numbers come from stored results alone. The page takes the file as it is, so that building the book needs no PyTorch.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean

from senet_edu.explorables import LampHero
from senet_edu.store import load

ASSETS = Path(__file__).resolve().parents[1] / "book" / "assets"
FRONT, HERO = ASSETS / "front.html", ASSETS / "lamp_hero.html"  # the second for the page of ten minutes
COLAB = "https://colab.research.google.com/github/senet-edu/senet-edu/blob/main/book/00_one_minute.ipynb"

DOORS = f"""\
<div class="se-doors">
<a class="se-first" href="ten_minutes.html"><b>Read</b><span>Ten minutes from idea to verdict, or fifteen chapters.
Nothing to install.</span></a>
<a href="{COLAB}"><b>Run in Colab</b><span>Every chapter is a notebook. A free CPU is enough.</span></a>
<a href="12_in_the_wild.html"><b>Use in your model</b>
<code>insert_se(model, after="layer*.*.bn3", start="identity")</code></a>
</div>
"""


def measured() -> str:
    """One line of results: the lamp's, and what gates of other pictures do to the shipped network."""
    rows = load("lamp")["rows"]
    plain, se = (fmean(rows[row]["error"]) for row in ("as_many", "se_r2"))
    gates = load("interventions")
    swapped = gates["interventions"]["other_class"]["places"]["all"]["accuracy"]
    return (
        f'<p class="se-measured"><strong>Measured.</strong> On this task SE cuts the error from {plain:.2f} to '
        f"{se:.2f} ({len(rows['se_r2']['error'])} seeds). An SE-ResNet-20 names "
        f"{100 * gates['accuracy']:.1f} % of {gates['images']:,} CIFAR-10 test images rightly, and "
        f"{100 * swapped:.1f} % when each gets the gates of an image of another class. "
        '<a href="07_does_it_help.html">Whether SE helps there</a> is chapter 7.</p>\n'
    )


def front() -> str:
    return f'<div class="se-hero">\n{hero()}</div>\n{DOORS}{measured()}'


def hero() -> str:
    return f"{LampHero().element()}\n"


def main() -> None:
    FRONT.write_text(front(), encoding="utf-8", newline="\n")
    HERO.write_text(hero(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

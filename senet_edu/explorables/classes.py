"""A classifier of the reader's own classes, trained in the page."""

from __future__ import annotations

from senet_edu.explorables.lib.base import Explorable


class Classes(Explorable):
    """ResNet-8 with SE and without learn in the page: five drawn shapes, or classes of the reader's own."""

    name = "classes"

    def __init__(self) -> None:
        super().__init__(
            {},
            "Two networks, ResNet-8 with SE and without, learn in the page to tell five drawn shapes apart, or two to "
            "five classes of your own: pictures from a camera, from files or from a pad, which stay in the page. Then "
            "both say what they make of a picture.",
        )

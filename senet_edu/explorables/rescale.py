"""Chapter 4: a feature stack before and after the rescale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senet_edu.explorables.lib.base import Explorable, pack

if TYPE_CHECKING:
    from torch import Tensor

LEVELS = 127  # of a map's values on either side of zero: one byte a value


class Rescale(Explorable):
    """Set the gates of real feature maps, and see the maps times their gates (equation 4).

    Maps go into the page with one byte a value, on one scale for the whole stack; means with three
    decimals, gates with four.

    Args:
        picture: the image, uint8 `(3, H, W)`.
        maps: what it gives at an SE block, U `(C, H', W')`, not all zero.
        gates: the block's own gates for it, s `(C,)`, between 0 and 1.

    Raises:
        ValueError: an argument has another shape, the maps are all zero, or a gate lies outside 0..1.
    """

    name = "rescale"

    def __init__(self, picture: Tensor, maps: Tensor, gates: Tensor) -> None:
        if picture.ndim != 3 or len(picture) != 3:
            raise ValueError(f"picture must be (3, H, W), got {tuple(picture.shape)}")
        if maps.ndim != 3 or not maps.any():
            raise ValueError(f"maps must be (C, H, W) and not all zero, got {tuple(maps.shape)}")
        if gates.shape != maps.shape[:1] or not ((gates >= 0) & (gates <= 1)).all():
            raise ValueError(f"gates must be ({len(maps)},) between 0 and 1, got {gates}")
        limit = maps.abs().max().item()
        super().__init__(
            {
                "picture": pack(picture.permute(1, 2, 0).flatten()),
                "side": picture.shape[2],
                "maps": pack((maps / limit).flatten(1), LEVELS),
                "columns": maps.shape[2],
                # A few values lie far out. Black and white are where 1 % of all values are beyond.
                "contrast": round(limit / max(maps.abs().flatten().quantile(0.99).item(), 1e-3 * limit), 3),
                "means": pack(maps.mean((1, 2)), 1000),
                "gates": pack(gates, 10_000),
            },
            f"The {len(maps)} feature maps of a picture, each multiplied by its gate. Choose a channel, drag its gate, "
            "and compare the map before with the map after: a smaller gate makes it paler and brings its mean nearer "
            "to zero, and moves nothing in it.",
        )

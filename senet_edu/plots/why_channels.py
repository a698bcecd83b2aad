"""Plots of why channels need the whole picture: what a value sees, and what becomes of a picture without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.patches import Rectangle
from torch import Tensor

from senet_edu.plots.style import Picture, bare, framed, new_figure, picture, theme


@picture
def influence(heats: Mapping[str, Tensor], windows: Sequence[int]) -> Picture:
    """How strongly each pixel moves one value in the middle, with the window in which it can.

    Below each panel stands the side of the smallest square around the middle that holds half of all influence.

    Args:
        heats: title to `(H, W)`, sizes of gradients; the middle is at `(H // 2, W // 2)`.
        windows: side of the theoretical window of each, in pixels; odd.
    """
    figure = new_figure(2.75)
    axes = figure.subplots(1, len(heats), squeeze=False)[0]
    for ax, (title, heat), window in zip(axes, heats.items(), windows):
        middle = heat.shape[0] // 2
        around = [heat[_around(middle, reach)].sum() / heat.sum() for reach in range(len(heat))]
        half = next(2 * reach + 1 for reach, share in enumerate(around) if share >= 0.5)
        ax.imshow((heat / heat.max()).sqrt().numpy(), cmap=theme.amount, vmin=0, vmax=1)  # the root shows what is weak
        for side, style in ((window, "--"), (half, "-")):
            corner = middle - side / 2
            box = Rectangle(
                (corner, corner), side, side, fill=False, edgecolor=theme.ink, linestyle=style, linewidth=1.5
            )
            ax.add_patch(box)
        ax.set_title(title)
        ax.set_xlabel(f"window {window} × {window}\nhalf in {half} × {half}")
        ax.set(xlim=(-0.5, heat.shape[1] - 0.5), ylim=(heat.shape[0] - 0.5, -0.5))
        framed(ax)
    titles = "; ".join(title.replace("\n", " ") for title in heats)
    alt = (
        f"Heat maps of how strongly each pixel moves one value in the middle: {titles}. Dashed: the window it can see. "
        "Solid: the square with half of the influence."
    )
    return Picture(figure, alt, measured=True)


def _around(middle: int, reach: int) -> tuple[slice, slice]:
    side = slice(max(0, middle - reach), middle + reach + 1)
    return side, side


@picture
def restored(columns: Mapping[str, Tensor], errors: Mapping[str, float]) -> Picture:
    """Pictures in rows, and in columns what became of them.

    Args:
        columns: title to pictures `(N, 3, H, W)`, values 0..1 (others are clipped).
        errors: title to the mean absolute error that stands below its column; a column may have none.
    """
    count = len(next(iter(columns.values())))
    figure = new_figure(1.32 * count + 0.6)
    axes = figure.subplots(count, len(columns), squeeze=False)
    for column, (title, pictures) in enumerate(columns.items()):
        for row, pixels in enumerate(pictures.clamp(0, 1)):
            axes[row, column].imshow(pixels.permute(1, 2, 0).numpy())
            bare(axes[row, column])
        axes[0, column].set_title(title)
        if title in errors:
            axes[-1, column].set_xlabel(f"off by {errors[title]:.3f}")
    titles = ", ".join(title.replace("\n", " ") for title in columns)
    return Picture(figure, f"{count} pictures of colored rectangles, a row each; in columns: {titles}.")

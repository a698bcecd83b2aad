"""Make the sample pictures, `senet_edu/explorables/samples/*.png`: 32 x 32 pixels, none of them from CIFAR-10.

    python scripts/draw_samples.py                             # draw, and grow two from the shipped network
    python scripts/draw_samples.py --photographs skimage/data  # also reduce the photographs, from scikit-image's wheel

Drawings are made at 16 times the size and averaged down. A grown picture begins as faint noise, and gradient ascent
changes its pixels until the network is sure of a class: it shows what the network looks for, not what we do. Grow them
again after new weights are shipped.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor

from senet_edu import load_pretrained
from senet_edu.data import CLASSES, MEAN, STD, normalize

SAMPLES = Path(__file__).resolve().parents[1] / "senet_edu" / "explorables" / "samples"
SIDE = 32
FINE = 16  # pixels of the drawing for one of the sample

Color = tuple[int, int, int]
Points = Sequence[tuple[float, float]]

WHITE, BLACK, GRAY = (240, 240, 238), (22, 22, 24), (128, 130, 132)


class Sketch:
    """A drawing in units of the sample's pixels: x to the right, y down, both 0 to 32."""

    def __init__(self, *sky: Color) -> None:
        """Colors from top to bottom, evenly spaced and blended."""
        rows = np.linspace(0, len(sky) - 1, SIDE * FINE)
        column = np.stack([np.interp(rows, range(len(sky)), channel) for channel in zip(*sky)], axis=1)
        self.image = Image.fromarray(np.repeat(column[:, None], SIDE * FINE, axis=1).round().astype(np.uint8))

    def polygon(self, points: Points, color: Color) -> None:
        ImageDraw.Draw(self.image).polygon([(x * FINE, y * FINE) for x, y in points], fill=color)

    def curve(self, points: Points, color: Color) -> None:
        """A closed smooth outline through the points (Catmull-Rom)."""
        p = np.asarray(points, float)
        before, after, far = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
        t = np.linspace(0, 1, 12, endpoint=False)[:, None, None]
        steps = 0.5 * (
            2 * p
            + (after - before) * t
            + (2 * before - 5 * p + 4 * after - far) * t**2
            + (3 * p - before - 3 * after + far) * t**3
        )
        self.polygon([tuple(point) for point in steps.transpose(1, 0, 2).reshape(-1, 2)], color)

    def ellipse(self, x: float, y: float, rx: float, ry: float, color: Color, tilt: float = 0) -> None:
        """Around (x, y), turned clockwise by `tilt` degrees."""
        c, s = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
        around = [2 * math.pi * k / 60 for k in range(60)]
        turn = [(rx * math.cos(a), ry * math.sin(a)) for a in around]
        self.polygon([(x + c * u - s * v, y + s * u + c * v) for u, v in turn], color)

    def line(self, points: Points, width: float, color: Color) -> None:
        scaled = [(x * FINE, y * FINE) for x, y in points]
        ImageDraw.Draw(self.image).line(scaled, fill=color, width=round(width * FINE), joint="curve")

    def blur(self, radius: float) -> None:
        """What is drawn later stands sharp before it."""
        self.image = self.image.filter(ImageFilter.GaussianBlur(radius * FINE))

    def finish(self, seed: int, grain: float = 5) -> np.ndarray:
        """The sample, (32, 32, 3) uint8, with some grain, as photographs have it."""
        fine = np.asarray(self.image, float).reshape(SIDE, FINE, SIDE, FINE, 3).mean((1, 3))
        noise = np.random.RandomState(seed).normal(0, grain, (SIDE, SIDE, 1))
        return (fine + noise).clip(0, 255).round().astype(np.uint8)


def wheel(s: Sketch, x: float, y: float, r: float) -> None:
    s.ellipse(x, y, r, r, BLACK)
    s.ellipse(x, y, r * 0.55, r * 0.55, (176, 178, 182))
    s.ellipse(x, y, r * 0.18, r * 0.18, (70, 70, 74))


def airplane() -> np.ndarray:
    s = Sketch((92, 150, 214), (146, 190, 232), (196, 220, 240))
    s.ellipse(7, 27, 9, 2.2, (226, 234, 242))
    s.ellipse(26, 5, 7, 1.6, (196, 216, 238))
    s.blur(1)
    s.polygon([(3.4, 7.2), (6.2, 7.2), (10.6, 14.4), (6.2, 15)], (50, 78, 140))  # fin
    s.polygon([(14.8, 14.6), (12.2, 9.4), (13.8, 9.4), (19.4, 14.4)], (168, 176, 186))  # far wing
    s.curve([(3, 14.2), (12, 13.4), (24, 13.6), (28.4, 15.2), (30, 17), (27.6, 18.6), (18, 19.4), (8, 17.8)], WHITE)
    s.curve([(4, 15.8), (14, 17.2), (29.4, 17.4), (27.6, 18.6), (18, 19.4), (8, 17.8)], (186, 192, 200))  # its shade
    s.polygon([(2.2, 14), (7.8, 14.8), (4.6, 16.6), (0.8, 16.8)], (150, 158, 170))  # tailplane
    s.polygon([(14.4, 17.2), (20.4, 17.4), (12.2, 25.2), (9.6, 25.4)], (142, 150, 162))  # near wing
    s.ellipse(16.4, 21.2, 2.4, 1.2, (84, 92, 106))  # engine
    for x in range(10, 25, 2):
        s.ellipse(x, 15.5, 0.45, 0.5, (60, 76, 100))
    s.polygon([(26.2, 14.6), (28, 15.2), (27.8, 16), (25.8, 15.8)], (40, 52, 70))  # cockpit
    return s.finish(1)


def automobile() -> np.ndarray:
    s = Sketch((170, 186, 196), (150, 164, 156), (120, 134, 110), (104, 104, 104), (118, 118, 118))
    s.blur(2)
    s.ellipse(16, 26.4, 14.6, 1.8, (52, 52, 54))  # shadow
    body = [(1.6, 19.4), (2.4, 16.8), (7.6, 15.4), (11.4, 10.4), (20.4, 10.2), (24.6, 15), (29.4, 16.4), (30.6, 20.2)]
    s.curve([*body, (30, 24.2), (16, 25), (2, 24.2)], (190, 28, 30))
    s.polygon([(1.6, 20.8), (30.6, 20.8), (30, 24.6), (2, 24.6)], (140, 16, 20))
    s.polygon([(9.4, 15.4), (12.2, 11.6), (15.6, 11.5), (15.6, 15.4)], (58, 74, 90))
    s.polygon([(16.8, 15.4), (16.8, 11.4), (19.8, 11.4), (22.8, 15.4)], (58, 74, 90))
    s.polygon([(10.4, 15.2), (12.6, 12), (13.8, 12), (11.8, 15.2)], (140, 160, 178))  # sky in the window
    s.line([(16.2, 15.4), (16.2, 23.4)], 0.25, (110, 10, 14))
    s.ellipse(29.4, 18.4, 0.9, 0.8, (250, 240, 190))
    s.ellipse(2.5, 18.6, 0.6, 0.8, (90, 0, 4))
    wheel(s, 8, 24, 3)
    wheel(s, 24.2, 24, 3)
    return s.finish(2)


def truck() -> np.ndarray:
    s = Sketch((172, 200, 226), (202, 216, 226), (150, 156, 140), (104, 104, 102), (112, 112, 112))
    s.blur(1.5)
    s.ellipse(16, 27.2, 14.8, 1.4, (50, 50, 52))
    s.polygon([(1.4, 5.4), (20.2, 5.4), (20.2, 22), (1.4, 22)], WHITE)  # box
    s.polygon([(1.4, 17.4), (20.2, 17.4), (20.2, 22), (1.4, 22)], (206, 208, 210))
    s.polygon([(1.4, 12.2), (20.2, 10.2), (20.2, 13.2), (1.4, 15.2)], (226, 138, 26))  # its stripe
    s.polygon([(1.4, 22), (30.2, 22), (30.2, 24.2), (1.4, 24.2)], (50, 52, 58))  # frame
    s.polygon([(21.2, 9.4), (26.6, 9.4), (29.6, 15.6), (30.4, 16.4), (30.4, 23.4), (21.2, 23.4)], (34, 84, 168))  # cab
    s.polygon([(22.4, 10.8), (25.9, 10.8), (28.2, 15.6), (22.4, 15.6)], (52, 66, 82))
    s.polygon([(22.8, 11.2), (24.4, 11.2), (23.8, 15.2), (22.8, 15.2)], (142, 164, 184))
    s.line([(22, 17), (22, 22.6)], 0.3, (20, 52, 110))
    s.ellipse(29.8, 19.8, 0.7, 0.9, (250, 240, 190))
    s.polygon([(28, 22), (30.8, 22), (30.8, 23.8), (28, 23.8)], (150, 154, 158))
    for x in (5.6, 11.2, 25.6):
        wheel(s, x, 24.8, 2.7)
    return s.finish(3)


def ship() -> np.ndarray:
    s = Sketch((150, 186, 220), (190, 210, 228), (206, 218, 228), (58, 98, 134), (40, 78, 112), (30, 64, 96))
    s.polygon([(0, 19.4), (32, 19.4), (32, 32), (0, 32)], (46, 88, 124))
    for k, (x, y) in enumerate([(3, 27), (12, 29.6), (21, 28), (28, 30.4), (8, 31), (18, 31.4), (27, 26.6)]):
        s.ellipse(x, y, 3.4 - k % 3, 0.35, (96, 138, 170))
    s.blur(0.4)
    s.polygon([(7.6, 11.6), (22.4, 11.6), (23.4, 17.4), (6.6, 17.4)], WHITE)  # decks
    s.polygon([(10.4, 8.2), (19.4, 8.2), (20.4, 11.6), (9.6, 11.6)], (226, 228, 230))
    s.polygon([(12.6, 3.4), (16.6, 3.4), (17, 8.4), (12.2, 8.4)], (196, 40, 36))  # funnel
    s.polygon([(12.6, 3.4), (16.6, 3.4), (16.7, 4.8), (12.5, 4.8)], BLACK)
    s.line([(21.6, 3), (21.6, 11.6)], 0.3, GRAY)
    for x in range(9, 23, 2):
        s.ellipse(x, 14.4, 0.5, 0.6, (64, 84, 108))
    for x in range(11, 20, 2):
        s.ellipse(x, 10, 0.45, 0.5, (64, 84, 108))
    s.polygon([(1, 16.6), (31.4, 16.2), (28, 23.4), (4.2, 23.4)], (36, 46, 66))  # hull
    s.polygon([(3.4, 21.8), (28.8, 21.8), (28, 23.6), (4.2, 23.6)], (150, 40, 36))
    s.ellipse(15, 24, 15, 0.8, (206, 222, 232))  # foam
    s.ellipse(15, 24.8, 14.4, 0.7, (70, 112, 146))
    return s.finish(4)


def bird() -> np.ndarray:
    s = Sketch((150, 176, 130), (118, 152, 98), (96, 132, 82))
    s.ellipse(6, 8, 6, 5, (176, 196, 150))
    s.ellipse(27, 24, 7, 6, (80, 112, 66))
    s.blur(3)
    s.line([(0, 27.6), (14, 26.4), (32, 27.8)], 1.6, (92, 68, 46))  # branch
    s.polygon([(9, 17), (1.2, 24.2), (3.4, 26), (12.6, 22)], (70, 76, 92))  # tail
    s.line([(16.4, 23), (16, 26.4)], 0.5, (60, 44, 36))
    s.line([(18.8, 23), (19, 26.4)], 0.5, (60, 44, 36))
    back = [(7.6, 19.4), (11.6, 13.4), (17, 9.6), (19.8, 6), (23.6, 4.8), (26.4, 7)]
    s.curve([*back, (26, 11), (25, 17), (20.4, 22.8), (13, 23.4)], (96, 116, 150))
    s.curve([(25, 9.6), (25.6, 13), (24.2, 18), (20, 22.6), (15.4, 23), (19.6, 18), (22, 12)], (214, 140, 84))  # breast
    s.curve([(8, 20), (12.6, 14.4), (17.6, 12.6), (19.8, 15), (16, 19.6), (9.4, 22)], (62, 76, 104))  # wing
    s.polygon([(26, 6.8), (29.6, 8.4), (25.9, 9)], (62, 52, 40))  # beak
    s.ellipse(23.8, 7.4, 0.75, 0.75, BLACK)
    s.ellipse(24, 7.2, 0.25, 0.25, WHITE)
    return s.finish(5)


def frog() -> np.ndarray:
    s = Sketch((112, 96, 66), (126, 108, 76), (98, 84, 56))
    for x, y, r in [(4, 6, 4), (27, 5, 5), (29, 27, 5), (3, 25, 4), (16, 30, 6)]:
        s.ellipse(x, y, r, r * 0.6, (150, 132, 92), 25)
    s.blur(1.2)
    s.ellipse(16, 25.6, 13, 2.6, (62, 52, 34))
    skin, dark, light = (98, 142, 50), (62, 98, 32), (150, 182, 88)
    s.curve([(2, 24.4), (3.4, 16.4), (8, 14.2), (11, 19), (9, 25.4), (4.6, 26.6)], dark)  # hind legs
    s.curve([(30, 24.4), (28.6, 16.4), (24, 14.2), (21, 19), (23, 25.4), (27.4, 26.6)], dark)
    s.curve([(6.4, 21), (8, 12.6), (16, 9.4), (24, 12.6), (25.6, 21), (22, 26), (10, 26)], skin)
    s.curve([(9.6, 20.4), (16, 18.6), (22.4, 20.4), (21, 25.6), (11, 25.6)], light)  # throat
    s.line([(7.6, 18.4), (12, 19.8), (20, 19.8), (24.4, 18.4)], 0.5, (48, 70, 26))  # mouth
    for x in (9.6, 22.4):
        s.ellipse(x, 11, 3.1, 3, skin)
        s.ellipse(x, 10.7, 2.1, 2.1, (212, 176, 60))
        s.ellipse(x, 10.7, 1.5, 0.9, BLACK)
    for x, y in [(13, 13), (18.6, 12.6), (16, 15.4), (11, 16), (21.4, 15.8)]:
        s.ellipse(x, y, 0.9, 0.7, dark)
    s.ellipse(9.4, 26.2, 3, 0.9, skin)
    s.ellipse(22.6, 26.2, 3, 0.9, skin)
    return s.finish(6)


def crop(path: Path, box: tuple[int, int, int, int]) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX, box))


def horse(path: Path) -> np.ndarray:
    """The silhouette, brown on a meadow; lit from above."""
    shape = Image.open(path).convert("L").resize((SIDE * FINE, round(SIDE * FINE * 0.82)), Image.Resampling.BOX)
    mask = Image.new("L", (SIDE * FINE, SIDE * FINE), 255)
    mask.paste(shape, (0, round(2.2 * FINE)))
    s = Sketch((168, 196, 222), (196, 210, 214), (120, 150, 84), (104, 140, 66), (92, 126, 58))
    s.blur(1)
    s.ellipse(15, 28, 12, 1.4, (66, 92, 40))
    coat = Sketch((126, 78, 44), (140, 86, 50), (104, 60, 34), (58, 36, 24))
    s.image = Image.composite(s.image, coat.image, mask)
    return s.finish(7)


DRAWINGS: dict[str, Callable[[], np.ndarray]] = {
    draw.__name__: draw for draw in (airplane, automobile, bird, frog, ship, truck)
}


def photographs(folder: Path) -> dict[str, np.ndarray]:
    return {
        "cat": crop(folder / "chelsea.png", (40, 0, 340, 300)),
        "horse": horse(folder / "horse.png"),
        "rocket": crop(folder / "rocket.jpg", (130, 40, 517, 427)),
        "coffee": crop(folder / "coffee.png", (110, 0, 510, 400)),
    }


def grow(names: Sequence[str], steps: int = 160) -> dict[str, np.ndarray]:
    """Pictures of which the shipped network is sure, one of each class."""
    torch.set_num_threads(1)  # sums in one order, on every machine
    model = load_pretrained("se_resnet20")
    labels = torch.tensor([CLASSES.index(name) for name in names])
    generator = torch.Generator().manual_seed(0)
    # Large features change fastest where the picture is a sum of a coarse, a middle and a fine one.
    layers = [0.3 * torch.randn(len(names), 3, side, side, generator=generator) for side in (4, 8, 16, 32)]
    weights = (1.0, 0.8, 0.5, 0.3)

    def picture() -> Tensor:
        mixed = sum(
            weight * F.interpolate(layer, SIDE, mode="bilinear", align_corners=False)
            for weight, layer in zip(weights, layers)
        )
        return torch.sigmoid(mixed)  # 0..1

    mean, std = (255 * torch.tensor(x).view(3, 1, 1) for x in (MEAN, STD))
    optimizer = torch.optim.Adam([layer.requires_grad_() for layer in layers], lr=0.05)
    for _ in range(steps):
        # Moved about, so that it does not rest on single pixels:
        dy, dx = torch.randint(-3, 4, (2,), generator=generator).tolist()
        x = picture()
        x_moved = (255 * torch.roll(x, (dy, dx), (2, 3)) - mean) / std  # as `normalize`, which takes bytes only
        logits = model(x_moved.contiguous(memory_format=torch.channels_last))
        rough = sum((x.diff(dim=axis) ** 2).mean() for axis in (2, 3))
        loss = F.cross_entropy(logits, labels) + 20 * rough
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    final = (picture().detach() * 255).round().to(torch.uint8)
    sure = model(normalize(final)).softmax(1)[range(len(names)), labels]
    for name, probability in zip(names, sure):
        print(f"grown {name}: {probability:.2f}")
    return {name: image.permute(1, 2, 0).numpy() for name, image in zip(names, final)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=Path, help="the folder skimage/data of scikit-image's wheel")
    args = parser.parse_args()
    made = {name: draw() for name, draw in DRAWINGS.items()} | grow(("deer", "dog"))
    if args.photographs:
        made |= photographs(args.photographs)
    SAMPLES.mkdir(exist_ok=True)
    for name, image in made.items():
        Image.fromarray(image).save(SAMPLES / f"{name}.png", optimize=True)
    print(f"{len(made)} pictures in {SAMPLES}")


if __name__ == "__main__":
    main()

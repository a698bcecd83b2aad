"""What others have measured: published pairs of a plain network and the same one with SE, and the paper's ablations.

Numbers are copied as printed. Errors are in percent; "paper" is Hu et al., arXiv 1709.01507 v4, with its table. The
sources print one number a row and no spread beside it, so none can be drawn; few of them say how many runs it stands
for. Some baselines are quoted from elsewhere, see `Source.note`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """Where pairs were published, and the data set that they were tested on."""

    title: str
    data: str
    link: str
    note: str = ""
    """What a reader of the numbers must know: quoted baselines, maxima, an unknown recipe."""

    @property
    def label(self) -> str:
        return f"{self.title}, {self.data}"


@dataclass(frozen=True)
class Pair:
    """Top-1 errors in percent of a network without and with SE blocks, as one source prints them side by side.

    Not every source trained both by one recipe: see its note, and that of the pair.
    """

    source: Source
    network: str
    plain: float
    se: float
    note: str = ""

    @property
    def gain(self) -> float:
        """Points of accuracy that SE brings; negative where SE loses."""
        return round(self.plain - self.se, 3)


PAPER = "https://arxiv.org/abs/1709.01507v4"
IMGCLSMOB = "https://github.com/osmr/imgclsmob/blob/master/gluon/README.md"
TIMM_SPEED = "https://github.com/huggingface/pytorch-image-models/blob/main/results/benchmark-infer-"
TIMM = "https://github.com/huggingface/pytorch-image-models/blob/main/results/results-imagenet.csv"
ECA = "https://arxiv.org/abs/1910.03151"
QUOTED = (
    "The paper calls this column original: baselines are those of the original papers, some of them medians or means."
)
UNKNOWN = "The recipe is not published, and baselines and SE networks were released in different versions."

_PUBLISHED: dict[Source, dict[str, tuple[float, float]]] = {
    Source("paper, Table 2", "ImageNet", PAPER): {
        "ResNet-50": (24.80, 23.29),
        "ResNet-101": (23.17, 22.38),
        "ResNet-152": (22.42, 21.57),
        "ResNeXt-50": (22.11, 21.10),
        "ResNeXt-101": (21.18, 20.70),
        "VGG-16": (27.02, 25.22),
        "BN-Inception": (25.38, 24.23),
        "Inception-ResNet-v2": (20.37, 19.80),
    },
    Source("paper, Table 3", "ImageNet", PAPER): {"MobileNet": (28.4, 25.3), "ShuffleNet": (32.6, 31.0)},
    Source("paper, Table 4", "CIFAR-10", PAPER, QUOTED): {
        "ResNet-110": (6.37, 5.21),
        "ResNet-164": (5.46, 4.39),
        "WRN-16-8": (4.27, 3.88),
        "Shake-Shake": (2.56, 2.12),
    },
    Source("paper, Table 5", "CIFAR-100", PAPER, QUOTED): {
        "ResNet-110": (26.88, 23.85),
        "ResNet-164": (24.33, 21.31),
        "WRN-16-8": (20.43, 19.14),
        "Shake-Even": (15.85, 15.41),  # see SHAKE_EVEN_CUTOUT
    },
    # Top-1 accuracies of results-imagenet.csv, as errors; a1, a2, a3 are recipes for one and the same network.
    Source("timm, 224 px", "ImageNet", TIMM): {
        "ResNet-50, a1": (19.618, 19.988),
        "ResNet-50, a2": (20.172, 19.898),
        "ResNet-50, a3": (21.948, 22.964),
    },
    Source("timm, 288 px", "ImageNet", TIMM): {
        "ResNet-50, a1": (18.760, 18.886),
        "ResNet-50, a2": (19.226, 18.906),
    },
    Source(
        "moskomule",
        "CIFAR-10",
        "https://github.com/moskomule/senet.pytorch",
        "The largest test accuracy of 200 epochs, rounded to whole percents.",
    ): {"ResNet-20": (8.0, 7.0)},
    Source("imgclsmob", "CIFAR-10", IMGCLSMOB, UNKNOWN): {
        "ResNet-20": (5.97, 6.01),
        "ResNet-56": (4.52, 4.13),
        "ResNet-110": (3.69, 3.63),
        "ResNet-164": (3.68, 3.39),
        "ResNet-272": (3.33, 3.39),
        "ResNet-542": (3.43, 3.47),
        "PreResNet-20": (6.51, 6.18),
        "PreResNet-56": (4.49, 4.51),
        "PreResNet-110": (3.86, 4.54),
        "PreResNet-164": (3.64, 3.73),
        "PreResNet-272": (3.25, 3.39),
        "PreResNet-542": (3.14, 3.08),
    },
    Source("imgclsmob", "CIFAR-100", IMGCLSMOB, UNKNOWN): {
        "ResNet-20": (29.64, 28.54),
        "ResNet-56": (24.88, 22.94),
        "ResNet-110": (22.80, 20.86),
        "ResNet-164": (20.44, 19.95),
        "ResNet-272": (20.07, 19.07),
        "ResNet-542": (19.32, 18.87),
        "PreResNet-20": (30.22, 28.31),
        "PreResNet-56": (25.05, 23.05),
        "PreResNet-110": (22.67, 22.61),
        "PreResNet-164": (20.18, 20.05),
        "PreResNet-272": (19.63, 19.13),
        "PreResNet-542": (18.71, 19.45),
    },
    Source("weiaicunzai", "CIFAR-100", "https://github.com/weiaicunzai/pytorch-cifar100"): {
        "ResNet-18": (24.39, 23.56),
        "ResNet-34": (23.24, 22.07),
        "ResNet-50": (22.61, 21.42),
        "ResNet-101": (22.22, 20.98),
        "ResNet-152": (22.31, 20.66),
    },
}

SHAKE_EVEN_CUTOUT = 15.20
"""Error in percent of the plain Shake-Even network with Cutout on CIFAR-100 (github.com/uoguelph-mlrg/Cutout). The
paper's row trains SE with Cutout, and its 15.85 is that of the plain network without."""
SHAKE_EVEN = f"15.85 is without Cutout, SE with it; Cutout's authors have {SHAKE_EVEN_CUTOUT:.2f} with it, without SE."
_NOTES = {("paper, Table 5", "Shake-Even"): SHAKE_EVEN}

PAIRS = tuple(
    Pair(source, network, *errors, note=_NOTES.get((source.title, network), ""))
    for source, networks in _PUBLISHED.items()
    for network, errors in networks.items()
)


@dataclass(frozen=True)
class PaperRow:
    """A row of the paper's ablations: SE-ResNet-50 on ImageNet, changed in one thing; one number a row, no spread.

    `error` is the top-1 error in percent; `parameters` are in millions as printed, or those of the standard network
    where the change adds none, and None where the paper does not print them and they differ.
    """

    group: str
    title: str
    error: float
    parameters: float | None
    table: str


PAPER_PLAIN = PaperRow("plain", "no SE", 23.30, 25.6, "Table 10")
PAPER_STANDARD = PaperRow("reduction", "r = 16, the standard there", 22.28, 28.1, "Table 10")
PAPER_ABLATIONS = (
    PAPER_PLAIN,
    PaperRow("reduction", "r = 2", 22.29, 45.7, "Table 10"),
    PaperRow("reduction", "r = 4", 22.25, 35.7, "Table 10"),
    PaperRow("reduction", "r = 8", 22.26, 30.7, "Table 10"),
    PAPER_STANDARD,
    PaperRow("reduction", "r = 32", 22.72, 26.9, "Table 10"),
    PaperRow("squeeze", "maximum", 22.57, 28.1, "Table 11"),
    PaperRow("squeeze", "none (NoSqueeze)", 22.93, 28.1, "Table 16"),
    PaperRow("gate", "ReLU", 23.47, 28.1, "Table 12"),
    PaperRow("gate", "tanh", 23.00, 28.1, "Table 12"),
    PaperRow("placement", "PRE", 22.23, None, "Table 14"),
    PaperRow("placement", "POST", 22.78, 28.1, "Table 14"),
    PaperRow("placement", "Identity", 22.20, None, "Table 14"),
    PaperRow("placement", "behind the 3×3", 22.48, 25.8, "Table 15"),
    PaperRow("stage", "stage 2 alone", 23.03, 25.6, "Table 13"),
    PaperRow("stage", "stage 3 alone", 23.04, 25.7, "Table 13"),
    PaperRow("stage", "stage 4 alone", 22.68, 26.4, "Table 13"),
)
"""Tables 10 to 16. The paper counts stages from 2; it has no row for stage 5 alone."""


@dataclass(frozen=True)
class Speed:
    """How fast a network runs without and with SE. `per_second` says whether numbers are rates or times."""

    what: str
    plain: float
    se: float
    per_second: bool
    link: str

    @property
    def longer(self) -> float:
        """How much longer SE takes for one image, as a share: 0.1 is 10 %."""
        return (self.plain / self.se if self.per_second else self.se / self.plain) - 1


_CPU = f"{TIMM_SPEED}fp32-nchw-pt240-cpu-"  # one image at a time, by torch.compile
SPEEDS = (
    Speed("paper: ResNet-50, training step, 8 Titan X", 190, 209, False, PAPER),
    Speed("paper: ResNet-50, inference, CPU", 164, 167, False, PAPER),
    Speed("timm: ResNet-50, RTX 3090", 3219.06, 2831.5, True, f"{TIMM_SPEED}amp-nchw-pt240-cu124-rtx3090.csv"),
    Speed("timm: ResNet-50, RTX 4090", 4217.6, 3649.19, True, f"{TIMM_SPEED}amp-nchw-pt240-cu124-rtx4090.csv"),
    Speed("  the same, channels-last", 5088.39, 4275.51, True, f"{TIMM_SPEED}amp-nhwc-pt240-cu124-rtx4090.csv"),
    Speed("  the same, torch.compile", 8237.46, 6510.44, True, f"{TIMM_SPEED}amp-nchw-pt240-cu124-rtx4090-dynamo.csv"),
    Speed("timm: ResNet-18, RTX 4090", 13537.15, 12647.44, True, f"{TIMM_SPEED}amp-nchw-pt240-cu124-rtx4090.csv"),
    Speed("timm: ResNet-50, i9-10940X CPU, torch.compile", 67.2, 54.2, True, f"{_CPU}i9_10940x-dynamo.csv"),
    Speed("timm: ResNet-50, i7-12700H CPU, torch.compile", 30.48, 28.23, True, f"{_CPU}i7_12700h-dynamo.csv"),
    Speed("timm: ResNet-18, i7-12700H CPU, torch.compile", 62.22, 64.3, True, f"{_CPU}i7_12700h-dynamo.csv"),
    Speed("ECA paper: ResNet-50, training", 1024, 759, True, ECA),
    Speed("ECA paper: ResNet-50, inference", 1855, 1620, True, ECA),
)
"""ms for the paper's, images a second for all others; timm's are of inference."""


@dataclass(frozen=True)
class ECARow:
    """A row of Table 2 of the ECA paper: ResNet-50 on ImageNet with a gate, its top-1 accuracy in percent.

    `copied` says that the number is not theirs: they "duplicate the results of ResNet and SENet from" Hu et al. (ECA
    paper, section 4.2), whose Table 2 has them as errors, 24.80 and 23.29. The recipes differ: batches of 256 and a
    rate of 0.1 here, of 1,024 and 0.6 there.
    """

    gate: str
    hears: str
    accuracy: float
    copied: bool = False


ECA_TABLE = (
    ECARow("no gate", "", 75.20, copied=True),
    ECARow("SE", "all, through a bottleneck", 76.71, copied=True),
    ECARow("σ(z)", "itself, no weights", 76.00),
    ECARow("σ(w ⊙ z)", "itself, one weight each", 77.07),
    ECARow("σ(W z)", "all, a full matrix", 77.42),
    ECARow("ECA, k = 3", "its neighbors", 77.43),
)

"""Where the book's numbers come from: a record of every stored file, and a map from the paper to code and to tests.

`records()` reads what the measurements say about themselves: command, seeds, hardware, versions. What is not in a file
is not guessed. `MAP` links what this package computes of the paper to the code that computes it, and to the test that
holds the code to something else than itself. `tests/test_provenance.py` holds both lists to the repository.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import pkgutil
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from senet_edu import measure, store, zoo
from senet_edu.store import Holding

TESTS = Path(__file__).parents[1]
"""The folder that names of tests begin in; an installed package has no tests beside it."""


# Stored measurements


def stored() -> dict[str, Holding]:
    """What each file of `weights/` and `results/` holds, by its path within the package: all `HOLDS` of `measure`."""
    modules = (import_module(f"senet_edu.measure.{name}") for name in measure.NAMES)
    return {
        path: replace(holding, chapters=tuple(sorted(holding.chapters)))  # in the order of the book
        for module in modules
        for path, holding in module.HOLDS.items()
    }


@dataclass(frozen=True)
class Record:
    """A stored file and how it was made. A field is None, or empty, where the file does not say."""

    path: str
    """Within the package: `"weights/se_resnet20.safetensors"`."""
    holds: str
    chapters: tuple[str, ...]
    commands: tuple[str, ...]
    seeds: tuple[int, ...]
    hardware: str | None
    precision: str | None
    versions: str | None
    seconds: float | None
    """Summed over runs."""
    size: int
    """Bytes."""
    sha256: str
    """Computed from the bytes, now."""


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, 64 hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def records() -> list[Record]:
    """A record for every file in `weights/` and `results/` of the package, by path.

    A file that no measurement knows gets a record too, which holds "unknown" and belongs to no chapter.

    Raises:
        ValueError: a file is damaged; it names the file.
    """
    found, known = [], stored()
    for folder in (store.RESULTS, zoo.WEIGHTS):
        for path in sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")):
            name = f"{folder.name}/{path.name}"
            holding = known.get(name, Holding("unknown", ()))
            facts = {"size": path.stat().st_size, "sha256": sha256(path)}
            found.append(Record(name, holding.what, holding.chapters, **_made(path), **facts))
    return found


def _made(path: Path) -> dict[str, Any]:
    """How a file was made, by its own words, as fields of a `Record`."""
    name = path.name.partition(".")[0]
    if path.parent == zoo.WEIGHTS:
        if name not in zoo.manifest():  # the index itself has no run of its own
            return _fields([])
        about = zoo.facts(name)["about"]
        seconds = sum(row["seconds"] for row in zoo.load_history(name))
        return _fields([{**about, "seeds": [about["recipe"]["seed"]], "seconds": seconds}])
    if path.suffix == ".jsonl":  # a run a line
        return _fields([run.get("about", {}) for run in store.load_runs(path.stem, folder=path.parent)])
    return _fields([store.read_json(path).get("about", {})])


def _fields(abouts: list[Mapping[str, Any]]) -> dict[str, Any]:
    def said(key: str) -> list[str]:
        return list(dict.fromkeys(about[key] for about in abouts if about.get(key)))  # each once, in order

    def versions(about: Mapping[str, Any]) -> str:
        return ", ".join(f"{name} {version}" for name, version in sorted((about.get("versions") or {}).items()))

    def hardware(about: Mapping[str, Any]) -> str:
        threads = about.get("threads")
        return (
            f"{about['hardware']}, threads: {threads}" if threads and about.get("hardware") else about.get("hardware")
        )

    abouts = [{**about, "versions": versions(about), "hardware": hardware(about)} for about in abouts]
    seconds = [about["seconds"] for about in abouts if about.get("seconds") is not None]
    return {
        "commands": tuple(said("command")),
        "seeds": tuple(sorted({seed for about in abouts for seed in about.get("seeds") or ()})),
        "seconds": round(sum(seconds), 1) if seconds else None,
        **{key: "; ".join(said(key)) or None for key in ("hardware", "precision", "versions")},
    }


def duration(seconds: float | None) -> str:
    """`"1.4 hours"`, `"56 minutes"`, `"12 seconds"`, or `"not recorded"`."""
    if seconds is None:
        return "not recorded"
    if seconds >= 3570:  # what would be 60 minutes
        return f"{seconds / 3600:.1f} hours"
    value, unit = (seconds / 60, "minute") if seconds >= 59.5 else (seconds, "second")
    return f"{value:.0f} {unit}{'s' * (round(value) != 1)}"


# The map


@dataclass(frozen=True)
class Link:
    """Something of the paper or of the book, the code that computes it, and the test that holds the code to it."""

    key: str
    """Short, for links: `"eq-2"`."""
    group: str
    """`"Equations"`, `"Tables"`, `"Figures"` or `"This book"`."""
    label: str
    title: str
    formula: str
    """In plain text; `_` and `^` lower and raise what follows, a letter or a part in braces."""
    code: str
    """Dotted name of a function, a method or a property."""
    lines: tuple[str, ...]
    """Each is a part of just one line of that code, the line that matters."""
    test: str
    """As pytest names it: `"tests/test_se.py::test_equals_numpy"`."""
    truth: tuple[str, ...]
    """Each is a part of just one line of the test, or of its helper: the other way to the same number."""
    held_to: str
    """What the test compares with, and what it does not."""
    chapter: str
    helper: str = ""
    """A function or a constant of the test's file that it uses, and that should be seen with it."""


MAP: tuple[Link, ...] = (
    Link(
        "eq-1", "Equations", "(1)", "Convolution",
        "u_c = v_c * X = Σ_s v_c^s * x^s",
        "senet_edu.resnet.conv3x3", ("return nn.Conv2d",),
        "tests/test_resnet.py::test_a_convolution_is_equation_1", ("total += conv.weight",),
        "Sums over input channels and over the nine places of the kernel, in plain loops.",
        "01_why_channels",
    ),
    Link(
        "eq-2", "Equations", "(2)", "Squeeze",
        "z_c = F_{sq}(u_c) = 1/(H·W) Σ_{i,j} u_c(i, j)",
        "senet_edu.se.global_average", ("return x.sum(axes)",),
        "tests/test_se.py::test_squeezes_and_gates", ("m.mean()",),
        "The mean of one map at a time, for two squeezes and five gates.",
        "02_squeeze",
    ),
    Link(
        "eq-3", "Equations", "(3)", "Excitation",
        "s = F_{ex}(z, W) = σ(W_2 δ(W_1 z))",
        "senet_edu.se.SEBlock.excite", ("self.gate(self.fc2",),
        "tests/test_se.py::test_equals_numpy", ("hidden = np.maximum", "s = 1 / (1 + np.exp"),
        "The whole block written anew with NumPy, in 64 bits, to 14 decimals.",
        "03_excitation", helper="numpy_se",
    ),
    Link(
        "eq-4", "Equations", "(4)", "Rescale",
        "x̃_c = F_{scale}(u_c, s_c) = s_c u_c",
        "senet_edu.se.SEBlock.rescale", ("return x * s",),
        "tests/test_se.py::test_squeezes_and_gates", ("torch.einsum",),
        "The product written with the letters of its axes, n, c, h and w, so that no broadcasting can go astray.",
        "04_rescale",
    ),
    Link(
        "block", "Equations", "(2)–(4)", "The whole block",
        "X̃ = F_{scale}(X, F_{ex}(F_{sq}(X)))",
        "senet_edu.se.SEBlock.forward", ("z = self.squeeze", "s = self.excite", "return self.rescale"),
        "tests/test_se.py::test_equals_torchvision", ("assert_close(ours(x), theirs(x)",),
        "torchvision's own SE layer with the same weights, to 14 decimals.",
        "04_rescale",
    ),
    Link(
        "eq-5", "Equations", "(5)", "Weights that SE adds",
        "2/r · Σ_{s=1}^S N_s C_s^2",
        "senet_edu.cost.se_parameters", ("hidden = max(1", "total += blocks"),
        "tests/test_cost.py::test_equation_5", ("// 16 == 2_514_944", "24_576, 131_072"),
        "The sum worked out for SE-ResNet-50, stage by stage. Other tests hold it to the weights of real blocks.",
        "03_excitation", helper="STAGES",
    ),
    Link(
        "table-1", "Tables", "1", "Hidden widths of SE-ResNet-50",
        "C/r: 256/16, 512/16, 1024/16, 2048/16",
        "senet_edu.se.SEBlock.__init__", ("hidden = max(min_hidden",),
        "tests/test_resnet.py::test_hidden_widths_of_table_1", ("[[16, 256]",),
        "The pairs “fc, [16, 256]” and so on that the paper prints.",
        "03_excitation",
    ),
    Link(
        "table-2", "Tables", "2", "Multiply-adds of ResNets",
        "Σ_{layers} outputs · weights for each",
        "senet_edu.cost.cost_by_module", ("out.numel() * module.weight[0].numel()",),
        "tests/test_cost.py::test_multiply_adds_of_the_papers_networks", ("3.858)", "7.570)", "11.282)"),
        "The paper’s 3.86, 7.58 and 11.30 billion, and exact counts. Another test holds it to torch’s own counter. "
        "The table’s errors are cited, not measured: they would take ImageNet.",
        "05_inside_resnet",
    ),
    Link(
        "gains", "Tables", "2, 3", "Published gains",
        "gain = error(plain) − error(SE)",
        "senet_edu.published.Pair.gain", ("self.plain - self.se",),
        "tests/test_published.py::test_gains_are_those_that_the_sources_print",
        ("approx(PRINTED", "ResNet-50\"): 1.51"),
        "The gains in brackets of the paper’s two tables, and timm’s file. It shows that the numbers were copied "
        "rightly, not that they are right.",
        "07_does_it_help", helper="PRINTED",
    ),
    Link(
        "table-10", "Tables", "10", "Parameters by r",
        "25.6 M + 2/r · Σ_s N_s C_s^2",
        "senet_edu.cost.count_parameters", ("p.numel()",),
        "tests/test_resnet.py::test_parameters_by_reduction",
        ("45.7)", "35.7)", "30.7)", "28.1)", "26.9)"),
        "The millions that the paper prints, and exact counts for five networks. The errors are cited.",
        "03_excitation",
    ),
    Link(
        "table-11", "Tables", "11", "Squeeze by the maximum",
        "z_c = max_{i,j} u_c(i, j)",
        "senet_edu.se.SEBlock.squeeze", ('if self.squeeze_by == "max"',),
        "tests/test_se.py::test_squeezes_and_gates", ("m.max()",),
        "The maximum of one map at a time. The errors of the table are cited.",
        "02_squeeze",
    ),
    Link(
        "table-12", "Tables", "12", "Other gates",
        "s = tanh(W_2 δ(W_1 z)), ReLU(…), …",
        "senet_edu.se.SEBlock.__init__", ("self.gate = make_activation",),
        "tests/test_se.py::test_squeezes_and_gates", ("s = GATES[gate]", "torch.tanh", "a.clamp(min=0),"),
        "Each gate by its formula. The errors of the table are cited.",
        "03_excitation", helper="GATES",
    ),
    Link(
        "table-13", "Tables", "13", "SE in one stage only",
        "stage 2, stage 3 or stage 4 alone",
        "senet_edu.resnet.ResNet.__init__", ("if stages is None or i in stages",),
        "tests/test_resnet.py::test_parameters_by_stage", ("25.6), ((2,), 25.7), ((3,), 26.4)",),
        "The millions of parameters that the paper prints. The errors are cited.",
        "07_does_it_help",
    ),
    Link(
        "table-15", "Tables", "15", "SE behind the 3×3",
        "conv 1×1, conv 3×3, SE, conv 1×1",
        "senet_edu.resnet.Bottleneck.residual", ('self.placement == "3x3"', "out = self.se(out)"),
        "tests/test_resnet.py::test_se_3x3_parameters", ("25_714_216",),
        "The 25.8 million parameters that the paper prints; ours are 25.7.",
        "05_inside_resnet",
    ),
    Link(
        "table-16", "Tables", "16", "No squeeze",
        "s(i, j) = σ(W_2 δ(W_1 x(i, j)))",
        "senet_edu.relatives.NoSqueeze.logits", ("return self.conv2",),
        "tests/test_relatives.py::test_no_squeeze_is_its_formula", ("hidden = np.maximum", "gates = sigmoid"),
        "The formula at every pixel, with NumPy. The errors are cited.",
        "10_relatives",
    ),
    Link(
        "figure-2", "Figures", "2", "SE-Inception",
        "x̃ = SE(module(x))",
        "senet_edu.surgery.WithSE.forward", ("return self.se(",),
        "tests/test_surgery.py::test_se_inception_has_eleven_blocks_of_the_right_width_and_calls_each",
        ("== INCEPTION",),
        "The eleven modules of torchvision’s Inception-v3 and the widths at which they end.",
        "12_in_the_wild", helper="INCEPTION",
    ),
    Link(
        "figure-3", "Figures", "3", "The SE-ResNet module",
        "y = ReLU(x + SE(residual(x)))",
        "senet_edu.resnet.ResidualBlock.forward", ("out = self.se(out)", "self.relu(out + shortcut)"),
        "tests/test_resnet.py::test_every_se_block_is_called_once", ("assert calls ==",),
        "That the block which the figure draws is called, once. The sum itself is held to the paper under Figure 5.",
        "05_inside_resnet",
    ),
    Link(
        "figure-5", "Figures", "5", "Where the block stands, also Table 14",
        "standard, PRE, POST, Identity",
        "senet_edu.resnet.ResidualBlock.forward",
        ('placement == "pre"', 'placement == "standard"', 'placement == "identity"', 'placement == "post"'),
        "tests/test_resnet.py::test_placement_in_a_block",
        ('if place == "pre"', 'if place == "standard"', 'if place == "identity"', 'if place == "post"'),
        "The paper’s drawings, written down step by step from the block’s parts. The errors of Table 14 are cited.",
        "05_inside_resnet", helper="expected_block",
    ),
    Link(
        "figure-6", "Figures", "6", "Mean gates of a class",
        "m_{kc} = 1/n_k Σ_{i in class k} s_{ic}",
        "senet_edu.analysis.class_means", ("one_hot.T @ gates",),
        "tests/analysis/test_statistics.py::test_means_and_spreads_are_those_of_numpy_class_by_class",
        ("class_means(gates",),
        "NumPy’s mean, class by class. The paper’s curves are of ImageNet; ours are of our own network.",
        "08_gates_across_depth",
    ),
    Link(
        "figure-7", "Figures", "7", "Spread inside a class",
        "sd_{kc}^2 = 1/n_k Σ_{i in class k} (s_{ic} − m_{kc})^2",
        "senet_edu.analysis.within_class_spread", ("deviations**2",),
        "tests/analysis/test_statistics.py::test_means_and_spreads_are_those_of_numpy_class_by_class",
        ("within_class_spread(gates",),
        "NumPy’s standard deviation, class by class.",
        "08_gates_across_depth",
    ),
    Link(
        "field", "This book", "receptive field", "What a value can see",
        "size ← size + (k − 1) · jump, jump ← jump · stride",
        "senet_edu.receptive.receptive_fields", ("size += (kernel - 1) * jump", "jump *= stride"),
        "tests/test_receptive.py::test_windows_are_what_autograd_finds", ("reached(",),
        "Gradients: the pixels from which anything reaches the value.",
        "01_why_channels",
    ),
    Link(
        "paired", "This book", "interval over seeds", "A difference over paired seeds",
        "margin = t_{n−1} · sd(d) / √n",
        "senet_edu.measure.intervals.paired", ("t = T975", "statistics.stdev(d)"),
        "tests/measure/test_intervals.py::test_interval_covers_the_truth_nineteen_times_in_twenty",
        ("hits += ", "- 0.95"),
        "Twelve thousand invented experiments whose true difference is known: the interval must hold it in 95 of 100.",
        "07_does_it_help",
    ),
    Link(
        "eta", "This book", "η²", "Share of the class in a gate",
        "η_c^2 = Σ_k n_k (m_{kc} − m_c)^2 / Σ_i (s_{ic} − m_c)^2",
        "senet_edu.analysis.class_share", ("between = ", "total = "),
        "tests/analysis/test_statistics.py::test_class_share_is_what_a_regression_on_the_class_explains",
        ("lstsq", "residual.var(0)"),
        "R² of a regression on the class, by least squares.",
        "08_gates_across_depth",
    ),
    Link(
        "effect", "This book", "interval over images", "A change in accuracy",
        "margin = 1.96 · sd(d) / √N",
        "senet_edu.analysis.effect", ("d = now.mean(0)", "margin=1.96"),
        "tests/analysis/test_interventions.py::test_effect_is_that_of_mcnemar", ("1.96 * np.sqrt(12 + 5",),
        "McNemar’s count by hand: of 50 answers, 12 break and 5 are mended.",
        "09_are_gates_explanations",
    ),
)  # fmt: skip


def source_of_code(link: Link) -> str:
    """The source of the code that a link names, without the indent of its class."""
    found = pkgutil.resolve_name(link.code)
    return textwrap.dedent(inspect.getsource(getattr(found, "fget", found))).rstrip()


def source_of_test(link: Link) -> str | None:
    """The source of the test that a link names, its helper first; None where the tests are not there.

    Raises:
        ValueError: the file of the test has no such function.
    """
    file, _, name = link.test.partition("::")
    path = TESTS / file
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8")
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            found[node.name] = min([node.lineno, *(one.lineno for one in node.decorator_list)]), node.end_lineno
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node.lineno, node.end_lineno
    for one in (link.helper, name):
        if one and one not in found:
            raise ValueError(f"{file} has no {one!r}")
    spans = [found[one] for one in (link.helper, name) if one]
    return "\n\n\n".join("\n".join(text.splitlines()[first - 1 : last]) for first, last in spans)


def marked(source: str, pieces: Iterable[str]) -> list[int]:
    """The lines of a source, counted from 0, that have the pieces in them.

    Raises:
        ValueError: a piece is in no line, or in several.
    """
    lines = source.splitlines()
    found = []
    for piece in pieces:
        numbers = [number for number, line in enumerate(lines) if piece in line]
        if len(numbers) != 1:
            raise ValueError(f"{piece!r} is in {len(numbers)} lines, not in one")
        found += numbers
    return sorted(set(found))

"""The figures: each draws, has alt text that says what it shows, and shows the numbers it was given."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from senet_edu import SEBlock, plots
from senet_edu.analysis import class_means, summarize
from senet_edu.plots import Picture
from senet_edu.published import PAIRS

# Chapters 2 and 3: squeeze, excitation

IMAGE = torch.arange(3 * 32 * 32, dtype=torch.uint8).view(3, 32, 32)


def texts(picture: Picture) -> list[str]:
    """Everything that is written in a figure."""
    return [text.get_text() for text in picture.figure.findobj(mpl.text.Text) if text.get_text()]


def bar_heights(ax: mpl.axes.Axes) -> np.ndarray:
    return np.array([bar.get_height() for bar in ax.patches])


def ch2_ch3_pictures() -> dict[str, Picture]:
    maps = torch.randn(16, 32, 32)
    return {
        "seen_pixels": plots.seen_pixels(IMAGE, {"one\npixel": torch.eye(32) == 1, "all": torch.ones(32, 32) == 1}),
        "feature_maps": plots.feature_maps(IMAGE, maps, maps.mean((1, 2))),
        "squeezed_maps": plots.squeezed_maps({"a": maps[0], "b": maps[1].numpy()}),
        "three_squeezes": plots.three_squeezes(maps),
        "paper_errors": plots.paper_errors({"max": 22.57, "average": 22.28}, plain=23.30),
        "bottleneck": plots.bottleneck(16, 32),
        "reduction_sweep": plots.reduction_sweep({2: 22.29, 16: 22.28}, {2: 45_676_584, 16: 28_071_976}, (25e6, 23.3)),
        "last_nonlinearities": plots.last_nonlinearities(torch.tensor([3.0, 3.0, 0.0, -3.0])),
        "gate_histograms": plots.gate_histograms({"before": torch.rand(100), "after": torch.rand(10, 10)}),
        "jacobian": plots.jacobian(torch.randn(16, 16)),
    }


def test_ch2_ch3_figures_draw_and_have_alt_text() -> None:
    first, again = ch2_ch3_pictures(), ch2_ch3_pictures()
    for name, picture in first.items():
        picture.figure.set_dpi(30)  # faster
        assert picture.png().startswith(b"\x89PNG"), name
        assert picture.figure.get_figwidth() <= plots.WIDTH, name
        assert len(picture.alt) > 40 and picture.alt.endswith(".") and "\n" not in picture.alt, name
        assert picture.alt == again[name].alt, f"{name}: the alt text depends on random data"


def test_ch2_feature_maps_show_one_scale_and_the_numbers() -> None:
    maps = torch.randn(16, 8, 8)
    maps[3] -= 0.37 + maps[3].mean()
    picture = plots.feature_maps(IMAGE, maps, maps.mean((1, 2)))
    drawn = [image for image in picture.figure.findobj(AxesImage) if image.get_array().ndim == 2]
    assert len(drawn) == 16
    assert len({image.get_clim() for image in drawn}) == 1
    low, high = drawn[0].get_clim()
    assert low == -high  # zero is the middle of the scale
    np.testing.assert_array_equal(drawn[3].get_array(), maps[3].numpy())
    assert "\N{MINUS SIGN}0.37" in texts(picture)


def test_ch2_squeezed_maps_write_mean_max_and_sd() -> None:
    u = np.zeros((4, 4))
    u[0] = 1  # mean 0.25, max 1, sd sqrt(0.25 * 0.75)
    written = texts(plots.squeezed_maps({"flat": np.full((4, 4), 0.25), "row": u}))
    numbers = [text for text in written if text.startswith(("0.", "1."))]
    assert numbers == ["0.25", "0.25", "0.00", "0.25", "1.00", "0.43"]


def test_ch2_three_squeezes_sort_by_the_mean() -> None:
    maps = torch.stack([torch.full((2, 2), value) for value in (0.1, 0.3, -0.2)])
    maps[0, 0, 0], maps[0, 1, 1] = 5.1, -4.9  # still the mean 0.1
    picture = plots.three_squeezes(maps)
    mean, maximum, deviation = (bar_heights(ax) for ax in picture.figure.axes)
    np.testing.assert_allclose(mean, [0.3, 0.1, -0.2], atol=1e-6)
    np.testing.assert_allclose(maximum, [0.3, 5.1, -0.2], atol=1e-6)
    np.testing.assert_allclose(deviation, [0, np.std(maps[0].numpy()), 0], atol=1e-6)
    assert [tick.get_text() for tick in picture.figure.axes[-1].get_xticklabels()] == ["2", "1", "3"]


def test_ch2_seen_pixels_count_and_dim() -> None:
    mask = torch.zeros(32, 32, dtype=torch.bool)
    mask[10:17, 12:19] = True
    picture = plots.seen_pixels(IMAGE, {"window": mask})
    assert "49 of 1,024 pixels" in texts(picture)
    (drawn,) = (np.asarray(image.get_array()) for image in picture.figure.findobj(AxesImage))
    np.testing.assert_allclose(drawn[mask.numpy()], IMAGE[:, mask].T.numpy() / 255)
    assert drawn[~mask.numpy()].min() > 0.8


@pytest.mark.parametrize(
    ("channels", "reduction", "weights"),
    [(256, 16, "8,192 weights, 12.5 %"), (256, 2, "65,536 weights, 100 %"), (16, 32, "32 weights, 12.5 %")],
)
def test_ch3_bottleneck_counts_weights(channels: int, reduction: int, weights: str) -> None:
    picture = plots.bottleneck(channels, reduction)
    se = SEBlock(channels, reduction)
    assert weights in texts(picture)
    assert weights.startswith(f"{sum(p.numel() for p in se.parameters()):,} ")
    areas = [box.get_width() * box.get_height() for box in picture.figure.axes[0].patches]
    assert areas == [channels**2, se.fc1.weight.numel(), se.fc2.weight.numel()]


def test_ch3_last_nonlinearities() -> None:
    axes = plots.last_nonlinearities(torch.tensor([3.0, 3.0, 0.0, -3.0])).figure.axes
    expected = {
        "sigmoid": [0.9526, 0.9526, 0.5, 0.0474],
        "softmax": [0.4873, 0.4873, 0.0243, 0.0012],
        "tanh": [0.9951, 0.9951, 0, -0.9951],
        "ReLU": [3, 3, 0, 0],
    }
    assert {ax.get_title(loc="left"): pytest.approx(bar_heights(ax), abs=1e-4) for ax in axes} == expected


def test_ch3_gate_histograms_are_shares_on_the_scale_of_gates() -> None:
    (ax,) = plots.gate_histograms({"half": torch.tensor([0.5, 0.5, 0.5, 0.99])}).figure.axes
    heights = bar_heights(ax)
    assert heights.sum() == pytest.approx(100) and heights[25] == 75 and heights[-1] == 25
    assert ax.get_xlim() == (0, 1)


# Chapter 4: rescale


def gray_maps(picture: Picture) -> list[np.ndarray]:
    """What is drawn in gray, in the order of drawing; not color images."""
    return [np.asarray(i.get_array()) for i in picture.figure.findobj(AxesImage) if i.get_array().ndim == 2]


def ch4_pictures() -> dict[str, Picture]:
    maps, gates = torch.randn(16, 8, 8), torch.rand(16)
    return {
        "rescaled_numbers": plots.rescaled_numbers(torch.ones(3, 3, 3), torch.tensor([0.9, 0.5, 0.1])),
        "before_after": plots.before_after(maps, gates, IMAGE),
        "before_after, 64 channels": plots.before_after(torch.randn(64, 4, 4), torch.rand(64)),
        "gates_and_norm": plots.gates_and_norm(torch.rand(5, 16), torch.rand(16), {"a": gates, "b": 1 - gates}),
        "gated_sum": plots.gated_sum(maps[:4], maps[4:8], gates[:4]),
    }


def test_ch4_figures_draw_and_have_alt_text() -> None:
    first, again = ch4_pictures(), ch4_pictures()
    for name, picture in first.items():
        picture.figure.set_dpi(30)  # faster
        assert picture.png().startswith(b"\x89PNG"), name
        assert picture.figure.get_figwidth() <= plots.WIDTH, name
        assert len(picture.alt) > 40 and picture.alt.endswith(".") and "\n" not in picture.alt, name
        assert picture.alt == again[name].alt, f"{name}: the alt text depends on random data"


def test_ch4_rescaled_numbers_writes_the_products() -> None:
    picture = plots.rescaled_numbers(torch.tensor([[[4.0, -2.0]], [[1.0, 8.0]]]), torch.tensor([0.5, 0.1]))
    assert {"4.0", "\N{MINUS SIGN}2.0", "2.0", "\N{MINUS SIGN}1.0", "8.0", "0.8", "0.50", "0.10"} <= set(texts(picture))


def test_ch4_before_after_sorts_by_gate_and_scales_by_it() -> None:
    gates = torch.tensor([0.2, 0.9, 0.5])
    maps = torch.randn(3, 4, 4)
    drawn = gray_maps(plots.before_after(maps, gates))
    for k, c in enumerate([1, 2, 0]):
        np.testing.assert_allclose(drawn[2 * k], maps[c].numpy())
        np.testing.assert_allclose(drawn[2 * k + 1], (gates[c] * maps[c]).numpy())


def test_ch4_before_after_of_many_channels_keeps_both_extremes() -> None:
    gates = torch.linspace(0.001, 0.999, 64)[torch.randperm(64)]
    written = texts(plots.before_after(torch.randn(64, 4, 4), gates))
    channels = [text for text in written if text.isdigit()]
    assert len(channels) == 16
    assert channels[0] == str(int(gates.argmax()) + 1) and channels[-1] == str(int(gates.argmin()) + 1)


def test_ch4_gates_and_norm_sort_both_factors_alike() -> None:
    gates, norm = torch.tensor([[0.1, 0.8, 0.4], [0.3, 0.6, 0.4]]), torch.tensor([1.0, 2.0, 3.0])
    upper, lower = plots.gates_and_norm(gates, norm, {"first": gates[0]}).figure.axes
    np.testing.assert_allclose(bar_heights(lower), [2, 3, 1])
    marked = [c for c in upper.collections if len(c.get_offsets()) == 3 and c.get_label() == "first"]
    np.testing.assert_allclose(marked[0].get_offsets()[:, 1], [0.8, 0.4, 0.1], rtol=1e-6)


def test_ch4_gated_sum_draws_what_the_next_layer_sees() -> None:
    residual, shortcut, gates = torch.randn(2, 4, 4), torch.randn(2, 4, 4), torch.tensor([0.25, 0.0])
    drawn = gray_maps(plots.gated_sum(residual, shortcut, gates))
    np.testing.assert_allclose(drawn[-1], shortcut[1].clamp(min=0).numpy())  # a shut gate: the shortcut alone
    assert any(np.allclose(d, (shortcut[0] + 0.25 * residual[0]).clamp(min=0).numpy()) for d in drawn)


# Chapter 5: SE inside a ResNet

CH5_PLACES = ["none", "standard", "pre", "post", "identity", "3x3"]


def ch5_pictures() -> dict[str, Picture]:
    return {
        "placements": plots.placements({place: "25.56 M\nerror 23.30" for place in CH5_PLACES}),
        "where_se_costs": plots.where_se_costs({"stage 1": 24_576}, {"stage 1": 2_408_448}),
        "map_sides": plots.map_sides({"small": {"image": 32, "stem": 1}, "other": {"image": 32}}),
    }


def test_ch5_figures_draw_and_have_alt_text() -> None:
    for name, picture in ch5_pictures().items():
        picture.figure.set_dpi(30)  # faster
        assert picture.png().startswith(b"\x89PNG"), name
        assert picture.figure.get_figwidth() <= plots.WIDTH, name
        assert len(picture.alt) > 40 and picture.alt.endswith(".") and "\n" not in picture.alt, name


def test_ch5_every_placement_has_its_own_diagram() -> None:
    def boxes(ax: mpl.axes.Axes) -> list[tuple]:
        return sorted((round(p.get_x(), 3), round(p.get_y(), 3)) for p in ax.patches if isinstance(p, Rectangle))

    axes = plots.placements(dict.fromkeys(CH5_PLACES, "note")).figure.axes
    diagrams = [boxes(ax) for ax in axes]
    assert len({tuple(diagram) for diagram in diagrams}) == len(CH5_PLACES)
    convolutions = set(diagrams[0])  # the network without SE
    assert len(convolutions) == 3 and all(convolutions < set(diagram) for diagram in diagrams[1:])


# Chapter 9: gates across depth

CH9_BLOCKS = [f"layer{stage}.{k}.se" for stage in (1, 2, 3) for k in (0, 1, 2)]
CH9_CLASSES = [f"class {k}" for k in range(10)]


def ch9_pictures() -> dict[str, Picture]:
    labels = torch.arange(100) % 10
    gates = {block: torch.rand(100, 16 * int(block[5])) for block in CH9_BLOCKS}
    means = {block: class_means(s, labels) for block, s in gates.items()}
    last = {block: means[block] for block in CH9_BLOCKS[2::3]}
    spreads = {block: 0.1 * torch.rand_like(m) for block, m in last.items()}
    summaries = {block: summarize(s, labels) for block, s in gates.items()}
    return {
        "gates_within_classes": plots.gates_within_classes(last, spreads, CH9_CLASSES, [0, 3]),
        "channels_by_class": plots.channels_by_class({"one": gates["layer1.0.se"][:, 0]}, labels, CH9_CLASSES),
        "gates_by_depth": plots.gates_by_depth(summaries, summaries, dict.fromkeys(gates, 0.01)),
    }


def test_ch9_figures_draw_and_have_alt_text() -> None:
    first, again = ch9_pictures(), ch9_pictures()
    for name, picture in first.items():
        assert picture.png().startswith(b"\x89PNG"), name
        assert picture.figure.get_figwidth() <= plots.WIDTH, name
        assert len(picture.alt) > 40 and picture.alt.endswith(".") and "\n" not in picture.alt, name
        assert picture.alt == again[name].alt, f"{name}: the alt text depends on random data"


def test_ch9_bands_reach_one_standard_deviation() -> None:
    means, spreads = torch.full((10, 4), 0.5), torch.full((10, 4), 0.2)
    (ax,) = plots.gates_within_classes({"b": means}, {"b": spreads}, CH9_CLASSES, chosen=[0, 1]).figure.axes
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.3, 0.7))


def test_ch9_depth_panels_show_the_summaries() -> None:
    labels = torch.arange(100) % 10
    trained = {block: summarize(torch.rand(100, 16), labels) for block in CH9_BLOCKS}
    untrained = {block: summarize(0.9 * torch.rand(100, 16), labels) for block in CH9_BLOCKS}
    shuffled = {block: 0.001 * k for k, block in enumerate(CH9_BLOCKS)}
    share, spread, ends, mean = plots.gates_by_depth(trained, untrained, shuffled).figure.axes
    for ax, fields in ((share, ["class_share"]), (spread, ["spread"]), (ends, ["above", "below"]), (mean, ["mean"])):
        drawn = [tuple(line.get_ydata()) for line in ax.lines if len(line.get_ydata()) == len(CH9_BLOCKS)]
        for field in fields:
            for summaries in (trained, untrained):
                assert tuple(getattr(q, field) for q in summaries.values()) in drawn
    assert tuple(shuffled.values()) in [tuple(line.get_ydata()) for line in share.lines]
    assert [tick.get_text() for tick in mean.get_xticklabels()] == [block[5:8] for block in CH9_BLOCKS]
    for ax in (share, spread, ends):  # nothing is cut off
        assert ax.get_ylim()[1] > max(max(line.get_ydata()) for line in ax.lines)


# Chapter 7: training

CH7_SIZES = ((0.0, 16), (0.5, 24), (0.75, 32))


def ch7_history(seed: int = 0) -> list[dict[str, float]]:
    """Four epochs, tested after every second."""
    values = np.random.default_rng(seed).random((4, 4))
    rows = [{"epoch": k + 1, "train_loss": a, "train_accuracy": b} for k, (a, b, _, _) in enumerate(values)]
    for k in (1, 3):
        rows[k] |= {"test_loss": values[k, 2], "test_accuracy": values[k, 3]}
    return rows


def ch7_points(ax: mpl.axes.Axes) -> list[np.ndarray]:
    """The points (x, y) of each line."""
    return [np.column_stack(line.get_data()) for line in ax.lines]


def test_ch7_figures_draw_and_have_alt_text() -> None:
    histories = {"ResNet-20": ch7_history(0), "SE-ResNet-20": ch7_history(1)}
    for picture in (
        plots.augmented(IMAGE[None], IMAGE.expand(1, 8, 3, 32, 32)),
        plots.learning_rate([0.1, 0.2, 0.1], CH7_SIZES, 3),
        plots.training_progress([], CH7_SIZES, 4),
        plots.training_progress(ch7_history(), CH7_SIZES, 4),
        plots.training_curves(histories, CH7_SIZES, 4),
    ):
        assert picture.png().startswith(b"\x89PNG")
        assert picture.figure.get_figwidth() <= plots.WIDTH
        assert len(picture.alt) > 40 and picture.alt.endswith(".") and "\n" not in picture.alt
    assert plots.training_progress([], CH7_SIZES, 4).alt == plots.training_progress(ch7_history(), CH7_SIZES, 4).alt


def test_ch7_augmented_shows_every_version() -> None:
    crops = torch.randint(256, (2, 3, 3, 32, 32)).byte()
    axes = plots.augmented(torch.stack([IMAGE, IMAGE]), crops).figure.axes
    drawn = [np.asarray(ax.images[0].get_array()) for ax in axes]
    for row, versions in ((drawn[:4], crops[0]), (drawn[4:], crops[1])):
        np.testing.assert_array_equal(row[0], IMAGE.permute(1, 2, 0))
        np.testing.assert_array_equal(row[1:], versions.permute(0, 2, 3, 1))


def test_ch7_learning_rate_over_epochs_with_sizes() -> None:
    rates = [0.1, 0.4, 0.3, 0.2, 0.1, 0.0]
    picture = plots.learning_rate(rates, CH7_SIZES, 3)
    (ax,) = picture.figure.axes
    np.testing.assert_allclose(ch7_points(ax)[0], np.column_stack([np.arange(6) / 2, rates]))
    places = {text.get_text(): text.get_position()[0] for text in ax.texts}
    assert {"16 px": 0.75, "24 px": 1.875, "32 px": 2.625}.items() <= places.items()  # middles of the bands
    assert "peak 0.4" in places


def test_ch7_progress_shows_what_was_measured() -> None:
    history = ch7_history()
    loss, accuracy = plots.training_progress(history, CH7_SIZES, 4).figure.axes
    for ax, name, factor in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
        training, test = ch7_points(ax)[:2]
        np.testing.assert_allclose(training, [(row["epoch"], factor * row[f"train_{name}"]) for row in history])
        tested = [(row["epoch"], factor * row[f"test_{name}"]) for row in (history[1], history[3])]
        np.testing.assert_allclose(test, tested)
    assert accuracy.get_ylim() == (0, 100) and accuracy.get_xlim() == (0, 4)


def test_ch7_curves_part_training_and_test_and_keep_colors() -> None:
    histories = {"ResNet-20": ch7_history(0), "SE-ResNet-20": ch7_history(1)}
    picture = plots.training_curves(histories, CH7_SIZES, 4)
    for ax, part, epochs in zip(picture.figure.axes, ("train", "test"), ((1, 2, 3, 4), (2, 4))):
        for line, history, color in zip(ax.lines, histories.values(), (plots.PLAIN, plots.EXCITATION)):
            wanted = [100 * history[epoch - 1][f"{part}_accuracy"] for epoch in epochs]
            assert list(line.get_xdata()) == list(epochs) and list(line.get_ydata()) == pytest.approx(wanted)
            assert line.get_color() == color
    assert set(histories) <= set(texts(picture))


# Chapter 11: relatives


def test_ch11_gates_side_by_side_stretches_every_gate_over_the_maps() -> None:
    maps = torch.randn(5, 4, 6)
    gates = {"channel": torch.rand(5), "pixel": torch.rand(1, 4, 6), "value": torch.rand(5, 4, 6)}
    picture = plots.gates_side_by_side(maps, gates, after=True, columns=3)
    drawn = [image for image in picture.figure.findobj(AxesImage) if image.get_array().shape == (4, 6)]
    tiles = np.array([image.get_array() for image in drawn]).reshape(5, 3, 4, 6)
    chosen = [0, 2, 4]
    s = [gates["channel"][:, None, None].expand(5, 4, 6), gates["pixel"].expand(5, 4, 6), gates["value"]]
    for row, wanted in zip(tiles, (maps, *s, maps * s[0] * s[1] * s[2])):
        np.testing.assert_allclose(row, wanted[chosen].numpy(), rtol=1e-6)
    assert {image.get_clim() for image in drawn[3:12]} == {(0, 1)}
    assert {"1", "5", "½", *gates} <= set(texts(picture)) and "channel, pixel, value" in picture.alt
    assert picture.png().startswith(b"\x89PNG")


def test_ch11_what_gates_see_counts_pixels_and_channels() -> None:
    pixels, channels = torch.zeros(6, 6, dtype=torch.bool), torch.zeros(8, dtype=torch.bool)
    pixels[1:4, 2] = channels[:2] = True
    picture = plots.what_gates_see({"a": (pixels, channels), "b": (~pixels, ~channels)}, (2, 2), 1)
    assert {"3 px, 2 ch.", "33 px, 6 ch."} <= set(texts(picture))
    assert "a 3 pixels, 2 channels; b 33 pixels, 6 channels." in picture.alt
    first = picture.figure.axes[0]
    np.testing.assert_array_equal(first.images[0].get_array(), pixels.numpy())
    assert picture.png().startswith(b"\x89PNG")


def test_ch11_gate_latency_draws_the_times() -> None:
    picture = plots.gate_latency({"multiply": 0.5, "SE": 1.25, "slow": 31.4}, (4, 64, 8, 8))
    (ax,) = picture.figure.axes
    dots = [line.get_xydata() for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(np.concatenate(dots), [(0.5, 0), (1.25, 1), (31.4, 2)])
    assert {"0.5", "1.2", "31"} <= set(texts(picture)) and "4 × 64 × 8 × 8" in ax.get_xlabel()
    assert picture.alt.endswith("multiply, SE, slow.") and picture.png().startswith(b"\x89PNG")


# Chapter 12: in the wild


def ch12_pictures(accuracy: float = 0.3) -> dict[str, Picture]:
    return {
        "modules": plots.modules_with_se({"Mixed_5b": (256, 35), "Mixed_5c": (288, 35), "Mixed_6a": (768, 17)}),
        "cost": plots.added_cost({"VGG-16": (0.16, 0.0015), "ResNeXt-50": (10.02, 0.06)}),
        "starts": plots.warm_starts({"half": (accuracy, 0.4), "exactly\nopen": (0.9, 0.91)}, 0.9, 200),
        "inputs": plots.accuracy_by_input({"as in training": accuracy, "not\nnormalized": 0.25}, 200),
    }


def test_ch12_figures_draw_and_have_alt_text() -> None:
    other = ch12_pictures(0.5)
    for name, picture in ch12_pictures().items():
        picture.figure.set_dpi(30)
        assert picture.png().startswith(b"\x89PNG"), name
        assert picture.figure.get_figwidth() <= plots.WIDTH, name
        assert len(picture.alt) > 40 and picture.alt.endswith(".") and "\n" not in picture.alt, name
        assert picture.alt == other[name].alt, f"{name}: the alt text depends on what was measured"


def test_ch12_modules_are_as_high_as_their_channels() -> None:
    picture = ch12_pictures()["modules"]
    (ax,) = picture.figure.axes
    assert bar_heights(ax)[::2].tolist() == [256, 288, 768]  # the others are the SE blocks on top
    assert {"256", "288", "768", "5b", "6a", "35 × 35", "17 × 17"} <= set(texts(picture))
    assert "Mixed_6a 768 at 17 by 17" in picture.alt


def test_ch12_costs_are_on_one_scale() -> None:
    picture = ch12_pictures()["cost"]
    left, right = picture.figure.axes
    assert left.get_xlim() == right.get_xlim()
    assert [bar.get_width() for bar in (*left.patches, *right.patches)] == [0.16, 10.02, 0.0015, 0.06]
    assert {"0.2", "10.0", "0.00", "0.06"} <= set(texts(picture))


def test_ch12_starts_go_from_open_dots_to_filled_ones() -> None:
    (ax,) = ch12_pictures()["starts"].figure.axes
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([dot.get_xdata()[0] for dot in dots], [30, 40, 90, 91])
    assert [dot.get_markerfacecolor() == "white" for dot in dots] == [True, False, True, False]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), 90)  # the network without SE


def test_ch12_accuracies_are_percent() -> None:
    picture = ch12_pictures()["inputs"]
    assert [bar.get_width() for bar in picture.figure.axes[0].patches] == [30, 25]
    assert {"30", "25"} <= set(texts(picture)) and "not normalized" in picture.alt


# Chapter 10: are gates explanations?


def test_ch10_needed_channels() -> None:
    gate, needed = torch.tensor([0.1, 0.5, 0.9]), torch.tensor([0.0, 0.25, 0.02])
    picture = plots.needed_channels(gate, needed, "the last block")
    (ax,) = picture.figure.axes
    np.testing.assert_allclose(ax.collections[0].get_offsets(), [[0.1, 0], [0.5, 25], [0.9, 2]], rtol=1e-6)
    assert ax.get_xlim() == (0, 1) and ax.get_ylim()[0] == 0 and ax.get_ylim()[1] > 25
    assert ax.get_title(loc="left") == "the last block"
    assert picture.png().startswith(b"\x89PNG")
    assert picture.alt == plots.needed_channels(gate, 0 * needed).alt
    assert "3 channels" in picture.alt


# Chapter 1: why channels


def ch1_pictures(level: float = 0.3) -> dict[str, Picture]:
    heat = torch.zeros(32, 32)
    heat[16, 16], heat[15, 15], heat[10, 16] = level, 0.3, 0.2
    rows = torch.full((2, 3, 8, 8), level)
    return {
        "influence": plots.influence({"stem": heat, "after\nblock 1": heat}, [15, 37]),
        "restored": plots.restored({"true": rows, "seen": rows - 1}, {"seen": level}),
    }


def test_ch1_figures_draw_and_have_alt_text() -> None:
    other = ch1_pictures(0.9)
    for name, picture in ch1_pictures().items():
        picture.figure.set_dpi(30)
        assert picture.png().startswith(b"\x89PNG"), name
        assert picture.figure.get_figwidth() <= plots.WIDTH, name
        assert len(picture.alt) > 40 and picture.alt.endswith(".") and "\n" not in picture.alt, name
        assert picture.alt == other[name].alt, f"{name}: the alt text depends on what was measured"


def test_ch1_influence_finds_the_square_with_half_of_it() -> None:
    near, far = ch1_pictures()["influence"], ch1_pictures(0.9)["influence"]
    assert "window 15 × 15\nhalf in 3 × 3" in texts(near)  # 0.3 + 0.3 of 0.8
    assert "window 37 × 37\nhalf in 1 × 1" in texts(far)  # 0.9 of 1.4
    dashed, solid = (patch for patch in near.figure.axes[0].patches if isinstance(patch, Rectangle))
    assert (dashed.get_width(), dashed.get_x()) == (15, 8.5)  # pixels 9 to 23
    assert (solid.get_width(), solid.get_x()) == (3, 14.5)


def test_ch1_pictures_are_clipped_and_errors_stand_below() -> None:
    picture = ch1_pictures()["restored"]
    shown = [ax.images[0].get_array() for ax in picture.figure.axes]
    assert len(shown) == 4 and min(image.min() for image in shown) == 0
    assert picture.figure.axes[3].get_xlabel() == "off by 0.300" and picture.figure.axes[2].get_xlabel() == ""


# Chapter 6: learning to gate


def test_ch6_sigmoid_starts_shows_gates_and_slopes() -> None:
    picture = plots.sigmoid_starts([-2.0, 0.0, 2.0])
    picture.figure.set_dpi(30)
    assert picture.png().startswith(b"\x89PNG") and picture.figure.get_figwidth() <= plots.WIDTH
    assert len(picture.alt) > 40 and picture.alt.endswith(".") and "-2, 0, 2" in picture.alt
    z = torch.tensor([-2.0, 0.0, 2.0], requires_grad=True)
    torch.sigmoid(z).sum().backward()
    labels = [text for text in texts(picture) if "slope" in text]
    assert labels == [
        f"$b_2$ = {name}\ngate {gate:.2f}\nslope {slope:.2f}"
        for name, gate, slope in zip(("−2", "0", "2"), torch.sigmoid(z).tolist(), z.grad.tolist())
    ]
    tangents = [line.get_xydata() for line in picture.figure.axes[0].lines if line.get_color() == plots.EXCITATION]
    rises = np.array([np.diff(points, axis=0)[0] for points in tangents])  # (3, 2): to the right, up
    assert rises[:, 1] / rises[:, 0] == pytest.approx(z.grad.numpy())


# Chapter 8: does it help?


def test_ch8_published_gains_stand_in_their_rows() -> None:
    picture = plots.published_gains(PAIRS)
    assert picture.png().startswith(b"\x89PNG") and picture.alt.endswith(".")
    (ax,) = picture.figure.axes
    sources = list(dict.fromkeys(pair.source for pair in PAIRS))
    assert [label.get_text() for label in ax.get_yticklabels()] == [f"{s.title}, {s.data}" for s in sources]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    drawn = sorted((round(float(dot.get_ydata()[0])), float(dot.get_xdata()[0])) for dot in dots)
    np.testing.assert_allclose(drawn, sorted((sources.index(pair.source), pair.plain - pair.se) for pair in PAIRS))
    assert all((dot.get_markerfacecolor() == "white") == (dot.get_xdata()[0] <= 0) for dot in dots)
    losers = sum(pair.se >= pair.plain for pair in PAIRS)
    assert f"{len(PAIRS) - losers} gain" in picture.alt and "a3" in texts(picture)


# Chapter 13: reproduce


def test_ch13_apart_draws_the_distances() -> None:
    distances = {"nudged": [0.0, 0.1, 1.0], "another seed": [30.0, 31.0, 32.0]}
    picture = plots.apart([0, 1, 200], distances)
    assert picture.png().startswith(b"\x89PNG") and picture.alt.endswith("nudged and another seed.")
    (ax,) = picture.figure.axes
    for line, values in zip(ax.lines, distances.values()):
        drawn = np.nan_to_num(line.get_ydata())  # a zero has no place on a logarithmic axis
        np.testing.assert_allclose(drawn, values)
    assert {"nudged", "another seed", "0", "1", "200"} <= set(texts(picture))
    assert len({line.get_color() for line in ax.lines}) == 2

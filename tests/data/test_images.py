"""A data set in memory: what it refuses, and parts of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from senet_edu import data


def test_subset_is_balanced():
    whole = data.procedural(train=600, test=100)
    part = whole.subset(train=205, test=20, seed=1)
    counts = part.train_labels.bincount(minlength=10)
    assert len(part.train_images) == 205 and counts.max() - counts.min() == 1
    assert part.test_labels.bincount().tolist() == [2] * 10
    # Every image of the part is in the whole, once, with its own label.
    known = {image.numpy().tobytes(): label for image, label in zip(whole.train_images, whole.train_labels.tolist())}
    taken = [image.numpy().tobytes() for image in part.train_images]
    assert len(set(taken)) == 205 and [known[key] for key in taken] == part.train_labels.tolist()


def test_subset_is_random_but_repeatable():
    whole = data.procedural(train=600, test=100)
    assert torch.equal(whole.subset(train=50).train_images, whole.subset(train=50).train_images)
    assert torch.equal(whole.subset(train=50).train_images, whole.subset(train=80).train_images[:50])
    assert not torch.equal(whole.subset(train=50).train_images, whole.subset(train=50, seed=1).train_images)
    assert whole.subset(train=50).test_images is whole.test_images
    assert len(whole.subset(train=10**6).train_images) == 600
    with pytest.raises(ValueError, match="test must be at least 1, got 0"):
        whole.subset(test=0)


@pytest.fixture(scope="module")
def shapes() -> data.ImageData:
    return data.procedural(20, 10)


@pytest.mark.parametrize("part", ["train", "test"])
def test_images_and_labels_that_are_none_are_refused(part, shapes):
    images, labels = getattr(shapes, f"{part}_images"), getattr(shapes, f"{part}_labels")
    for wrong in (images / 255, images[:, :1], images[0], images[:0], images.numpy(), None):
        with pytest.raises(ValueError, match=rf"{part}_images must be uint8 \(N, 3, H, W\) with N >= 1, got"):
            replace(shapes, **{f"{part}_images": wrong})
    for wrong in (labels[:-1], labels.byte(), labels[:, None], labels.tolist()):
        with pytest.raises(ValueError, match=rf"{part}_labels must be int64 \({len(images)},\), got"):
            replace(shapes, **{f"{part}_labels": wrong})
    for wrong in (labels + 1, labels - 1):
        with pytest.raises(ValueError, match=f"{part}_labels must be from 0 to 9, got"):
            replace(shapes, **{f"{part}_labels": wrong})


def test_a_data_set_says_what_it_is(shapes):
    assert shapes.describe() == "Procedural shapes: 20 training and 10 test images"
    assert repr(replace(shapes, title="", note="it rains")) == (
        "<procedural: 20 training and 10 test images (because it rains)>"
    )


@pytest.mark.parametrize("wrong", ["10", 2.5, True, [3], float("nan")])
def test_counts_and_seeds_that_are_no_whole_numbers(wrong, shapes):
    for name in ("train", "test"):
        for call in (shapes.subset, data.procedural):
            with pytest.raises(ValueError, match=f"{name} must be a whole number, at least 1, got"):
                call(**{name: wrong})
    with pytest.raises(ValueError, match="seed must be a whole number, got"):
        shapes.subset(train=5, seed=wrong)
    with pytest.raises(ValueError, match="seed must be a whole number, got"):
        data.procedural(5, 5, seed=wrong)


def test_numbers_of_numpy_are_numbers(shapes):
    assert len(shapes.subset(train=np.int64(5)).train_images) == 5

"""`rtbench demos`: image sizes by the network that is to be trained."""

from __future__ import annotations

import pytest

from rtbench.cli.demos_options import DemosOptions
from rtbench.cli.image_size import ImageSizeError, image_size
from rtbench.policy.rt1.config import SIZES


@pytest.mark.parametrize(
    ("size", "image"),
    [
        ("paper", (256, 320)),
        ("base", (128, 160)),
        ("small", (128, 160)),
        ("lite", (128, 160)),
        ("48x60", (48, 60)),
    ],
)
def test_images_are_as_large_as_the_network_to_train_needs(size, image):
    assert image_size(size) == image


def test_images_are_those_of_the_small_network_by_default(tmp_path):
    assert image_size(DemosOptions(output=tmp_path).size) == SIZES["small"].image


@pytest.mark.parametrize("size", ["papr", "128", "8x8", "256x321"])
def test_another_size_is_refused_with_the_allowed_ones(size):
    with pytest.raises(ImageSizeError, match=f"--size {size}: .*16x16 to 256x320.*paper, base, small"):
        image_size(size)

"""Maps that synthetic heads are sampled from: the template's tissues, with coverings around them."""

from dataclasses import replace

import numpy as np
import pytest

from morpho.atlas import Atlas, Template
from morpho.errors import ConfigError
from morpho.images import array_of, labels_of, mask_of
from morpho.phantom_maps import HeadMaps, prepare_head_maps


def test_maps_keep_what_the_template_holds(small_maps: HeadMaps, small_template: Template, small_atlas: Atlas) -> None:
    assert small_maps.grey_matter.sum() == pytest.approx(array_of(small_template.grey_matter).sum(), rel=1e-3)
    assert small_maps.brain_mask.sum() == mask_of(small_template.brain_mask).sum()
    data = labels_of(small_atlas.image)
    for index in small_maps.label_of.values():
        assert (small_maps.labels == index).sum() == (data == index).sum()


def test_maps_lie_where_the_template_lies(small_maps: HeadMaps, small_template: Template) -> None:
    for affine, data in (
        (small_maps.affine, small_maps.brain_mask),
        (small_template.brain_mask.affine, mask_of(small_template.brain_mask)),
    ):
        centre = affine @ [*np.mean(np.argwhere(data), axis=0), 1]
        np.testing.assert_allclose(centre[:3], 0, atol=1e-6)


def test_coverings_lie_around_the_brain_in_their_order(small_maps: HeadMaps) -> None:
    brain = small_maps.brain_mask > 0
    assert small_maps.skull[brain].max() == small_maps.scalp[brain].max() == 0
    # Outwards from the brain along x: fluid, skull, scalp, air.
    x = np.argwhere(brain)[:, 0].max() + 1
    y, z = (size // 2 for size in brain.shape[1:])
    outermost = [
        np.flatnonzero(data[x:, y, z] > 0.5).max() for data in (small_maps.csf, small_maps.skull, small_maps.scalp)
    ]
    assert outermost == sorted(set(outermost))
    assert small_maps.scalp[-1].max() == small_maps.scalp[:, 0].max() == 0


def test_depth_is_positive_in_the_hippocampi_only(small_maps: HeadMaps) -> None:
    hippocampi = np.isin(small_maps.labels, [small_maps.label_of["hippocampus", side] for side in "LR"])
    np.testing.assert_array_equal(small_maps.depth_mm > 0, hippocampi)
    assert small_maps.neighbour_white.shape == (hippocampi.sum(),)
    # The hippocampi of the small head lie in white matter.
    assert small_maps.neighbour_white.min() > 0.95


def test_atlas_without_both_hippocampi_is_refused(small_template: Template, small_atlas: Atlas) -> None:
    one_sided = small_atlas.labels.query("name != 'hippocampus' or hemisphere == 'L'")
    with pytest.raises(ConfigError, match=r"'small' has no label 'hippocampus' on both sides"):
        prepare_head_maps(small_template, replace(small_atlas, labels=one_sided))

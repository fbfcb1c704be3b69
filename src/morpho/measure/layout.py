"""Whether what a network found in an image lies as the parts of a brain lie.

Takes the coarse shares of network "head", gives what is wrong with their sizes and places. A network finds cortex in a
fruit and in noise as well; it does not find all parts of a brain there, in their sizes, below and behind each other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import nibabel as nib
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho.images import FloatArray, array_of
from morpho.measure.head import HeadShares

COARSE_MM = 2.0  # voxels of the coarse shares
OUTSIDE = "outside"
CEREBRUM = ("cortex", "white_matter")
MOST_PROBLEMS = 1  # implausible sizes and places that a brain may have: one may be a lesion or a cyst
# Mean over the brain of 1 minus the largest share: .26 to .29 in 38 adults, .30 with noise of a fifth of the signal,
# .32 to .37 in the same heads turned the wrong way, .33 to .35 in fruits.
LARGEST_DOUBT = 0.31
HALF = 0.5


@dataclass(frozen=True)
class Range:
    """Lowest and highest plausible value."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Place:
    """Plausible share of all that is no air, and place relative to the middle of the cerebrum (mm, forward and up)."""

    share: Range
    forward_mm: Range
    up_mm: Range


# 38 adults (30 patients and controls of two scanners, 8 brains extracted by hand): none is beyond; some of them: deep
# grey .024 to .027, hippocampus and amygdala .010 to .011, cerebellum .08 to .10, brain stem .021 to .024. Places move
# when a head nods: by 20 mm for 20 degrees at the cerebellum.
PLACES = {
    "deep_grey_matter": Place(Range(0.014, 0.038), Range(-10, 40), Range(-35, 20)),
    "hippocampus_amygdala": Place(Range(0.006, 0.020), Range(-15, 27), Range(-50, -8)),
    "cerebellum": Place(Range(0.045, 0.150), Range(-50, 5), Range(-85, -36)),
    "brain_stem": Place(Range(0.009, 0.040), Range(-25, 26), Range(-70, -20)),
}
# Ways in which a header can be wrong about its axes: what right, forward and up become. Left and right play no part
# here, so each stands for its mirror image as well.
TURNS = tuple(
    codes
    for axes in itertools.permutations(("R", "AP", "SI"))
    for codes in itertools.product(*axes)
    if codes != ("R", "A", "S")
)


def find_implausible_parts(head: HeadShares) -> list[str]:
    """Find what sets the parts of a head apart from those of a brain.

    Parameters
    ----------
    head
        Coarse shares, axes RAS+.

    Returns
    -------
    One text per implausible size or place; empty for a brain.
    """
    total = float(head.shares.sum(dtype=np.float64) - head.share(OUTSIDE).sum(dtype=np.float64))
    middle = _centre(head.share(*CEREBRUM))
    return [text for name, place in PLACES.items() for text in _problems(head.share(name), name, place, middle, total)]


def measure_doubt(head: HeadShares) -> float:
    """Measure how unsure a network is about what a brain is made of.

    Parameters
    ----------
    head
        Coarse shares.

    Returns
    -------
    Mean of 1 minus the largest share, over what is rather brain than not; 1 if nothing is.
    """
    brain = head.share(OUTSIDE) < HALF
    return float((1 - head.shares.max(axis=0))[brain].mean(dtype=np.float64)) if brain.any() else 1.0


def measure_balance(head: HeadShares) -> float:
    """Measure how equal the signal of both halves of a brain is.

    Parameters
    ----------
    head
        Coarse shares and signal, axes RAS+.

    Returns
    -------
    Sum of the signal on that side of the middle of the brain that has less, over the other, 0 to 1. A half that is
    filled with fluid has about 0.4 of the other, whatever a network makes of it.
    """
    brain = head.share(OUTSIDE) < HALF
    where = np.flatnonzero(brain.any(axis=(1, 2)))
    if len(where) == 0:
        return 0.0
    middle = (int(where[0]) + int(where[-1]) + 1) // 2
    along = np.where(brain, head.signal, 0).sum(axis=(1, 2), dtype=np.float64)
    smaller, larger = sorted((float(along[:middle].sum()), float(along[middle:].sum())))
    return smaller / larger if larger > 0 else 0.0


def turned_views(image: Nifti1Image) -> Iterator[tuple[str, Nifti1Image]]:
    """Look at an image as if its header were wrong about the axes.

    Parameters
    ----------
    image : shape (X, Y, Z)
        Image in RAS+ orientation.

    Yields
    ------
    What "RAS" would have to read, for example "RPI" (upside down), and the image with its axes so turned that
    they are RAS+ if that is the truth. World coordinates are new.
    """
    straight = np.diag([*voxel_sizes(image.affine), 1.0])
    for codes in TURNS:
        claimed = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(codes), image.shape)
        turned = nib.as_closest_canonical(Nifti1Image(array_of(image), np.linalg.inv(claimed) @ straight))
        yield "".join(codes), Nifti1Image(array_of(turned), np.diag([*voxel_sizes(turned.affine), 1.0]))


def _problems(share: FloatArray, name: str, place: Place, middle: NDArray[np.float64], total: float) -> Iterator[str]:
    """Say what is implausible about one part."""
    words, size = name.replace("_", " "), float(share.sum(dtype=np.float64)) / max(total, 1e-6)
    if size not in place.share:
        yield f"{words} is {100 * size:.1f} % of the brain ({100 * place.share.low:g} to {100 * place.share.high:g} %)"
    _, forward_mm, up_mm = (_centre(share) - middle) * COARSE_MM
    if forward_mm not in place.forward_mm:
        yield f"{words} lies {forward_mm:.0f} mm forward of the middle"
    if up_mm not in place.up_mm:
        yield f"{words} lies {up_mm:.0f} mm above the middle"


def _centre(share: FloatArray) -> NDArray[np.float64]:
    """Centre of a share in voxels of its grid, shape (3,); the middle of the grid if the share is empty."""
    total = float(share.sum(dtype=np.float64))
    if total <= 0:
        return (np.array(share.shape) - 1) / 2
    sums = [share.sum(axis=tuple(other for other in range(3) if other != axis), dtype=np.float64) for axis in range(3)]
    return np.array([float((np.arange(len(part)) * part).sum()) / total for part in sums])

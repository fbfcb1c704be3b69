"""Errors that `morpho` raises on purpose.

Every message says what is wrong, the value seen, what is allowed and what to do. Anything else that escapes from
the package is a defect of `morpho`, not of the data.
"""


class MorphoError(Exception):
    """Base of all errors that `morpho` raises on purpose."""


class ConfigError(MorphoError):
    """The configuration contradicts itself, the region table or the cohort."""


class BidsError(MorphoError):
    """The BIDS folder, or a file in it, cannot be used as it stands."""


class ParticipantsError(MorphoError):
    """The participants table cannot be read without guessing."""


class AtlasError(MorphoError):
    """An atlas image, its label table and the region table do not fit each other."""


class ImageError(MorphoError):
    """An image cannot be measured: wrong dimensions, broken values or an impossible geometry."""


class GridMismatchError(ImageError):
    """Two images that must share one voxel grid do not."""


class BrainMaskError(ImageError):
    """No plausible brain was found in a scan."""


class NetworkError(MorphoError):
    """A trained network is missing or damaged, or was given what it was not made for."""


class SegmentationError(MorphoError):
    """A structure of the brain came out empty or with a size that no brain has."""


class RegistrationError(MorphoError):
    """A scan could not be aligned with the template."""


class SmallRegionError(MorphoError):
    """A region came out with too few voxels, which usually means a failed registration."""


class DesignError(MorphoError):
    """A statistical model cannot be estimated from this cohort."""

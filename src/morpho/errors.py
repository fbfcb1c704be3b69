"""Errors that `morpho` raises on purpose.

Every message says what is wrong, the value seen, what is allowed and what to do. Anything else that escapes from
the package is a defect of `morpho`, not of the data. `code` is the name of the hard failure (`morpho.quality_metrics`)
of a scan that cannot be measured because of the error.
"""

from typing import ClassVar


class MorphoError(Exception):
    """Base of all errors that `morpho` raises on purpose."""

    code: ClassVar[str] = "stage_failed"


class ConfigError(MorphoError):
    """The configuration contradicts itself, the region table or the cohort."""


class BidsError(MorphoError):
    """The BIDS folder, or a file in it, cannot be used as it stands."""


class ParticipantsError(MorphoError):
    """The participants table cannot be read without guessing."""


class DecisionsError(MorphoError):
    """The table of what people decided about scans cannot be read without guessing."""


class AtlasError(MorphoError):
    """An atlas image, its label table and the region table do not fit each other."""


class ImageError(MorphoError):
    """An image cannot be measured: wrong dimensions, broken values or an impossible geometry."""

    code = "unreadable_image"


class EmptyImageError(ImageError):
    """An image holds no signal."""

    code = "empty_image"


class OrientationError(ImageError):
    """The header of an image leaves open which side is left."""

    code = "orientation_uncertain"


class NotABrainError(ImageError):
    """What an image shows is not a brain with the contrast of T1w."""

    code = "not_a_brain"


class GridMismatchError(ImageError):
    """Two images that must share one voxel grid do not."""

    code = "stage_failed"


class BrainMaskError(ImageError):
    """No brain was found in a scan."""

    code = "empty_brain_mask"


class FieldOfViewError(ImageError):
    """The field of view cuts the brain."""

    code = "brain_cut_by_field_of_view"


class MissingHemisphereError(ImageError):
    """One hemisphere of the brain is missing."""

    code = "missing_hemisphere"


class NetworkError(MorphoError):
    """A trained network is missing or damaged, or was given what it was not made for."""


class SegmentationError(MorphoError):
    """A structure of the brain came out empty or with a size that no brain has."""

    code = "implausible_region_volume"


class RegistrationError(MorphoError):
    """A scan could not be aligned with the template."""

    code = "registration_failed"


class SmallRegionError(MorphoError):
    """A region came out with too few voxels, which usually means a failed registration."""

    code = "implausible_region_volume"


class DesignError(MorphoError):
    """A statistical model cannot be estimated from this cohort."""


class CommandLineError(MorphoError):
    """What was asked for on the command line cannot be done as it stands."""

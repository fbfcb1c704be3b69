"""One dirty image file per pain, each made from a clean head.

Every function of `BUILDERS` writes one file into a folder, as some scanner, converter or accident would have left it,
and returns its path. What the user must see is said in ``test_images.py``.
"""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.affines import from_matvec, voxel_sizes
from nibabel.nifti1 import Nifti1Extension, Nifti1Image
from nibabel.orientations import apply_orientation, axcodes2ornt, inv_ornt_aff, io_orientation, ornt_transform
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Affine = NDArray[np.float64]
Builder = Callable[[Nifti1Image, Path], Path]

BUILDERS: dict[str, Builder] = {}
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])
# Where a NIfTI-1 header holds what; see nifti1.h.
DIM, DATATYPE, PIXDIM, VOX_OFFSET, SCL_SLOPE, CODES, QUATERNION, SROW, MAGIC = 40, 70, 76, 108, 112, 252, 256, 280, 344
VALUES_FROM = 352


def builder(function: Builder) -> Builder:
    BUILDERS[function.__name__] = function
    return function


def values_of(head: Nifti1Image) -> NDArray[np.int16]:
    return np.asanyarray(head.dataobj)


def with_forms(
    data: NDArray[np.generic], sform: Affine, qform: Affine | None = None, codes: tuple[int, int] = (1, 1)
) -> Nifti1Image:
    """Image to write with both forms; pixdim is that of the qform."""
    image = nib.Nifti1Image(data, None, dtype=data.dtype)
    image.header.set_qform(sform if qform is None else qform, code=codes[1])
    image.header.set_sform(sform, code=codes[0])
    return image


def stored_as(codes: str, head: Nifti1Image) -> Nifti1Image:
    """Store a head with its axes in another order and direction; it stays where it is in the world."""
    turn = ornt_transform(io_orientation(head.affine), axcodes2ornt(codes))
    return with_forms(apply_orientation(values_of(head), turn), head.affine @ inv_ornt_aff(turn, head.shape))


def mirrored(head: Nifti1Image) -> Nifti1Image:
    """Show the mirror image of a head: what was at x mm is at -x mm."""
    return nib.Nifti1Image(values_of(head), MIRROR @ head.affine)


def turned(affine: Affine, degrees: tuple[float, float, float]) -> Affine:
    return from_matvec(Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()) @ affine


def write(image: Nifti1Image, path: Path, *changes: tuple[int, bytes]) -> Path:
    """Write an image, bit by bit as it is, with some bytes replaced."""
    content = bytearray(image.to_bytes())
    for position, field in changes:
        content[position : position + len(field)] = field
    path.write_bytes(gzip.compress(content, compresslevel=1) if path.suffix == ".gz" else content)
    return path


def clean(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine), folder / "sub-01_T1w.nii.gz")


# --- geometry -----------------------------------------------------------------------------------------------------


@builder
def tilted(head: Nifti1Image, folder: Path) -> Path:
    """Oblique: 20 degrees about each axis. Stored with the axes in an odd order."""
    image = nib.Nifti1Image(values_of(head), turned(head.affine, (20, -20, 20)))
    return write(stored_as("PIR", image), folder / "t.nii.gz")


@builder
def left_handed(head: Nifti1Image, folder: Path) -> Path:
    """Radiological storage: first voxels are on the right, the determinant is negative."""
    return write(stored_as("LAS", head), folder / "t.nii.gz")


@builder
def only_sform(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine, np.eye(4) * 2, (1, 0)), folder / "t.nii.gz")


@builder
def only_qform(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), MIRROR, head.affine, (0, 1)), folder / "t.nii.gz")


@builder
def qform_turned_a_little(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine, turned(head.affine, (0, 8, 0))), folder / "t.nii.gz")


@builder
def qform_flipped_left_right(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine, MIRROR @ head.affine), folder / "t.nii.gz")


@builder
def qform_upside_down(head: Nifti1Image, folder: Path) -> Path:
    """Half a turn about the front-back axis exchanges left and right as well."""
    return write(with_forms(values_of(head), head.affine, turned(head.affine, (0, 180, 0))), folder / "t.nii.gz")


@builder
def no_orientation(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine, codes=(0, 0)), folder / "t.nii.gz")


@builder
def singular_sform(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", (SROW, bytes(48)))


@builder
def sheared_sform(head: Nifti1Image, folder: Path) -> Path:
    """Affine alignment to a template, written into the header."""
    shear = np.eye(4)
    shear[0, 1] = 0.1
    return write(with_forms(values_of(head), shear @ head.affine, head.affine), folder / "t.nii.gz")


@builder
def sform_of_another_size(head: Nifti1Image, folder: Path) -> Path:
    larger = np.diag([1.1, 1.1, 1.1, 1.0])
    return write(with_forms(values_of(head), larger @ head.affine, head.affine), folder / "t.nii.gz")


@builder
def template_space(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine, codes=(4, 0)), folder / "t.nii.gz")


@builder
def broken_qform_beside_sform(head: Nifti1Image, folder: Path) -> Path:
    changed = (QUATERNION, struct.pack("<3f", 0.9, 0.9, 0.9))
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", changed)


@builder
def broken_qform_alone(head: Nifti1Image, folder: Path) -> Path:
    changed = (QUATERNION, struct.pack("<3f", 0.9, 0.9, 0.9))
    return write(with_forms(values_of(head), head.affine, codes=(0, 1)), folder / "t.nii.gz", changed)


@builder
def qfac_of_5(head: Nifti1Image, folder: Path) -> Path:
    changed = (PIXDIM, struct.pack("<f", 5))
    return write(with_forms(values_of(head), head.affine, codes=(0, 1)), folder / "t.nii.gz", changed)


@builder
def zero_voxel_size_beside_sform(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", (PIXDIM + 4, bytes(12)))


@builder
def zero_voxel_size_alone(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine, codes=(0, 1)), folder / "t.nii.gz", (PIXDIM + 4, bytes(12)))


@builder
def nan_voxel_size_alone(head: Nifti1Image, folder: Path) -> Path:
    changed = (PIXDIM + 4, struct.pack("<f", np.nan))
    return write(with_forms(values_of(head), head.affine, codes=(0, 1)), folder / "t.nii.gz", changed)


@builder
def negative_voxel_size(head: Nifti1Image, folder: Path) -> Path:
    changed = (PIXDIM + 4, struct.pack("<f", -voxel_sizes(head.affine)[0]))
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", changed)


@builder
def voxels_of_20_micrometres(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), np.diag([0.01, 0.01, 0.01, 1]) @ head.affine), folder / "t.nii.gz")


@builder
def voxels_of_20_mm(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), np.diag([10.0, 10, 10, 1]) @ head.affine), folder / "t.nii.gz")


@builder
def beyond_this_world(head: Nifti1Image, folder: Path) -> Path:
    far = head.affine.copy()
    far[0, 3] = 1e20
    return write(with_forms(values_of(head), far), folder / "t.nii.gz")


@builder
def half_millimetre(head: Nifti1Image, folder: Path) -> Path:
    """Each voxel of 2 mm cut into 64."""
    data = values_of(head)
    for axis in range(3):
        data = np.repeat(data, 4, axis=axis)
    affine = head.affine @ from_matvec(np.eye(3) / 4, np.full(3, (0.25 - 1) / 2))
    return write(with_forms(data, affine), folder / "t.nii")


@builder
def slab(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head)[:, :, 5:35], head.affine), folder / "t.nii.gz")


# --- values -------------------------------------------------------------------------------------------------------


@builder
def four_axes_one_volume(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head)[..., None, None], head.affine), folder / "t.nii.gz")


@builder
def two_volumes(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(np.stack([values_of(head)] * 2, axis=-1), head.affine), folder / "t.nii.gz")


@builder
def single_slice(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head)[:, :, 20], head.affine), folder / "t.nii.gz")


def in_the_air(head: Nifti1Image, *values: float) -> NDArray[np.float32]:
    """Values of a head with some of its darkest voxels replaced."""
    data = values_of(head).astype(np.float32)
    darkest = np.unravel_index(np.argsort(data, axis=None)[: len(values)], data.shape)
    data[darkest] = values
    return data


@builder
def nan_and_infinite(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(in_the_air(head, np.nan, np.inf, -np.inf), head.affine), folder / "t.nii.gz")


@builder
def a_few_negative(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(in_the_air(head, -3, -1), head.affine), folder / "t.nii.gz")


@builder
def standardised(head: Nifti1Image, folder: Path) -> Path:
    """Mean 0 and standard deviation 1, as some pipelines for deep learning leave scans."""
    data = values_of(head).astype(np.float32)
    return write(with_forms((data - data.mean()) / data.std(), head.affine), folder / "t.nii.gz")


@builder
def constant(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(np.full_like(values_of(head), 7), head.affine), folder / "t.nii.gz")


@builder
def all_zero(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(np.zeros_like(values_of(head)), head.affine), folder / "t.nii.gz")


@builder
def all_nan(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(np.full(head.shape, np.nan, np.float32), head.affine), folder / "t.nii.gz")


@builder
def int64(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head).astype(np.int64), head.affine), folder / "t.nii.gz")


@builder
def float64_with_slope(head: Nifti1Image, folder: Path) -> Path:
    """Store a tenth of the signal less 5; slope 10 and intercept 50 make the signal of it."""
    stored = values_of(head) / 10.0 - 5
    changed = (SCL_SLOPE, struct.pack("<2f", 10, 50))
    return write(with_forms(stored, head.affine), folder / "t.nii.gz", changed)


@builder
def uint8_with_slope(head: Nifti1Image, folder: Path) -> Path:
    """Round to the 255 steps that 8 bits have."""
    stored = np.rint(values_of(head) / values_of(head).max() * 255).astype(np.uint8)
    slope = float(values_of(head).max()) / 255
    return write(with_forms(stored, head.affine), folder / "t.nii.gz", (SCL_SLOPE, struct.pack("<2f", slope, 0)))


@builder
def big_endian(head: Nifti1Image, folder: Path) -> Path:
    image = with_forms(values_of(head), head.affine)
    swapped = nib.Nifti1Image(values_of(head), None, header=image.header.as_byteswapped(">"))
    return write(swapped, folder / "t.nii.gz")


@builder
def slope_of_nan(head: Nifti1Image, folder: Path) -> Path:
    changed = (SCL_SLOPE, struct.pack("<2f", np.nan, np.nan))
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", changed)


@builder
def huge_intercept(head: Nifti1Image, folder: Path) -> Path:
    changed = (SCL_SLOPE, struct.pack("<2f", 1, 1e8))
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", changed)


@builder
def huge_slope(head: Nifti1Image, folder: Path) -> Path:
    changed = (SCL_SLOPE, struct.pack("<2f", 1e30, 0))
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", changed)


@builder
def complex_values(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head).astype(np.complex64), head.affine), folder / "t.nii.gz")


@builder
def coloured(head: Nifti1Image, folder: Path) -> Path:
    data = np.zeros(head.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    return write(with_forms(data, head.affine), folder / "t.nii.gz")


# --- files --------------------------------------------------------------------------------------------------------


@builder
def uncompressed(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine), folder / "t.nii")


@builder
def nifti_2(head: Nifti1Image, folder: Path) -> Path:
    image = nib.Nifti2Image(values_of(head), head.affine)
    return write(image, folder / "t.nii.gz")


@builder
def pair_of_files(head: Nifti1Image, folder: Path) -> Path:
    nib.Nifti1Pair(values_of(head), head.affine).to_filename(folder / "t.img")
    return folder / "t.img"


@builder
def analyze_without_mark(head: Nifti1Image, folder: Path) -> Path:
    nib.AnalyzeImage(values_of(head), np.diag([-2.0, 2, 2, 1])).to_filename(folder / "t.img")
    return folder / "t.img"


@builder
def comment_in_header(head: Nifti1Image, folder: Path) -> Path:
    image = with_forms(values_of(head), head.affine)
    image.header.extensions.append(Nifti1Extension("comment", "Größe und Ort".encode()))
    return write(image, folder / "t.nii.gz")


@builder
def broken_extension(head: Nifti1Image, folder: Path) -> Path:
    image = with_forms(values_of(head), head.affine)
    image.header.extensions.append(Nifti1Extension("comment", b"a" * 40))
    return write(image, folder / "t.nii.gz", (VALUES_FROM, struct.pack("<i", 2**30)))


@builder
def truncated_gzip(head: Nifti1Image, folder: Path) -> Path:
    path = clean(head, folder)
    path.write_bytes(path.read_bytes()[:-2000])
    return path


@builder
def truncated_nifti(head: Nifti1Image, folder: Path) -> Path:
    path = uncompressed(head, folder)
    path.write_bytes(path.read_bytes()[:-2000])
    return path


@builder
def wrong_checksum(head: Nifti1Image, folder: Path) -> Path:
    path = clean(head, folder)
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)
    return path


@builder
def text_file(_: Nifti1Image, folder: Path) -> Path:
    (folder / "t.nii.gz").write_text("Scan on paper, see folder 7\n", encoding="utf-8")
    return folder / "t.nii.gz"


@builder
def page_of_an_error(_: Nifti1Image, folder: Path) -> Path:
    (folder / "t.nii.gz").write_text("<!DOCTYPE html><title>403 Forbidden</title>", encoding="utf-8")
    return folder / "t.nii.gz"


@builder
def empty_file(_: Nifti1Image, folder: Path) -> Path:
    (folder / "t.nii.gz").touch()
    return folder / "t.nii.gz"


@builder
def missing_file(_: Nifti1Image, folder: Path) -> Path:
    return folder / "t.nii.gz"


@builder
def folder_with_the_name_of_a_scan(_: Nifti1Image, folder: Path) -> Path:
    (folder / "sub-01_T1w.nii.gz").mkdir()
    return folder / "sub-01_T1w.nii.gz"


@builder
def broken_annex_link(_: Nifti1Image, folder: Path) -> Path:
    (folder / "t.nii.gz").symlink_to("../../.git/annex/objects/Xx/Yy/MD5E-s9--0.nii.gz/MD5E-s9--0.nii.gz")
    return folder / "t.nii.gz"


@builder
def annex_pointer(_: Nifti1Image, folder: Path) -> Path:
    (folder / "t.nii.gz").write_text("/annex/objects/MD5E-s9--0.nii.gz\n", encoding="utf-8")
    return folder / "t.nii.gz"


@builder
def no_permission(head: Nifti1Image, folder: Path) -> Path:
    path = clean(head, folder)
    path.chmod(0)
    return path


@builder
def compressed_but_named_nii(head: Nifti1Image, folder: Path) -> Path:
    return clean(head, folder).rename(folder / "t.nii")


@builder
def not_compressed_but_named_gz(head: Nifti1Image, folder: Path) -> Path:
    return uncompressed(head, folder).rename(folder / "t.nii.gz")


@builder
def huge_claim(head: Nifti1Image, folder: Path) -> Path:
    """54 TB by its header, 400 bytes on the disk."""
    path = write(
        with_forms(values_of(head), head.affine), folder / "t.nii", (DIM, struct.pack("<4h", 3, 30000, 30000, 30000))
    )
    path.write_bytes(path.read_bytes()[:400])
    return path


@builder
def huge_claim_compressed(head: Nifti1Image, folder: Path) -> Path:
    path = huge_claim(head, folder)
    (folder / "t.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    return folder / "t.nii.gz"


@builder
def one_slice_too_many(head: Nifti1Image, folder: Path) -> Path:
    """Claim one column less than there is: all values behind the first would be shifted."""
    x, y, z = head.shape
    changed = (DIM, struct.pack("<4h", 3, x - 1, y, z))
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", changed)


@builder
def values_inside_the_header(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", (VOX_OFFSET, bytes(4)))


@builder
def unknown_data_type(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", (DATATYPE, struct.pack("<h", 99)))


@builder
def no_nifti_mark(head: Nifti1Image, folder: Path) -> Path:
    return write(with_forms(values_of(head), head.affine), folder / "t.nii.gz", (MAGIC, b"abc\0"))

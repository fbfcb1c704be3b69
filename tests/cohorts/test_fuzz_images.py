"""Damaged and invented NIfTI files: a finite scan in known space, or a refusal in words; never anything else.

Three ways to damage: headers with any values in any fields (hypothesis), bytes of real small files changed one by one
or several at a time (fixed seed), and bytes that were never a file. All run with warnings as errors, within half a
gigabyte and a minute. "No wrong number" is what a single damaged byte is held to: the same values at the same places,
or a refusal; only a value itself, or the scaling of all, may differ where nothing in the file can tell.
"""

import gzip
import resource
import signal
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nibabel.affines import voxel_sizes
from nibabel.nifti1 import Nifti1Image, data_type_codes
from nibabel.orientations import aff2axcodes
from numpy.typing import NDArray

from morpho.errors import ImageError, MorphoError
from morpho.images import array_of, voxel_volume_mm3
from morpho.t1w import load_t1w
from tests.cohorts.images import CODES, SCL_SLOPE, VALUES_FROM, turned, with_forms

SHAPE = (24, 25, 26)
VOXEL_MM = 3.0
MEMORY_BYTES, SECONDS = 2**29, 60
FUZZ = settings(
    max_examples=400, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
CODES_OF_FORMS = {"both": (1, 1), "sform": (1, 0), "qform": (0, 1)}


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    """Fail what takes too long or asks for too much."""

    def give_up(*_: object) -> None:
        message = f"not done after {SECONDS} s"
        raise TimeoutError(message)

    before = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    previous = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SECONDS)
    resource.setrlimit(resource.RLIMIT_AS, (in_use + MEMORY_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


def small_scan() -> NDArray[np.int16]:
    """Ball of unequal halves in noise."""
    rng = np.random.default_rng(5)
    x, y, z = np.indices(SHAPE) - np.array(SHAPE).reshape(3, 1, 1, 1) / 2
    signal_of_tissue = np.where(x**2 + y**2 + z**2 < 81, np.where(x < -2, 900, 500), 0)
    return np.abs(rng.normal(signal_of_tissue, 15)).astype(np.int16)


DATA = small_scan()
AFFINE = turned(np.diag([-VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0]), (5, 10, -8))


def content_with(forms: str) -> bytes:
    return bytes(with_forms(DATA, AFFINE, codes=CODES_OF_FORMS[forms]).to_bytes())


def load_or_refuse(path: Path) -> Nifti1Image | None:
    """Scan that keeps what `load_t1w` promises; None if it was refused in words."""
    refusal: MorphoError | None = None
    try:
        scan, notes = load_t1w(path)
    except MorphoError as error:
        refusal = error
    if refusal is not None:
        assert isinstance(refusal, ImageError)
        assert path.name in str(refusal)
        assert str(refusal).endswith(".")
        return None
    data = array_of(scan)
    assert np.asanyarray(scan.dataobj).dtype == np.float32
    assert data.ndim == 3
    assert np.isfinite(data).all()
    assert 0 <= data.min() < data.max()
    assert "".join(aff2axcodes(scan.affine)) == "RAS"
    sizes_mm = voxel_sizes(scan.affine)
    assert 0.2 <= sizes_mm.min() <= sizes_mm.max() <= 5
    assert voxel_volume_mm3(scan) == pytest.approx(np.prod(sizes_mm), rel=0.02)  # a box, not sheared
    assert np.abs(scan.affine[:3, 3]).max() < 1e5
    assert all(note.isprintable() for note in notes)
    return scan


def changed(content: bytes, position: int, field: bytes) -> bytes:
    return content[:position] + field + content[position + len(field) :]


# --- headers with any values --------------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.floats(width=32),
    st.sampled_from([0.0, 1.0, -1.0, 3.0, -3.0, 352.0, np.nan, np.inf, -np.inf]),
    st.floats(-5, 5, width=32),
)
SIZES = st.one_of(st.sampled_from([*SHAPE, 1, 0, -1, 30000]), st.integers(-(2**15), 2**15 - 1), st.integers(20, 30))
TYPES = st.one_of(st.sampled_from(sorted(data_type_codes.value_set())), st.integers(-(2**15), 2**15 - 1))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "sizeof_hdr": st.sampled_from([348, 540, 0, -1]),
    "dim": st.lists(SIZES, min_size=8, max_size=8),
    "datatype": TYPES,
    "bitpix": st.integers(-(2**15), 2**15 - 1),
    "pixdim": st.lists(NUMBERS, min_size=8, max_size=8),
    "vox_offset": NUMBERS,
    "scl_slope": NUMBERS,
    "scl_inter": NUMBERS,
    "xyzt_units": st.integers(0, 255),
    "qform_code": st.integers(-1, 6),
    "sform_code": st.integers(-1, 6),
    "quatern_b": NUMBERS,
    "quatern_c": NUMBERS,
    "quatern_d": NUMBERS,
    "qoffset_x": NUMBERS,
    "srow_x": st.lists(NUMBERS, min_size=4, max_size=4),
    "srow_y": st.lists(NUMBERS, min_size=4, max_size=4),
    "srow_z": st.lists(NUMBERS, min_size=4, max_size=4),
    "magic": st.sampled_from([b"n+1", b"ni1", b"n+2", b"abc", b""]),
}


@FUZZ
@given(fields=st.fixed_dictionaries({}, optional=FIELDS), n_dims=st.integers(-1, 9), is_swapped=st.booleans())
def test_header_with_any_values(
    fields: dict[str, Any], n_dims: int, is_swapped: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    header = nib.Nifti1Header(content_with("both")[:348])
    for name, value in fields.items():
        header.structarr[name] = value
    if "dim" in fields:
        header.structarr["dim"][0] = n_dims
    binary = header.as_byteswapped(">").binaryblock if is_swapped else header.binaryblock
    values = DATA.astype(">i2" if is_swapped else "<i2").tobytes(order="F")
    path = tmp_path_factory.getbasetemp() / "any.nii"
    path.write_bytes(binary + bytes(4) + values)
    load_or_refuse(path)


@settings(FUZZ, max_examples=200)
@given(
    stored=st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8", "i8"]),
    slope=NUMBERS,
    inter=NUMBERS,
    spoilt=st.lists(st.floats(), max_size=4),
)
def test_any_scaling_of_any_values(
    stored: str, slope: float, inter: float, spoilt: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What is accepted is what the header says of it, voxel by voxel, in double precision."""
    data = (DATA // 4).astype(stored)
    if stored.startswith("f"):
        with np.errstate(over="ignore"):
            data[0, 0, : len(spoilt)] = np.array(spoilt).astype(stored)
    path = tmp_path_factory.getbasetemp() / "scaled.nii"
    content = bytes(with_forms(data, AFFINE).to_bytes())
    path.write_bytes(changed(content, SCL_SLOPE, struct.pack("<2f", slope, inter)))
    scan = load_or_refuse(path)
    if scan is None:
        return
    slope, inter = (float(np.float32(value)) for value in (slope, inter))
    is_scaled = np.isfinite(slope) and slope != 0
    with np.errstate(all="ignore"):
        expected = data.astype(np.float64) * slope + inter if is_scaled else data.astype(np.float64)
        expected = np.where(np.isfinite(expected.astype(np.float32)), expected, 0).clip(0)
    precision = 1e-6 * max(expected.max(), abs(inter) if is_scaled else 0)
    np.testing.assert_allclose(array_of(scan)[::-1], expected, rtol=1e-6, atol=precision)


@settings(FUZZ, max_examples=200)
@given(head=st.binary(max_size=1500), name=st.sampled_from(["x.nii", "x.nii.gz", "x.img"]), is_packed=st.booleans())
def test_bytes_that_were_never_an_image(
    head: bytes, name: str, is_packed: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(gzip.compress(head) if is_packed else head)
    assert load_or_refuse(path) is None


# --- bytes of real files ------------------------------------------------------------------------------------------


def assert_no_wrong_number(content: bytes, position: int, folder: Path) -> bool:
    """Whether a file with both forms and one damaged byte is refused; what is accepted must be right."""
    path = folder / "damaged.nii"
    path.write_bytes(content)
    scan = load_or_refuse(path)
    if scan is None:
        return True
    wrong = array_of(scan)[::-1] != DATA
    if position >= VALUES_FROM:
        assert wrong.sum() <= 1
    elif not SCL_SLOPE <= position < SCL_SLOPE + 8:
        assert not wrong.any()
    assert voxel_volume_mm3(scan) == pytest.approx(VOXEL_MM**3, rel=0.016)
    return False


def test_each_byte_of_a_header_damaged(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    content = content_with("both")
    refused = 0
    for position in range(VALUES_FROM):
        for damage in (0x80, int(rng.integers(1, 256))):
            damaged = changed(content, position, bytes([content[position] ^ damage]))
            refused += assert_no_wrong_number(damaged, position, tmp_path)
    assert 0.05 < refused / (2 * VALUES_FROM) < 0.5  # most bytes decide nothing, or are made up for elsewhere


def test_bytes_of_values_damaged(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    content = content_with("both")
    for position in rng.integers(VALUES_FROM, len(content), 100):
        damaged = changed(content, int(position), rng.bytes(1))
        assert_no_wrong_number(damaged, int(position), tmp_path)


@pytest.mark.parametrize("forms", CODES_OF_FORMS)
def test_several_bytes_of_a_header_damaged(tmp_path: Path, forms: str) -> None:
    rng = np.random.default_rng(13)
    for _ in range(200):
        content = content_with(forms)
        for _ in range(rng.integers(1, 9)):
            content = changed(content, int(rng.integers(0, VALUES_FROM)), rng.bytes(1))
        (tmp_path / "several.nii").write_bytes(content)
        load_or_refuse(tmp_path / "several.nii")


@pytest.mark.parametrize("name", ["cut.nii", "cut.nii.gz"])
def test_file_cut_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    content = content_with("both")
    whole = gzip.compress(content, mtime=0) if name.endswith(".gz") else content
    for length in np.unique(np.r_[0:400:7, len(whole) - 20 : len(whole), 0 : len(whole) : 999]):
        (tmp_path / name).write_bytes(whole[: int(length)])
        assert load_or_refuse(tmp_path / name) is None, length


def test_bytes_left_out_or_put_in_are_refused(tmp_path: Path) -> None:
    """Compressed: anywhere. Without compression a shift within the length of a slice leaves no trace."""
    rng = np.random.default_rng(14)
    packed = gzip.compress(content_with("both"), mtime=0)
    for position in rng.integers(10, len(packed), 60):
        for damaged in (
            packed[:position] + packed[position + 1 :],
            packed[:position] + rng.bytes(3) + packed[position:],
        ):
            (tmp_path / "shifted.nii.gz").write_bytes(damaged)
            assert load_or_refuse(tmp_path / "shifted.nii.gz") is None, position


@pytest.mark.parametrize("level", [0, 6])
def test_any_changed_byte_of_compressed_values_is_refused(tmp_path: Path, level: int) -> None:
    """But for a few bits that mean nothing: then the values are those of the whole file, to the last one.

    The first ten bytes also hold the time and the system of the writer, which are nobody's business here.
    """
    rng = np.random.default_rng(15)
    packed = gzip.compress(content_with("both"), compresslevel=level, mtime=0)
    positions = np.r_[0:60, rng.integers(60, len(packed), 250), len(packed) - 9 : len(packed)]
    accepted = []
    for position in map(int, positions):
        damaged = changed(packed, position, bytes([packed[position] ^ int(rng.integers(1, 256))]))
        (tmp_path / "flipped.nii.gz").write_bytes(damaged)
        scan = load_or_refuse(tmp_path / "flipped.nii.gz")
        if scan is not None:
            accepted.append(position)
            np.testing.assert_array_equal(array_of(scan)[::-1], DATA)
    assert len([position for position in accepted if position >= 10]) <= 2


def test_values_that_unpack_to_another_length_are_refused(tmp_path: Path) -> None:
    """Checksum and length at the end of the file belong to what is there, but the header does not."""
    content = content_with("both")
    for damaged in (content[:-2], content + bytes(2 * 24 * 25), content[:400]):
        assert zlib.crc32(damaged)
        (tmp_path / "resized.nii.gz").write_bytes(gzip.compress(damaged))
        assert load_or_refuse(tmp_path / "resized.nii.gz") is None


def test_whole_file_is_accepted(tmp_path: Path) -> None:
    """Or all of the above would hold for a loader that refuses everything."""
    for forms in CODES_OF_FORMS:
        for name in ("whole.nii", "whole.nii.gz"):
            content = content_with(forms)
            (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
            scan = load_or_refuse(tmp_path / name)
            assert scan is not None
            np.testing.assert_array_equal(array_of(scan)[::-1], DATA)


def test_codes_of_forms_are_where_this_file_says(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(changed(content_with("both"), CODES, struct.pack("<2h", 2, 4)))
    header = nib.load(tmp_path / "a.nii").header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (2, 4)

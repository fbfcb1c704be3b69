"""NIfTI files: what is whole is opened, and what is not is refused with what it is and what to do."""

import gzip
import os
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Image
from numpy.typing import NDArray

from morpho import nifti_files
from morpho.errors import ImageError
from morpho.images import array_of
from morpho.nifti_files import open_nifti, stored_header

SCAN_SHAPE = (25, 30, 36)
VALUES_FROM = 352


def scan_data(rng: np.random.Generator) -> NDArray[np.int16]:
    return rng.integers(0, 1000, SCAN_SHAPE).astype(np.int16)


def write(image: Nifti1Image, path: Path) -> Path:
    image.to_filename(path)
    return path


def with_header(data: NDArray[np.int16], path: Path, position: int, field: bytes) -> Path:
    """Write a scan with some bytes of its header replaced."""
    content = bytearray(nib.Nifti1Image(data, np.eye(4)).to_bytes())
    content[position : position + len(field)] = field
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image, nib.Nifti1Pair, nib.Nifti2Pair])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_all_forms_of_nifti_are_opened(
    tmp_path: Path, rng: np.random.Generator, kind: type[Nifti1Image], ending: str
) -> None:
    data = scan_data(rng)
    name = "a.nii" if kind in (nib.Nifti1Image, nib.Nifti2Image) else "a.img"
    path = write(kind(data, np.eye(4)), tmp_path / f"{name}{ending}")
    np.testing.assert_array_equal(array_of(open_nifti(path)), data)
    if name == "a.img":
        np.testing.assert_array_equal(array_of(open_nifti(tmp_path / f"a.hdr{ending}")), data)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_missing_file_is_refused_with_the_way_to_fetch_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(ImageError, match=rf"{name} is not there .*datalad get"):
        open_nifti(tmp_path / name)


def test_link_to_nothing_names_what_it_wants(tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").symlink_to("../.git/annex/objects/MD5E-s1--2.nii.gz")
    with pytest.raises(ImageError, match=r"link to a file that is not here .*MD5E-s1--2.*datalad get"):
        open_nifti(tmp_path / "a.nii.gz")


def test_link_to_a_scan_is_opened(tmp_path: Path, rng: np.random.Generator) -> None:
    write(nib.Nifti1Image(scan_data(rng), np.eye(4)), tmp_path / "MD5E-s1--2.nii.gz")
    (tmp_path / "a.nii.gz").symlink_to("MD5E-s1--2.nii.gz")
    assert open_nifti(tmp_path / "a.nii.gz").shape == SCAN_SHAPE


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", r"it is empty \(0 bytes\)"),
        (b"no image\nat all", "a text that begins with 'no image'. Fetch"),
        ("<p>Größe fehlt</p>".encode(), "a text that begins with '<p>Größe"),
        (b"/annex/objects/MD5E-s1--2.nii.gz\n", "git-annex pointer .*datalad get"),
        (b"../../.git/annex/objects/Xx/MD5E-s1--2.nii.gz", "git-annex pointer .*datalad get"),
    ],
)
def test_file_that_is_something_else_is_named(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=rf"{name} cannot be read as NIfTI: .*{reason}"):
        open_nifti(tmp_path / name)


@pytest.mark.parametrize("content", [b"\x1f\x8b\x08 no gzip", gzip.compress(b"no image"), bytes(400), b"\xff" * 400])
def test_bytes_without_meaning_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.nii\.gz .*(NIfTI mark|cannot be read as NIfTI)"):
        open_nifti(tmp_path / "a.nii.gz")


def test_name_that_hides_the_compression_is_refused_with_the_right_name(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    content = nib.Nifti1Image(scan_data(rng), np.eye(4)).to_bytes()
    (tmp_path / "a.nii").write_bytes(gzip.compress(content))
    with pytest.raises(ImageError, match=r"Add \.gz to its name"):
        open_nifti(tmp_path / "a.nii")
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(ImageError, match=r"Rename it to end with \.nii\."):
        open_nifti(tmp_path / "a.nii.gz")


def test_folder_and_pipe_are_no_files(tmp_path: Path) -> None:
    """A pipe would be waited for until somebody writes into it."""
    (tmp_path / "a.nii.gz").mkdir()
    with pytest.raises(ImageError, match="is a folder"):
        open_nifti(tmp_path / "a.nii.gz")
    os.mkfifo(tmp_path / "b.nii")
    with pytest.raises(ImageError, match="no regular file"):
        open_nifti(tmp_path / "b.nii")


def test_other_formats_are_refused(tmp_path: Path) -> None:
    path = write(nib.MGHImage(np.zeros(SCAN_SHAPE, np.float32), np.eye(4)), tmp_path / "a.mgz")
    with pytest.raises(ImageError, match=r"a\.mgz .*its name does not end with \.nii or \.nii\.gz"):
        open_nifti(path)


def test_analyze_file_has_no_nifti_mark(tmp_path: Path, rng: np.random.Generator) -> None:
    write(nib.Spm99AnalyzeImage(scan_data(rng), np.diag([-2.0, 2, 2, 1])), tmp_path / "a.img")
    with pytest.raises(ImageError, match=r"a\.img is not NIfTI: its header has no NIfTI mark"):
        open_nifti(tmp_path / "a.img")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_truncated_file_is_refused(tmp_path: Path, rng: np.random.Generator, name: str) -> None:
    path = write(nib.Nifti1Image(scan_data(rng), np.eye(4)), tmp_path / name)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ImageError, match=r"(ends too early|ends after 53952\. .*copied whole)"):
        open_nifti(path)


def test_file_with_changed_bytes_fails_its_checksum(tmp_path: Path, rng: np.random.Generator) -> None:
    content = nib.Nifti1Image(scan_data(rng), np.eye(4)).to_bytes()
    damaged = bytearray(gzip.compress(content, compresslevel=0))
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "a.nii.gz").write_bytes(damaged)
    with pytest.raises(ImageError, match="its checksum does not fit"):
        open_nifti(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_shape_larger_than_the_file_is_refused_before_memory_is_asked_for(
    tmp_path: Path, rng: np.random.Generator, name: str
) -> None:
    path = with_header(scan_data(rng), tmp_path / name, 40, struct.pack("<4h", 3, 30000, 30000, 30000))
    with pytest.raises(ImageError, match=r"has 54000000000352 bytes .*but it ends after 54352"):
        open_nifti(path)


def test_file_longer_than_its_header_says_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    """A slice less in the header would shift all values behind it."""
    path = with_header(scan_data(rng), tmp_path / "a.nii", 40, struct.pack("<4h", 3, 24, 30, 36))
    with pytest.raises(ImageError, match="header and values do not belong together"):
        open_nifti(path)


def test_padding_at_the_end_is_harmless(tmp_path: Path, rng: np.random.Generator) -> None:
    data = scan_data(rng)
    path = write(nib.Nifti1Image(data, np.eye(4)), tmp_path / "a.nii")
    path.write_bytes(path.read_bytes() + bytes(160))
    np.testing.assert_array_equal(array_of(open_nifti(path)), data)


def test_file_that_unpacks_for_ever_is_given_up(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(nib.Nifti1Image(scan_data(rng), np.eye(4)), tmp_path / "a.nii.gz")
    path.write_bytes(path.read_bytes() + gzip.compress(bytes(5 * 2**20)))
    monkeypatch.setattr(nifti_files, "MOST_BYTES", 2 * 2**20)
    monkeypatch.setattr(nifti_files, "CHUNK_BYTES", 2**18)
    with pytest.raises(ImageError, match="unpacks to more than"):
        open_nifti(path)


@pytest.mark.parametrize("offset", [0.0, 176.0])
def test_values_cannot_begin_inside_the_header(tmp_path: Path, rng: np.random.Generator, offset: float) -> None:
    path = with_header(scan_data(rng), tmp_path / "a.nii", 108, struct.pack("<f", offset))
    with pytest.raises(ImageError, match=r"(from byte 0 by its header|offset 176 too low)"):
        open_nifti(path)


@pytest.mark.parametrize(
    ("position", "field", "reason"),
    [
        (70, struct.pack("<h", 99), "data code 99"),
        (40, struct.pack("<4h", 3, 25, 0, 36), r"shape \(25, 0, 36\)"),
        (40, struct.pack("<4h", 3, 25, -30, 36), r"shape \(25, -30, 36\)"),
        (40, struct.pack("<h", 0), r"shape \(0,\)"),
        (108, struct.pack("<f", np.inf), "where values begin"),
        (112, struct.pack("<2f", 1, np.nan), "Valid slope but invalid intercept nan"),
        (252, struct.pack("<2h3f", 1, 0, 0.9, 0.9, 0.9), "its qform is no rotation"),
        (344, b"n-1\0", "no NIfTI mark"),
    ],
)
def test_header_that_makes_no_sense_is_refused(
    tmp_path: Path, rng: np.random.Generator, position: int, field: bytes, reason: str
) -> None:
    path = with_header(scan_data(rng), tmp_path / "a.nii", position, field)
    with pytest.raises(ImageError, match=reason):
        open_nifti(path)


def test_odd_header_extension_is_logged_and_harmless(
    tmp_path: Path, rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    data = scan_data(rng)
    image = nib.Nifti1Image(data, np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a" * 20))
    content = bytearray(image.to_bytes())
    content[VALUES_FROM : VALUES_FROM + 4] = struct.pack("<i", 20)  # 32 is right
    (tmp_path / "a.nii").write_bytes(content)
    with caplog.at_level("INFO", logger="morpho"):
        np.testing.assert_array_equal(array_of(open_nifti(tmp_path / "a.nii")), data)
    assert "not a multiple of 16" in caplog.text


def test_broken_header_extension_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    image = nib.Nifti1Image(scan_data(rng), np.eye(4))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"a" * 24))
    content = bytearray(image.to_bytes())
    content[VALUES_FROM : VALUES_FROM + 4] = struct.pack("<i", 2**30)
    (tmp_path / "a.nii").write_bytes(content)
    with pytest.raises(ImageError, match="extension content"):
        open_nifti(tmp_path / "a.nii")


def test_stored_header_is_the_one_in_the_file(tmp_path: Path, rng: np.random.Generator) -> None:
    """Nibabel makes a size of 1 of a size of 0."""
    image = open_nifti(with_header(scan_data(rng), tmp_path / "a.nii", 80, struct.pack("<f", 0)))
    assert float(image.header["pixdim"][1]) == 1
    assert float(stored_header(image)["pixdim"][1]) == 0

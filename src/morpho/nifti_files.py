"""NIfTI files on disk: there, whole, and neither longer nor shorter than their headers say.

Takes a path, gives an image whose values are not read yet. A file that cannot be read is refused with what it is
instead (a link to nothing, a text, a copy that was cut short), so that people know what to do. A header is never
believed before the length of the file has confirmed it: what a broken one claims would not fit any memory.
"""

from __future__ import annotations

import gzip
import logging
import math
import warnings
import zlib
from pathlib import Path

import nibabel as nib
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Header, Nifti1Image
from nibabel.openers import ImageOpener
from nibabel.spatialimages import HeaderDataError

from morpho.errors import ImageError

LOGGER = logging.getLogger(__name__)

KINDS = (nib.Nifti1Image, nib.Nifti2Image, nib.Nifti1Pair, nib.Nifti2Pair)
ENDINGS = (".nii", ".nii.gz", ".img", ".img.gz", ".hdr", ".hdr.gz")
# More than any scan that can be measured has (morpho.t1w: MOST_VOXELS of 8 bytes); a damaged file may unpack for ever.
MOST_BYTES = 2**31
CHUNK_BYTES = 2**20
SNIFFED_BYTES = 1024
SHOWN_BYTES = 24
CONTROL_BYTES = frozenset(range(32)) - frozenset(b"\t\n\r")
GZIP_MAGIC = b"\x1f\x8b"
NIFTI_MAGIC = (b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0")
ANNEX_POINTER = b"annex/objects/"
UNREADABLE = (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, OverflowError, zlib.error)
CONVERT = "Convert it again from the original images to .nii.gz."
# What nibabel and Python say -> what that means for a file.
MEANINGS = {
    "w2 should be positive": "its qform is no rotation",
    "cannot convert float": "its header does not say where values begin (vox_offset)",
    "CRC check failed": "its checksum does not fit, so bytes have changed since it was written",
    "Incorrect length of data": "its length does not fit, so bytes have changed since it was written",
    "decompressing data": "its compressed bytes make no sense, so some have changed since it was written",
    "Compressed file ended": "it ends too early",
}


def open_nifti(path: str | Path) -> Nifti1Image:
    """Open a NIfTI file and make sure that all of it is there.

    Parameters
    ----------
    path
        A ``.nii`` or ``.nii.gz`` file (version 1 or 2), or one of an ``.img`` and ``.hdr`` pair.

    Returns
    -------
    Image of any shape, as in the file; its values are read on demand.

    Raises
    ------
    ImageError
        If the file is missing, cannot be opened, is not NIfTI, is shorter or longer than its header says, or is
        compressed and fails its checksum.
    """
    path = Path(path)
    try:
        _check_path(path)
        n_bytes = _count_bytes(path)
        kind = next((kind for kind in KINDS if kind.path_maybe_image(path)[0]), None)
        if kind is None:
            message = f"{path.name} is not NIfTI: its header has no NIfTI mark. {CONVERT}"
            raise ImageError(message)
        image = _read_header(kind, path)
        data_file = Path(image.file_map["image"].filename)
        _check_length(image, n_bytes if data_file == path else _count_bytes(data_file), path.name)
    except UNREADABLE as error:
        cause = next((meaning for words, meaning in MEANINGS.items() if words in str(error)), str(error))
        message = f"{path.name} cannot be read as NIfTI: {cause}. Fetch, copy or convert it again."
        raise ImageError(message) from error
    return image


def stored_header(image: Nifti1Image) -> Nifti1Header:
    """Header as it stands in the file; `image.header` is what nibabel makes of it, mended without a word."""
    file = image.file_map.get("header", image.file_map["image"])
    with ImageOpener(file.filename) as opened:
        return type(image.header)(opened.read(image.header_class.template_dtype.itemsize), check=False)


def _check_path(path: Path) -> None:
    """Refuse what is no file, and files whose first bytes are those of something else."""
    if path.is_symlink() and not path.exists():
        message = (
            f"{path.name} is not there: it is a link to a file that is not here ({path} -> {path.readlink()}). "
            "If the folder is a DataLad dataset, fetch it with `datalad get`."
        )
        raise ImageError(message)
    if not path.exists():
        message = f"{path.name} is not there ({path}). If the folder is a DataLad dataset, fetch it with `datalad get`."
        raise ImageError(message)
    if not path.is_file():
        message = f"{path.name} is {'a folder' if path.is_dir() else 'no regular file'}; a NIfTI file is expected."
        raise ImageError(message)
    try:
        with path.open("rb") as file:
            head = file.read(SNIFFED_BYTES)
    except PermissionError as error:
        message = f"{path.name} may not be read by this user ({path}). Change its permissions, for example chmod u+r."
        raise ImageError(message) from error
    foreign = _what_else(path.name.lower(), head)
    if foreign:
        message = f"{path.name} cannot be read as NIfTI: {foreign}"
        raise ImageError(message)


def _what_else(name: str, head: bytes) -> str:
    """Say what a file is that begins with `head`, and what to do about it; "" if it may be NIfTI."""
    is_packed, is_nifti = head.startswith(GZIP_MAGIC), head[344:348] in NIFTI_MAGIC or head[4:8] in NIFTI_MAGIC
    if not name.endswith(ENDINGS):
        return "its name does not end with .nii or .nii.gz. Convert it to .nii.gz."
    if not head:
        return "it is empty (0 bytes). Fetch or copy it again."
    if ANNEX_POINTER in head and not CONTROL_BYTES.intersection(head):
        return "it is a git-annex pointer to a file that is not here. Fetch it with `datalad get`."
    if name.endswith(".gz") and not is_packed and is_nifti:
        return "it is not compressed, although its name ends with .gz. Rename it to end with .nii."
    if not name.endswith(".gz") and is_packed:
        return "it is compressed, although its name does not end with .gz. Add .gz to its name."
    shown = head[:SHOWN_BYTES].decode(errors="ignore").split("\n")[0].strip()
    if shown and not is_packed and not is_nifti and not CONTROL_BYTES.intersection(head):
        return f"it is a text that begins with '{shown}'. Fetch or copy it again."
    return ""


def _count_bytes(path: Path) -> int:
    """Length of a file after unpacking, which also verifies the checksum at the end of a compressed one."""
    if path.suffix.lower() != ".gz":
        return path.stat().st_size
    total = 0
    with gzip.open(path) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            total += len(chunk)
            if total > MOST_BYTES:
                seen = f"{path.name} unpacks to more than {MOST_BYTES / 2**30:.0f} GiB, more than any T1w scan has"
                message = f"{seen}. Is it the right file? If so, resample it to voxels of 0.5 mm."
                raise ImageError(message)
    return total


def _read_header(kind: type[Nifti1Image], path: Path) -> Nifti1Image:
    """Image with its header read; what nibabel warns of (odd header extensions) goes to the log."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = kind.from_filename(path, mmap=False)
    for warning in caught:
        LOGGER.info("header of %s: %s", path.name, warning.message)
    return image


def _check_length(image: Nifti1Image, n_bytes: int, name: str) -> None:
    """Refuse a file of `n_bytes` that does not hold as many values as its header says."""
    shape, offset = tuple(map(int, image.shape)), int(image.dataobj.offset)
    if not shape or min(shape) < 1:
        message = f"{name} has shape {shape} by its header; a scan has at least one voxel per axis. {CONVERT}"
        raise ImageError(message)
    earliest = image.header.single_vox_offset if image.header.is_single else 0
    if offset < earliest:
        message = f"{name} has values from byte {offset} by its header, which itself has {earliest} bytes. {CONVERT}"
        raise ImageError(message)
    value_bytes = image.get_data_dtype().itemsize
    expected = offset + math.prod(shape) * value_bytes
    claim = f"by its header {name} has {expected} bytes (shape {shape}, {value_bytes} bytes per voxel)"
    if n_bytes < expected:
        message = f"{claim}, but it ends after {n_bytes}. It was not fetched or copied whole; copy it again."
        raise ImageError(message)
    one_slice = math.prod(sorted(shape)[:-1]) * value_bytes
    if len(shape) > 2 and n_bytes - expected >= one_slice:  # less is padding
        message = f"{claim}, but it goes on to {n_bytes}: header and values do not belong together. {CONVERT}"
        raise ImageError(message)

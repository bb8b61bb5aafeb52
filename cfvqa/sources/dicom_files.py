"""Reading radiographs that are DICOM files: their size from the header, and their pixels as they ask to be shown."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cfvqa.errors import InputError


class ImageFileError(InputError):
    """Say of an image file that there is nothing to be read in it, on no machine; `source.on_corrupt` may drop it."""


REMEDY = (
    "replace the file; in a data set, source.on_corrupt=drop leaves out each image that cannot be decoded (tables, and "
    "all that is made of them, are then made anew)"
)
"""What to do about one, in its message."""

_SUFFIXES = (".dcm", ".dicom")
_EXTRA = "pip install 'cfvqa[dicom]'"
# What pydicom and its decoders raise at files that are no DICOM, cut short, or damaged.
_DAMAGE = (
    OSError,
    EOFError,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
)


def is_dicom(path: Path) -> bool:
    """Tell by its name whether a file is DICOM."""
    return path.suffix.lower() in _SUFFIXES


def dicom_size(path: Path) -> tuple[int, int]:
    """Return width and height in pixels, from the header alone.

    Raises:
        ImageFileError: if the file is no DICOM, is no single grey frame, is compressed in a way that nothing reads, or
            is truncated (told of uncompressed files only).
        InputError: if what decodes it is not installed.
    """
    with _dicom(path, pixels=False) as dataset:
        return int(dataset.Columns), int(dataset.Rows)


def read_dicom(path: Path) -> np.ndarray:
    """Return the pixels (H, W) float32, the lowest at 0, the highest at 1, bright where the body is dense.

    They are windowed as the file says of itself: by its modality table or slope, then by its table or window of values
    of interest, the first where there are several.

    Raises:
        ImageFileError: as `dicom_size`, and if the pixels cannot be decoded or are no numbers as they are to be shown.
        InputError: as `dicom_size`.
    """
    with _dicom(path, pixels=True) as dataset:
        from pydicom.pixels import apply_modality_lut, apply_voi_lut
        from pydicom.uid import RLELossless

        if dataset.file_meta.TransferSyntaxUID == RLELossless:  # a damaged file ends the process in another decoder
            dataset.pixel_array_options(decoding_plugin="pydicom")
        values = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset).astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError("its slope or window makes values that are no numbers")
        inverted = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) / np.float32(max(high - low, 1e-6))
    return 1 - scaled if inverted else scaled


@contextmanager
def _dicom(path: Path, *, pixels: bool) -> Iterator[Any]:
    try:
        import pydicom  # an extra: only DICOM needs it
    except ImportError as error:
        raise InputError(f"{path} is DICOM, which needs an extra: {_EXTRA}") from error
    try:
        with path.open("rb") as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=not pixels)
            _check_grey(dataset)
            _check_decoder(dataset, path)
            if not pixels:
                _check_length(dataset, path.stat().st_size - file.tell())
        yield dataset
    except (pydicom.errors.InvalidDicomError, pydicom.errors.BytesLengthException, *_DAMAGE) as error:
        reason = " ".join(str(error).split())  # decoders say theirs in several lines
        raise ImageFileError(f"image {path} is no readable DICOM file ({reason}): {REMEDY}") from error


def _check_grey(dataset: Any) -> None:
    samples, colours = dataset.SamplesPerPixel, str(dataset.PhotometricInterpretation)
    frames = int(dataset.get("NumberOfFrames") or 1)
    if samples != 1 or frames != 1 or not colours.startswith("MONOCHROME"):
        raise ValueError(f"its pixels are {samples} '{colours}' in {frames} frames; expected one grey frame")


def _check_length(dataset: Any, rest: int) -> None:
    """Refuse a file that ends within its pixels: `rest` bytes follow its header, first that of the pixels."""
    syntax = dataset.file_meta.TransferSyntaxUID
    head = 8 if syntax.is_implicit_VR else 12
    size = head + dataset.Rows * dataset.Columns * dataset.BitsAllocated // 8
    if not (syntax.is_compressed or syntax.is_deflated or rest >= size):
        raise ValueError("its end is missing: the file is truncated")


def _check_decoder(dataset: Any, path: Path) -> None:
    """Refuse a file that nothing installed decodes, before its pixels are needed."""
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError as error:
        raise ImageFileError(
            f"image {path} is DICOM of the transfer syntax '{syntax.name}', which cannot be read: convert it, or "
            f"{REMEDY}"
        ) from error
    if not available:
        raise InputError(
            f"image {path} is DICOM of the transfer syntax '{syntax.name}', which needs an extra: {_EXTRA}"
        )

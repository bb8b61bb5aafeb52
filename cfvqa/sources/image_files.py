"""Reading radiographs: PNG, JPEG and DICOM of any size, as intensities in [0, 1]."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from cfvqa.errors import InputError

SMALLEST_SIDE = 32
"""Pixels; below this there is no radiograph to read."""

_DICOM_SUFFIXES = (".dcm", ".dicom")


def check_image(path: Path) -> tuple[int, int]:
    """Return width and height in pixels from the header alone.

    Raises:
        InputError: if the file is missing, no image, or smaller than 32 pixels a side.
    """
    if not path.is_file():
        raise InputError(f"image {path} is missing: restore the file, or remove it from the tables")
    if path.suffix.lower() in _DICOM_SUFFIXES:
        height, width = _read_dicom(path).shape
    else:
        width, height = _open(path).size
    if min(width, height) < SMALLEST_SIDE:
        raise InputError(
            f"image {path} has {width} x {height} pixels; a radiograph needs at least {SMALLEST_SIDE} a side"
        )
    return width, height


def read_image(path: Path) -> np.ndarray:
    """Return a radiograph (H, W) float32 in [0, 1].

    Sixteen-bit files keep their range (twelve-bit values are scaled by 4095); colours are averaged to grey;
    transparent pixels are black.

    Raises:
        InputError: if the file is missing, truncated, no image, too small, or of one value throughout.
    """
    check_image(path)
    pixels = _read_dicom(path) if path.suffix.lower() in _DICOM_SUFFIXES else _read_raster(path)
    if pixels.min() == pixels.max():
        raise InputError(f"image {path} has the same value in every pixel: it shows nothing; replace or remove it")
    return pixels


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise InputError(f"image {path} cannot be read ({error}): replace the file or remove its row") from error


def _read_raster(path: Path) -> np.ndarray:
    with _open(path) as image:
        try:
            image.load()
        except (OSError, SyntaxError, ValueError) as error:
            raise InputError(f"image {path} is damaged ({error}): replace the file or remove its row") from error
        if image.mode.startswith(("I", "F")):
            return _scale_deep(np.asarray(image, dtype=np.float32))
        if "A" in image.mode or "transparency" in image.info:
            coloured = image.convert("RGBA")
            black = Image.new("RGBA", coloured.size, (0, 0, 0, 255))
            image = Image.alpha_composite(black, coloured)
        return np.asarray(image.convert("L"), dtype=np.float32) / 255


def _scale_deep(pixels: np.ndarray) -> np.ndarray:
    highest = float(pixels.max())
    scale = 255 if highest <= 255 else 4095 if highest <= 4095 else max(65535.0, highest)
    return np.clip(pixels, 0, None) / np.float32(scale)


def _read_dicom(path: Path) -> np.ndarray:
    try:
        import pydicom  # an extra: only DICOM needs it
        from pydicom.pixels import apply_voi_lut
    except ImportError as error:
        raise InputError(f"{path} is DICOM, which needs an extra: pip install 'cfvqa[dicom]'") from error
    try:
        dataset = pydicom.dcmread(path)
        pixels = apply_voi_lut(dataset.pixel_array, dataset).astype(np.float32)
    except Exception as error:
        raise InputError(f"image {path} is no readable DICOM file ({error}): replace or remove it") from error
    if pixels.ndim != 2:
        raise InputError(f"image {path} has shape {pixels.shape}; expected one grey frame")
    low, high = float(pixels.min()), float(pixels.max())
    scaled = (pixels - low) / max(high - low, 1e-6)
    return 1 - scaled if dataset.get("PhotometricInterpretation") == "MONOCHROME1" else scaled

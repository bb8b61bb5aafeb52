"""Reading radiographs: PNG, JPEG and DICOM of any size, as intensities in [0, 1]."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl
from PIL import Image

from cfvqa.errors import InputError, check_choice
from cfvqa.sources.dicom_files import REMEDY, ImageFileError, dicom_size, is_dicom, read_dicom
from cfvqa.sources.paths import paths_below
from cfvqa.sources.threads import in_threads

SMALLEST_SIDE = 32
"""Pixels; below this there is no radiograph to read."""

Corruption = Literal["error", "drop"]
UNREADABLE = "image file that cannot be read"
"""Why an image is left out."""

_ENDS = {"PNG": b"IEND", "JPEG": b"\xff\xd9"}
_TAIL = 1024  # bytes in which the end mark of a whole file lies, whatever some writers put behind it
_LAST_ROWS = 8  # the least height that a JPEG is coded in
_MISSING = 128  # the grey that stands for JPEG blocks without data
_DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def check_image(path: Path) -> tuple[int, int]:
    """Return width and height in pixels, from the header and the last bytes alone.

    Raises:
        ImageFileError: if the file is no image, truncated (PNG, JPEG, uncompressed DICOM), or smaller than 32 pixels a
            side.
        InputError: if it is missing, or what decodes it is not installed.
    """
    if not path.is_file():
        raise InputError(f"image {path} is missing: restore the file, or leave the image out")
    if is_dicom(path):
        width, height = dicom_size(path)
    else:
        with _raster(path) as image:
            width, height = image.size
            _check_end(path, image.format)
    if min(width, height) < SMALLEST_SIDE:
        raise ImageFileError(
            f"image {path} has {width} x {height} pixels; a radiograph needs at least {SMALLEST_SIDE} a side: {REMEDY}"
        )
    return width, height


def measure_images(
    images: pl.DataFrame, root: Path, on_corrupt: Corruption, progress: Callable[[int], None] | None = None
) -> tuple[pl.DataFrame, dict[str, list[str]]]:
    """Check every image file; return the table with its `width` and `height`, and the paths that were left out.

    Args:
        images: rows with `path`, relative to `root`.
        root: the data folder.
        on_corrupt: "error" looks at header and end of each file, and stops at a wrong one; "drop" decodes each, and
            leaves out those that `read_image` cannot read. A file that is missing is an error either way.
        progress: called with the number of files checked so far.

    Raises:
        InputError: naming the first file that is not left out, or the folder if nothing of it can be read.
    """
    check_choice("source.on_corrupt", on_corrupt, get_args(Corruption))
    look = check_image if on_corrupt == "error" else _decoded_size
    sizes, below = [], paths_below(root)
    for size in in_threads(lambda path: look(below(path)), images["path"]):
        sizes.append(size)
        if progress is not None:
            progress(len(sizes))
    if sizes and not any(sizes):
        raise InputError(f"none of the {len(sizes)} image files in {root} can be read: restore them")
    known = [size or (None, None) for size in sizes]
    measured = images.with_columns(
        pl.Series("width", [width for width, _ in known], dtype=pl.Int32),
        pl.Series("height", [height for _, height in known], dtype=pl.Int32),
    )
    return measured.drop_nulls("width"), {UNREADABLE: measured.filter(pl.col("width").is_null())["path"].to_list()}


def _decoded_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of an image, None of one that cannot be read."""
    try:
        height, width = read_image(path).shape
    except ImageFileError:
        return None
    return width, height


def missing_files(images: pl.DataFrame, root: Path) -> pl.Series:
    """Return of which rows the file `path`, relative to `root`, is not there."""
    below = paths_below(root)
    there = list(in_threads(lambda path: below(path).is_file(), images["path"]))
    return ~pl.Series(there, dtype=pl.Boolean)


def read_image(path: Path) -> np.ndarray:
    """Return a radiograph (H, W) float32 in [0, 1].

    Deep files are scaled by their depth: the fewest of 8, 12 or 16 bits that hold their highest value. Colours
    become grey by luminance; transparent pixels are black. DICOM is windowed as it says of itself, and bright
    means dense whatever its photometric interpretation.

    Raises:
        ImageFileError: if the file is truncated, no image, too small, or of one value throughout.
        InputError: if it is missing, or what decodes it is not installed.
    """
    check_image(path)
    pixels = read_dicom(path) if is_dicom(path) else _read_raster(path)
    if pixels.min() == pixels.max():
        raise ImageFileError(f"image {path} has one value in every pixel, it shows nothing: {REMEDY}")
    return pixels


def _check_end(path: Path, image_format: str | None) -> None:
    mark = _ENDS.get(str(image_format))
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        if mark is not None and mark not in file.read():
            raise ValueError("its end is missing: the file is truncated")


@contextmanager
def _raster(path: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except _DAMAGE as error:
        raise ImageFileError(f"image {path} cannot be read ({error}): {REMEDY}") from error


def _read_raster(path: Path) -> np.ndarray:
    with _raster(path) as image:
        image.load()
        if image.mode.startswith(("I", "F")):
            return _scale_deep(np.asarray(image, dtype=np.float32))
        if "A" in image.mode or "transparency" in image.info:
            coloured = image.convert("RGBA")
            black = Image.new("RGBA", coloured.size, (0, 0, 0, 255))
            return _scale_grey(Image.alpha_composite(black, coloured))
        _check_last_rows(image)
        return _scale_grey(image)


def _check_last_rows(image: Image.Image) -> None:
    """Refuse a JPEG whose data stop short of its end mark.

    The decoder does not say so: it leaves the rest grey. A file that is grey at its top too was made like that.
    """
    if image.format == "JPEG":
        grey = np.asarray(image.convert("L")) == _MISSING
        if grey[-_LAST_ROWS:].all() and not grey[:_LAST_ROWS].all():
            raise ValueError("its data end before its last rows: the file is damaged")


def _scale_grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"), dtype=np.float32) / 255


def _scale_deep(pixels: np.ndarray) -> np.ndarray:
    lowest, highest = float(pixels.min()), float(pixels.max())
    if not (lowest >= 0 and highest <= 65535):
        raise ValueError(f"its values go from {lowest:g} to {highest:g}; expected 0 to 65535")
    scale = next(limit for limit in (255, 4095, 65535) if highest <= limit)
    return pixels / np.float32(scale)

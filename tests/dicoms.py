"""DICOM files with invented pixels, for the tests of what reads them."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid


def dicom(pixels: np.ndarray, **elements: Any) -> FileDataset:
    """Return a radiograph with pixels (H, W) uint8 or uint16, uncompressed; `elements` add to or replace the usual."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["cfvqa"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    bits = 8 * pixels.dtype.itemsize
    usual = {"Modality": "DX", "PhotometricInterpretation": "MONOCHROME2", "SamplesPerPixel": 1}
    usual |= {"Rows": pixels.shape[0], "Columns": pixels.shape[1], "PixelRepresentation": 0}
    usual |= {"BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1}
    for name, value in (usual | elements).items():
        setattr(dataset, name, value)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if bits > 8 else "OB"
    return dataset


def write_dicom(path: Path, pixels: np.ndarray, **elements: Any) -> None:
    """Write what `dicom` returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dicom(pixels, **elements).save_as(path, enforce_file_format=True)


def jpeg_lossless(pixels: np.ndarray, bits: int) -> bytes:
    """Code pixels (H, W) of so many bits as lossless JPEG of first-order prediction, of which there is no encoder here.

    A pixel is its difference to its left neighbour (the first of a row: to the one above): a size, and so many bits.
    """
    values = pixels.astype(int)
    before = np.roll(values, 1, axis=1)
    before[1:, 0], before[0, 0] = values[:-1, 0], 1 << (bits - 1)
    coded = "".join(map(_coded, (values - before).ravel().tolist()))
    coded += "1" * (-len(coded) % 8)
    scan = int(coded, 2).to_bytes(len(coded) // 8, "big").replace(b"\xff", b"\xff\0")
    height, width = pixels.shape
    sizes = bytes(range(bits + 1))  # each has its number as code, of four bits
    return b"".join(
        [
            b"\xff\xd8",
            _segment(0xC3, struct.pack(">BHHBBBB", bits, height, width, 1, 1, 0x11, 0)),
            _segment(0xC4, bytes([0, 0, 0, 0, len(sizes), *[0] * 12]) + sizes),
            _segment(0xDA, bytes([1, 1, 0, 1, 0, 0])),
            scan,
            b"\xff\xd9",
        ]
    )


def _coded(difference: int) -> str:
    size = abs(difference).bit_length()
    low = difference if difference > 0 else difference + (1 << size) - 1
    return f"{size:04b}" + (f"{low:0{size}b}" if size else "")


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

"""DICOM files with invented pixels, for the tests of what reads them."""

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

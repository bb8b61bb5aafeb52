import io
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicoms import dicom, jpeg_lossless, write_dicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from cfvqa.errors import InputError
from cfvqa.sources.dicom_files import ImageFileError
from cfvqa.sources.image_files import check_image, read_image

RAMP = np.linspace(0, 4095, 48 * 64).reshape(48, 64).astype(np.uint16)  # dark at the top
WHOLE = RAMP / np.float32(4095)


def read(tmp_path, pixels=RAMP, **elements):
    path = tmp_path / "a.dcm"
    write_dicom(path, pixels, **elements)
    assert check_image(path) == (64, 48)
    return read_image(path)


def test_pixels_go_from_zero_to_one_whatever_their_depth(tmp_path):
    deep = read(tmp_path, RAMP, BitsStored=12, HighBit=11)
    assert deep.dtype == np.float32
    assert np.allclose(deep, WHOLE, atol=1e-6)
    assert np.allclose(read(tmp_path, (RAMP * 16)), WHOLE, atol=1e-3)
    assert np.allclose(read(tmp_path, (RAMP // 16).astype(np.uint8)), WHOLE, atol=0.01)


def test_values_below_zero_are_read_as_such(tmp_path):
    signed = (RAMP.astype(np.int16) - 2000).astype(np.int16)
    assert np.allclose(read(tmp_path, signed, PixelRepresentation=1), WHOLE, atol=1e-6)


def test_dense_is_bright_though_the_file_says_dark(tmp_path):
    inverted = read(tmp_path, 4095 - RAMP, PhotometricInterpretation="MONOCHROME1")
    assert np.allclose(inverted, WHOLE, atol=1e-6)


def test_a_window_cuts_what_lies_outside_it_and_the_first_counts(tmp_path):
    shown = read(tmp_path, WindowCenter=[2048, 10], WindowWidth=[1024, 5], BitsStored=12, HighBit=11)
    assert shown[:16].max() == 0
    assert shown[-16:].min() == 1
    assert shown[24, 32] == pytest.approx(0.54, abs=0.01)


def test_a_slope_is_taken_before_the_window(tmp_path):
    shown = read(tmp_path, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=3996, WindowWidth=2048)
    assert shown[:16].max() == 0
    assert shown[24, 32] == pytest.approx(0.54, abs=0.01)


def test_a_table_of_values_of_interest_is_looked_up(tmp_path):
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4096, 0, 16], [(4095 - value) * 16 for value in range(4096)]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    shown = read(tmp_path, BitsStored=12, HighBit=11, VOILUTSequence=[table])
    assert np.allclose(shown, 1 - WHOLE, atol=1e-3)


def write_compressed(path, syntax, pixels, coded, **elements):
    dataset = dicom(pixels, **elements)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([coded])
    dataset["PixelData"].is_undefined_length = True
    dataset.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_lossless_compression_changes_nothing(tmp_path, syntax):
    dataset = dicom(RAMP, BitsStored=12, HighBit=11)
    dataset.compress(syntax)
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert check_image(tmp_path / "a.dcm") == (64, 48)
    assert np.allclose(read_image(tmp_path / "a.dcm"), WHOLE, atol=1e-6)


def test_jpeg_inside_is_decoded(tmp_path):
    pixels = (RAMP // 16).astype(np.uint8)
    coded = io.BytesIO()
    Image.fromarray(pixels).save(coded, "JPEG", quality=95)
    write_compressed(tmp_path / "a.dcm", JPEGBaseline8Bit, pixels, coded.getvalue())
    assert np.allclose(read_image(tmp_path / "a.dcm"), WHOLE, atol=0.03)


def test_lossless_jpeg_inside_changes_nothing(tmp_path):
    path = tmp_path / "a.dcm"
    write_compressed(path, JPEGLosslessSV1, RAMP, jpeg_lossless(RAMP, 12), BitsStored=12, HighBit=11)
    assert check_image(path) == (64, 48)
    assert np.allclose(read_image(path), WHOLE, atol=1e-6)


def test_jpeg_ls_shows_what_the_file_showed_before():
    plain, coded = (
        Path(get_testdata_file(name, download=False)) for name in ("MR_small.dcm", "MR_small_jpeg_ls_lossless.dcm")
    )
    assert pydicom.dcmread(coded).file_meta.TransferSyntaxUID == JPEGLSLossless
    assert check_image(coded) == check_image(plain)
    assert np.array_equal(read_image(coded), read_image(plain))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_other_uncompressed_forms_are_read(tmp_path, syntax):
    dataset = dicom(RAMP)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert np.allclose(read_image(tmp_path / "a.dcm"), WHOLE, atol=1e-6)


def test_a_size_is_read_without_the_pixels(tmp_path, monkeypatch):
    write_dicom(tmp_path / "a.dcm", RAMP)
    asked, original = [], pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda file, **how: asked.append(how) or original(file, **how))
    assert check_image(tmp_path / "a.dcm") == (64, 48)
    assert asked == [{"stop_before_pixels": True}]


def refused(path, look=check_image):
    with pytest.raises(InputError) as told:
        look(path)
    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)
    return str(told.value)


@pytest.mark.parametrize("lost", [1, 12, 600])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_file_cut_within_its_pixels_is_known_by_its_header(tmp_path, lost, syntax):
    path, dataset = tmp_path / "a.dcm", dicom(RAMP)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.save_as(path, enforce_file_format=True)
    assert check_image(path) == (64, 48)
    path.write_bytes(path.read_bytes()[:-lost])
    assert "truncated" in refused(path)


def test_a_compressed_file_cut_within_its_pixels_is_refused_when_read(tmp_path):
    dataset = dicom(RAMP)
    dataset.compress(RLELossless)
    path = tmp_path / "a.dcm"
    dataset.save_as(path, enforce_file_format=True)
    path.write_bytes(path.read_bytes()[:-900])
    assert "is no readable DICOM file" in refused(path, read_image)


def test_a_compression_that_lacks_its_decoder_names_the_extra(tmp_path, monkeypatch):
    write_compressed(tmp_path / "a.dcm", JPEGLSLossless, RAMP, b"\0" * 100)
    monkeypatch.setattr(get_decoder(JPEGLSLossless), "_available", {})
    message = refused(tmp_path / "a.dcm")
    assert "JPEG-LS" in message
    assert "pip install 'cfvqa[dicom]'" in message


def test_a_compression_that_nothing_reads_is_named(tmp_path):
    write_compressed(tmp_path / "a.dcm", MPEG2MPML, RAMP, b"\0" * 100)
    assert "transfer syntax 'MPEG2" in refused(tmp_path / "a.dcm")


def test_without_pydicom_the_extra_is_named(tmp_path, monkeypatch):
    write_dicom(tmp_path / "a.dcm", RAMP)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    assert "pip install 'cfvqa[dicom]'" in refused(tmp_path / "a.dcm")


@pytest.mark.parametrize(
    "content", [b"", b"no DICOM", b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\x08\0\x05\0CS"]
)
def test_what_is_no_dicom_is_named(tmp_path, content):
    (tmp_path / "a.dcm").write_bytes(content)
    assert "is no readable DICOM file" in refused(tmp_path / "a.dcm")


@pytest.mark.parametrize("place", range(-400, 0, 16))
def test_a_compressed_file_that_is_damaged_within_is_read_or_refused(tmp_path, place):
    path, dataset = tmp_path / "a.dcm", dicom(RAMP)
    dataset.compress(RLELossless)
    dataset.save_as(path, enforce_file_format=True)
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    with suppress(ImageFileError):
        assert read_image(path).shape == RAMP.shape


@pytest.mark.parametrize(
    "elements",
    [
        {"WindowCenter": "nan", "WindowWidth": "100"},
        {"RescaleSlope": "nan", "RescaleIntercept": "0"},
        {"RescaleSlope": "1e39", "RescaleIntercept": "0"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore")
def test_values_that_are_no_numbers_are_refused(tmp_path, elements):
    write_dicom(tmp_path / "a.dcm", RAMP, **elements)
    assert "values that are no numbers" in refused(tmp_path / "a.dcm", read_image)


@pytest.mark.parametrize("look", [check_image, read_image])
@pytest.mark.parametrize(
    ("shape", "elements"),
    [
        ((48, 64, 3), {"SamplesPerPixel": 3, "PlanarConfiguration": 0, "PhotometricInterpretation": "RGB"}),
        ((3, 48, 64), {"NumberOfFrames": 3}),
        ((48, 64), {"PhotometricInterpretation": "PALETTE COLOR"}),
    ],
    ids=["colours", "frames", "palette"],
)
def test_colours_and_several_frames_are_refused(tmp_path, look, shape, elements):
    write_dicom(tmp_path / "a.dcm", np.zeros(shape, dtype=np.uint8), **elements)
    assert "expected one grey frame" in refused(tmp_path / "a.dcm", look)

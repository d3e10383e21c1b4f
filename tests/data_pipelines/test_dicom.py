# SPDX-License-Identifier: Apache-2.0
"""DICOM pixels: rescale, windows, photometric interpretation, depth, compression."""

import io

import numpy as np
import pydicom
import pytest
import simplejpeg
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLosslessSV1

from medst_jax.data_pipelines import dicom as reader
from medst_jax.data_pipelines.source_image import UnreadableImage
from tests.data_pipelines.official import RAMP, dicom
from tests.data_pipelines.tables import picture


def read(data: bytes, *, voi_lut: bool = False) -> np.ndarray:
    return reader.read_pixels(data, voi_lut=voi_lut).pixels


def compressed(data: bytes, frame: bytes, syntax: str) -> bytes:
    """The file with its pixels replaced by a compressed frame."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_eight_bit_stays_eight_bit():
    np.testing.assert_array_equal(read(dicom(picture())), picture())
    assert read(dicom(picture())).dtype == np.uint8


def test_rescale_shifts_negative_values_and_widens_eight_bits():
    moved = read(dicom(RAMP, RescaleSlope=1, RescaleIntercept=-1024))
    np.testing.assert_array_equal(moved, RAMP - RAMP.min())
    assert read(dicom(RAMP, RescaleSlope=2, RescaleIntercept=0)).max() == 8000
    wide = read(dicom(picture(), RescaleSlope=16, RescaleIntercept=0))
    np.testing.assert_array_equal(wide, picture().astype(np.uint16) * 16)


def test_window_and_voi_table():
    seen = read(dicom(RAMP, WindowCenter=2000, WindowWidth=1000), voi_lut=True)
    assert seen.dtype == np.float32
    assert (np.diff(seen.ravel()) >= 0).all()
    assert (seen[RAMP < 1490] == seen.min()).all()
    assert (seen[RAMP > 2510] == seen.max()).all()
    table = pydicom.Dataset()
    table.LUTDescriptor, table.LUTData = [2, 1000, 16], np.array([7, 60000], "<u2").tobytes()
    stepped = read(dicom(RAMP, VOILUTSequence=[table]), voi_lut=True)
    np.testing.assert_array_equal(stepped, np.where(RAMP <= 1000, 7, 60000))


def test_monochrome1_is_inverted_before_and_after_a_window():
    np.testing.assert_array_equal(read(dicom(RAMP, "MONOCHROME1")), 4100 - RAMP.astype(int))
    tags = {"WindowCenter": 2000, "WindowWidth": 1000}
    bright = read(dicom(RAMP, **tags), voi_lut=True)
    dark = read(dicom(RAMP, "MONOCHROME1", **tags), voi_lut=True)
    np.testing.assert_allclose(bright + dark, bright.max() + bright.min(), rtol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_darkest(photometric):
    pixels = RAMP.copy()
    pixels[:3] = 4095
    found = read(dicom(pixels, photometric, PixelPaddingValue=4095))
    assert (found[:3] == found.min()).all()
    assert found.max() - found.min() == np.ptp(pixels[3:])


def test_colour_becomes_luminance():
    colour = np.stack([picture(1), picture(2), picture(3)], -1)
    expected = np.rint(colour @ [0.299, 0.587, 0.114])
    np.testing.assert_array_equal(read(dicom(colour, "RGB")), expected)


def test_jpeg_and_jpeg_2000_frames():
    pixels = np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1))
    frame = simplejpeg.encode_jpeg(pixels[:, :, None], quality=95, colorspace="GRAY")
    found = read(compressed(dicom(pixels), frame, JPEGBaseline8Bit))
    assert np.abs(found.astype(int) - pixels).max() <= 3
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG2000", irreversible=False, no_jp2=True)
    found = read(compressed(dicom(pixels), buffer.getvalue(), JPEG2000Lossless))
    np.testing.assert_array_equal(found, pixels)


def broken(**tags: object) -> bytes:
    return dicom(RAMP, **tags)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (broken(NumberOfFrames=2), "DICOM of several frames"),
        (broken(Rows=0), "image without pixels"),
        (broken(Rows=60000, Columns=60000), "more than 36 megapixels"),
        (broken(PhotometricInterpretation="PALETTE COLOR"), "photometric interpretation"),
        (broken(BitsAllocated=7), "unreadable DICOM"),
        (broken()[:-1], "unreadable DICOM"),
        (compressed(dicom(RAMP), b"\xff\xd8", JPEGLosslessSV1), "no decoder for DICOM compression"),
        (compressed(dicom(picture()), b"\xff\xd8\x00", JPEGBaseline8Bit), "unreadable DICOM"),
    ],
)
def test_reasons(data, reason):
    with pytest.raises(UnreadableImage, match=reason):
        read(data)


@pytest.mark.parametrize("spacing", [["0", "0.1"], ["-1", "1"], ["1"]])
def test_impossible_spacing_is_unknown(spacing):
    found = reader.read_pixels(dicom(RAMP, PixelSpacing=spacing), voi_lut=False)
    assert np.isnan(found.spacing).all()


def test_header():
    tags = {"PatientAge": "058Y", "PatientSex": "F", "ViewPosition": "AP", "StudyTime": "120000"}
    header = reader.read_header(dicom(RAMP, StudyDate="20200102", **tags))
    assert (header.view, header.sex, header.age) == ("AP", "F", 58)
    assert header.day % 1 == 0.5
    empty = reader.read_header(dicom(RAMP, StudyDate="", PatientAge="old"))
    assert np.isnan([empty.day, empty.age]).all()


def test_header_of_something_else():
    with pytest.raises(UnreadableImage, match="unreadable DICOM header"):
        reader.read_header(b"hello")


def test_nothing_of_the_header_is_logged(caplog):
    data = dicom(RAMP, PatientID="SECRET", PatientBirthDate="SECRET", PatientAge="SECRET")
    read(data)
    reader.read_header(data)
    assert "SECRET" not in caplog.text

# SPDX-License-Identifier: Apache-2.0
"""What a DICOM header says badly never loses a picture in silence: rescale, window, padding."""

import numpy as np
import pydicom
import pytest

from medst_jax.data_pipelines import image_files, intensity
from medst_jax.data_pipelines.source_image import UnreadableImage
from tests.data_pipelines.official import RAMP, dicom

SLOPES = ["0.0001", "0.000244140625", "0.01", "0.1", "0.5", "1.5", "3", "16", "64", "4096", "1e6"]


def grey(data: bytes, how: str = "minmax") -> np.ndarray:
    """uint8 [H, W] as a build with this intensity would store it."""
    source = image_files.decode(data, voi_lut=how == "voi_lut")
    return intensity.convert(source.pixels, how, "jpeg", windowed=source.windowed)


PLAIN = grey(dicom(RAMP))


@pytest.mark.parametrize("intercept", ["0", "-1024", "0.25"])
@pytest.mark.parametrize("slope", SLOPES)
def test_a_rescale_of_any_slope_keeps_its_levels(slope, intercept):
    same = grey(dicom(RAMP, RescaleSlope=slope, RescaleIntercept=intercept))
    assert np.abs(same.astype(int) - PLAIN).max() <= 1


@pytest.mark.parametrize(
    "tags",
    [
        {"RescaleSlope": "0", "RescaleIntercept": "5"},
        {"RescaleSlope": "", "RescaleIntercept": ""},
        {"RescaleSlope": None, "RescaleIntercept": "7"},
        {"RescaleSlope": "2"},
        {"RescaleIntercept": "-7"},
    ],
)
def test_an_empty_or_lone_rescale_changes_no_level(tags):
    assert np.abs(grey(dicom(RAMP, **tags)).astype(int) - PLAIN).max() <= 1


@pytest.mark.parametrize(
    "tags",
    [
        {"WindowWidth": "0", "WindowCenter": "2000"},
        {"WindowWidth": "-100", "WindowCenter": "2000"},
        {"WindowWidth": "0.5", "WindowCenter": "2000"},
        {"WindowWidth": "", "WindowCenter": ""},
        {"WindowWidth": "100"},
        {"WindowCenter": "100"},
        {"WindowWidth": ["1", "2"], "WindowCenter": ["100"]},
        {"WindowWidth": "100", "WindowCenter": "60000"},
        {"WindowWidth": "100", "WindowCenter": "-60000"},
        {"WindowWidth": "1000", "WindowCenter": "2000", "VOILUTFunction": "VENDOR"},
        {"WindowWidth": "1000", "WindowCenter": "2000", "VOILUTFunction": "LOG"},
        {"VOILUTSequence": [pydicom.Dataset()]},
    ],
)
def test_a_window_that_shows_nothing_leaves_the_picture(tags):
    np.testing.assert_array_equal(grey(dicom(RAMP, **tags), "voi_lut"), PLAIN)


@pytest.mark.parametrize(
    ("tags", "plain"),
    [
        ({"WindowWidth": ["0", "1000"], "WindowCenter": ["9", "2000"]}, ("1000", "2000")),
        ({"WindowWidth": ["5", "1000"], "WindowCenter": ["60000", "2000"]}, ("1000", "2000")),
        ({"VOILUTSequence": [pydicom.Dataset()], "WindowWidth": "9", "WindowCenter": "900"}, "99"),
    ],
)
def test_the_first_usable_window_is_taken(tags, plain):
    width, centre = plain if isinstance(plain, tuple) else ("9", "900")
    alone = dicom(RAMP, WindowWidth=width, WindowCenter=centre)
    np.testing.assert_array_equal(grey(dicom(RAMP, **tags), "voi_lut"), grey(alone, "voi_lut"))


@pytest.mark.parametrize("function", ["", "LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_functions_of_the_standard_narrow_the_levels(function):
    tags = {"WindowWidth": "1000", "WindowCenter": "2000"}
    tags |= {"VOILUTFunction": function} if function else {}
    seen = grey(dicom(RAMP, **tags), "voi_lut")
    assert (np.diff(seen.ravel().astype(int)) >= 0).all()
    assert np.ptp(seen[(RAMP > 1600) & (RAMP < 2400)]) > np.ptp(
        PLAIN[(RAMP > 1600) & (RAMP < 2400)]
    )


@pytest.mark.parametrize(
    "tags",
    [
        {"RescaleSlope": "nan", "RescaleIntercept": "0"},
        {"RescaleSlope": "inf", "RescaleIntercept": "0"},
        {"RescaleSlope": "1", "RescaleIntercept": "-inf"},
        {"RescaleSlope": "1", "RescaleIntercept": "nan"},
        {"RescaleSlope": "1e300", "RescaleIntercept": "0"},
        {"RescaleSlope": "1", "RescaleIntercept": "1e39"},
        {"WindowWidth": "nan", "WindowCenter": "9"},
        {"WindowWidth": "9", "WindowCenter": "nan"},
        {"WindowWidth": "inf", "WindowCenter": "9"},
        {"WindowWidth": ["9", "nan"], "WindowCenter": ["9", "9"]},
    ],
)
def test_a_tag_that_is_no_number_is_a_reject(tags):
    with pytest.raises(UnreadableImage, match="is not a number|that no picture has"):
        grey(dicom(RAMP, **tags), "voi_lut")


def padded(values: list[int], dtype: type = np.uint16) -> np.ndarray:
    pixels = np.linspace(1000, 3000, 24 * 16).reshape(24, 16).astype(dtype)
    pixels[:, : len(values)] = values
    return pixels


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(
    ("values", "tags"),
    [
        ([0], {"PixelPaddingValue": 0}),
        ([4095], {"PixelPaddingValue": 4095}),
        ([0, 20, 60], {"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 60}),
        ([0, 20, 60], {"PixelPaddingValue": 60, "PixelPaddingRangeLimit": 0}),
        ([3500, 4000], {"PixelPaddingValue": 3400, "PixelPaddingRangeLimit": 4095}),
    ],
)
def test_padding_of_a_value_or_a_range_is_black(values, tags, photometric):
    seen = grey(dicom(padded(values), photometric, **tags))
    assert (seen[:, : len(values)] == 0).all()
    assert seen.max() == 255
    assert seen[:, len(values) :].min() <= 10


@pytest.mark.parametrize(
    ("values", "tags"),
    [
        ([-2000], {"PixelPaddingValue": -2000}),
        ([-2000], {"PixelPaddingValue": 63536}),
        ([-2000, -1990], {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1900}),
        ([-2000, -1990], {"PixelPaddingValue": 63536, "PixelPaddingRangeLimit": 63636}),
    ],
)
def test_padding_of_signed_pixels(values, tags):
    data = pydicom.dcmread(pydicom.filebase.DicomBytesIO(dicom(RAMP)))
    data.PixelRepresentation = 1
    data.BitsStored, data.HighBit = 16, 15
    data.PixelData = padded(values, np.int16).tobytes()
    for tag, value in tags.items():
        data.add_new(tag, "US" if value > 0 else "SS", value)
    buffer = pydicom.filebase.DicomBytesIO()
    data.save_as(buffer, enforce_file_format=True)
    seen = grey(buffer.getvalue())
    assert (seen[:, : len(values)] == 0).all()
    assert seen[0, len(values)] <= 10
    assert seen[-1, -1] == 255


@pytest.mark.parametrize("tags", [{"PixelPaddingValue": 50}, {"PixelPaddingRangeLimit": 4095}])
def test_padding_that_no_pixel_has_changes_nothing(tags):
    np.testing.assert_array_equal(grey(dicom(RAMP, **tags)), PLAIN)


@pytest.mark.parametrize("value", [0, 1, 77, 255])
def test_a_picture_of_one_value_is_a_reject(value):
    flat = np.full((24, 16), value)
    for data in (dicom(flat.astype(np.uint8)), dicom(flat.astype(np.uint16))):
        with pytest.raises(UnreadableImage, match="one grey value"):
            image_files.decode(data)


def test_fractions_need_an_intensity():
    source = image_files.decode(dicom(RAMP, RescaleSlope="0.3", RescaleIntercept="0"))
    for encoding in ("jpeg", "png16"):
        with pytest.raises(intensity.IntensityError, match="rescaled image"):
            intensity.convert(source.pixels, "none", encoding, windowed=False)

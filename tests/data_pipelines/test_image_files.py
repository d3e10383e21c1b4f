# SPDX-License-Identifier: Apache-2.0
"""Source formats, grey values and stored bytes."""

import io

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import ExifTags, Image, ImageOps

from medst_jax.data.records.studies import open_studies
from medst_jax.data_pipelines import image_files
from medst_jax.data_pipelines.encode import Encoding, encode_image
from medst_jax.data_pipelines.raw import RawImage
from tests.data_pipelines.official import RAMP, dicom, png
from tests.data_pipelines.tables import build_table, jpeg, picture, rows, write_table


def test_png_of_both_depths_and_colour():
    grey = picture()
    np.testing.assert_array_equal(image_files.decode(png(grey)).pixels, grey)
    np.testing.assert_array_equal(image_files.decode(png(RAMP)).pixels, RAMP)
    colour = image_files.decode(png(np.stack([grey] * 3, -1)))
    np.testing.assert_array_equal(colour.pixels, grey)
    assert image_files.bit_depth(png(RAMP)) == 16
    assert image_files.bit_depth(png(grey)) == 8


def stored(pixels: np.ndarray, intensity: str, encoding: str) -> np.ndarray:
    image = RawImage("i", "PA", pixels)
    data = encode_image(image, "", Encoding(0, intensity, encoding))["data"]
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_intensities():
    low = picture() // 4
    assert stored(low, "none", "jpeg").max() <= 70
    assert stored(low, "voi_lut", "jpeg").max() <= 70
    assert stored(low, "minmax", "jpeg").max() > 250
    assert stored(low, "mimic_jpg", "jpeg").max() > 250
    np.testing.assert_array_equal(stored(RAMP, "none", "png16"), RAMP)
    wide = stored(RAMP, "minmax", "png16")
    assert (wide.dtype, wide.min(), wide.max()) == (np.uint16, 0, 65535)
    narrow = stored(RAMP, "voi_lut", "jpeg").astype(int)
    expected = np.rint((RAMP - 100.0) / 3900 * 255)
    assert np.abs(narrow - expected).max() <= 3


def test_sixteen_bits_do_not_fit_a_jpeg_unchanged():
    with pytest.raises(image_files.UnreadableImage, match="needs --intensity"):
        stored(RAMP, "none", "jpeg")


def test_jpeg_is_grey_quality_95():
    data = encode_image(RawImage("i", "PA", picture(0, 64, 64)), "", Encoding())["data"]
    assert simplejpeg.decode_jpeg_header(data)[2] == "Gray"
    assert (
        np.abs(simplejpeg.decode_jpeg(data, "GRAY")[..., 0].astype(int) - picture(0, 64, 64)).max()
        < 25
    )


def test_table_of_mixed_formats_chooses_voi_lut(tmp_path):
    files = {"0.jpg": jpeg(picture()), "1.png": png(RAMP), "2.dcm": dicom(RAMP, "MONOCHROME1")}
    table = [{**row, "image_path": name} for row, name in zip(rows(3), files, strict=True)]
    result = build_table(write_table(tmp_path / "in", table, **files), tmp_path)
    assert result.info["intensity"] == "voi_lut"
    studies = open_studies(tmp_path, "mine", "train")
    grey = [simplejpeg.decode_jpeg(s.frontal().data, "GRAY")[..., 0].astype(int) for s in studies]
    assert studies[0].frontal().data == files["0.jpg"]
    assert np.abs(grey[1] + grey[2] - 255).max() <= 6
    assert studies[2].frontal().spacing == pytest.approx((0.2, 0.3))


@pytest.mark.parametrize("path", ["../x.jpg", "/etc/passwd", "a/../../x"])
def test_paths_stay_inside(tmp_path, path):
    with pytest.raises(image_files.UnreadableImage, match="leaves"):
        image_files.resolve(str(tmp_path), path)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind, orientation):
    # A smooth picture, so that JPEG keeps it; its corners tell the eight orientations apart.
    shown = np.add.outer(np.arange(24) * 6, np.arange(16) * 3).astype(np.uint8)
    # What must be done to the shown picture so that the viewer's correction gives it back.
    undo = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
    lying = Image.fromarray(shown)
    if orientation > 1:
        lying.getexif()[ExifTags.Base.Orientation] = undo[orientation]
        lying = ImageOps.exif_transpose(lying)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(lying)).save(buffer, kind, exif=exif, quality=95)
    image = image_files.decode(buffer.getvalue())
    assert np.abs(image.pixels.astype(int) - shown).max() <= 4
    # Bytes that lie otherwise are not stored unchanged.
    assert (image.jpeg is None) == (kind == "PNG" or orientation > 1)


def test_pictures_of_one_value_are_rejects():
    flat = np.full((24, 16), 9, np.uint8)
    for data in (png(flat), jpeg(flat), png(flat.astype(np.uint16))):
        with pytest.raises(image_files.UnreadableImage, match="one grey value"):
            image_files.decode(data)

# SPDX-License-Identifier: Apache-2.0
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from medst_jax.data.images.pixels import (
    decode,
    decode_jpeg,
    fit_affine,
    fit_square,
    image_shape,
    is_jpeg_of,
    read_square,
)


def encoded(pixels, form, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return buffer.getvalue()


def test_jpeg_png_and_colour_decode_to_grey():
    ramp = np.tile(np.linspace(0, 255, 32).astype(np.uint8), (16, 1))
    np.testing.assert_array_equal(decode(encoded(ramp, "PNG")), ramp)
    assert np.abs(decode(encoded(ramp, "JPEG", quality=95)).astype(int) - ramp).max() <= 6
    colour = np.repeat(ramp[..., None], 3, axis=2)
    assert decode(encoded(colour, "JPEG")).shape == (16, 32)


def test_sixteen_bit_is_scaled_by_its_range():
    ramp = np.linspace(1000, 61000, 64).astype(np.uint16).reshape(8, 8)
    pixels = decode(encoded(ramp, "PNG"))
    assert pixels.dtype == np.uint8 and pixels.min() == 0 and pixels.max() == 255
    flat = decode(encoded(np.full((4, 4), 40000, np.uint16), "PNG"))
    assert not flat.any()


@pytest.mark.parametrize("damage", ["cut", "noise"])
def test_damaged_images_raise(damage):
    data = encoded(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8), "JPEG")
    with pytest.raises(ValueError, match="bytes"):
        decode(data[: len(data) // 2] if damage == "cut" else b"not an image")


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("shape", [(40, 60), (60, 40), (31, 31), (16, 16), (9, 12)])
def test_square_shape_and_padding(shape, fit):
    square = fit_square(np.full(shape, 200, np.uint8), 16, fit)
    assert square.shape == (16, 16, 1) and square.dtype == np.uint8
    filled = np.mean(square == 200)
    expected = min(shape) / max(shape) if fit == "pad" else 1.0
    assert abs(filled - expected) < 0.07


def test_shrinking_averages_areas():
    checker = np.indices((32, 32)).sum(0) % 2 * np.uint8(200)
    np.testing.assert_array_equal(fit_square(checker.astype(np.uint8), 16, "pad"), 100)
    assert cv2.getNumThreads() <= 1


@pytest.mark.parametrize("how", ["pixels", "scaled", "full"])
def test_a_zone_plate_shrinks_without_false_rings(how):
    # Frequency grows with the radius, to the Nyquist limit at the edge. Sampled at 224, what is
    # finer than 0.5 * 224 / 512 cycles per pixel cannot be shown; where it equals the sampling
    # rate, at radius 224, picking pixels shows a second, false centre.
    axis = np.arange(512) - 255.5
    radius = axis[:, None] ** 2 + axis[None, :] ** 2
    plate = np.round(127.5 + 127 * np.cos(np.pi * radius / 512)).astype(np.uint8)

    def contrast(small, at):
        """Standard deviation in a window on the axis, `at` source pixels from the centre."""
        place = round(112 + at * 224 / 512)
        return small[104:120, place - 8 : min(place + 8, 224)].astype(float).std() / 127

    if how == "pixels":
        small = fit_square(plate, 224, "pad")[..., 0]
    else:
        small = read_square(encoded(plate, "JPEG", quality=98), 224, "pad", how)[..., 0]
    picked = cv2.resize(plate, (224, 224), interpolation=cv2.INTER_NEAREST)
    assert contrast(small, 30) > 0.5
    # The decoder leaves out frequencies block by block, which is a little less sharp a filter.
    assert contrast(picked, 224) > 0.5 and contrast(small, 224) < (0.14 if how == "scaled" else 0.1)
    fine = np.sqrt(cv2.resize(radius, (224, 224), interpolation=cv2.INTER_AREA)) > 0.38 * 512
    assert picked[fine].std() / 127 > 0.5 and small[fine].std() / 127 < 0.1


def smooth(height, width):
    """Waves of a fifth of the shorter side, as organs have them, with a little of finer ones."""
    y, x = np.mgrid[:height, :width] / min(height, width)
    coarse = np.sin(31 * x) * np.cos(27 * y) + 0.2 * np.sin(90 * x + 70 * y)
    return np.round(127 + 90 * coarse).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
@pytest.mark.parametrize(
    "shape", [(512, 512), (509, 387), (300, 449), (2049, 1999), (1024, 640), (90, 120)]
)
def test_a_scaled_jpeg_is_the_image_of_the_full_one(shape, fit):
    data = encoded(smooth(*shape), "JPEG", quality=95)
    full, scaled = (read_square(data, 128, fit, how).astype(int) for how in ("full", "scaled"))
    np.testing.assert_array_equal(full, fit_square(decode(data), 128, fit))
    assert scaled.shape == full.shape == (128, 128, 1)
    assert np.abs(scaled - full).mean() < 1.0
    if min(shape) < 128:  # nothing to leave out, or too little
        np.testing.assert_array_equal(scaled, full)


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("shape", [(1030, 771), (517, 1023)])
def test_a_scaled_jpeg_lies_where_boxes_are_mapped_to(shape, fit):
    pixels = np.zeros(shape, np.uint8)
    top, left = shape[0] // 2 - 100, shape[1] // 2 + 40
    pixels[top : top + 80, left : left + 120] = 255
    data = encoded(pixels, "JPEG", quality=95)
    assert image_shape(data) == image_shape(encoded(pixels, "PNG")) == shape
    square = read_square(data, 128, fit, "scaled")[..., 0] > 127
    rows, columns = np.flatnonzero(square.any(1)), np.flatnonzero(square.any(0))
    affine = fit_affine(*shape, 128, fit)
    low, high = affine @ [left, top, 1], affine @ [left + 120, top + 80, 1]
    np.testing.assert_allclose([columns[0], rows[0]], low, atol=1.0)
    np.testing.assert_allclose([columns[-1] + 1, rows[-1] + 1], high, atol=1.0)


def test_scaled_and_full_are_the_same_for_other_images_and_for_damage():
    pixels = smooth(100, 100)
    png = encoded(pixels, "PNG")
    for how in ("scaled", "full"):
        np.testing.assert_array_equal(
            read_square(png, 40, "pad", how), fit_square(pixels, 40, "pad")
        )
        with pytest.raises(ValueError, match="damaged JPEG"):
            read_square(encoded(pixels, "JPEG")[:500], 40, "pad", how)
        with pytest.raises(ValueError, match="not a readable image"):
            read_square(b"\xff\xd8 no image", 40, "pad", how)
    with pytest.raises(ValueError, match="not a readable image"):
        image_shape(b"no image")


@pytest.mark.parametrize("fit", ["pad", "crop"])
@pytest.mark.parametrize("shape", [(90, 60), (60, 90), (64, 64)])
def test_affine_follows_a_blob(shape, fit):
    pixels = np.zeros(shape, np.uint8)
    pixels[28:36, 24:34] = 255
    square = fit_square(pixels, 128, fit)[..., 0] > 127
    rows, columns = np.flatnonzero(square.any(1)), np.flatnonzero(square.any(0))
    affine = fit_affine(*shape, 128, fit)
    low, high = affine @ [24, 28, 1], affine @ [34, 36, 1]
    np.testing.assert_allclose([columns[0], rows[0]], low, atol=1.0)
    np.testing.assert_allclose([columns[-1] + 1, rows[-1] + 1], high, atol=1.0)


def test_a_jpeg_of_the_batchs_size_is_decoded_where_it_is_to_be():
    data = encoded(np.random.default_rng(0).integers(0, 255, (32, 32), np.uint8), "JPEG")
    batch = np.full((3, 32, 32, 1), 9, np.uint8)
    assert is_jpeg_of(data, 32) and not is_jpeg_of(data, 31)
    assert decode_jpeg(memoryview(data), batch[1])
    np.testing.assert_array_equal(batch[1, ..., 0], decode(data))
    assert (batch[[0, 2]] == 9).all()
    with pytest.raises(ValueError, match="damaged JPEG"):
        decode_jpeg(data[: len(data) // 2], batch[1])


def test_what_is_no_square_jpeg_is_left_to_the_other_decoders():
    square, oblong = np.zeros((8, 8), np.uint8), np.zeros((8, 9), np.uint8)
    assert not is_jpeg_of(encoded(square, "PNG"), 8) and not is_jpeg_of(b"\xff\xd8", 8)
    assert not is_jpeg_of(encoded(oblong, "JPEG"), 8)
    assert not decode_jpeg(b"\xff\xd8 no image", np.zeros((8, 8, 1), np.uint8))

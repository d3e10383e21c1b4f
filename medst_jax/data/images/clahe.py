# SPDX-License-Identifier: Apache-2.0
"""Contrast-limited adaptive histogram equalisation (CLAHE) inside jit, as OpenCV computes it.

In jit and not in the host's pixel path, for three reasons: it follows the random crop, which is drawn
on the device from the example's key; half of the images get it, by a draw of that key; and the host
decodes with two cores what an accelerator then waits for. It needs integer arithmetic and
gathers alone, so that every image of a batch is one program.

Reference: Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994;
`cv::createCLAHE` for the redistribution and the interpolation.
"""

import jax
import jax.numpy as jnp
import numpy as np

_LEVELS = 256


def equalised(image: jax.Array, clip_limit: jax.Array, tiles: int = 8) -> jax.Array:
    """Equalise the lightness of one grey image [s, s, 1] of values in [0, 1].

    Of a grey picture that is read as colour, albumentations equalises the lightness L* of CIELAB,
    in 255 steps, and CXR-CLIP so does. Values are rounded to 8 bits, as those are.

    Args:
      image: float32.
      clip_limit: scalar, how many times the mean a histogram's bin may hold.
      tiles: histograms along either axis.
    """
    grey = jnp.round(jnp.clip(image[..., 0], 0.0, 1.0) * 255.0).astype(jnp.int32)
    lightness = jnp.asarray(LIGHTNESS)[grey]
    changed = clahe(lightness, clip_limit, tiles)
    return (jnp.asarray(GREY)[changed].astype(jnp.float32) / 255.0)[..., None]


def clahe(image: jax.Array, clip_limit: jax.Array, tiles: int = 8) -> jax.Array:
    """`cv2.createCLAHE(clip_limit, (tiles, tiles)).apply` of one image, int32 [s, s] in 0..255."""
    side = image.shape[0]
    tile = -(-side // tiles)
    # OpenCV extends the image by mirroring, without the border pixel itself.
    padded = jnp.pad(image, (0, tile * tiles - side), mode="reflect")
    blocks = padded.reshape(tiles, tile, tiles, tile).transpose(0, 2, 1, 3)
    counts = _histograms(blocks.reshape(tiles * tiles, tile * tile))
    counts = _clipped(counts, clip_limit, tile * tile)
    total = jnp.cumsum(counts, axis=1).astype(jnp.float32)
    table = jnp.round(total * jnp.float32((_LEVELS - 1) / tile**2))
    table = jnp.clip(table, 0.0, _LEVELS - 1.0).reshape(-1)
    # Every pixel between the tables of the four tiles whose centres surround it.
    place = jnp.arange(side, dtype=jnp.float32) * jnp.float32(1 / tile) - 0.5
    first = jnp.floor(place)
    after = place - first
    near = jnp.clip(first.astype(jnp.int32), 0, tiles - 1)
    far = jnp.clip(first.astype(jnp.int32) + 1, 0, tiles - 1)

    def read(rows: jax.Array, columns: jax.Array) -> jax.Array:
        number = rows[:, None] * tiles + columns[None, :]
        return jnp.take(table, number * _LEVELS + image, mode="clip")

    down, right = after[:, None], after[None, :]
    upper = read(near, near) * (1 - right) + read(near, far) * right
    lower = read(far, near) * (1 - right) + read(far, far) * right
    return jnp.round(upper * (1 - down) + lower * down).astype(jnp.int32)


def _histograms(rows: jax.Array) -> jax.Array:
    """How often each of 256 values is in each row of int32 [T, n]: int32 [T, 256]."""
    # A product of upper and lower half bytes, one of 16 each: without scatter, and with a
    # sixteenth of the memory that a comparison with every value would take. Ones add up exactly.
    upper, lower = (jax.nn.one_hot(half, 16) for half in (rows // 16, rows % 16))
    counts = jnp.einsum("tnu,tnl->tul", upper, lower)
    return counts.reshape(len(rows), _LEVELS).astype(jnp.int32)


def _clipped(counts: jax.Array, clip_limit: jax.Array, pixels: int) -> jax.Array:
    """Histograms int32 [T, 256] with what exceeds the limit spread over all bins."""
    limit = jnp.maximum((clip_limit * pixels / _LEVELS).astype(jnp.int32), 1)
    excess = jnp.sum(jnp.maximum(counts - limit, 0), axis=1, keepdims=True)
    batch = excess // _LEVELS
    rest = excess - batch * _LEVELS
    # The remainder goes to every k-th bin, from the first on.
    step = jnp.maximum(_LEVELS // jnp.maximum(rest, 1), 1)
    level = jnp.arange(_LEVELS)
    extra = (level % step == 0) & (level // step < rest)
    return jnp.minimum(counts, limit) + batch + extra.astype(jnp.int32)


def _lightness_tables() -> tuple[np.ndarray, np.ndarray]:
    """L* in 255 steps of each grey value, and the grey value of each step, both int32 [256]."""
    level = np.arange(_LEVELS) / 255.0
    # sRGB to luminance, and luminance to L* (CIE 1976), in OpenCV's fixed point: its slope is 296
    # where 1.16 * 255 is 295.8, and one step of L* more or less is one bin of the histogram.
    luminance = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    luminance = np.rint(luminance * 2040) / 2040
    cube = np.where(luminance < 0.008856, luminance * 7.787 + 16 / 116, np.cbrt(luminance))
    star = np.floor((296 * np.rint(cube * 2**15) - (16 * 255 * 2**15 + 50) // 100) / 2**15 + 0.5)
    back = level * 100.0
    luminance = np.where(back > 8, ((back + 16) / 116) ** 3, back * 27 / 24389)
    linear = luminance <= 0.0031308
    grey = np.where(linear, luminance * 12.92, 1.055 * luminance ** (1 / 2.4) - 0.055)
    return star.astype(np.int32), np.rint(grey * 255).astype(np.int32)


LIGHTNESS, GREY = _lightness_tables()

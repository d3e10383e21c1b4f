# SPDX-License-Identifier: Apache-2.0
"""From attenuation to stored grey values: scatter, quantum noise, exposure, contrast curve."""

from dataclasses import dataclass

import numpy as np

from medst_jax.data_pipelines.simulated_cxr.thorax.texture import quantiles, soften, wide_blur

LEVELS = 4096  # of the look-up table
_UNIT = np.linspace(0, 1, LEVELS)
# A smooth shoulder and toe, as of film and of vendors' look-up tables.
SHOULDER = 0.5 * _UNIT + 0.5 * _UNIT * _UNIT * (3 - 2 * _UNIT)


@dataclass(frozen=True)
class Scanner:
    """The look of a site's images.

    `scatter` is the scattered over the primary dose; `dose` is quanta per mm^2 behind air in
    units of 1; `low` and `high` bound the display window as quantiles of the middle of the log
    image, and `margin` lowers it by a share of its width, for air is darker than lung; `gamma` bends the curve; `blur` is in mm; `spread` scales the variation of all.
    """

    scatter: float = 0.35
    dose: float = 7000.0
    low: float = 0.06
    high: float = 0.98
    margin: float = 0.3
    gamma: float = 1.0
    blur: float = 0.6
    spread: float = 1.0


def expose(
    rng: np.random.Generator,
    attenuation: np.ndarray,
    pixel: float,
    scanner: Scanner,
    portable: bool,
    exposure: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns grey values uint8 [H, W], dense tissue bright, and the unscattered share of the dose.

    `attenuation` is the line integral [H, W]; `pixel` is in mm; a `portable` image has no grid,
    hence more scatter, and a lower dose; `exposure` shifts the window, in deviations.
    """
    spread = scanner.spread
    ratio = scanner.scatter * (1.7 if portable else 1.0) * np.exp(0.2 * spread * rng.normal())
    dose = scanner.dose * (0.5 if portable else 1.0) * np.exp(0.3 * spread * rng.normal())
    primary = np.exp(-attenuation)
    signal = primary + np.float32(ratio) * wide_blur(primary, 0.08)
    clarity = primary / signal
    image = rng.standard_normal(signal.shape, dtype=np.float32)
    # Pixels larger than the detector's own average its quanta.
    image *= np.sqrt(signal / np.float32(dose * pixel**2))
    image += signal
    np.log(np.maximum(image, np.float32(2e-3), out=image), out=image)
    image = soften(np.negative(image, out=image), scanner.blur / pixel)
    # The anode's heel and a grid off its focus: one side of the image is darker.
    slope = (0.2 * spread * rng.normal(size=2)).astype(np.float32)
    ramp = np.linspace(-1, 1, len(image), dtype=np.float32)
    image += slope[0] * ramp[None, :] + 0.5 * slope[1] * ramp[:, None]
    # The window is set on the middle of the image, where lungs and mediastinum are.
    edge = len(image) // 6
    middle = image[edge:-edge:3, edge:-edge:3]
    low, high = quantiles(middle, np.float64(scanner.low), np.float64(scanner.high))
    reach = high - low
    low -= reach * (scanner.margin + 0.1 * spread * exposure)
    low = max(low, float(quantiles(image[::4, ::4], 0.005)[0]))
    high += 0.09 * spread * reach * rng.normal()
    scale = np.float32((LEVELS - 1) / max(high - low, 0.1))
    image -= np.float32(low)
    image *= scale
    index = np.clip(image, 0, LEVELS - 1, out=image).astype(np.uint16)
    curve = SHOULDER ** (scanner.gamma * np.exp(0.22 * spread * rng.normal()))
    return np.round(255 * curve).astype(np.uint8)[index], clarity

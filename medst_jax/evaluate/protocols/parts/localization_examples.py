# SPDX-License-Identifier: Apache-2.0
"""Pictures of maps beside masks, chosen so that they flatter nobody."""

import numpy as np

from medst_jax.evaluate.statistics.outcome import LocalizationMaps

_PICTURES = 4


def worst_to_best(
    title: str,
    names: str,
    rows: np.ndarray,
    maps: np.ndarray,
    masks: np.ndarray,
    values: np.ndarray,
) -> LocalizationMaps:
    """Images evenly spread from the lowest value to the highest.

    Args:
      title: what the maps are.
      names: what the value is called, such as "Fracture, Dice".
      rows: int [n].
      maps: [n, S, S], NaN outside the image proper.
      masks: bool [n, S, S].
      values: [n], how good each map is; NaN counts as worst.
    """
    order = np.argsort(np.nan_to_num(values, nan=-np.inf), kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, min(_PICTURES, len(order))).astype(int)]
    return LocalizationMaps(
        f"{title}, from the worst image to the best",
        rows[chosen],
        tuple(f"{names} {values[k]:.2f}" for k in chosen),
        maps[chosen],
        masks[chosen],
    )

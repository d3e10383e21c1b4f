# SPDX-License-Identifier: Apache-2.0
"""Features computed elsewhere, from an `.npz` with `image_id` [N] and `features` [N, D].

`launch/embed.py` writes such files, and any other code can. They meet the prepared data by image id.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from etils import epath

from medst_jax.evaluate.subjects.context import EvaluationContext, EvaluationData
from medst_jax.evaluate.subjects.embedder import Embeddings
from medst_jax.evaluate.subjects.features_only import FeaturesOnly
from medst_jax.files.reading import read_arrays, reading


@dataclasses.dataclass(frozen=True)
class FeatureTable:
    """Features float32 [N, D] and the place of each image id."""

    places: Mapping[str, int]
    features: np.ndarray


def read_features(path: epath.PathLike) -> FeatureTable:
    """Read a table of features.

    Raises:
      FileNotFoundError: there is no such file.
      DamagedDataError: it is no `.npz`, or cut short.
      ValueError: an array is missing or has another shape, an id occurs twice, or a feature is
        not finite.
    """
    remedy = "write the features again"
    arrays = read_arrays(path, remedy)
    if missing := {"image_id", "features"} - arrays.keys():
        raise ValueError(
            f"{path} has no array {', '.join(sorted(missing))}; it needs image_id [N] and "
            "features [N, D]"
        )
    with reading(path, "numbers", remedy):
        ids, features = arrays["image_id"], np.asarray(arrays["features"], np.float32)
    if features.ndim != 2 or ids.shape != features.shape[:1]:
        raise ValueError(
            f"{path} has image_id {ids.shape} and features {features.shape}; they must be [N] and "
            "[N, D]"
        )
    places = {str(name): k for k, name in enumerate(ids)}
    if len(places) < len(ids):
        raise ValueError(f"{path} names {len(ids) - len(places)} images more than once")
    if wrong := int((~np.isfinite(features)).any(1).sum()):
        raise ValueError(f"{path} has features that are not finite for {wrong} images")
    return FeatureTable(places, features)


@dataclasses.dataclass(frozen=True)
class FeatureTableContext(EvaluationContext):
    """A context whose images are looked up instead of embedded.

    Attributes:
      table: features of all images that will be asked for.
    """

    _: dataclasses.KW_ONLY
    table: FeatureTable

    def embed(self, dataset: str, split: str, rows: np.ndarray) -> Embeddings:
        """Features of the rows' first frontal images, in the order of `rows`.

        Raises:
          ValueError: the table lacks some of the images.
        """
        studies = self.data.studies(dataset, split)
        frontals = [studies[int(row)].frontal() for row in rows]
        places = [self.table.places.get(f.image_id, -1) if f else -1 for f in frontals]
        if missing := sum(place < 0 for place in places):
            raise ValueError(
                f"the table has no features of {missing} of {len(places)} images of "
                f"{dataset}/{split}; ids must be those of the prepared data"
            )
        features = self.table.features[np.asarray(places, np.int64)]
        return Embeddings(features, features)


def feature_table_context(
    path: epath.PathLike, evaluation_data: EvaluationData
) -> FeatureTableContext:
    """The context of a file of features; see `read_features`."""
    return FeatureTableContext(
        FeaturesOnly(evaluation_data.size), evaluation_data, table=read_features(path)
    )

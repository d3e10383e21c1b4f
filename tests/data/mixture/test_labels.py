# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from medst_jax.data.mixture.labels import merge_codes, to_union, union_columns, union_labels


def test_union_is_in_order_of_first_appearance_and_ignores_case():
    sets = [("Edema", "Pleural  Effusion"), ("nodule", "pleural effusion"), ("EDEMA", "Mass")]
    assert union_labels(sets) == ("Edema", "Pleural  Effusion", "nodule", "Mass")


def test_dropped_class_leaves_the_union_and_unknown_one_is_an_error():
    assert union_labels([("a", "b")], ("A",)) == ("b",)
    with pytest.raises(ValueError, match="'c'.*they have: a, b"):
        union_labels([("a", "b")], ("c",))


def test_codes_land_in_their_class_and_are_outside_elsewhere():
    columns = union_columns(("nodule", "EDEMA"), ("Edema", "Mass", "Nodule"))
    codes = np.array([[1, 0], [-1, -2]], np.int8)
    np.testing.assert_array_equal(to_union(codes, columns), [[0, -3, 1], [-2, -3, -1]])
    assert to_union(codes, columns).dtype == np.int8


@pytest.mark.parametrize(
    ("codes", "merged"),
    [([1, -1, 0], 1), ([0, -1, -2], -1), ([-2, 0, -2], 0), ([-2, -3], -2), ([-3, -3], -3)],
)
def test_merged_code_is_the_most_telling(codes, merged):
    assert merge_codes(np.array(codes, np.int8)[:, None])[0] == merged

# SPDX-License-Identifier: Apache-2.0
"""The list of known overlaps of public data sets."""

from medst_jax.data_pipelines.overlaps import overlaps_of, read_overlaps
from medst_jax.data_pipelines.registry import DATASETS


def test_rows_are_unique_and_no_data_set_contains_itself():
    rows = read_overlaps()
    pairs = [frozenset((row.part, row.whole)) for row in rows]
    assert len(set(pairs)) == len(pairs) and all(len(pair) == 2 for pair in pairs)
    assert all(row.remark for row in rows)


def test_what_lies_in_a_part_lies_in_the_whole():
    rows = read_overlaps()
    known = {(row.part, row.whole) for row in rows}
    whole = {row.part: row.whole for row in rows if row.extent == "all"}
    for row in rows:
        if row.whole in whole:
            assert (row.part, whole[row.whole]) in known, row


def test_known_containments():
    assert {row.part for row in overlaps_of("nih_chestxray14")} >= {
        "rsna_pneumonia",
        "siim_pneumothorax",
        "covid_radiography",
    }
    assert {row.whole for row in overlaps_of("covid_radiography")} >= {"mhh_covid"}
    assert {row.part for row in overlaps_of("padchest")} == {
        "padchest_physicians",
        "padchest_gr",
        "padchest_gr_es",
    }


def test_names_are_those_of_the_builders():
    named = {name for row in read_overlaps() for name in (row.part, row.whole)}
    unbuilt = {"ms_cxr", "ms_cxr_t", "radnli", "mednli", "convirt_8x200", "chest_imagenome"}
    unbuilt |= {"vindr_cxr_kaggle", "mhh_covid", "kermany", "cxrgraph", "radgraph"}
    assert named <= set(DATASETS) | unbuilt

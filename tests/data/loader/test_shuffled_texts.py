# SPDX-License-Identifier: Apache-2.0
"""Shuffled reports of a batch, against each put together by itself."""

import numpy as np
import pytest

from medst_jax.data.loader.shuffled_texts import shuffle_sentences
from medst_jax.data.loader.tokenized_texts import concatenate_texts, tokenize_texts
from medst_jax.data.mixture.text_sampling import SampledText

REPORTS = (
    (("there is edema.", 1), ("no mass.", 1), ("the heart is large.", 2)),
    (("no mass.", 3),),
    (("fever.", 0), ("there is edema.", 0), ("", 1), ("no mass.", 1), ("no edema.", 1)),
)


@pytest.mark.parametrize("length", [4, 9, 60])
def test_each_text_is_its_sentences_in_the_order_of_their_keys(tokenizer, length):
    rng = np.random.default_rng(length)
    for _ in range(20):
        codes = [rng.integers(-3, 2, (len(report), 4)).astype(np.int8) for report in REPORTS]
        keys = [rng.random(len(report)) for report in REPORTS]
        expected = []
        for report, own, key in zip(REPORTS, codes, keys, strict=True):
            order = sorted(range(len(report)), key=lambda k: (report[k][1], key[k]))
            text = SampledText(tuple(report[k][0] for k in order), own[order], 1)
            expected.append(tokenize_texts([text], tokenizer, length))
        single = [
            SampledText((sentence,), row[None], 1)
            for report, own in zip(REPORTS, codes, strict=True)
            for (sentence, _), row in zip(report, own, strict=True)
        ]
        texts = shuffle_sentences(
            tokenize_texts(single, tokenizer, length),
            np.array([section for report in REPORTS for _, section in report]),
            np.array(list(map(len, REPORTS))),
            np.concatenate(keys),
            length,
        )
        for name, one, other in zip(texts._fields, texts, concatenate_texts(expected), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)

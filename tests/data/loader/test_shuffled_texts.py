# SPDX-License-Identifier: Apache-2.0
"""Shuffled reports of a batch, against each put together by itself."""

import numpy as np
import pytest

from medst_jax.data.loader.shuffled_texts import shuffled
from medst_jax.data.loader.tokenized_texts import joined, tokenized
from medst_jax.data.mixture.text_sampling import Text

SAID = (
    (("there is edema.", 1), ("no mass.", 1), ("the heart is large.", 2)),
    (("no mass.", 3),),
    (("fever.", 0), ("there is edema.", 0), ("", 1), ("no mass.", 1), ("no edema.", 1)),
)


@pytest.mark.parametrize("length", [4, 9, 60])
def test_each_text_is_its_sentences_in_the_order_of_their_keys(tokenizer, length):
    rng = np.random.default_rng(length)
    for _ in range(20):
        codes = [rng.integers(-3, 2, (len(said), 4)).astype(np.int8) for said in SAID]
        keys = [rng.random(len(said)) for said in SAID]
        expected = []
        for said, own, key in zip(SAID, codes, keys, strict=True):
            order = sorted(range(len(said)), key=lambda k: (said[k][1], key[k]))
            text = Text(tuple(said[k][0] for k in order), own[order], 1)
            expected.append(tokenized([text], tokenizer, length))
        single = [
            Text((sentence,), row[None], 1)
            for said, own in zip(SAID, codes, strict=True)
            for (sentence, _), row in zip(said, own, strict=True)
        ]
        found = shuffled(
            tokenized(single, tokenizer, length),
            np.array([section for said in SAID for _, section in said]),
            np.array(list(map(len, SAID))),
            np.concatenate(keys),
            length,
        )
        for name, one, other in zip(found._fields, found, joined(expected), strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)

# SPDX-License-Identifier: Apache-2.0
from medst_jax.data.mixture.prompts import all_prompts
from medst_jax.data.tokenize.tokenizer import UNKNOWN, Tokenizer
from medst_jax.data_pipelines.vocabulary import train_vocabulary


def test_same_data_same_file_and_prompts_are_covered(data_dir):
    first = train_vocabulary(data_dir, ["reports", "labelled"], "twice", 150).read_bytes()
    path = train_vocabulary(data_dir, ["reports", "labelled"], "twice", 150)
    assert path.read_bytes() == first
    assert path == data_dir / "vocabulary" / "twice.model"
    tokenizer = Tokenizer.load(path)
    for text in all_prompts(("Edema", "Nodule")):
        assert UNKNOWN not in tokenizer.encode(text, 64)
